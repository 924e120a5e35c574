#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace oob::bench {

[[noreturn]] inline void die(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

// A pty in raw mode: `gear` is the device's end; the other is found at the symbolic link `path`, and held
// open here too, so that a reader that leaves is not an end for the gear. Both live until the program ends.
struct Pty {
  int gear;
  int held;
};

inline Pty make_pty(const std::string& path) {
  int gear = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  char name[64];
  if (gear < 0 || grantpt(gear) != 0 || unlockpt(gear) != 0 || ptsname_r(gear, name, sizeof name) != 0)
    die("a pty for " + path);
  int held = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  termios settings;
  if (held < 0 || tcgetattr(held, &settings) != 0) die(name);
  cfmakeraw(&settings);
  cfsetspeed(&settings, B115200);
  tcsetattr(held, TCSANOW, &settings);
  unlink(path.c_str());
  if (symlink(name, path.c_str()) != 0) die(path);
  return {gear, held};
}

}  // namespace oob::bench

// Gear that sends back what is typed, byte for byte: `bench_echo PATH` makes a pty at PATH, says "ready" and
// works until it is ended.

#include "tests/bench/gear.h"

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  oob::bench::Pty pty = oob::bench::make_pty(argv[1]);
  std::puts("ready");
  std::fflush(stdout);
  char bytes[4096];
  while (true) {
    ssize_t size = read(pty.gear, bytes, sizeof bytes);
    if (size <= 0) return 1;
    for (ssize_t sent = 0; sent < size;) {
      ssize_t some = write(pty.gear, bytes + sent, size - sent);
      if (some <= 0) return 1;
      sent += some;
    }
  }
}

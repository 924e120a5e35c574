#pragma once

#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "serial/settings.h"

namespace oob::serial {

// An open, locked tty, set up raw. All that may hang for seconds in a driver (opening, setting up, break,
// closing) is called on a base::Blocking thread; read and write go by the descriptor, which does not block.
class Tty {
 public:
  Tty() = default;
  // Discards what was not sent yet (a UART stopped by flow control would hold the close up), then closes.
  virtual ~Tty() = default;
  Tty(const Tty&) = delete;
  Tty& operator=(const Tty&) = delete;

  virtual int fd() const = 0;
  // Waits until what was written has left, then holds the line in the break condition.
  virtual base::Result<> start_break() = 0;
  virtual base::Result<> end_break() = 0;

  // Discards what was written and not sent. Does not block.
  void discard();
  // Lets others open it from now on. Does not block.
  void unlock();
};

// Opens what settings.path leads to now: a UART where libserialport knows the name, any other tty by termios.
// Blocks: for a base::Blocking thread. Errors: "PATH: No such file or directory", "PATH: in use by another
// program".
base::Result<std::unique_ptr<Tty>> open_tty(const TtySettings& settings);

// Takes the tty for this process alone: flock, and TIOCEXCL unless it is a pty (its other end may hold this
// one open too, and the mark would outlive us).
base::Result<> lock_tty(int fd, const std::string& real_path);

// A tty that libserialport does not know: a pty, a virtual console. What it has no notion of (a speed, modem
// lines) is left. Takes over a locked descriptor.
base::Result<std::unique_ptr<Tty>> open_plain_tty(base::Fd locked, const TtySettings& settings);

}  // namespace oob::serial

#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/loop.h"
#include "base/result.h"

namespace oob::console {

// Something that happened to a line at one place between its bytes: "lost", "the BMC lost output here".
struct LineMark {
  std::string kind;   // one lower-case word, as Transcript::mark() takes it
  std::string text;   // may be anything; shown to people only made printable
  bool tell = false;  // people on the console hear of it
};

// One byte way to a device: a UART, another tty or pty, a TCP or Unix socket, a BMC's Serial over LAN. Owned
// by its Console, which opens it, reads until an error, closes it and opens it again with back-off. Nothing
// here blocks, and every callback comes later from the loop, never from inside the call that asked for it.
class Line {
 public:
  virtual ~Line() = default;

  // Begins to open. `done` is called once, within 15 s, unless close() comes first; after success read() and
  // write() may be called. An error says what was tried: "/dev/ttyUSB0: No such file or directory".
  virtual void open(std::function<void(base::Result<>)> done) = 0;

  // Moves at most `most` bytes that are here already. Fault::again: none now. Any other error: the line is
  // down, the text says why ("unplugged"), and only close() may follow.
  // Never reads past a mark: a read may be short because one follows, and gives Fault::again while one stands
  // before the next byte (or the error).
  virtual base::Result<std::size_t> read(char* to, std::size_t most) = 0;
  // Takes the mark that stands right here, before the next byte that read() would give; nothing: bytes, the
  // error or a wait come first. Ask until it gives nothing, before the first read() and after each.
  virtual std::optional<LineMark> next_mark() { return std::nullopt; }
  // Takes as much as there is room for. Fault::again: no room now; other errors as with read().
  virtual base::Result<std::size_t> write(base::Bytes bytes) = 0;

  // One-shot: `what` runs when read() (or next_mark(), or write()) has something to say again, an error
  // included. A new wait replaces the old one; close() drops both.
  virtual void wait_readable(std::function<void()> what) = 0;
  virtual void wait_writable(std::function<void()> what) = 0;

  // read() will be called by the clock for a while, without waits: bytes that come need wake nobody. Ends
  // with the next wait. REQUIRES: no wait_readable() under way.
  virtual void rest() {}

  // Sends a break of so many milliseconds (0: the line's default, 300) and ends it by itself. REQUIRES: open.
  virtual base::Result<> send_break(unsigned milliseconds) = 0;

  // May be called at any time and more than once. No callback comes after it.
  virtual void close() = 0;

  // While the line is closed: `what` runs once when there is reason to open it before the back-off is over
  // (its path came back). Lines that can't know never call it. Dropped by open() and close().
  virtual void wait_return(std::function<void()> what) = 0;

  // For people: "/dev/ttyUSB0 115200 8N1", "tcp 192.0.2.40:4001".
  virtual std::string describe() const = 0;
};

}  // namespace oob::console

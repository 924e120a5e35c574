#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/loop.h"
#include "console/line.h"

namespace oob::serial {

constexpr unsigned kBreakDefault = 300;  // milliseconds
constexpr unsigned kBreakMost = 3000;    // RFC 4335, 3
// How long a break of `asked` milliseconds really is.
base::milliseconds break_time(unsigned asked);

// What lines over a descriptor have in common: reading, writing and waiting, one system call each. Derived
// lines own the descriptor and open and close it.
class FdLine : public console::Line {
 public:
  base::Result<std::size_t> read(char* to, std::size_t most) override;
  base::Result<std::size_t> write(base::Bytes bytes) override;
  void wait_readable(std::function<void()> what) override;
  void wait_writable(std::function<void()> what) override;
  void rest() override;

 protected:
  enum class Kind { tty, socket };
  FdLine(base::Loop& loop, Kind kind) : loop_(loop), kind_(kind) {}

  // `fd` does not block and stays open until detach(), which drops all waits.
  void attach(int fd);
  void detach();
  bool attached() const { return fd_ >= 0; }
  base::Loop& loop() { return loop_; }

  // Why the line is down, from errno; 0 stands for the end of the stream.
  base::Error down(int number) const;

 private:
  base::Loop& loop_;
  Kind kind_;
  int fd_ = -1;
  std::optional<base::Watch> watch_;  // while somebody waits
};

}  // namespace oob::serial

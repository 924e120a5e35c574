#pragma once

#include <memory>
#include <string>

#include "serial/tty.h"

struct sp_port;

namespace oob::serial {

// A serial port by libserialport.
class Uart : public Tty {
 public:
  // Whether libserialport takes `real` (no link: it looks the name up in the system's list) for a serial
  // port.
  static bool knows(const std::string& real);
  // `claimed` is an open, locked descriptor of the same tty; its lock passes to the new one.
  // Fault::missing: a tty without modem lines, which libserialport does not handle; `claimed` is locked
  // again.
  static base::Result<std::unique_ptr<Tty>> open(const std::string& real, const base::Fd& claimed,
                                                 const TtySettings& settings);

  ~Uart() override;
  int fd() const override { return fd_; }
  base::Result<> start_break() override;
  base::Result<> end_break() override;

 private:
  Uart(sp_port* port, int fd) : port_(port), fd_(fd) {}
  sp_port* port_;
  int fd_;
};

}  // namespace oob::serial

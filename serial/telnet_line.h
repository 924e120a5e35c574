#pragma once

#include <functional>
#include <string>

#include "serial/settings.h"
#include "serial/tcp_line.h"
#include "serial/telnet.h"

namespace oob::serial {

// A terminal server's port by telnet, with baud, format, flow and break by RFC 2217 where the other side
// knows it. The line is open as soon as the connection is; the settings are asked for meanwhile, and what is
// refused is told by `remark` and in describe(): the console may well be readable all the same.
class TelnetLine : public TcpLine {
 public:
  // How long a break waits for the other side to say whether it knows RFC 2217.
  static constexpr base::milliseconds kDecisionLimit{1'000};

  // Without `remark`, refusals go to the log.
  TelnetLine(base::Loop& loop, TelnetSettings settings,
             std::function<void(const std::string&)> remark = nullptr);

  base::Result<std::size_t> read(char* to, std::size_t most) override;
  base::Result<std::size_t> write(base::Bytes bytes) override;  // takes nothing while a break lasts
  void wait_writable(std::function<void()> what) override;
  // Fault::busy while the last one lasts. Without RFC 2217 it is telnet's own break, as long as the far end
  // likes.
  base::Result<> send_break(unsigned milliseconds) override;
  void close() override;
  std::string describe() const override;

 private:
  void connected() override;
  base::Result<> flush();
  void flush_later();
  void wait_for_room();
  void tell_remarks();
  void begin_break();
  void end_break();

  const TelnetSettings settings_;
  const std::function<void(const std::string&)> remark_;
  Telnet telnet_;
  std::string refused_;             // remarks since the connection was made
  std::function<void()> writable_;  // whoever waits for room
  bool breaking_ = false, undecided_ = false;
  base::milliseconds break_time_{0};
  base::Timer break_timer_;
};

}  // namespace oob::serial

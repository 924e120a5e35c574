#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/loop.h"
#include "serial/fd_line.h"

namespace oob::serial {

// A raw TCP connection to a terminal server's port. A peer that vanishes without a word is noticed within a
// minute.
class TcpLine : public FdLine {
 public:
  static constexpr base::milliseconds kConnectLimit{10'000};

  // `address` as parse_endpoint() takes it; a wrong one is what open() answers.
  TcpLine(base::Loop& loop, std::string address);

  void open(std::function<void(base::Result<>)> done) override;
  base::Result<> send_break(unsigned milliseconds) override;
  void close() override;
  void wait_return(std::function<void()> what) override;  // a network can't know: never called
  std::string describe() const override;

 protected:
  const std::string& address() const { return address_; }
  virtual void connected() {}  // before open() is answered

 private:
  base::Result<base::Fd> start_connect();
  void finish();
  void answer(base::Result<> outcome);

  const std::string address_;
  base::Fd socket_;
  std::optional<base::Watch> connecting_;
  base::Timer limit_;
  std::function<void(base::Result<>)> done_;
};

}  // namespace oob::serial

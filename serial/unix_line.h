#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/loop.h"
#include "serial/fd_line.h"
#include "serial/path_watch.h"

namespace oob::serial {

// A Unix stream socket that a virtual machine listens on: QEMU, bhyve and the like.
class UnixLine : public FdLine {
 public:
  UnixLine(base::Loop& loop, PathWatch& paths, std::string path);

  void open(std::function<void(base::Result<>)> done) override;
  base::Result<> send_break(unsigned milliseconds) override;
  void close() override;
  void wait_return(std::function<void()> what) override;
  std::string describe() const override;

 private:
  PathWatch& paths_;
  const std::string path_;
  base::Fd socket_;
  base::Timer soon_;  // delivers the outcome of open()
  PathIdentity seen_;
  std::optional<PathWatch::Wait> return_;
};

}  // namespace oob::serial

#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/disk.h"
#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "oobd/config.h"
#include "oobd/reach_processes.h"
#include "serial/fd_line.h"

namespace oob {

// A line to a device over the management network: an SSH client in a process of its own, that shows no
// secret to anybody but the host whose key is in the configuration. Its files are read when it is opened.
class SshLine : public serial::FdLine {
 public:
  static constexpr base::milliseconds kOpenLimit{15'000};

  // `shell`: to a bare /bin/sh, else to what the user gets at a login, on a terminal.
  SshLine(base::Loop& loop, base::Blocking& blocking, std::shared_ptr<ReachProcesses> processes,
          DeviceConfig::InBand settings, bool shell);
  ~SshLine() override;

  // Fault::denied: it is another host, or the user was refused; Fault::config: a file of ours.
  void open(std::function<void(base::Result<>)> done) override;
  base::Result<> send_break(unsigned milliseconds) override;
  void close() override;
  void wait_return(std::function<void()> what) override;  // a network can't know: never called
  std::string describe() const override;

 private:
  struct Secrets;
  void start(Secrets& secrets);
  void listen();
  void answer(base::Result<> outcome);

  base::Blocking& blocking_;
  std::shared_ptr<ReachProcesses> processes_;
  const DeviceConfig::InBand settings_;
  const bool shell_;
  base::Fd socket_;
  pid_t pid_ = -1;
  std::string heard_;                 // of the answer
  std::optional<base::Watch> watch_;  // for the answer
  base::Timer limit_;
  std::function<void(base::Result<>)> done_;
  base::Life life_;  // of one open()
};

}  // namespace oob

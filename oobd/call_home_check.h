#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "oobd/host_key_look.h"

namespace oob {

// Looks once whether a Unix socket leads to this board: through ssh to the bastion's socket, and back to our
// own front.
class CallHomeCheck {
 public:
  // `own`: the key blobs of this board; `done` is called once, from the loop, unless this has gone.
  // Fault::unavailable: nobody, no answer within `limit`, or somebody who hung up before that was known;
  // Fault::denied: another host.
  CallHomeCheck(base::Loop& loop, const std::string& path, std::vector<std::string> own,
                base::milliseconds limit, std::function<void(base::Result<>)> done);
  CallHomeCheck(const CallHomeCheck&) = delete;
  CallHomeCheck& operator=(const CallHomeCheck&) = delete;

 private:
  void send(base::Bytes bytes);
  void hear();
  void end(base::Result<> result);

  std::vector<std::string> own_;
  std::function<void(base::Result<>)> done_;
  base::Fd socket_;
  std::unique_ptr<base::Watch> watch_;
  base::Timer limit_;
  HostKeyLook look_;
  base::Life life_;
};

}  // namespace oob

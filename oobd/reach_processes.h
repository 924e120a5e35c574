#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/loop.h"
#include "base/result.h"

namespace oob {

// The SSH clients that run as children (`oobd reach`). Each ends when its socket does; here they are buried,
// and ended if they do not go by themselves. Shared by the lines whose clients they are.
class ReachProcesses {
 public:
  // `program`: what is run with the word `reach`.
  ReachProcesses(base::Loop& loop, std::string program);
  ~ReachProcesses();  // ends and buries all
  ReachProcesses(const ReachProcesses&) = delete;
  ReachProcesses& operator=(const ReachProcesses&) = delete;

  // Its end of the socket becomes its descriptor 3; the environment is empty.
  base::Result<pid_t> start(const base::Fd& socket);
  // The core has closed its end: the process has a moment to say goodbye to its peer.
  void let_go(pid_t pid);

 private:
  static constexpr base::milliseconds kFarewell{2000}, kLook{100};
  struct Leaving {
    pid_t pid;
    base::Clock::time_point until;
    bool killed;
  };
  void look();

  std::string program_;
  std::vector<pid_t> running_;
  std::vector<Leaving> leaving_;
  base::Timer timer_;
};

}  // namespace oob

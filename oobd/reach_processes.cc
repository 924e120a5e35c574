#include "oobd/reach_processes.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "oobd/child.h"

namespace oob {

using base::Result;
using base::str;

namespace {
constexpr int kReachSocket = 3;  // where main() looks for it
}

ReachProcesses::ReachProcesses(base::Loop& loop, std::string program)
    : program_(std::move(program)), timer_(loop) {}

ReachProcesses::~ReachProcesses() {
  for (const Leaving& one : leaving_) running_.push_back(one.pid);
  for (pid_t pid : running_) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

Result<pid_t> ReachProcesses::start(const base::Fd& socket) {
  // A process group of its own: Ctrl-C at a terminal is for the core.
  SpawnTerms terms(POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(terms.attributes(), 0);
  posix_spawn_file_actions_addopen(terms.descriptors(), 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(terms.descriptors(), 0, 1);
  posix_spawn_file_actions_adddup2(terms.descriptors(), socket.get(), kReachSocket);
  posix_spawn_file_actions_addclosefrom_np(terms.descriptors(), kReachSocket + 1);
  char name[] = "oobd", word[] = "reach";
  char* arguments[] = {name, word, nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  int failed =
      ::posix_spawn(&pid, program_.c_str(), terms.descriptors(), terms.attributes(), arguments, environment);
  if (failed) return base::system_error(str("start ", program_, " reach"), failed);
  running_.push_back(pid);
  return pid;
}

void ReachProcesses::let_go(pid_t pid) {
  auto found = std::find(running_.begin(), running_.end(), pid);
  if (found == running_.end()) return;
  running_.erase(found);
  leaving_.push_back({pid, base::Clock::now() + kFarewell, false});
  look();
}

void ReachProcesses::look() {
  std::erase_if(leaving_, [](const Leaving& one) { return ::waitpid(one.pid, nullptr, WNOHANG) != 0; });
  for (Leaving& one : leaving_) {
    if (one.killed || base::Clock::now() < one.until) continue;
    ::kill(one.pid, SIGKILL);
    one.killed = true;
  }
  if (!leaving_.empty()) timer_.after(kLook, [this] { look(); });
}

}  // namespace oob

#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "oobd/errands.h"

namespace oob::errands {

// What the process that runs programs leaves for the one that keeps it, in memory that both see: that it is
// not hung, and the process groups that are to be ended when it is gone.
class Groups {
 public:
  // Shared with whatever is forked from now on, and there as long as this process; null where there is no
  // memory.
  static Groups* make();

  void beat() { beats_.fetch_add(1, std::memory_order_relaxed); }
  std::uint32_t beats() const { return beats_.load(std::memory_order_relaxed); }
  // By any process, also between fork() and exec.
  void add(pid_t group);
  void remove(pid_t group);
  // SIGKILL to all of them; none is left.
  void end_all();

 private:
  Groups() = default;
  static_assert(std::atomic<pid_t>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free);
  std::atomic<std::uint32_t> beats_{0};
  std::atomic<pid_t> groups_[Errands::kMost]{};  // 0: a free place
};

class Kept;

// What is run under a keeper: does what `control` asks for. 0: the core has gone; else it is to be begun
// anew. It goes by the configuration that the one before has left in `kept`, and reads it itself where there
// is none and when it is told to.
int do_errands(int control, const std::string& config_file, Groups& groups, Kept& kept);

// The keeper itself: run_errands() with another fork().
int keep_errands(int control, const std::string& config_file, const std::function<pid_t()>& fork);

}  // namespace oob::errands

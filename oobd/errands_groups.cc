#include "oobd/errands_groups.h"

#include <signal.h>
#include <sys/mman.h>

#include <new>

namespace oob::errands {

Groups* Groups::make() {
  void* memory = ::mmap(nullptr, sizeof(Groups), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : new (memory) Groups();
}

void Groups::add(pid_t group) {
  for (auto& each : groups_)
    if (pid_t none = 0; each.compare_exchange_strong(none, group)) return;
}

void Groups::remove(pid_t group) {
  for (auto& each : groups_) {
    pid_t its = group;
    each.compare_exchange_strong(its, 0);
  }
}

void Groups::end_all() {
  for (auto& each : groups_)
    if (pid_t group = each.exchange(0); group > 0) ::kill(-group, SIGKILL);
}

}  // namespace oob::errands

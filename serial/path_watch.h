#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "base/loop.h"

namespace oob::serial {

// What a path leads to now, links followed. Two of them differ when the device was unplugged and plugged in
// again, comes back under another number behind the same link, or its permissions changed.
struct PathIdentity {
  bool there = false;
  dev_t device = 0;
  ino_t inode = 0;
  dev_t node = 0;            // of a device node: which device
  std::int64_t changed = 0;  // nanoseconds since 1970
  bool operator==(const PathIdentity&) const = default;
};
PathIdentity look_at(const std::string& path);

// Waits for paths to come back, by looking at them every kEvery: works on every system and filesystem. One
// timer for all, stopped while nobody waits. A look is one stat() of a device node or socket, which live in
// memory.
class PathWatch {
 public:
  static constexpr base::milliseconds kEvery{250};

  explicit PathWatch(base::Loop& loop) : timer_(loop) {}
  PathWatch(const PathWatch&) = delete;
  PathWatch& operator=(const PathWatch&) = delete;

  // One path waited for while this lives. `what` runs once, when the path is there and was gone in between or
  // is not what it was as `seen`. May be destroyed from inside `what` and from that of others.
  class Wait {
   public:
    Wait(PathWatch& watch, std::string path, const PathIdentity& seen, std::function<void()> what);
    ~Wait();
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    friend class PathWatch;
    PathWatch& watch_;
    std::string path_;
    PathIdentity seen_;
    std::function<void()> what_;
    std::list<Wait*>::iterator place_;
  };

 private:
  void look();
  base::Timer timer_;
  std::list<Wait*> waits_;
  std::vector<Wait*> due_;  // of the look under way; what is destroyed meanwhile becomes null
};

}  // namespace oob::serial

#pragma once

#include "base/bytes.h"
#include "base/loop.h"

namespace oob::console {

// Hears what a console says as it is read: before it is in any file, and whether anybody watches or not.
// Owned by its Console. Costs it nothing in memory that grows, unlike a Watcher, which is a reader of its
// own.
class Ear {
 public:
  virtual ~Ear() = default;
  // In the middle of the console's work. `typed_at`: when somebody, or a dialogue that is no look, last
  // typed. `is_look`: the daemon looks at the device just now, as it does every minute
  // (Dialogues::Order::is_look).
  virtual void heard(base::Bytes bytes, base::Clock::time_point typed_at, bool is_look) = 0;
};

}  // namespace oob::console

#pragma once

#include <string>

#include "base/loop.h"

namespace oob {

// Tells the service manager how we are (sd_notify(3)): "READY=1", "RELOADING=1", "STOPPING=1", "STATUS=…".
// Nothing where there is no service manager.
void notify(const std::string& state);

// Says WATCHDOG=1 twice in each interval the service manager asked for, as long as the loop turns.
class Watchdog {
 public:
  explicit Watchdog(base::Loop& loop);

 private:
  void again();
  base::Timer timer_;
  base::milliseconds every_{0};
};

}  // namespace oob

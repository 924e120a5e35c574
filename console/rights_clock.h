#pragma once

#include <string>

#include "base/loop.h"
#include "base/time.h"

namespace oob::console {

struct Core;

// What rights the clock gives and takes: ends timed grants, and rechecks all sessions and forwards when
// something may have changed, so that nobody keeps a keyboard or a BMC's page beyond their time. The Core
// outlives it.
class RightsClock {
 public:
  // The clock may be set meanwhile: it is looked at this often at least.
  static constexpr std::chrono::seconds kLook{30};

  explicit RightsClock(Core& core);
  RightsClock(const RightsClock&) = delete;
  RightsClock& operator=(const RightsClock&) = delete;

  // Takes up the grants of `file`, and judges the clock by the time that the journal was last written to. A
  // file that is damaged is said, and no grant holds. Blocks; once, before the first policy is consulted.
  void load(const std::string& file, base::Micros journal_written);
  // The Core's policy, which a reload has swapped, goes by this clock and these grants.
  void adopt();
  // Begins, or looks anew: a grant came or went.
  void look();

 private:
  void tick();

  Core& core_;
  base::Timer timer_;
};

}  // namespace oob::console

#pragma once

#include <functional>

#include "base/life.h"
#include "base/loop.h"
#include "base/time.h"
#include "console/core.h"
#include "console/drills.h"

namespace oob {

// Drills by the clock ([drill] every), as Policy::schedule(): `every` after the last whole one, by whomever
// it was, also over restarts. The first is not at once after the start, when lines and sessions still come
// up. One that could not begin is tried again. The Core has Drills, and outlives it.
class DrillClock {
 public:
  struct Options {
    std::function<base::Micros()> wall = base::wall_now;
    base::milliseconds settle{60'000};  // from the start to the first drill
    base::milliseconds look{30'000};    // how often it looks at the clock
    base::milliseconds again{600'000};  // after one that could not begin, or was not whole
  };

  DrillClock(console::Core& core, base::Micros every, Options options);
  ~DrillClock();
  DrillClock(const DrillClock&) = delete;
  DrillClock& operator=(const DrillClock&) = delete;

  void adopt(base::Micros every);
  // Wall clock of the next; 0: none is wanted.
  base::Micros next() const;

 private:
  void tick();
  void begin();
  void ended(const base::Result<console::DrillTally>& how);
  // Until the next one; never negative.
  std::chrono::microseconds left() const;

  console::Core& core_;
  base::Micros every_;
  Options options_;
  base::Clock::time_point counted_from_;  // while the wall clock says nothing: the start, or the last drill
  base::Clock::time_point not_before_;
  base::Timer timer_;
  base::Life life_;
};

}  // namespace oob

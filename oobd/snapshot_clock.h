#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "base/life.h"
#include "base/loop.h"
#include "base/time.h"
#include "console/core.h"
#include "console/snapshots.h"
#include "oobd/config.h"

namespace oob {

// Takes snapshots of all devices by the clock ([snapshot] every, spread), as Policy::schedule(). Each device
// has turns of its own, `every` apart, at a place within `spread` that its name alone decides, plus a little
// chance. A turn that was missed (the board was off, the device did not answer, somebody was typing) is made
// up for; what was proved by hand since its turn began is not pulled again, also after a restart. Nothing is
// pulled while the disk is nearly full.
class SnapshotClock {
 public:
  static constexpr std::size_t kAtOnce = 2;  // so that whoever orders one by hand finds the board free
  struct Options {
    std::function<base::Micros()> wall = base::wall_now;
    std::function<double()> chance;     // 0 to 1; empty: the system's
    base::milliseconds again{600'000};  // after a failure; then twice as long, up to a quarter of `every`
    base::milliseconds settle{60'000};  // from the start to the first turn: lines come up meanwhile
    base::milliseconds look{30'000};    // how often it looks for changed devices, clock and disk
  };

  // The Core outlives it.
  SnapshotClock(console::Core& core, const SnapshotConfig& config, Options options);
  SnapshotClock(const SnapshotClock&) = delete;
  SnapshotClock& operator=(const SnapshotClock&) = delete;

  void adopt(const SnapshotConfig& config);

 private:
  using Time = base::Clock::time_point;
  struct Plan {
    Time at;
    unsigned failures = 0;
    bool running = false;
  };
  void tick();
  void look_at_the_clock();
  bool wanted(const console::Device& device) const;
  void begin(const std::string& device, Plan& plan);
  void ended(const std::string& device, const console::Snapshots::Outcome& outcome);
  // How long it is to the device's next turn; when its last one began, wall clock.
  std::chrono::microseconds until_turn(const std::string& device, base::Micros& last) const;
  Time first(const std::string& device) const;
  std::chrono::microseconds jitter() const;
  bool clock_is_set() const;

  console::Core& core_;
  SnapshotConfig config_;
  Options options_;
  const Time started_ = base::Clock::now();
  bool was_set_ = false;
  base::Micros wall_ahead_ = 0;  // of the steady clock, when it was looked at last
  std::map<std::string, Plan> plans_;
  base::Timer timer_;
  base::Life life_;
};

// The place of the device within `spread`: the same for ever, and on every board.
base::Micros place_within(const std::string& device, base::Micros spread);
// The latest time at or before `now` that is `place` after a whole number of `every` since 1970.
base::Micros turn_before(base::Micros now, base::Micros every, base::Micros place);

}  // namespace oob

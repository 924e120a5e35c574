#pragma once

#include <cstdint>

#include "base/loop.h"

namespace oob::notice {

// How many notices may be sent: a bucket of tokens that holds a third of an hour's and fills with the rest,
// so that no hour sees more than `most` and the first of a burst go out at once. Some of what it holds is
// kept for what matters most.
class Rate {
 public:
  using Time = base::Clock::time_point;
  // REQUIRES: most > 0. It is full.
  Rate(std::uint32_t most, Time now);
  std::uint32_t left(Time now);  // that may be sent now
  void take(Time now);           // one was sent
  Time next(Time now);           // when there is one more than now; `now` or later
  std::uint32_t holds() const { return holds_; }
  // Of these, for urgent ones alone; 0 where it holds one.
  std::uint32_t reserve() const { return holds_ < 2 ? 0 : (holds_ + 2) / 3; }

 private:
  void fill(Time now);
  std::uint32_t holds_, tokens_;
  base::Clock::duration each_;  // for one token
  Time since_;                  // the one that comes next is on its way since then
};

}  // namespace oob::notice

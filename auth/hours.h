#pragma once

#include <bitset>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace oob::auth {

// When a role holds: "Mon-Fri 08:00-18:00", "Sat,Sun 10:00-14:00", "Mon,Wed 22:00-02:00" (over midnight: the
// day is that of the beginning), "08:00-18:00" (every day). In the board's local time (TZ), whatever its
// summer time does: an hour that is skipped is in no hours, one that comes twice counts twice. The end is not
// in it; 24:00 may end it. A value.
class Hours {
 public:
  // An Error (Fault::config) says what is wrong with the text.
  static base::Result<Hours> parse(std::string_view text);

  bool has(base::Micros wall) const;

 private:
  std::bitset<7> days_{0x7f};  // from Sunday on, as tm_wday counts
  int from_ = 0, to_ = 0;      // minutes since midnight; to_ may be less than from_
};

// The time as rights are judged by it.
struct Moment {
  base::Micros wall = 0;    // the board's clock: for hours
  base::Micros latest = 0;  // never falls: what has expired does not come back because a clock is set back
  bool behind = false;      // the clock is evidently wrong: hours are not judged by it
};

// Where Moments come from. A board without a battery may believe that it is 1970. Then, so that nobody is
// locked out by a clock, hours count as fulfilled; whoever can set the clock could choose the hour anyway.
// Expiries are held against the newest time that was ever seen.
class Timekeeper {
 public:
  // Behind by more than this: the clock is wrong. A little is what setting it right takes.
  static constexpr base::Micros kSlack = 10 * 60 * 1'000'000LL;
  // 2026-01-01: a clock before it was never set.
  static constexpr base::Micros kEarliest = 1'767'225'600'000'000;

  // `seen`: the newest time that earlier runs knew, 0 for none. Reads the time zone, once.
  explicit Timekeeper(base::Micros seen = 0, std::function<base::Micros()> clock = base::wall_now);
  Moment now();
  // For whatever asks what time it is; this outlives it.
  std::function<Moment()> clock() {
    return [this] { return now(); };
  }

 private:
  std::function<base::Micros()> clock_;
  base::Micros latest_;
};

// When the newest file below `folder` was last written to: what the journal's clock was then, before it is
// opened again. 0: there is none.
base::Micros last_written(const std::string& folder);

}  // namespace oob::auth

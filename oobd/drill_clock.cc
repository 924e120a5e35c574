#include "oobd/drill_clock.h"

#include <algorithm>
#include <utility>

#include "auth/hours.h"
#include "base/log.h"

namespace oob {

using base::Micros;
using base::Result;
using std::chrono::microseconds;

DrillClock::DrillClock(console::Core& core, Micros every, Options options)
    : core_(core),
      every_(every),
      options_(std::move(options)),
      counted_from_(base::Clock::now()),
      not_before_(counted_from_ + options_.settle),
      timer_(core.loop) {
  core_.drills->next = [this] { return next(); };
  tick();
}

DrillClock::~DrillClock() {
  if (core_.drills) core_.drills->next = [] { return Micros{0}; };
}

void DrillClock::adopt(Micros every) {
  every_ = every;
  tick();
}

// By the wall clock, where both it and the file are to be believed; a time to come is none at which there was
// a drill. A clock that was never set says nothing: then it counts from the start.
microseconds DrillClock::left() const {
  auto now = base::Clock::now();
  Micros wall = options_.wall();
  const auto& last = core_.drills->last();
  microseconds left{0};
  if (wall < auth::Timekeeper::kEarliest) {
    left = std::chrono::duration_cast<microseconds>(counted_from_ + microseconds(every_) - now);
  } else if (last && last->at <= wall + auth::Timekeeper::kSlack) {
    left = microseconds(last->at + every_ - wall);
  }
  return std::max({left, std::chrono::duration_cast<microseconds>(not_before_ - now), microseconds(0)});
}

Micros DrillClock::next() const { return every_ == 0 ? 0 : options_.wall() + left().count(); }

void DrillClock::tick() {
  if (every_ == 0) return timer_.cancel();
  microseconds wait = left();
  if (wait.count() == 0 && core_.drills->under_way()) {
    // Somebody else's, at the same consoles: these have some peace between the two.
    wait = options_.look;
  } else if (wait.count() == 0) {
    begin();
    wait = left();
  }
  auto pause = std::chrono::ceil<base::milliseconds>(wait);
  timer_.after(std::clamp(pause, base::milliseconds(1), options_.look), [this] { tick(); });
}

void DrillClock::begin() {
  not_before_ = base::Clock::now() + options_.again;
  console::Drill::Order order;
  order.scheduled = true;
  order.visitor.who = auth::Policy::schedule();
  order.visitor.session = core_.next_session++;
  order.visitor.since = base::wall_now();
  order.visitor.doing = "drill";
  for (const auto& [name, device] : core_.inventory.all()) order.devices.push_back(name);
  core_.drills->begin(
      core_, std::move(order), [](const console::DrillCheck&) {},
      life_.wrap([this](const Result<console::DrillTally>& how) { ended(how); }));
}

void DrillClock::ended(const Result<console::DrillTally>& how) {
  base::log(base::str("drill: ", how ? console::text_of(*how) : how.error().what));
  if (how) counted_from_ = base::Clock::now();
  tick();
}

}  // namespace oob

#include "console/rights_clock.h"

#include <algorithm>

#include "base/clock_state.h"
#include "base/log.h"
#include "console/core.h"
#include "console/grant_commands.h"
#include "console/session.h"

namespace oob::console {

using base::Result;
using base::str;

RightsClock::RightsClock(Core& core) : core_(core), timer_(core.loop) {}

void RightsClock::load(const std::string& file, base::Micros journal_written) {
  Result<> opened = core_.grants->open(core_.blocking, file);
  if (!opened) {
    std::string text = str("NO TIMED GRANT HOLDS: ", opened.error().what);
    base::log(text);
    core_.journal.note(auth::Entry("grants.damaged").with("text", base::printable(text)));
  }
  base::Micros before = core_.grants->seen();
  base::Micros seen = base::clock_state().synchronised ? 0 : std::max(before, journal_written);
  core_.time = std::make_unique<auth::Timekeeper>(seen);
  auth::Moment now = core_.time->now();
  // The journal goes on with the wrong clock; what was known before is kept for the next start.
  base::Micros keep = now.wall < seen ? seen : 0;
  if (keep != before) {
    core_.grants->set_seen(keep, [](const Result<>& stored) {
      if (!stored) base::log(stored.error().what);
    });
  }
  if (now.behind)
    base::log(str("the clock is wrong (", base::rfc3339(now.wall, base::Precision::seconds),
                  "): roles hold at all hours, what has expired stays so, and timed grants have ended"));
  core_.grants->begin(now);
  core_.rights_changed = [this] { look(); };
}

void RightsClock::adopt() { core_.policy->consult(core_.time->clock(), core_.grants.get()); }

void RightsClock::look() {
  timer_.after(base::milliseconds(0), [this] { tick(); });
}

void RightsClock::tick() {
  for (const auth::TimedGrant& grant : core_.grants->end_due(core_.time->now()))
    core_.journal.note(grant_event(auth::Entry("grant.ended"), grant));
  for (const auto& session : core_.sessions) session->recheck();
  core_.forwards->recheck();
  auto next = std::chrono::microseconds(core_.policy->next_change());
  auto wait = std::chrono::ceil<base::milliseconds>(std::min<std::chrono::microseconds>(next, kLook));
  timer_.after(wait + base::milliseconds(1), [this] { tick(); });
}

}  // namespace oob::console

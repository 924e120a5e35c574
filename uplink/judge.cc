#include "uplink/judge.h"

#include <utility>

#include "base/bytes.h"

namespace oob::uplink {

using base::str;

void Judge::now_is(Health health, std::string why) {
  health_ = health;
  why_ = std::move(why);
  found_ = true;
}

// Nothing is wrong just now.
void Judge::well(Time now) {
  silent_ = 0;
  if (health_ == Health::up) return;
  if (!found_) return now_is(Health::up, "");
  if (health_ == Health::down && !returns(now)) return;
  if (!well_since_) well_since_ = now;
  if (now - *well_since_ >= terms_.up_after) return now_is(Health::up, "");
  now_is(Health::degraded, str("well again, but not yet for ", terms_.up_after.count() / 1000, " s"));
}

// Whether a sign of life ends being down.
bool Judge::returns(Time now) {
  if (relapsed_ && now - usable_since_ < terms_.up_after) {
    why_ = str("its interface comes and goes: not back for ", terms_.up_after.count() / 1000, " s yet");
    return false;
  }
  returned_ = now;
  relapsed_ = false;
  return true;
}

void Judge::interface(const std::string& trouble, Time now) {
  if (!trouble.empty()) {
    if (health_ != Health::down && returned_ && now - *returned_ < terms_.up_after) relapsed_ = true;
    usable_ = false;
    well_since_.reset();
    silent_ = 0;
    return now_is(Health::down, trouble);
  }
  if (!std::exchange(usable_, true)) {
    usable_since_ = now;
    if (health_ == Health::down && terms_.probed)
      why_ = "its interface is back, and no probe is answered yet";
  }
  if (!terms_.probed) well(now);
}

void Judge::round(const Round& round, Time now) {
  if (!usable_) return;  // it was sent before that was known
  if (round.asked + round.not_allowed == 0 && round.not_asked > 0) return;
  bool all_answered = round.answered == round.asked && round.not_allowed == 0;
  // Who was not asked may have been the one who would not have answered.
  if (all_answered && round.not_asked > 0 && health_ != Health::down) return void(silent_ = 0);
  std::string tail = round.trouble.empty() ? "" : str(" (", round.trouble, ")");
  if (all_answered && round.asked > 0 && round.not_asked == 0) return well(now);
  well_since_.reset();
  if (round.asked > 0 && round.answered == 0) {
    std::string why = str(round.asked, " of ", round.asked, " probes unanswered", tail);
    bool is_down = health_ == Health::down || ++silent_ >= terms_.down_after;
    return is_down ? now_is(Health::down, why) : found_ ? now_is(Health::degraded, why) : void(why_ = why);
  }
  silent_ = 0;
  if (health_ == Health::down && !returns(now)) return;
  now_is(Health::degraded,
         round.asked == 0 ? str("no probe can be sent", tail)
         : round.answered < round.asked
             ? str(round.asked - round.answered, " of ", round.asked, " probes unanswered", tail)
             : str(round.not_allowed + round.not_asked, " of ",
                   round.asked + round.not_allowed + round.not_asked, " probes can't be sent", tail));
}

}  // namespace oob::uplink

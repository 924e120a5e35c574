// The power key of a console: what is offered, confirmed and begun by the escape.

#include "console/attach_job.h"
#include "console/dispatcher.h"
#include "console/power_job.h"

namespace oob::console {

using base::Result;
using base::str;

void AttachJob::offer_power() {
  Result<Chassis*> chassis = chassis_of(core_, device_);
  if (!chassis) return say(chassis.error().what);
  Result<auth::Grant> grant = decide(core_, visitor_, auth::Action::power, device_);
  if (!grant) return say(grant.error().what);
  power_.reset();
  escape_.ask_key("power: s status, o on, f off, c cycle, r reset, t soft (Enter: nothing)", keys_);
  limit_answer();
}

void AttachJob::limit_answer() {
  answer_.after(kAnswer, [this] {
    power_.reset();
    escape_.forget(keys_);
    say("no answer: nothing was done");
  });
}

// The answer to the offer, or to "type y".
void AttachJob::power_key(std::string_view key) {
  answer_.cancel();
  if (power_ && key == "y") return do_power();
  if (power_ || key.empty()) return say("nothing was done");
  if (key == "s") return tell_power();
  std::size_t at = std::string_view("ofcrt").find(key);
  if (at == std::string_view::npos)
    return say(str(base::printable(key), " is none of s, o, f, c, r and t: nothing was done"));
  constexpr PowerAction kKeys[] = {PowerAction::on, PowerAction::off, PowerAction::cycle, PowerAction::reset,
                                   PowerAction::soft};
  power_ = kKeys[at];
  if (power_ == PowerAction::on) return do_power();
  const Device* device = core_.inventory.find(device_);
  confirmation_ = device ? confirmation_for(device_, {device}, *power_, core_.inventory) : Confirmation{};
  if (confirmation_.names.empty()) {
    escape_.ask_key(str(deed_of(*power_, device_), "? type y"), keys_);
  } else {
    std::string what = confirmation_.names == device_ ? "it" : device_;
    escape_.ask_text(str(confirmation_.why, "; type ", confirmation_.names, " to ", deed_of(*power_, what)),
                     keys_);
  }
  limit_answer();
}

void AttachJob::power_answer(std::string_view text) {
  answer_.cancel();
  if (power_ && text == confirmation_.names) return do_power();
  power_.reset();
  say("nothing was done");
}

void AttachJob::tell_power() {
  Result<Chassis*> chassis = chassis_of(core_, device_);
  if (!chassis) return say(chassis.error().what);
  (*chassis)->power(stay_.wrap([this](const Result<PowerState>& state) {
    say(str(device_, ": ", state ? str("power ", name_of(*state)) : base::printable(state.error().what)));
  }));
}

// Everybody on the console is told of a deed that is begun; when there are too many, none is.
void AttachJob::do_power() {
  PowerAction action = *std::exchange(power_, std::nullopt);
  Result<> still = still_confirmed(confirmation_, {device_}, action, core_.inventory);
  if (!still) return say(still.error().what);
  visit_.event(auth::Entry("power").with("text", std::string(name_of(action))));
  bool full = core_.deeds->under_way() >= Deeds::kMost;
  core_.deeds->begin(core_, power_order(core_, visitor_, device_, action, PowerJob::kWait),
                     stay_.wrap([this, full](const Result<PowerOutcome>& result) {
                       if (full && !result) say(result.error().what);
                     }));
}

}  // namespace oob::console

#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "auth/hours.h"
#include "auth/principal.h"
#include "base/result.h"

namespace oob::auth {

class TimedGrants;

// Proof that the policy said yes to one action of one principal on one device; only a Policy makes it, and
// what acts on a device takes one. A value; it says yes to the moment it was made, not for ever.
class Grant {
 public:
  const Principal& who() const { return who_; }
  Action action() const { return action_; }
  const std::string& device() const { return device_; }  // empty: not about one device
  // It is not to be used: all that allows it wants a second person, who has not said yes.
  bool needs_second() const { return needs_second_; }
  // Who has said yes; empty: nobody was asked.
  const std::string& second() const { return second_; }

 private:
  friend class Policy;
  Grant(Principal who, Action action, std::string device)
      : who_(std::move(who)), action_(action), device_(std::move(device)) {}
  Principal who_;
  Action action_;
  std::string device_;
  bool needs_second_ = false;
  std::string second_;
};

struct Role {
  std::vector<std::string> on;  // device globs
  std::set<Action> may;
  bool second_factor = false;             // whoever has this role gives a code at login, beside the key
  bool two_person = false;                // what it allows of power waits until a second person has said yes
  bool safe = false;                      // its consoles are shown through SafeOutput
  bool record_input = false;              // what is typed on its consoles is recorded as well
  std::vector<Hours> hours{};             // when it holds; none: always
  std::optional<base::Micros> expires{};  // from then on it allows nothing
};

// Who may do what: nothing, unless a role of the user, or a timed grant, says so. Immutable; a reload swaps
// the whole Policy. What time it is, it asks each time.
class Policy {
 public:
  Policy() = default;
  // `users`: the names of each user's roles; a role that is not in `roles` allows nothing.
  Policy(std::map<std::string, std::vector<std::string>> users, std::map<std::string, Role> roles,
         std::function<Moment()> clock = nullptr);
  // From now on by this clock, and by these grants (null: none) as well; both outlive it. Without a clock the
  // board's is believed.
  void consult(std::function<Moment()> clock, const TimedGrants* grants);
  // Root or the daemon's own user on the board itself (`oobd ctl`): everything is allowed to `user`
  // "local:NAME".
  static Principal local(uid_t uid);
  // The daemon itself, by its clock: to Action::snapshot on every device, and to nothing else, the answer is
  // yes. No key of a visitor's is called so.
  static Principal schedule();

  // A Grant; or Fault::missing "no such device: NAME" when the principal may do nothing at all with the
  // device (so that it looks as if it did not exist); or Fault::denied "alice may not power edge1". REQUIRES:
  // the device exists; for one that does not, use no_such_device().
  base::Result<Grant> decide(const Principal& who, Action action, const std::string& device) const;
  // The same of Action::power when `second` has said yes as well: Fault::denied when they are the same
  // person, or the second may not do it.
  base::Result<Grant> decide_together(const Principal& who, const Principal& second,
                                      const std::string& device) const;
  // For what is not about one device (admin, audit): some role of the user allows it, on whatever devices.
  base::Result<Grant> decide(const Principal& who, Action action) const;

  // Whether the device exists for this principal: some action is allowed on it.
  bool may_see(const Principal& who, const std::string& device) const;
  // Whether an admin may grant `action` on all that the glob can stand for: never admin, and nothing that
  // roles which hold now do not allow them, beside `admin`, on all of that. Fault::denied with the reason.
  base::Result<> may_give(const Principal& who, Action action, const std::string& glob) const;
  // Whether a grant of `action` on the device would hold for that user. Fault::denied with the reason: all
  // roles with it want a code at login, and the user logs in without one.
  base::Result<> may_have(const std::string& user, Action action, const std::string& device) const;
  // How long until some right may change by the clock, or until that is to be asked again: microseconds, at
  // most kLookAhead.
  base::Micros next_change() const;
  static constexpr base::Micros kLookAhead = 3'600'000'000LL;

  // Some role of the user wants a code at login, even one outside its hours.
  bool needs_second_factor(const std::string& user) const;
  // The principal has a `safe` role, and no other that holds lets them watch the device: it is to be shown
  // through SafeOutput.
  bool safe_for(const Principal& who, const std::string& device) const;
  // Some role of the principal that holds, and has the device, wants what they type to be recorded.
  bool records_input(const Principal& who, const std::string& device) const;
  bool knows(const std::string& user) const { return users_.count(user) != 0; }
  const std::map<std::string, std::vector<std::string>>& users() const { return users_; }

  // The same words whether a device does not exist or may not be seen.
  static base::Error no_such_device(std::string_view name);

 private:
  enum class Says { no, with_second, yes };
  Says ask(const Principal& who, Action action, const std::string& device, const Moment& now) const;
  bool may_see(const Principal& who, const std::string& device, const Moment& now) const;
  // Every role with `action` (on the device; null: on any) wants a second factor, and there is one; of the
  // user's own roles none does.
  bool lacks_second_factor(const std::string& user, Action action, const std::string* device) const;
  bool any_role(const Principal& who, const std::function<bool(const Role&)>& fits) const;
  Moment now() const;

  std::map<std::string, std::vector<std::string>> users_;
  std::map<std::string, Role> roles_;
  std::function<Moment()> clock_;
  const TimedGrants* grants_ = nullptr;
};

}  // namespace oob::auth

#include "auth/policy.h"

#include <pwd.h>

#include <algorithm>

#include "auth/timed_grants.h"

namespace oob::auth {

using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;

namespace {

// A name from the configuration can't hold a colon ("alice:edge1" is how a device is asked for at login), so
// no user is ever taken for a local one.
bool is_local(const Principal& who) {
  return who.source == "local" && who.user.starts_with("local:") && who.key.starts_with("uid ");
}

// A visitor's key is a fingerprint, so that a user of the configuration with the same name is another.
bool is_schedule(const Principal& who) {
  return who.source == "local" && who.user == "oobd" && who.key == "schedule";
}

bool names(const Role& role, const std::string& device) {
  return std::any_of(role.on.begin(), role.on.end(),
                     [&](const std::string& glob) { return base::glob_match(glob, device); });
}

bool within_hours(const Role& role, base::Micros wall) {
  return std::any_of(role.hours.begin(), role.hours.end(),
                     [&](const Hours& hours) { return hours.has(wall); });
}

bool holds(const Role& role, const Moment& now) {
  if (role.expires && now.latest >= *role.expires) return false;
  return role.hours.empty() || now.behind || within_hours(role, now.wall);
}

// Whether every name that `glob` matches is matched by `own`. No name holds a * or ?, so that these are
// matched by the wild ones of `own` alone; but a ? of `own` is no match for all that a * stands for.
bool covers(const std::string& own, const std::string& glob) {
  bool unsure = own.find('?') != std::string::npos && glob.find('*') != std::string::npos;
  return !unsure && base::glob_match(own, glob);
}

}  // namespace

Policy::Policy(std::map<std::string, std::vector<std::string>> users, std::map<std::string, Role> roles,
               std::function<Moment()> clock)
    : users_(std::move(users)), roles_(std::move(roles)), clock_(std::move(clock)) {}

void Policy::consult(std::function<Moment()> clock, const TimedGrants* grants) {
  clock_ = std::move(clock);
  grants_ = grants;
}

Moment Policy::now() const {
  if (clock_) return clock_();
  base::Micros wall = base::wall_now();
  return {wall, wall, false};
}

Principal Policy::local(uid_t uid) {
  std::string name = std::to_string(uid);
  passwd entry{}, *found = nullptr;
  std::vector<char> buffer(16 * 1024);
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found && *found->pw_name)
    name = printable(found->pw_name);
  return Principal{"local:" + name, str("uid ", uid), "local"};
}

Principal Policy::schedule() { return Principal{"oobd", "schedule", "local"}; }

// Some role of the user, whether it holds now or not.
bool Policy::any_role(const Principal& who, const std::function<bool(const Role&)>& fits) const {
  if (is_schedule(who)) return false;
  auto user = users_.find(who.user);
  if (user == users_.end()) return false;
  return std::any_of(user->second.begin(), user->second.end(), [&](const std::string& name) {
    auto role = roles_.find(name);
    return role != roles_.end() && fits(role->second);
  });
}

Policy::Says Policy::ask(const Principal& who, Action action, const std::string& device,
                         const Moment& now) const {
  if (is_local(who)) return Says::yes;
  if (is_schedule(who)) return action == Action::snapshot ? Says::yes : Says::no;
  Says says = Says::no;
  bool alone = any_role(who, [&](const Role& role) {
    if (!role.may.count(action) || !holds(role, now) || !names(role, device)) return false;
    says = Says::with_second;
    return action != Action::power || !role.two_person;
  });
  if (alone) return Says::yes;
  if (!grants_ || !knows(who.user) || !grants_->allows(who.user, action, device, now)) return says;
  // Where it takes a code, nobody does it by a grant and a key alone.
  if (lacks_second_factor(who.user, action, &device)) return says;
  // Where anybody's power needs a second person, nobody is given it without.
  bool guarded = action == Action::power && std::any_of(roles_.begin(), roles_.end(), [&](const auto& named) {
                   const Role& role = named.second;
                   return role.two_person && role.may.count(Action::power) && names(role, device);
                 });
  return guarded ? Says::with_second : Says::yes;
}

Result<Grant> Policy::decide(const Principal& who, Action action, const std::string& device) const {
  Moment moment = now();
  Says says = ask(who, action, device, moment);
  if (says != Says::no) {
    Grant grant(who, action, device);
    grant.needs_second_ = says == Says::with_second;
    return grant;
  }
  if (!may_see(who, device, moment)) return no_such_device(device);
  return fail(Fault::denied, str(printable(who.user), " may not ", name_of(action), " ", printable(device)));
}

Result<Grant> Policy::decide_together(const Principal& who, const Principal& second,
                                      const std::string& device) const {
  if (who.user == second.user)
    return fail(Fault::denied, str("a second person has to approve, not ", printable(who.user)));
  if (who.key == second.key)
    return fail(Fault::denied, str(printable(second.user), " came with the same key as ", printable(who.user),
                                   ": a second person has a key of their own"));
  Result<Grant> other = decide(second, Action::power, device);
  if (!other) return other.error();
  Result<Grant> grant = decide(who, Action::power, device);
  if (!grant) return grant.error();
  grant->needs_second_ = false;
  grant->second_ = second.user;
  return grant;
}

Result<Grant> Policy::decide(const Principal& who, Action action) const {
  Moment moment = now();
  bool yes = is_local(who) ||
             any_role(who, [&](const Role& role) { return role.may.count(action) && holds(role, moment); }) ||
             (grants_ && !is_schedule(who) && knows(who.user) && grants_->allows(who.user, action, moment) &&
              !lacks_second_factor(who.user, action, nullptr));
  if (yes) return Grant(who, action, {});
  return fail(Fault::denied, str(printable(who.user), " may not ", name_of(action)));
}

Result<> Policy::may_give(const Principal& who, Action action, const std::string& glob) const {
  if (action == Action::admin) return fail(Fault::denied, "admin is not given by a grant: only by a role");
  if (is_local(who)) return {};
  Moment moment = now();
  for (Action needed : {Action::admin, action}) {
    bool all = any_role(who, [&](const Role& role) {
      return role.may.count(needed) && holds(role, moment) &&
             std::any_of(role.on.begin(), role.on.end(),
                         [&](const std::string& own) { return covers(own, glob); });
    });
    if (!all)
      return fail(Fault::denied,
                  str(printable(who.user), " may not ", name_of(needed), " all that ", printable(glob),
                      " can stand for, and nobody gives more than they have"));
  }
  return {};
}

Result<> Policy::may_have(const std::string& user, Action action, const std::string& device) const {
  if (!lacks_second_factor(user, action, &device)) return {};
  return fail(Fault::denied, str("every role with ", name_of(action), " on ", printable(device),
                                 " wants a second factor, and ", printable(user), " logs in without one"));
}

// Roles count at all hours and beyond their expiry: when a code is wanted does not depend on the time.
bool Policy::lacks_second_factor(const std::string& user, Action action, const std::string* device) const {
  bool wanted = false;
  for (const auto& [name, role] : roles_) {
    if (!role.may.count(action) || (device && !names(role, *device))) continue;
    if (!role.second_factor) return false;
    wanted = true;
  }
  return wanted && !needs_second_factor(user);
}

base::Micros Policy::next_change() const {
  constexpr base::Micros kMinute = 60'000'000;
  Moment moment = now();
  base::Micros next = kLookAhead;
  if (grants_) {
    base::Micros end = grants_->next_end(moment);
    if (end >= 0) next = std::min(next, end);
  }
  for (const auto& [name, role] : roles_) {
    if (role.expires && *role.expires > moment.latest) next = std::min(next, *role.expires - moment.latest);
    if (role.hours.empty()) continue;
    // Hours begin and end with a minute of the local time, which is one of UTC's whatever the zone.
    bool held = within_hours(role, moment.wall);
    for (base::Micros step = kMinute - moment.wall % kMinute; step < next; step += kMinute) {
      if (within_hours(role, moment.wall + step) == held) continue;
      next = step;
      break;
    }
  }
  return next;
}

bool Policy::may_see(const Principal& who, const std::string& device) const {
  return may_see(who, device, now());
}

bool Policy::may_see(const Principal& who, const std::string& device, const Moment& now) const {
  return std::any_of(std::begin(kActions), std::end(kActions),
                     [&](Action action) { return ask(who, action, device, now) != Says::no; });
}

bool Policy::needs_second_factor(const std::string& user) const {
  return any_role({user, "", ""}, [](const Role& role) { return role.second_factor; });
}

// A role that holds now and shows consoles plainly. Without one it is a safe role, or a grant, by which the
// device is watched: whoever has a safe role is shown safely by grants too, and outside its hours.
bool Policy::safe_for(const Principal& who, const std::string& device) const {
  if (is_local(who)) return false;
  Moment moment = now();
  bool plain = any_role(who, [&](const Role& role) {
    return !role.safe && role.may.count(Action::watch) && holds(role, moment) && names(role, device);
  });
  return !plain && any_role(who, [](const Role& role) { return role.safe && role.may.count(Action::watch); });
}

bool Policy::records_input(const Principal& who, const std::string& device) const {
  Moment moment = now();
  return any_role(
      who, [&](const Role& role) { return role.record_input && holds(role, moment) && names(role, device); });
}

base::Error Policy::no_such_device(std::string_view name) {
  return fail(Fault::missing, str("no such device: ", printable(name)));
}

}  // namespace oob::auth

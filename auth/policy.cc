#include "auth/policy.h"

#include <pwd.h>

#include <algorithm>

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

bool names(const Role& role, const std::string& device) {
  return std::any_of(role.on.begin(), role.on.end(),
                     [&](const std::string& glob) { return base::glob_match(glob, device); });
}

}  // namespace

Policy::Policy(std::map<std::string, std::vector<std::string>> users, std::map<std::string, Role> roles)
    : users_(std::move(users)), roles_(std::move(roles)) {}

Principal Policy::local(uid_t uid) {
  std::string name = std::to_string(uid);
  passwd entry{}, *found = nullptr;
  std::vector<char> buffer(16 * 1024);
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found && *found->pw_name)
    name = printable(found->pw_name);
  return Principal{"local:" + name, str("uid ", uid), "local"};
}

bool Policy::allows(const Principal& who, Action action, const std::string& device) const {
  if (is_local(who)) return true;
  auto user = users_.find(who.user);
  if (user == users_.end()) return false;
  for (const std::string& name : user->second) {
    auto role = roles_.find(name);
    if (role != roles_.end() && role->second.may.count(action) && names(role->second, device)) return true;
  }
  return false;
}

Result<Grant> Policy::decide(const Principal& who, Action action, const std::string& device) const {
  if (allows(who, action, device)) return Grant(who, action, device);
  if (!may_see(who, device)) return no_such_device(device);
  return fail(Fault::denied, str(printable(who.user), " may not ", name_of(action), " ", printable(device)));
}

Result<Grant> Policy::decide(const Principal& who, Action action) const {
  if (is_local(who)) return Grant(who, action, {});
  if (auto user = users_.find(who.user); user != users_.end()) {
    for (const std::string& name : user->second) {
      auto role = roles_.find(name);
      if (role != roles_.end() && role->second.may.count(action)) return Grant(who, action, {});
    }
  }
  return fail(Fault::denied, str(printable(who.user), " may not ", name_of(action)));
}

bool Policy::may_see(const Principal& who, const std::string& device) const {
  return std::any_of(std::begin(kActions), std::end(kActions),
                     [&](Action action) { return allows(who, action, device); });
}

bool Policy::needs_second_factor(const std::string& user) const {
  auto found = users_.find(user);
  if (found == users_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const std::string& name) {
    auto role = roles_.find(name);
    return role != roles_.end() && role->second.second_factor;
  });
}

bool Policy::safe_for(const Principal& who, const std::string& device) const {
  auto user = users_.find(who.user);
  if (is_local(who) || user == users_.end()) return false;
  bool safe = false;
  for (const std::string& name : user->second) {
    auto role = roles_.find(name);
    if (role == roles_.end() || !role->second.may.count(Action::watch) || !names(role->second, device))
      continue;
    if (!role->second.safe) return false;
    safe = true;
  }
  return safe;
}

base::Error Policy::no_such_device(std::string_view name) {
  return fail(Fault::missing, str("no such device: ", printable(name)));
}

}  // namespace oob::auth

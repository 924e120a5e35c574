#pragma once

#include <sys/types.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "auth/principal.h"
#include "base/result.h"

namespace oob::auth {

// Proof that the policy said yes to one action of one principal on one device; only a Policy makes it, and
// what acts on a device takes one. A value; it says yes to the moment it was made, not for ever.
class Grant {
 public:
  const Principal& who() const { return who_; }
  Action action() const { return action_; }
  const std::string& device() const { return device_; }  // empty: not about one device

 private:
  friend class Policy;
  Grant(Principal who, Action action, std::string device)
      : who_(std::move(who)), action_(action), device_(std::move(device)) {}
  Principal who_;
  Action action_;
  std::string device_;
};

struct Role {
  std::vector<std::string> on;  // device globs
  std::set<Action> may;
  bool second_factor = false;  // whoever has this role gives a code at login, beside the key
  bool two_person = false;     // what it allows of power waits until a second person has said yes
  bool safe = false;           // its consoles are shown through SafeOutput
};

// Who may do what: nothing, unless a role of the user says so. Immutable; a reload swaps the whole Policy.
class Policy {
 public:
  Policy() = default;
  // `users`: the names of each user's roles; a role that is not in `roles` allows nothing.
  Policy(std::map<std::string, std::vector<std::string>> users, std::map<std::string, Role> roles);
  // Root or the daemon's own user on the board itself (`oobd ctl`): everything is allowed to `user`
  // "local:NAME".
  static Principal local(uid_t uid);

  // A Grant; or Fault::missing "no such device: NAME" when the principal may do nothing at all with the
  // device (so that it looks as if it did not exist); or Fault::denied "alice may not power edge1". REQUIRES:
  // the device exists; for one that does not, use no_such_device().
  base::Result<Grant> decide(const Principal& who, Action action, const std::string& device) const;
  // For what is not about one device (admin, audit): some role of the user allows it, on whatever devices.
  base::Result<Grant> decide(const Principal& who, Action action) const;

  // Whether the device exists for this principal: some action is allowed on it.
  bool may_see(const Principal& who, const std::string& device) const;
  // Some role of the user wants a code at login.
  bool needs_second_factor(const std::string& user) const;
  // All roles that let the principal watch the device say that it is to be shown through SafeOutput.
  bool safe_for(const Principal& who, const std::string& device) const;
  bool knows(const std::string& user) const { return users_.count(user) != 0; }
  const std::map<std::string, std::vector<std::string>>& users() const { return users_; }

  // The same words whether a device does not exist or may not be seen.
  static base::Error no_such_device(std::string_view name);

 private:
  bool allows(const Principal& who, Action action, const std::string& device) const;
  std::map<std::string, std::vector<std::string>> users_;
  std::map<std::string, Role> roles_;
};

}  // namespace oob::auth

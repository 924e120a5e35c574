#pragma once

#include <string>
#include <string_view>

namespace oob::auth {

// Who asks: a user of the configuration, proved by a key, from an address. A value.
struct Principal {
  std::string user;
  std::string key;     // fingerprint "SHA256:…", or "uid 0" on the board itself
  std::string source;  // "192.0.2.9", or "local"
};

// What may be allowed (docs/formats.md). A role names some of them.
enum class Action { watch, write, power, snapshot, forward, audit, admin };
inline constexpr Action kActions[] = {Action::watch,   Action::write, Action::power, Action::snapshot,
                                      Action::forward, Action::audit, Action::admin};
std::string_view name_of(Action action);
// False if `name` is none of them.
bool action_named(std::string_view name, Action& action);

}  // namespace oob::auth

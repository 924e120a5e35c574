#include "auth/principal.h"

namespace oob::auth {

std::string_view name_of(Action action) {
  switch (action) {
    case Action::watch:
      return "watch";
    case Action::write:
      return "write";
    case Action::power:
      return "power";
    case Action::snapshot:
      return "snapshot";
    case Action::forward:
      return "forward";
    case Action::audit:
      return "audit";
    case Action::admin:
      return "admin";
  }
  return "?";
}

bool action_named(std::string_view name, Action& action) {
  for (Action candidate : kActions) {
    if (name_of(candidate) != name) continue;
    action = candidate;
    return true;
  }
  return false;
}

}  // namespace oob::auth

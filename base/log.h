#pragma once

#include <string_view>

namespace oob::base {

// One line to stderr, for the service manager's log: `what` should be printable already, control characters
// become
// '?'. Never a secret.
void log(std::string_view what);

}  // namespace oob::base

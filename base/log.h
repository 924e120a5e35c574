#pragma once

#include <string_view>

namespace oob::base {

// One line to stderr, for the service manager's log: `what` must be printable already. Never a secret.
void log(std::string_view what);

}  // namespace oob::base

#pragma once

#include <string>

#include "base/result.h"

namespace oob::ssh {

// Gives up what the front does not need, for good: root (it becomes `oobd-front` where /etc/passwd has such a
// user, or else nobody) with the network, new privileges through exec, being traced or dumped; it dies with
// its parent. Descriptors: the soft limit is raised to the hard one. Returns what holds now, and what this
// system lacks: "uid nobody, no network", "no new privileges, uid of the core".
base::Result<std::string> drop_privileges();

}  // namespace oob::ssh

#pragma once

#include "base/result.h"

namespace oob::ssh {

// Gives up what the front does not need, for good: root (it becomes nobody), new privileges through exec,
// being traced or dumped; it dies with its parent. Descriptors: the soft limit is raised to the hard one.
base::Result<> drop_privileges();

}  // namespace oob::ssh

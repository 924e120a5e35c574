#pragma once

#include "base/result.h"

namespace oob {

// From now on no memory of this process gets to the disk by a crash, or to another process by ptrace or /proc
// (root may still look): it holds host keys, passwords of BMCs and what consoles said. Programs it starts are
// as before but for the limit, which they keep.
base::Result<> forbid_core_dumps();

}  // namespace oob

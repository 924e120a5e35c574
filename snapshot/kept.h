#pragma once

#include <string>

#include "audit/verify.h"
#include "base/result.h"

namespace oob::snapshot {

// All of `main` in STATE/snapshots.git, as audit::ReadSnapshots has it: the newest commit's files are read
// and hashed. Changes nothing, and may run beside whoever writes: it is as of when it began.
base::Result<audit::KeptSnapshots> read_kept(const std::string& state);

}  // namespace oob::snapshot

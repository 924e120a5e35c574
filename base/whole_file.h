#pragma once

#include <sys/types.h>

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace oob::base {

// Writes a small file whole: under another name ("PATH.new") and on the disk before `path` names it, so that
// after a crash `path` is the old file or the new one, never half of either. One writer a path. Blocks.
Result<> write_whole(const std::string& path, Bytes bytes, mode_t mode);

}  // namespace oob::base

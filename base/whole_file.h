#pragma once

#include <sys/types.h>

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace oob::base {

// Writes a small file whole: under another name ("PATH.new") and on the disk before `path` names it, so that
// after a crash `path` is the old file or the new one, never half of either; and once this has returned
// without an Error, the new one, for its folder is on the disk too. One writer a path. Blocks.
Result<> write_whole(const std::string& path, Bytes bytes, mode_t mode);

// All of a regular file of at most `most` bytes, whoever owns it. The error is the reason alone: "Is a
// directory". Blocks.
Result<std::string> read_whole(const std::string& path, std::size_t most);

}  // namespace oob::base

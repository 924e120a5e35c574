#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace oob::snapshot {

// One side of a comparison: `bytes` as they are shown, sum and size of what is stored. They outlive the call.
struct Side {
  base::Bytes bytes;
  std::string sha256;
  std::uint64_t size = 0;
};

struct Lines {
  std::uint64_t added = 0, removed = 0;  // both 0 for binary files
};
// A side that is not there is nullopt; not both.
base::Result<Lines> count_lines(std::optional<base::Bytes> from, std::optional<base::Bytes> to);

// Adds what differs to `diff`, in the unified format, under the names a/PATH and b/PATH; of binary files one
// line. Stops at `most` bytes in all, with a line that says so, and is false from then on.
base::Result<bool> add_difference(std::string& diff, const std::string& path, const std::optional<Side>& from,
                                  const std::optional<Side>& to, std::size_t most);

}  // namespace oob::snapshot

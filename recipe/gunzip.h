#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace oob::recipe {

// What was packed into a gzip file (RFC 1952) of one member, which must be all of it and undamaged.
// Fault::failed: it is not; or it has more than `most` bytes, and nothing beyond is unpacked.
base::Result<std::string> gunzip(base::Bytes packed, std::uint64_t most);

// The CRC-32 in a gzip file's end (RFC 1952, 8).
std::uint32_t gzip_crc(base::Bytes bytes);

}  // namespace oob::recipe

#pragma once

#include "auth/revocation.h"
#include "base/bytes.h"

namespace oob::auth {

// Whether `content` begins as an OpenSSH key revocation list does (OpenSSH PROTOCOL.krl, 1).
bool is_krl(base::Bytes content);

// Reads a KRL of format version 1: certificates by serials, ranges, bitmaps and key ids, keys, and
// fingerprints by SHA-1 and SHA-256. Every length is exact. A section or a critical extension that is not
// known makes it a fault, and so does a signature, since nothing here says whose it should be. One fault at
// most, which says at which byte.
RevocationFile parse_krl(base::Bytes content);

}  // namespace oob::auth

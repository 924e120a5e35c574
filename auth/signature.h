#pragma once

#include "auth/public_key.h"
#include "base/bytes.h"
#include "base/result.h"

namespace oob::auth {

// Whether `signature` over `message` was made with `key`: RSA by SHA-2 only (RFC 8332, 3; SHA-1 is refused by
// name), ECDSA (RFC 5656, 3.1.2), Ed25519 (RFC 8709, 6), and the FIDO kinds (OpenSSH PROTOCOL.u2f, Signature
// Formats), of which the flags and the counter are signed but say nothing here. Every length is exact. The
// Error says what is wrong with it.
base::Result<> check_signature(const PublicKey& key, base::Bytes message, base::Bytes signature);

}  // namespace oob::auth

#pragma once

#include <string>

#include "auth/host_key.h"
#include "base/bytes.h"
#include "base/result.h"

namespace oob::auth {

// The two faces of OpenSSH's private key format (PROTOCOL.key), made and read with OpenSSL's keys.

// A new key as the text of its file.
base::Result<std::string> make_private_key(HostKeyKind kind, std::string_view comment);

// The public blob inside the text of an unencrypted private key file; an Error unless every length is right,
// the padding is right and the private numbers belong to the public ones.
base::Result<std::string> public_blob_of(std::string_view text);

}  // namespace oob::auth

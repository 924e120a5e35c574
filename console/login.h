#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "console/inventory.h"
#include "recipe/visit.h"

namespace oob::console {

// What a password file of a device's login holds: one line that can be typed, of 1 to 256 bytes, with or
// without its end. Fault::config, never with what is in it.
base::Result<base::Bytes> typed_line(base::Bytes text);

// Reads the files of a login, each of root or us and 0600 (auth::TrustedFile). Blocks: not for the loop.
// Fault::config with the file's name.
base::Result<recipe::Credentials> read_login(const LoginSettings& settings);

}  // namespace oob::console

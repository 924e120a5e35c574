#pragma once

#include <string>

#include "auth/journal.h"
#include "oobd/config.h"

namespace oob {

// Adds to the entry of a start or reload what an auditor can compare: `config`, the SHA-256 of the
// configuration file in hex, and `keys`, that of the users' key files one after another, in the order of the
// users' names
// ("cat keys/alice keys/bob | sha256sum"). A file that can't be read just now counts as empty. Blocks.
auth::Entry with_config_hash(auth::Entry entry, const std::string& file, const Config& config);

}  // namespace oob

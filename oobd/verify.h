#pragma once

#include <string>

namespace oob {

// `oobd verify DIR`: checks the audit trail of a state directory, or of a copy of one, without configuration,
// daemon or root. `key` and `anchor` are files, empty: none. The exit status: 0 whole, 1 not, 2 it can't be
// read.
int run_verify(const std::string& directory, const std::string& key, const std::string& anchor, bool json);

}  // namespace oob

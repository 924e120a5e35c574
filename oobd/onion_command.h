#pragma once

#include <string>
#include <vector>

namespace oob {

// `oobd onion add USER`, `list`, `remove USER`: who may find the onion service of this board at all (tor(1),
// "CLIENT AUTHORIZATION"; docs/onion.md). It reads the service's address in the folder that tor keeps for it,
// and writes and removes files in its authorized_clients; tor is never spoken to. A new private key is
// written once, to standard output, as the line that tor of the user wants, and nothing else goes there.
// `words` without "onion"; the exit status.
int run_onion(const std::vector<std::string>& words);

}  // namespace oob

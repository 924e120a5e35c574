#pragma once

#include <string>
#include <vector>

namespace oob {

// `oobd recipe check FILE…`: reads and proves recipes; each fault is a line FILE:LINE:COLUMN: message. Exit
// status 0 or 78. `oobd recipe test FILE --replay RECORDING`: runs a recipe against a recording (asciicast
// v2); 0 when it gets to where commands are run and back as in the recording, 1 when not, with the place.
// docs/recipes.md. `words` without "recipe".
int run_recipe(const std::vector<std::string>& words);

}  // namespace oob

#pragma once

#include <string>

#include "base/bytes.h"

namespace oob::console {

// Whether `line` (without its newline) reads the same on a screen as it stands: no control characters but
// tab, well enough formed.
bool plain(base::Bytes line);

// Adds to `out` what a line of raw console output (without its newline) leaves to read on a screen: escape
// sequences (ECMA-48, 5.3 to 5.6) are gone, a carriage return and backspaces overwrite, erasing within the
// line erases. Where a sequence moves to another row, a space parts what was before from what comes. Of
// control characters only tab stays; what is not UTF-8 becomes U+FFFD. Memory and time are bounded by the
// line's size.
void clean_line(base::Bytes raw, std::string& out);

}  // namespace oob::console

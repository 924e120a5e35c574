#pragma once

#include <string>

#include "base/bytes.h"

namespace oob::console {

// The last lines of raw console output for the journal: as people read them (clean_line()), printable, parted
// by newlines, empty ones at the end left out. What is beyond auth::kMostJournalText goes from the beginning,
// by whole lines.
std::string console_tail(base::Bytes raw, std::size_t lines);
// The same of lines that are clean and printable already.
std::string fit_tail(std::string text);

}  // namespace oob::console

#pragma once

#include <string>

namespace oob {

// `oobd check`: reads the configuration FILE and all it names. Each fault is a line FILE:LINE:COLUMN: MESSAGE
// on stdout, in the order of the file; without one, a line that sums up. The exit status: 0 or 78
// (sysexits.h, EX_CONFIG).
int run_check(const std::string& file);

}  // namespace oob

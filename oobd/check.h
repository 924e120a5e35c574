#pragma once

#include <string>

namespace oob {

// `oobd check`: reads the configuration FILE and all it names. Each fault is a line FILE:LINE:COLUMN: MESSAGE
// on stdout, in the order of the file; without one, a line that sums up. The exit status: 0 or 78
// (sysexits.h, EX_CONFIG). With `bmcs` and without a fault it looks at every BMC as well (check_bmc.h), with
// `uplinks` at this board's routing (check_uplink.h); the exit status is then theirs, of two the BMCs'.
int run_check(const std::string& file, bool bmcs, bool uplinks = false);

}  // namespace oob

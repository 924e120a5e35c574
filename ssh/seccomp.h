#pragma once

#include <string>

namespace oob::ssh {

// False in a build with a sanitizer, whose reports take more system calls than the front itself makes.
bool sandbox_fits_build();

// From here on the kernel refuses all system calls that a serving front does not make (seccomp(2)), and ends
// the process at those that only an intruder makes. CONTROL is the socket to the core, a connected one: by no
// other descriptor can others be passed, and it can't be closed. Needs no new privileges (drop_privileges).
// Returns "seccomp", or "MISSING: seccomp (why)".
std::string allow_only_serving(int control);

}  // namespace oob::ssh

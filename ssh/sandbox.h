#pragma once

#include <string>

#include "base/result.h"

namespace oob::ssh {

// Takes from the front what it does not do once it serves, for good: all files, all sockets but those it is
// given, other programs and processes, new executable memory (seccomp.h, base/landlock.h). After
// drop_privileges() and the libraries' starts, before the first message is read; no other thread may run.
// CONTROL is the socket to the core; it stays open from here to the end of the process.
// Returns what holds and what this system lacks: "seccomp, Landlock 7", "MISSING: seccomp (…), Landlock 7".
// A part that is missing is no error: a front without it still is the only door.
std::string enter_sandbox(int control);

}  // namespace oob::ssh

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace oob::base {

// What of the file system and of TCP a process keeps, for itself and all it starts (landlock(7)); everything
// else that Landlock knows is refused from then on. Descriptors that are open already go on as they are.
struct LandlockTerms {
  enum class Access {
    read,     // files and lists of folders
    run,      // read and execute
    devices,  // read, write and ioctl() what is there; make, rename and remove nothing
    sockets,  // make and remove Unix sockets; remove other files too, which the kernel does not tell apart
    new_sockets,  // make Unix sockets, and remove nothing
    own,          // everything but executing and making device nodes
  };
  // A folder with all below it, or one file. One that does not exist is left out.
  struct Place {
    std::string path;
    Access access;
  };
  std::vector<Place> places;
  // Kernels from 6.7 can refuse these, older ones don't: ports to bind to (0 is any of the system's choice),
  // and whether it connects to any.
  std::vector<std::uint16_t> bind_tcp;
  bool connect_tcp = false;
  bool reach_out = false;  // signals to, and abstract Unix sockets of, processes without these limits (6.12)
};

// The version of Landlock that the kernel has (1 is Linux 5.13); 0: none, or it is switched off.
int landlock_abi();

// Puts the limits on, for good, and no new privileges with them. Holds for the thread that calls it and those
// it starts later, so there must be no other. Each part that the kernel is too old for stays open: with 2,
// as Debian 12 has it, truncating by name, ioctl() on devices, TCP and what `reach_out` is about. Returns
// "Landlock 7", or "MISSING: Landlock (this kernel has none)": what to tell people.
std::string landlock(const LandlockTerms& terms);

// The same in two steps, for a child between fork() and exec(): the limits made ready, and put on the thread
// that calls it, beside those that it has. landlock_hold() is async-signal-safe and sets errno. No rules
// (Fault::unavailable): the kernel has none, or does not take them.
Result<Fd> landlock_rules(const LandlockTerms& terms);
bool landlock_hold(int rules);

}  // namespace oob::base

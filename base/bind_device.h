#pragma once

#include <string>

#include "base/result.h"

namespace oob::base {

// Ties the socket FD to a network interface by its name: packets leave by it alone, whatever the routing
// table says, and only what came in by it is taken (SO_BINDTODEVICE, socket(7); needs no privilege from
// Linux 5.7 on, while the socket is not tied yet). To be called before bind() and connect(); an empty name
// changes nothing. An interface that is made anew (a redialled modem) is another one, so then the socket is
// to be made anew too. Fault::unavailable: there is none of that name now, or this system can't (FreeBSD has
// setfib(1) instead).
Result<> bind_device(int fd, const std::string& interface);

}  // namespace oob::base

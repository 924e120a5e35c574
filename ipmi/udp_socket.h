#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace oob::ipmi {

constexpr unsigned kPort = 623;  // RMCP (ASF 2.0, 3.1.1.1)

// "192.0.2.21", "192.0.2.21:6230", "[2001:db8::21]", "[fe80::1%eth0]:623": with the port, as messages show
// it. Fault::config: not a numeric address. Never looks a name up.
base::Result<std::string> full_address(const std::string& host);

// A non-blocking UDP socket that talks to one address alone: datagrams of others never arrive, and an address
// where nobody listens is told by ECONNREFUSED instead of by silence.
base::Result<base::Fd> connect_udp(const std::string& host);

}  // namespace oob::ipmi

#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace oob::uplink {

// Whom a probe asks, and how: "tcp:192.0.2.1:443", "tcp:[2001:db8::1]:443", "icmp:192.0.2.1",
// "icmp:2001:db8::1". Always by address: names need what may be broken.
struct Target {
  enum class Way { tcp, icmp };
  Way way = Way::tcp;
  bool is_v6 = false;
  std::string address;     // numeric, without brackets; no zone: the interface is known elsewhere
  std::uint16_t port = 0;  // of tcp
  std::string text;        // as it was written

  // Fault::config: what is wrong with it, and what would be right.
  static base::Result<Target> parse(std::string_view text);

  // Where to connect; `scope`: the index of the interface, for link-local addresses.
  socklen_t socket_address(unsigned scope, sockaddr_storage& to) const;
};

}  // namespace oob::uplink

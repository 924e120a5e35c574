#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace oob::uplink {

// The part of an ICMP echo that tells one from another (RFC 792, "Echo"; RFC 4443, 4.1 and 4.2).
struct Echo {
  std::uint16_t identifier = 0, sequence = 0;
  std::string data;
  bool operator==(const Echo&) const = default;
};

enum class EchoFamily { v4, v6 };

// The request, ready to be sent. Its checksum is filled in for IPv4; of ICMPv6 the kernel makes it, since the
// addresses are part of it (RFC 3542, 3.1).
std::string echo_request(EchoFamily family, const Echo& echo);

// What a reply answers; nothing where the packet is no whole echo reply. `with_header`: an IPv4 header stands
// before it, as on a raw socket.
std::optional<Echo> echo_reply(EchoFamily family, base::Bytes packet, bool with_header);

}  // namespace oob::uplink

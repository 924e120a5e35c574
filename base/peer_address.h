#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>

namespace oob::base {

// A socket's address as messages show it: "192.0.2.9:50122", "[2001:db8::9]:50122", with "%ZONE" where it has
// one; an IPv4 address mapped into IPv6 is shown as IPv4. "?" for other families.
std::string peer_text(const sockaddr_storage& address);

// The address of such a text, without port and brackets: "192.0.2.9", "2001:db8::9".
std::string address_of(std::string_view peer);

// What limits and penalties count as one source: the IPv4 address; of an IPv6 address its /64, which is what
// one subscriber has, as "2001:db8::/64". "?" where the text is no address.
std::string source_of(std::string_view peer);

}  // namespace oob::base

#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace oob::base {

// A socket's address as messages show it: "192.0.2.9:50122", "[2001:db8::9]:50122", with "%ZONE" where it has
// one; an IPv4 address mapped into IPv6 is shown as IPv4. "?" for other families.
std::string peer_text(const sockaddr_storage& address);

// Who comes by the onion service is known by his circuit alone, whose number tor gives, and who comes by a
// call-home connection by its bastion: "onion-circuit-41:7", "call-home-fra:7". The number behind the colon
// parts connections from each other, as a port does.
std::string onion_text(std::uint32_t circuit, std::uint16_t number);
std::string home_text(std::string_view bastion, std::uint16_t number);

// The address of such a text, without port and brackets: "192.0.2.9", "2001:db8::9", "onion-circuit-41".
std::string address_of(std::string_view peer);

// What limits and penalties count as one source: the IPv4 address; of an IPv6 address its /64, which is what
// one subscriber has, as "2001:db8::/64"; "onion-circuit-41"; "call-home-fra" for all who come by that
// bastion, so that who fills its places takes nobody else's. "?" where the text is none of these.
std::string source_of(std::string_view peer);

// Of a source_of(): whether it is a circuit of the onion service. Anybody makes as many of them as he likes,
// and tor counts from 1 again when it is started again: it is nobody's for long.
bool is_onion(std::string_view source);
// Of a source_of(): whether it is a bastion.
bool is_home(std::string_view source);

}  // namespace oob::base

#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace oob::uplink {

// A numeric address, to compare and to hold against networks; an IPv4 one has its four bytes first.
struct Ip {
  bool ipv6 = false;
  std::array<unsigned char, 16> bytes{};
  bool operator==(const Ip&) const = default;

  bool is_any() const;           // 0.0.0.0, ::
  bool is_loopback() const;      // 127.0.0.0/8, ::1
  bool is_link_local() const;    // 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291, 2.5.6)
  bool is_unique_local() const;  // fc00::/7 (RFC 4193): nobody outside can dial it
};

// Of "192.0.2.1", "2001:db8::1", "fe80::1%eth0"; nothing else is one.
std::optional<Ip> ip_of(std::string_view text);
// Of "192.0.2.1:2222", "[2001:db8::1]:2222".
std::optional<Ip> ip_of_endpoint(std::string_view text);
// Of a probe: "tcp:192.0.2.1:443", "tcp:[2001:db8::1]:443", "icmp:192.0.2.1".
std::optional<Ip> ip_of_probe(std::string_view text);

// Whether the first `prefix` bits of both are the same, and both are of one family.
bool same_network(const Ip& one, const Ip& other, unsigned prefix);

}  // namespace oob::uplink

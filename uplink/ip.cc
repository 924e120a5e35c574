#include "uplink/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "base/peer_address.h"

namespace oob::uplink {

bool Ip::is_any() const {
  return std::all_of(bytes.begin(), bytes.end(), [](unsigned char each) { return each == 0; });
}

bool Ip::is_loopback() const {
  if (!ipv6) return bytes[0] == 127;
  return bytes[15] == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](auto each) { return each == 0; });
}

bool Ip::is_link_local() const {
  return ipv6 ? bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80 : bytes[0] == 169 && bytes[1] == 254;
}

bool Ip::is_unique_local() const { return ipv6 && (bytes[0] & 0xfe) == 0xfc; }

std::optional<Ip> ip_of(std::string_view text) {
  std::string plain(text.substr(0, text.find('%')));
  Ip ip;
  if (::inet_pton(AF_INET, plain.c_str(), ip.bytes.data()) == 1) return ip;
  ip.ipv6 = true;
  if (::inet_pton(AF_INET6, plain.c_str(), ip.bytes.data()) == 1) return ip;
  return std::nullopt;
}

std::optional<Ip> ip_of_endpoint(std::string_view text) { return ip_of(base::address_of(text)); }

std::optional<Ip> ip_of_probe(std::string_view text) {
  if (text.starts_with("tcp:")) return ip_of_endpoint(text.substr(4));
  if (!text.starts_with("icmp:")) return std::nullopt;
  text.remove_prefix(5);
  if (text.size() > 1 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  return ip_of(text);
}

bool same_network(const Ip& one, const Ip& other, unsigned prefix) {
  if (one.ipv6 != other.ipv6 || prefix > (one.ipv6 ? 128U : 32U)) return false;
  for (unsigned bit = 0; bit < prefix; bit += 8) {
    unsigned left = prefix - bit;
    unsigned mask = left >= 8 ? 0xffU : 0xffU << (8 - left) & 0xffU;
    if ((one.bytes[bit / 8] & mask) != (other.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

}  // namespace oob::uplink

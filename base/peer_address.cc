#include "base/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "base/bytes.h"

namespace oob::base {

namespace {
constexpr std::string_view kOnion = "onion-circuit-", kHome = "call-home-";
}  // namespace

std::string peer_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return str(text, ":", ntohs(v4.sin_port));
  }
  if (address.ss_family != AF_INET6) return "?";
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
    return str(text, ":", ntohs(v6.sin6_port));
  }
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  std::string zone = v6.sin6_scope_id ? str("%", v6.sin6_scope_id) : "";
  return str("[", text, zone, "]:", ntohs(v6.sin6_port));
}

std::string onion_text(std::uint32_t circuit, std::uint16_t number) {
  return str(kOnion, circuit, ":", number);
}

std::string home_text(std::string_view bastion, std::uint16_t number) {
  return str(kHome, bastion, ":", number);
}

std::string address_of(std::string_view peer) {
  std::string host(peer.substr(0, peer.rfind(':')));
  if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return host;
}

std::string source_of(std::string_view peer) {
  std::string host = address_of(peer);
  host = host.substr(0, host.find('%'));
  if (is_home(host) || is_onion(host)) return host;
  in_addr v4;
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return host;
  in6_addr v6;
  if (::inet_pton(AF_INET6, host.c_str(), &v6) != 1) return "?";
  std::fill(v6.s6_addr + 8, v6.s6_addr + 16, 0);
  char text[INET6_ADDRSTRLEN];
  ::inet_ntop(AF_INET6, &v6, text, sizeof text);
  return str(text, "/64");
}

bool is_onion(std::string_view source) {
  if (!source.starts_with(kOnion)) return false;
  std::uint32_t circuit = 0;
  return parse_number(source.substr(kOnion.size()), circuit) && source == str(kOnion, circuit);
}

// As names of the configuration are (docs/configuration.md).
bool is_home(std::string_view source) {
  constexpr std::size_t kMostName = 64;
  if (!source.starts_with(kHome)) return false;
  std::string_view name = source.substr(kHome.size());
  return !name.empty() && name.size() <= kMostName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '.' || c == '-';
  });
}

}  // namespace oob::base

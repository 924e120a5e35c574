#include "uplink/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace oob::uplink {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

bool is_numeric(std::string_view host, int family) {
  unsigned char bytes[sizeof(in6_addr)];
  return host.find('\0') == std::string_view::npos &&
         ::inet_pton(family, std::string(host).c_str(), bytes) == 1;
}

}  // namespace

Result<Target> Target::parse(std::string_view text) {
  auto wrong = [&](const std::string& why) {
    return fail(Fault::config, str("probe '", base::printable(text, 200), "' ", why));
  };
  Target target;
  target.text = std::string(text);
  std::string_view rest = text;
  if (text.starts_with("tcp:")) {
    rest.remove_prefix(4);
  } else if (text.starts_with("icmp:")) {
    target.way = Way::icmp;
    rest.remove_prefix(5);
  } else {
    return wrong("begins with neither 'tcp:' nor 'icmp:': write \"tcp:192.0.2.1:443\" or \"icmp:192.0.2.1\"");
  }
  bool bare_v6 = is_numeric(rest, AF_INET6);
  if (bare_v6 && target.way == Way::tcp) return wrong(str("is IPv6: write \"tcp:[", rest, "]:443\""));
  std::string_view host = rest;
  std::string_view behind;
  if (rest.starts_with('[')) {
    std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return wrong("has a '[' without its ']'");
    host = rest.substr(1, end - 1);
    behind = rest.substr(end + 1);
    target.is_v6 = true;
  } else if (bare_v6) {
    target.is_v6 = true;
  } else {
    std::size_t colon = rest.find(':');
    host = rest.substr(0, colon);
    if (colon != std::string_view::npos) behind = rest.substr(colon);
  }
  if (!is_numeric(host, target.is_v6 ? AF_INET6 : AF_INET)) {
    return wrong(
        "has no numeric address: names are not looked up, since that needs what may be broken; write "
        "\"tcp:192.0.2.1:443\", \"tcp:[2001:db8::1]:443\", \"icmp:192.0.2.1\" or \"icmp:2001:db8::1\"");
  }
  target.address = std::string(host);
  if (target.way == Way::icmp) {
    if (!behind.empty()) return wrong(str("has '", base::printable(behind, 40), "' behind its address"));
    return target;
  }
  if (behind.empty()) return wrong(str("has no port: write \"", text, ":443\""));
  if (!behind.starts_with(':') || !base::parse_number(behind.substr(1), target.port) || target.port == 0)
    return wrong("has a port that is no number from 1 to 65535");
  return target;
}

socklen_t Target::socket_address(unsigned scope, sockaddr_storage& to) const {
  to = {};
  if (!is_v6) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr);
    std::memcpy(&to, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr);
  if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr)) v6.sin6_scope_id = scope;
  std::memcpy(&to, &v6, sizeof v6);
  return sizeof v6;
}

}  // namespace oob::uplink

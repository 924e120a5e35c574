#include "uplink/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <memory>

#include "base/bytes.h"
#include "uplink/ip.h"

namespace oob::uplink {

std::string trouble_of(const Interface& interface) {
  if (!interface.is_up) return "its interface is switched off or has no carrier";
  auto reaches_out = [](const std::string& address) {
    std::optional<Ip> ip = ip_of(address);
    return ip && !ip->is_link_local();
  };
  if (std::none_of(interface.addresses.begin(), interface.addresses.end(), reaches_out))
    return "its interface has no address";
  return "";
}

base::Result<> check_interface_name(std::string_view name) {
  auto wrong = [&](std::string_view why) {
    return base::fail(base::Fault::config, base::str("interface '", base::printable(name, 80), "' ", why));
  };
  if (name.empty()) return base::fail(base::Fault::config, "interface is empty");
  if (name.size() >= IFNAMSIZ)
    return wrong(
        base::str("is longer than ", IFNAMSIZ - 1, " bytes, so the system can have none of that name"));
  bool right = name != "." && name != "..";
  for (unsigned char c : name) right = right && c > 0x20 && c != 0x7f && c != '/' && c != ':';
  if (!right) return wrong("is no name of an interface: it has no blanks, '/' or ':' (see: ip link)");
  return {};
}

base::Result<std::map<std::string, Interface>> interfaces() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) < 0) return base::system_error("the interfaces of this system");
  std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> hold(first, ::freeifaddrs);
  std::map<std::string, Interface> found;
  for (ifaddrs* each = first; each; each = each->ifa_next) {
    Interface& interface = found[each->ifa_name];
    if (interface.index == 0) interface.index = ::if_nametoindex(each->ifa_name);
    interface.is_up = (each->ifa_flags & IFF_UP) && (each->ifa_flags & IFF_RUNNING);
    if (!each->ifa_addr) continue;
    int family = each->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    char text[NI_MAXHOST];
    if (::getnameinfo(each->ifa_addr, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      interface.addresses.push_back(text);
  }
  for (auto& [name, interface] : found) std::sort(interface.addresses.begin(), interface.addresses.end());
  return found;
}

}  // namespace oob::uplink

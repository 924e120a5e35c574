#include "uplink/ways.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <bitset>
#include <cstring>
#include <memory>
#include <optional>
#include <tuple>

namespace oob::uplink {

namespace {

// The bytes of a sockaddr; none where it has no IP address.
std::optional<Ip> ip_in(const sockaddr* address) {
  if (!address) return std::nullopt;
  Ip ip;
  if (address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    std::memcpy(ip.bytes.data(), &v4.sin_addr, sizeof v4.sin_addr);
    return ip;
  }
  if (address->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6;
  std::memcpy(&v6, address, sizeof v6);
  std::memcpy(ip.bytes.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
  ip.ipv6 = true;
  return ip;
}

unsigned bits_of(const Ip& mask) {
  unsigned bits = 0;
  for (unsigned char each : mask.bytes) bits += static_cast<unsigned>(std::bitset<8>(each).count());
  return bits;
}

bool contains(const Network& network, const Ip& to) {
  return network.prefix > 0 && same_network(network.address, to, network.prefix);
}

// Whether packets to that family have a sender's address there.
bool speaks(const Figures& uplink, const Ip& to) {
  return std::any_of(uplink.addresses.begin(), uplink.addresses.end(), [&](const std::string& text) {
    std::optional<Ip> address = ip_of(text);
    return address && address->ipv6 == to.ipv6 && !address->is_link_local();
  });
}

// Those that `may` be gone by, best first, and the routing table.
template <class May, class Near>
std::vector<std::string> in_order(const std::vector<Figures>& uplinks, May may, Near is_near) {
  std::vector<const Figures*> order;
  for (const Figures& each : uplinks)
    if (may(each)) order.push_back(&each);
  auto rank = [&](const Figures* each) {
    return std::tuple(each->health == Health::down, !is_near(each->interface), !each->is_way_out,
                      each->metered, each->health);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const Figures* one, const Figures* other) { return rank(one) < rank(other); });
  std::vector<std::string> ways;
  for (const Figures* each : order)
    if (std::find(ways.begin(), ways.end(), each->interface) == ways.end()) ways.push_back(each->interface);
  if (std::find(ways.begin(), ways.end(), "") == ways.end()) ways.push_back("");
  return ways;
}

}  // namespace

base::Result<std::vector<Network>> networks() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) < 0) return base::system_error("the interfaces of this system");
  std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> hold(first, ::freeifaddrs);
  std::vector<Network> found;
  for (ifaddrs* each = first; each; each = each->ifa_next) {
    if (!(each->ifa_flags & IFF_UP) || !(each->ifa_flags & IFF_RUNNING)) continue;
    std::optional<Ip> address = ip_in(each->ifa_addr);
    if (!address || address->is_link_local()) continue;
    // Some systems leave the family out of the mask of an address.
    std::optional<Ip> mask = ip_in(each->ifa_netmask);
    found.push_back({each->ifa_name, *address, mask ? bits_of(*mask) : address->ipv6 ? 128U : 32U});
  }
  return found;
}

std::vector<std::string> ways_to(const Ip& to, const std::vector<Figures>& uplinks,
                                 const std::vector<Network>& networks) {
  auto is_uplink = [&](const std::string& interface) {
    return std::any_of(uplinks.begin(), uplinks.end(),
                       [&](const Figures& each) { return each.interface == interface; });
  };
  bool is_here = std::any_of(networks.begin(), networks.end(), [&](const Network& each) {
    return each.address == to || (contains(each, to) && !is_uplink(each.interface));
  });
  if (is_here || to.is_loopback() || to.is_link_local()) return {""};
  auto is_near = [&](const std::string& interface) {
    return std::any_of(networks.begin(), networks.end(), [&](const Network& each) {
      return each.interface == interface && contains(each, to);
    });
  };
  return in_order(
      uplinks, [&](const Figures& each) { return speaks(each, to); }, is_near);
}

std::vector<std::string> ways_to(std::string_view address, const std::vector<Figures>& uplinks) {
  std::optional<Ip> to = ip_of(address);
  if (!to)
    return in_order(
        uplinks, [](const Figures&) { return true; }, [](const std::string&) { return false; });
  base::Result<std::vector<Network>> now = networks();
  return ways_to(*to, uplinks, now ? *now : std::vector<Network>());
}

}  // namespace oob::uplink

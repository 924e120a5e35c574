#include "uplink/routes.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <memory>

#include "base/fd.h"
#include "base/loop.h"
#include "uplink/ip.h"

#ifdef __linux__
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#endif

namespace oob::uplink {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

std::string somebody_outside(const std::map<std::string, Leg>& legs, bool ipv6) {
  static constexpr const char* kFour[] = {"9.9.9.9", "193.0.6.139", "1.1.1.1", "128.9.0.107"};
  static constexpr const char* kSix[] = {"2620:fe::9", "2001:67c:2e8:22::c100:68b", "2606:4700::1111",
                                         "2400:cb00::1"};
  auto ours = [&](const Ip& ip) {
    for (const auto& [name, leg] : legs)
      for (const Leg::Address& each : leg.addresses)
        if (std::optional<Ip> address = ip_of(each.address);
            address && same_network(ip, *address, each.prefix))
          return true;
    return false;
  };
  for (const char* each : ipv6 ? kSix : kFour)
    if (!ours(*ip_of(each))) return each;
  return ipv6 ? kSix[0] : kFour[0];
}

#ifndef __linux__

Result<Board> look(const std::vector<Errand>&) {
  return fail(
      Fault::unavailable,
      "oobd can't look at this system's routes; for each address that is listened on, see whether the "
      "reply leaves by its interface: netstat -rn; route -n get -host ADDRESS; setfib N route -n get "
      "ADDRESS; pfctl -sr (reply-to)");
}

#else

namespace {

constexpr std::size_t kMostWays = 512;
constexpr std::chrono::seconds kPatience{5};

struct Request {
  nlmsghdr header{};
  rtmsg route{};
  char attributes[256] = {};

  Request(int family, std::uint16_t flags) {
    header.nlmsg_len = NLMSG_LENGTH(sizeof(rtmsg));
    header.nlmsg_type = RTM_GETROUTE;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    route.rtm_family = static_cast<unsigned char>(family);
  }
  // Three of them at the most, none longer than an address.
  void add(unsigned short type, const void* what, std::size_t size) {
    auto* at = reinterpret_cast<char*>(this) + NLMSG_ALIGN(header.nlmsg_len);
    rtattr attribute{static_cast<unsigned short>(RTA_LENGTH(size)), type};
    std::memcpy(at, &attribute, sizeof attribute);
    std::memcpy(at + RTA_LENGTH(0), what, size);
    header.nlmsg_len =
        static_cast<std::uint32_t>(NLMSG_ALIGN(header.nlmsg_len) + RTA_ALIGN(RTA_LENGTH(size)));
  }
};

// A route as the kernel sends it.
struct Route {
  unsigned prefix = 0, type = 0, interface = 0;
  bool cloned = false;  // of a cache, not of a table
  std::uint32_t table = 0, metric = 0;
  std::string gateway;
  std::vector<std::pair<unsigned, std::string> > hops;  // where it has several
};

std::string address_text(int family, const rtattr* attribute) {
  char text[INET6_ADDRSTRLEN] = "";
  if (RTA_PAYLOAD(attribute) < (family == AF_INET6 ? 16U : 4U)) return "";
  ::inet_ntop(family, RTA_DATA(attribute), text, sizeof text);
  return text;
}

std::uint32_t number_of(const rtattr* attribute) {
  std::uint32_t number = 0;
  if (RTA_PAYLOAD(attribute) >= sizeof number) std::memcpy(&number, RTA_DATA(attribute), sizeof number);
  return number;
}

std::string via_text(const rtattr* attribute) {  // an IPv4 route by an IPv6 gateway (RFC 5549)
  char text[INET6_ADDRSTRLEN] = "";
  if (RTA_PAYLOAD(attribute) >= sizeof(rtvia) + 16)
    ::inet_ntop(AF_INET6, static_cast<const rtvia*>(RTA_DATA(attribute))->rtvia_addr, text, sizeof text);
  return text;
}

void read_hops(const rtattr* attribute, int family, Route& route) {
  auto left = static_cast<int>(RTA_PAYLOAD(attribute));
  auto* hop = static_cast<const rtnexthop*>(RTA_DATA(attribute));
  while (left >= static_cast<int>(sizeof *hop) && RTNH_OK(hop, left)) {
    std::string gateway;
    std::size_t size = hop->rtnh_len - sizeof *hop;
    for (auto* each = RTNH_DATA(hop); RTA_OK(each, size); each = RTA_NEXT(each, size))
      if (each->rta_type == RTA_GATEWAY) gateway = address_text(family, each);
    route.hops.emplace_back(static_cast<unsigned>(hop->rtnh_ifindex), gateway);
    int step = RTNH_ALIGN(hop->rtnh_len);
    if (step >= left) return;
    left -= step;
    hop = RTNH_NEXT(hop);
  }
}

Route route_of(const nlmsghdr* message) {
  auto* head = static_cast<const rtmsg*>(NLMSG_DATA(message));
  Route route;
  route.prefix = head->rtm_dst_len;
  route.type = head->rtm_type;
  route.table = head->rtm_table;
  route.cloned = head->rtm_flags & RTM_F_CLONED;
  std::size_t size = RTM_PAYLOAD(message);
  for (const rtattr* each = RTM_RTA(head); RTA_OK(each, size); each = RTA_NEXT(each, size)) {
    if (each->rta_type == RTA_OIF) route.interface = number_of(each);
    if (each->rta_type == RTA_TABLE) route.table = number_of(each);
    if (each->rta_type == RTA_PRIORITY) route.metric = number_of(each);
    if (each->rta_type == RTA_GATEWAY) route.gateway = address_text(head->rtm_family, each);
    if (each->rta_type == RTA_VIA) route.gateway = via_text(each);
    if (each->rta_type == RTA_MULTIPATH) read_hops(each, head->rtm_family, route);
  }
  if (route.hops.empty()) route.hops.emplace_back(route.interface, route.gateway);
  return route;
}

class Kernel {
 public:
  static Result<Kernel> open() {
    Kernel kernel;
    kernel.socket_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!kernel.socket_) return base::system_error("the routes of this system");
    timeval patience{2, 0};
    ::setsockopt(kernel.socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return kernel;
  }

  // One route, or nothing where there is none.
  Result<std::optional<Route> > one(Request request) {
    std::optional<Route> found;
    Result<> done = converse(request, false, [&](const Route& route) {
      found = route;
      return true;
    });
    if (!done) return done.error();
    return found;
  }
  // The first kMostRoutes of all, or of those by the interface of that index; false: there are more.
  // Afterwards this has had its last conversation then: what is left of it would be mixed into the next.
  Result<bool> all(int family, unsigned index, const std::function<void(const Route&)>& each) {
    Request request(family, NLM_F_DUMP);
    if (index) {
      // Without it the kernel sends the others as well (Linux before 4.20: always).
      int on = 1;
      (void)::setsockopt(socket_.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
      request.add(RTA_OIF, &index, sizeof index);
    }
    std::size_t count = 0;
    Result<> done = converse(request, true, [&](const Route& route) {
      each(route);
      return ++count < kMostRoutes;
    });
    if (!done) return done.error();
    return count < kMostRoutes;
  }

 private:
  // Until `each` has had enough.
  Result<> converse(Request request, bool dump, const std::function<bool(const Route&)>& each) {
    request.header.nlmsg_seq = ++sequence_;
    if (::send(socket_.get(), &request, request.header.nlmsg_len, 0) < 0)
      return base::system_error("the routes of this system");
    base::Clock::time_point end = base::Clock::now() + kPatience;
    while (base::Clock::now() < end) {
      ssize_t got = ::recv(socket_.get(), buffer_->bytes, sizeof buffer_->bytes, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return base::system_error("the routes of this system");
      auto size = static_cast<unsigned>(got);
      for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer_->bytes); NLMSG_OK(message, size);
           message = NLMSG_NEXT(message, size)) {
        if (message->nlmsg_seq != sequence_) continue;  // of a conversation that was given up
        // An error is the answer that there is no way, whatever its number is.
        if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) return {};
        if (message->nlmsg_type == RTM_NEWROUTE && !each(route_of(message))) return {};
        if (!dump) return {};
      }
    }
    return fail(Fault::unavailable, str("more routes than can be read in ", kPatience.count(), " s"));
  }

  struct Buffer {
    alignas(nlmsghdr) char bytes[64 * 1024];
  };
  base::Fd socket_;
  std::unique_ptr<Buffer> buffer_ = std::make_unique<Buffer>();
  std::uint32_t sequence_ = 0;
};

std::string name_of_index(unsigned index) {
  char name[IF_NAMESIZE] = "";
  return ::if_indextoname(index, name) ? name : "";
}

std::optional<int> setting(const std::string& path) {
  std::ifstream file("/proc/sys/net/" + path);
  int value = 0;
  return file >> value ? std::optional<int>(value) : std::nullopt;
}

// Of the interface or of all, whichever is more (ip-sysctl.rst).
std::optional<int> leg_setting(const std::string& interface, const char* name) {
  std::optional<int> all = setting(str("ipv4/conf/all/", name));
  std::optional<int> own = setting(str("ipv4/conf/", interface, "/", name));
  return own ? std::max(own, all) : own;
}

unsigned prefix_of(const sockaddr* mask, bool ipv6) {
  const unsigned char* at =
      ipv6 ? reinterpret_cast<const sockaddr_in6*>(mask)->sin6_addr.s6_addr
           : reinterpret_cast<const unsigned char*>(&reinterpret_cast<const sockaddr_in*>(mask)->sin_addr);
  unsigned bits = 0;
  for (unsigned i = 0; i < (ipv6 ? 16U : 4U); ++i) bits += static_cast<unsigned>(std::popcount(at[i]));
  return bits;
}

Result<std::map<std::string, Leg> > legs_of_this_board() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) < 0) return base::system_error("the interfaces of this system");
  std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> hold(first, ::freeifaddrs);
  std::map<std::string, Leg> legs;
  for (ifaddrs* each = first; each; each = each->ifa_next) {
    if (each->ifa_flags & IFF_LOOPBACK) continue;
    Leg& leg = legs[each->ifa_name];
    leg.is_up = (each->ifa_flags & IFF_UP) && (each->ifa_flags & IFF_RUNNING);
    int family = each->ifa_addr ? each->ifa_addr->sa_family : AF_UNSPEC;
    if ((family != AF_INET && family != AF_INET6) || !each->ifa_netmask) continue;
    char text[INET6_ADDRSTRLEN] = "";
    const void* address =
        family == AF_INET6 ? static_cast<void*>(&reinterpret_cast<sockaddr_in6*>(each->ifa_addr)->sin6_addr)
                           : &reinterpret_cast<sockaddr_in*>(each->ifa_addr)->sin_addr;
    ::inet_ntop(family, address, text, sizeof text);
    if (ip_of(text)->is_link_local()) continue;
    leg.addresses.push_back({text, prefix_of(each->ifa_netmask, family == AF_INET6)});
  }
  for (auto& [name, leg] : legs) {
    leg.rp_filter = leg_setting(name, "rp_filter");
    leg.arp_ignore = leg_setting(name, "arp_ignore");
    leg.arp_announce = leg_setting(name, "arp_announce");
  }
  return legs;
}

Result<Way> way_of(Kernel& kernel, const std::string& from, const std::string& to, const std::string& bound) {
  Way way{from, to, bound, false, "", ""};
  std::optional<Ip> target = ip_of(to);
  std::optional<Ip> source = ip_of(from);
  unsigned index = bound.empty() ? 0 : ::if_nametoindex(bound.c_str());
  if (!target || (!bound.empty() && index == 0)) return way;
  Request request(target->ipv6 ? AF_INET6 : AF_INET, 0);
  std::size_t size = target->ipv6 ? 16 : 4;
  request.route.rtm_dst_len = static_cast<unsigned char>(size * 8);
  request.add(RTA_DST, target->bytes.data(), size);
  if (source) {
    request.route.rtm_src_len = static_cast<unsigned char>(size * 8);
    request.add(RTA_SRC, source->bytes.data(), size);
  }
  if (index) request.add(RTA_OIF, &index, sizeof index);
  // For a bound socket without any route Linux takes everybody to be on that very wire, and asks there by
  // ARP. What it has in its tables is what it says when it is asked for the route itself.
  request.route.rtm_flags = RTM_F_FIB_MATCH;
  Result<std::optional<Route> > found = kernel.one(request);
  if (!found) return found.error();
  if (!*found || (*found)->type != RTN_UNICAST) return way;
  way.exists = true;
  auto by_it = [&](const auto& hop) { return hop.first == index; };
  const auto& hops = (*found)->hops;
  auto hop = std::find_if(hops.begin(), hops.end(), by_it);
  if (hop == hops.end()) hop = hops.begin();
  way.interface = name_of_index(hop->first);
  way.gateway = hop->second;
  return way;
}

bool is_default(const Route& route, bool ipv6) {
  return route.type == RTN_UNICAST && !route.cloned && route.prefix <= (ipv6 ? 3U : 1U);
}

// Those that were read, however many there are. IPv4 comes in the order of addresses, where a default route
// is the first of its table; IPv6 has it last. Those of a table that comes late are missed in either.
Result<bool> defaults_by(unsigned index, bool ipv6, std::vector<DefaultRoute>& found) {
  Result<Kernel> kernel = Kernel::open();
  if (!kernel) return kernel.error();
  return kernel->all(ipv6 ? AF_INET6 : AF_INET, index, [&](const Route& route) {
    if (!is_default(route, ipv6)) return;
    for (const auto& [by, gateway] : route.hops)
      if (index == 0 || by == index)
        found.push_back({ipv6, name_of_index(by), gateway, route.metric, route.table});
  });
}

Result<> look_for_defaults(Board& board, bool ipv6) {
  std::vector<DefaultRoute> found;
  Result<bool> is_all = defaults_by(0, ipv6, found);
  if (!is_all) return is_all.error();
  std::vector<std::string> crowded;
  if (!*is_all) {
    found.clear();
    for (const auto& [name, leg] : board.legs) {
      unsigned index = ::if_nametoindex(name.c_str());
      if (index == 0 || leg.addresses.empty()) continue;
      is_all = defaults_by(index, ipv6, found);
      if (!is_all) return is_all.error();
      if (!*is_all) crowded.push_back(name);
    }
  }
  board.defaults.insert(board.defaults.end(), found.begin(), found.end());
  for (const std::string& name : crowded) {
    board.defaults_cut = true;
    board.trouble = str("there are more than ", kMostRoutes, ipv6 ? " IPv6" : " IPv4", " routes by ", name,
                        ", so default routes by it may be missed");
  }
  return {};
}

}  // namespace

Result<Board> look(const std::vector<Errand>& errands) {
  Board board;
  Result<std::map<std::string, Leg> > legs = legs_of_this_board();
  if (!legs) return legs.error();
  board.legs = std::move(*legs);
  Result<Kernel> kernel = Kernel::open();
  if (!kernel) return kernel.error();
  std::vector<Way> asked;
  for (const auto& [name, leg] : board.legs) {
    for (const Leg::Address& each : leg.addresses) {
      std::string outside = somebody_outside(board.legs, ip_of(each.address)->ipv6);
      asked.push_back({each.address, outside, name, false, "", ""});
      asked.push_back({each.address, outside, "", false, "", ""});
    }
  }
  for (const Errand& errand : errands) asked.push_back({"", errand.to, errand.interface, false, "", ""});
  if (asked.size() > kMostWays) {
    board.trouble = str("there are so many addresses that only some were looked at (", kMostWays / 2, ")");
    asked.resize(kMostWays);
  }
  for (const Way& each : asked) {
    Result<Way> way = way_of(*kernel, each.from, each.to, each.bound);
    if (!way) return way.error();
    board.ways.push_back(std::move(*way));
  }
  for (bool ipv6 : {false, true})
    if (Result<> done = look_for_defaults(board, ipv6); !done) board.trouble = done.error().what;
  board.forwards_ipv4 = setting("ipv4/ip_forward").value_or(0) != 0;
  board.forwards_ipv6 = setting("ipv6/conf/all/forwarding").value_or(0) != 0;
  return board;
}

#endif

}  // namespace oob::uplink

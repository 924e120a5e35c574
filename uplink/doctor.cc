#include "uplink/doctor.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "base/bytes.h"
#include "base/peer_address.h"
#include "uplink/ip.h"

namespace oob::uplink {

using base::printable;
using base::str;

namespace {

constexpr std::uint32_t kMainTable = 254;  // RT_TABLE_MAIN

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += str(i == 0 ? "" : i + 1 == words.size() ? " and " : ", ", words[i]);
  return text;
}

const char* program(bool ipv6) { return ipv6 ? "ip -6" : "ip"; }
bool interface_has(const Leg& leg, bool ipv6) {
  return std::any_of(leg.addresses.begin(), leg.addresses.end(),
                     [&](const Leg::Address& each) { return ip_of(each.address)->ipv6 == ipv6; });
}
const char* family(bool ipv6) { return ipv6 ? "IPv6" : "IPv4"; }

class Rounds {
 public:
  Rounds(const Plan& plan, const Board& board) : plan_(plan), board_(board) {}

  std::vector<Finding> findings() {
    if (!board_.trouble.empty())
      remark(str("not all could be looked at: ", board_.trouble), "look again with less of it, or by hand");
    interfaces();
    default_routes();
    for (const Plan::Uplink& uplink : plan_.uplinks) {
      const Leg* leg = leg_of(uplink.interface);
      if (leg) addresses(uplink, *leg);
      if (!leg || !leg->is_up || leg->addresses.empty()) continue;
      replies(uplink, *leg);
      filters(uplink, *leg);
      probes(uplink, *leg);
    }
    for (const std::string& endpoint : plan_.listen) listener(endpoint);
    overlaps();
    ways_in();
    budget();
    forwarding();
    clocks();
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Finding& one, const Finding& other) { return one.is_error > other.is_error; });
    return std::move(found_);
  }

 private:
  void error(std::string what, std::string cure) {
    found_.push_back({true, std::move(what), std::move(cure)});
  }
  void remark(std::string what, std::string cure) {
    found_.push_back({false, std::move(what), std::move(cure)});
  }

  const Leg* leg_of(const std::string& interface) const {
    auto leg = board_.legs.find(interface);
    return leg == board_.legs.end() ? nullptr : &leg->second;
  }
  const Plan::Uplink* uplink_of(const std::string& interface) const {
    for (const Plan::Uplink& uplink : plan_.uplinks)
      if (uplink.interface == interface) return &uplink;
    return nullptr;
  }
  // Where our address is; empty: nowhere.
  std::string interface_with(const Ip& ip) const {
    for (const auto& [name, leg] : board_.legs)
      for (const Leg::Address& each : leg.addresses)
        if (ip_of(each.address) == ip) return name;
    return "";
  }
  // Null: it was not asked for.
  const Way* way(const std::string& from, const std::string& bound) const {
    for (const Way& each : board_.ways)
      if (each.from == from && each.bound == bound && !from.empty()) return &each;
    return nullptr;
  }
  const Way* probe_way(const std::string& interface, const Ip& to) const {
    for (const Way& each : board_.ways)
      if (each.from.empty() && each.bound == interface && ip_of(each.to) == to) return &each;
    return nullptr;
  }

  void interfaces();
  void default_routes();
  void addresses(const Plan::Uplink& uplink, const Leg& leg);
  void replies(const Plan::Uplink& uplink, const Leg& leg);
  void filters(const Plan::Uplink& uplink, const Leg& leg);
  void probes(const Plan::Uplink& uplink, const Leg& leg);
  void listener(const std::string& endpoint);
  void unbound(const std::string& address, const std::string& interface, const std::string& endpoint);
  void overlaps();
  void ways_in();
  void budget();
  void forwarding();
  void clocks();

  bool listens_on(const Plan::Uplink& uplink, const Ip& address) const;
  std::string route_cure(const std::string& interface, bool ipv6) const;
  std::string hop(const std::string& interface, bool ipv6) const;

  const Plan& plan_;
  const Board& board_;
  std::vector<Finding> found_;
};

bool Rounds::listens_on(const Plan::Uplink& uplink, const Ip& address) const {
  return std::any_of(uplink.listen.begin(), uplink.listen.end(), [&](const std::string& endpoint) {
    std::optional<Ip> ip = ip_of_endpoint(endpoint);
    return ip && ip->ipv6 == address.ipv6 && (ip->is_any() || *ip == address);
  });
}

// "via 192.0.2.1 dev eth0", by the router that is known there.
std::string Rounds::hop(const std::string& interface, bool ipv6) const {
  for (const DefaultRoute& each : board_.defaults)
    if (each.interface == interface && each.ipv6 == ipv6)
      return str(each.gateway.empty() ? "" : str("via ", each.gateway, " "), "dev ", interface);
  return str("via GATEWAY dev ", interface);  // its router, which only a person knows
}

// A bound socket needs any route by its interface that a rule leads it to.
std::string Rounds::route_cure(const std::string& interface, bool ipv6) const {
  for (const DefaultRoute& each : board_.defaults)
    if (each.interface == interface && each.ipv6 == ipv6 && each.table != kMainTable)
      return str(program(ipv6), " rule add oif ", interface, " lookup ", each.table,
                 " (its default route is in table ", each.table, ", to which no rule leads)");
  return str(program(ipv6), " route add default ", hop(interface, ipv6),
             " metric 1000 (the metric leaves other traffic where it is)");
}

void Rounds::interfaces() {
  std::map<std::string, std::string> seen;
  std::vector<std::string> names;
  for (const auto& [name, leg] : board_.legs) names.push_back(name);
  std::size_t there = 0;
  std::vector<Finding> missing;
  for (const Plan::Uplink& uplink : plan_.uplinks) {
    std::string called = str("uplink ", uplink.name, ": ");
    auto [first, is_new] = seen.emplace(uplink.interface, uplink.name);
    if (!is_new)
      error(str(called, "its interface ", uplink.interface, " is that of uplink ", first->second,
                " as well, so they are one uplink and fail together"),
            str("take [uplink.", uplink.name, "] out, or give it the other interface"));
    const Leg* leg = leg_of(uplink.interface);
    if (!leg) {
      std::string_view near = base::nearest(uplink.interface, names);
      missing.push_back(
          {false, str(called, "there is no interface ", printable(uplink.interface, 40), " now"),
           str("if it is no modem that comes later, put the right one into uplink.", uplink.name,
               ".interface: ", near.empty() ? "'ip link' lists them" : str("did you mean ", near, "?"))});
      continue;
    }
    ++there;
    if (!leg->is_up)
      remark(str(called, uplink.interface, " is switched off or has no carrier"),
             str("ip link set ", uplink.interface, " up, and look at the cable or modem"));
    else if (leg->addresses.empty())
      remark(str(called, uplink.interface, " has no address"),
             "see why the network gives it none (networkctl status, journalctl), or give it a fixed one");
  }
  // One may be a modem that is being redialled; all of them missing is no uplink.
  for (Finding& each : missing) {
    each.is_error = there == 0;
    found_.push_back(std::move(each));
  }
}

// With a default route by the provider's own network alone, the board is gone with the provider. Uplinks that
// are down, and so have none now, are told of elsewhere.
void Rounds::default_routes() {
  std::set<std::string> by;
  for (const DefaultRoute& each : board_.defaults) by.insert(each.interface);
  std::string working;  // the first uplink that could have one
  for (const Plan::Uplink& uplink : plan_.uplinks) {
    if (by.count(uplink.interface)) return;
    const Leg* leg = leg_of(uplink.interface);
    if (leg && leg->is_up && !leg->addresses.empty() && working.empty()) working = uplink.interface;
  }
  if (working.empty() || (by.empty() && board_.defaults_cut)) return;
  std::string cure = route_cure(working, !interface_has(*leg_of(working), false));
  if (by.empty())
    error("there is no default route at all, so nobody outside gets an answer", std::move(cure));
  else
    error(str("the only default route is by ", joined({by.begin(), by.end()}),
              ", which is no uplink: when that network fails the board is gone with it"),
          std::move(cure));
}

void Rounds::addresses(const Plan::Uplink& uplink, const Leg& leg) {
  if (leg.addresses.empty()) return;  // it may come
  std::vector<std::string> own;
  for (const Leg::Address& each : leg.addresses) own.push_back(each.address);
  for (const std::string& endpoint : uplink.listen) {
    std::optional<Ip> ip = ip_of_endpoint(endpoint);
    if (!ip || ip->is_any() || ip->is_link_local()) continue;
    if (interface_with(*ip) == uplink.interface) continue;
    error(
        str("uplink ", uplink.name, ": it listens on ", endpoint, ", an address that ", uplink.interface,
            " does not have; it has ", joined(own)),
        str("uplink.", uplink.name, ".listen = [\"", ip->ipv6 ? "[::]" : "0.0.0.0",
            endpoint.substr(endpoint.rfind(':')), "\"] takes whatever address it has; or give it that one"));
  }
}

void Rounds::replies(const Plan::Uplink& uplink, const Leg& leg) {
  std::vector<std::string> lost[2];
  bool works = false;
  for (const Leg::Address& each : leg.addresses) {
    Ip ip = *ip_of(each.address);
    const Way* reply = way(each.address, uplink.interface);
    if (!reply) continue;
    if (reply->exists) works = true;
    if (!reply->exists && !ip.is_unique_local() && (uplink.listen.empty() || listens_on(uplink, ip)))
      lost[ip.ipv6].push_back(each.address);
  }
  for (bool ipv6 : {false, true}) {
    if (lost[ipv6].empty()) continue;
    if (!uplink.listen.empty()) {
      error(str("uplink ", uplink.name, ": no ", family(ipv6), " route to the outside leaves by ",
                uplink.interface, ", so whoever dials ", joined(lost[ipv6]), " gets no answer"),
            route_cure(uplink.interface, ipv6));
    } else if (!works && (!ipv6 || lost[0].empty())) {
      error(str("uplink ", uplink.name, ": no route to the outside leaves by ", uplink.interface,
                ", so neither its probes nor what goes out by it arrive"),
            route_cure(uplink.interface, ipv6));
    }
  }
}

// Linux looks up the way back of what comes in, without the socket's binding: strict (1) wants it by the same
// interface, loose (2) wants some way (RFC 3704).
void Rounds::filters(const Plan::Uplink& uplink, const Leg& leg) {
  int filter = leg.rp_filter.value_or(0);
  if (filter == 0) return;
  for (const Leg::Address& each : leg.addresses) {
    if (ip_of(each.address)->ipv6) continue;
    const Way* back = way(each.address, "");
    if (!back || (back->exists && (filter != 1 || back->interface == uplink.interface))) continue;
    if (back->exists)
      error(str("uplink ", uplink.name, ": rp_filter is 1 on ", uplink.interface, " and the route back from ",
                each.address, " is by ", back->interface, ", so the kernel throws away what comes in"),
            str("sysctl -w net.ipv4.conf.", uplink.interface,
                ".rp_filter=2, and the same in /etc/sysctl.d/60-oobd-uplinks.conf"));
    else
      error(str("uplink ", uplink.name, ": rp_filter is ", filter, " on ", uplink.interface,
                " and nothing but a bound socket has a route from ", each.address,
                ", so the kernel throws away what comes in"),
            str("ip route add default ", hop(uplink.interface, false),
                " metric 1000 (in the main table), or sysctl -w net.ipv4.conf.", uplink.interface,
                ".rp_filter=0 and net.ipv4.conf.all.rp_filter=0"));
    return;
  }
}

void Rounds::probes(const Plan::Uplink& uplink, const Leg& leg) {
  std::string key = str("uplink.", uplink.name, ".probe");
  if (uplink.probe.empty()) {
    remark(str("uplink ", uplink.name, ": it has no probe, so it counts as up as long as ", uplink.interface,
               " does, whatever is broken behind"),
           str(key, " = [\"icmp:ADDRESS\"], of somebody beyond its first router who answers"));
    return;
  }
  for (const std::string& probe : uplink.probe) {
    std::optional<Ip> to = ip_of_probe(probe);
    if (!to) continue;
    std::string called = str("uplink ", uplink.name, ": its probe ", probe, " ");
    if (!interface_with(*to).empty() || to->is_loopback()) {
      error(called + "is this board itself, which always answers",
            str(key, ": take an address beyond the first router"));
      continue;
    }
    std::string near;
    for (const auto& [name, other] : board_.legs)
      for (const Leg::Address& each : other.addresses)
        if (same_network(*ip_of(each.address), *to, each.prefix)) near = name;
    if (near == uplink.interface) {
      remark(str(called, "is in ", near,
                 "'s own network, so it answers also when the provider behind has failed"),
             str(key, ": take an address beyond the first router, in place of it or beside it"));
    } else if (!near.empty()) {
      remark(str(called, "is in the network of ", near, ", so it fails with that as well"),
             str(key, ": take an address that neither of them has"));
    } else if (const Way* out = probe_way(uplink.interface, *to);
               out && !out->exists &&
               std::any_of(leg.addresses.begin(), leg.addresses.end(), [&](const auto& each) {
                 const Way* reply = way(each.address, uplink.interface);
                 return reply && reply->exists && ip_of(each.address)->ipv6 == to->ipv6;
               })) {
      error(str(called, "has no route by ", uplink.interface, ", so it never answers"),
            str(program(to->ipv6), " route get ", probe.substr(probe.find(':') + 1), " oif ",
                uplink.interface, " shows why; or take another address in ", key));
    } else if (out && !out->exists && !interface_has(leg, to->ipv6)) {
      error(str(called, "is ", family(to->ipv6), ", of which ", uplink.interface, " has no address"),
            str(key, ": take an address of the other family"));
    }
  }
}

// Of server.listen: bound to nothing, so the routing table alone says where replies go.
void Rounds::listener(const std::string& endpoint) {
  std::optional<Ip> ip = ip_of_endpoint(endpoint);
  if (!ip || ip->is_loopback() || ip->is_link_local()) return;
  if (!ip->is_any()) {
    std::string interface = interface_with(*ip);
    if (interface.empty())
      error(str("server.listen: no interface has the address of ", endpoint, " now, so nobody can dial it"),
            "put the address right, or bring up the interface that it belongs to; oobd listens there as soon "
            "as it is back");
    else
      unbound(base::address_of(endpoint), interface, endpoint);
    return;
  }
  for (const auto& [name, leg] : board_.legs) {
    const Plan::Uplink* uplink = uplink_of(name);
    // Of other interfaces only those who gave it no uplink at all want to know; who has uplinks listens there
    // for whoever is near.
    if (!leg.is_up || (!uplink && !plan_.uplinks.empty())) continue;
    for (const Leg::Address& each : leg.addresses) {
      Ip own = *ip_of(each.address);
      if (own.ipv6 != ip->ipv6 || own.is_unique_local() || (uplink && listens_on(*uplink, own))) continue;
      unbound(each.address, name, endpoint);
    }
  }
}

void Rounds::unbound(const std::string& address, const std::string& interface, const std::string& endpoint) {
  Ip ip = *ip_of(address);
  const Way* reply = nullptr;
  for (const auto& [name, leg] : board_.legs)
    for (const Leg::Address& each : leg.addresses)
      if (ip_of(each.address) == ip && !reply) reply = way(each.address, "");
  if (!reply || (reply->exists && reply->interface == interface)) return;
  const Plan::Uplink* uplink = uplink_of(interface);
  std::string port = endpoint.substr(endpoint.rfind(':'));
  std::string what =
      str("server.listen ", endpoint, ": replies from ", address, " on ", interface,
          reply->exists ? str(" leave by ", reply->interface) : " have no route to the outside",
          ", so whoever dials it from far away gets no answer");
  std::string rule = str(program(ip.ipv6), " route add default ", hop(interface, ip.ipv6), " table 110 && ",
                         program(ip.ipv6), " rule add from ", address, " lookup 110");
  if (uplink)
    error(what, str("uplink.", uplink->name, ".listen = [\"", ip.ipv6 ? str("[", address, "]") : address,
                    port, "\"] in place of it, whose replies are bound to ", interface, "; or ", rule));
  else if (plan_.uplinks.empty() && board_.legs.size() > 1 && endpoint.find(address) != std::string::npos)
    error(what, rule);
  else
    remark(what, rule + ", if somebody far away is to dial it");
}

void Rounds::overlaps() {
  for (auto one = board_.legs.begin(); one != board_.legs.end(); ++one)
    for (auto other = std::next(one); other != board_.legs.end(); ++other)
      for (const Leg::Address& a : one->second.addresses)
        for (const Leg::Address& b : other->second.addresses) {
          unsigned prefix = std::min(a.prefix, b.prefix);
          Ip first = *ip_of(a.address);
          if (a.prefix == (first.ipv6 ? 128U : 32U) || b.prefix == (first.ipv6 ? 128U : 32U)) continue;
          if (!same_network(first, *ip_of(b.address), prefix)) continue;
          bool ours = uplink_of(one->first) || uplink_of(other->first);
          bool loud = !first.ipv6 && one->second.arp_ignore.value_or(0) == 0;
          Finding finding{
              ours,
              str("the networks of ", one->first, " (", a.address, "/", a.prefix, ") and ", other->first,
                  " (", b.address, "/", b.prefix,
                  ") overlap, so each is reached by one of them alone, and ARP is answered by both"),
              str("give one of them another network",
                  loud ? "; until then sysctl -w net.ipv4.conf.all.arp_ignore=1 "
                         "net.ipv4.conf.all.arp_announce=2"
                       : "")};
          found_.push_back(std::move(finding));
        }
}

void Rounds::ways_in() {
  if (plan_.uplinks.empty()) {
    remark("there is no [uplink.NAME], so oobd binds nothing and watches no way out",
           "[uplink.NAME] with interface, listen and probe (docs/uplinks.md)");
    return;
  }
  auto by_server = [&](const Plan::Uplink& uplink) {
    return std::any_of(plan_.listen.begin(), plan_.listen.end(), [&](const std::string& endpoint) {
      std::optional<Ip> ip = ip_of_endpoint(endpoint);
      return ip && (ip->is_any() || interface_with(*ip) == uplink.interface);
    });
  };
  auto closed = [&](const Plan::Uplink& uplink) { return uplink.listen.empty() && !by_server(uplink); };
  if (plan_.calls_home) return;
  if (std::all_of(plan_.uplinks.begin(), plan_.uplinks.end(), closed)) {
    std::string cure =
        str("uplink.", plan_.uplinks.front().name,
            ".listen = [\"0.0.0.0:2222\"], or [callhome.NAME] where the carrier lets nobody in");
    if (plan_.has_onion)
      remark(
          "the onion service is the only way in from outside, and it is gone with Tor's network, with a "
          "carrier that blocks it, and while the clock is wrong",
          std::move(cure));
    else
      error("no uplink is listened on and there is no [callhome.NAME], so nobody gets in by any of them",
            std::move(cure));
    return;
  }
  if (plan_.has_onion) return;
  for (const Plan::Uplink& uplink : plan_.uplinks)
    if (closed(uplink))
      remark(str("uplink ", uplink.name,
                 ": nobody can dial it, and there is no [callhome.NAME] to come back by"),
             str("uplink.", uplink.name,
                 ".listen = [\"0.0.0.0:2222\"], or [callhome.NAME] where the carrier lets "
                 "nobody in"));
}

void Rounds::budget() {
  bool metered = !plan_.uplinks.empty() && std::all_of(plan_.uplinks.begin(), plan_.uplinks.end(),
                                                       [](const auto& each) { return each.metered; });
  if (metered)
    remark(
        "all uplinks are metered, so probes are rare on those that are not in use, and a dead one is noticed "
        "late",
        "metered = false for one of them, or leave it so if each byte costs on all");
}

void Rounds::forwarding() {
  if (plan_.uplinks.empty()) return;
  if (board_.forwards_ipv4)
    remark("this board forwards IPv4 between its networks, so whoever is in one of them may reach the others",
           "sysctl -w net.ipv4.ip_forward=0, or drop it in the forward chain (etc/uplinks/nftables.conf)");
  if (board_.forwards_ipv6)
    remark(
        "this board forwards IPv6 between its networks, and takes no router's announcements unless accept_ra "
        "is 2",
        "sysctl -w net.ipv6.conf.all.forwarding=0");
}

// A clock that nobody sets is an error for as long as it lasts: it shuts people out by and by, or on the day
// when the board has started without its battery.
void Rounds::clocks() {
  if (plan_.by_the_clock.empty()) return;
  const base::ClockState& clock = plan_.clock;
  std::string what = str("logins with ", joined(plan_.by_the_clock), " need the right time"), where;
  if (!clock.is_known) {
    what += str(", and whether anybody sets this board's clock can't be seen (", clock.why, ")");
    where = "'oobd check --uplink' by hand, which no service's sandbox keeps from asking; ";
  }
  if (clock.is_known && !clock.synchronised) what += ", and nobody sets this board's clock now";
  found_.push_back(
      {clock.is_known && !clock.synchronised, std::move(what),
       where + "an NTP server by its address (not its name), or a clock with a battery; and one person "
               "with a plain key and a role without hours"});
}

}  // namespace

std::string Finding::line() const { return str(what, "; cure: ", cure); }

std::vector<Finding> diagnose(const Plan& plan, const Board& board) { return Rounds(plan, board).findings(); }

}  // namespace oob::uplink

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace oob::uplink {

// An interface with its networks, and what the system does with packets that come in by it. A number that is
// missing could not be read.
struct Leg {
  struct Address {
    std::string address;  // numeric; no link-local ones
    unsigned prefix = 0;  // bits of its network
    bool operator==(const Address&) const = default;
  };
  bool is_up = false;
  std::vector<Address> addresses;
  // net.ipv4.conf.INTERFACE.*, ip-sysctl.rst: what counts is the greater of `all` and this.
  std::optional<int> rp_filter, arp_ignore, arp_announce;
};

// A route to everywhere, also in halves (0.0.0.0/1) and as 2000::/3, in any table.
struct DefaultRoute {
  bool ipv6 = false;
  std::string interface, gateway;  // empty gateway: none is needed (a modem)
  std::uint32_t metric = 0, table = 0;
  bool operator==(const DefaultRoute&) const = default;
};

// By which interface a packet from one of our addresses would leave, as the system says itself.
struct Way {
  std::string from;   // our address; empty: the system chooses
  std::string to;     // somebody outside
  std::string bound;  // the socket's interface (base/bind_device.h); empty: any
  bool exists = false;
  std::string interface, gateway;  // where it exists
};

// What there is to know of the routing on this board now.
struct Board {
  std::map<std::string, Leg> legs;  // by the interface's name; without the loopback
  std::vector<DefaultRoute> defaults;
  // There are so many routes that a default one may have been missed.
  bool defaults_cut = false;
  std::vector<Way> ways;  // from each address of `legs`, bound to its interface and not, and those asked for
  bool forwards_ipv4 = false, forwards_ipv6 = false;
  std::string trouble;  // what could not be seen; empty: all was
};

// A packet of a bound socket that one also wants to know the way of.
struct Errand {
  std::string interface, to;
};

// An address that is certainly outside, to ask the way to: one that is in no network of `legs`. Nothing is
// sent there.
std::string somebody_outside(const std::map<std::string, Leg>& legs, bool ipv6);

// How many routes are read in one go, of one family. A board may have the whole Internet's (a full table),
// and one looks every now and then.
constexpr std::size_t kMostRoutes = 10'000;

// Looks at this board (rtnetlink(7), /proc/sys/net). Where there are more than kMostRoutes, it asks for those
// of each interface by themselves, and of the one that has so many for the first of them alone: `trouble`
// says so. Blocks, for some seconds at the most. Fault::unavailable where the system has no such thing: the
// text tells a person what to type.
base::Result<Board> look(const std::vector<Errand>& errands);

}  // namespace oob::uplink

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "uplink/figures.h"
#include "uplink/ip.h"

namespace oob::uplink {

// A network in which this board has an address.
struct Network {
  std::string interface;
  Ip address;           // the board's own
  unsigned prefix = 0;  // bits of the network
  bool operator==(const Network&) const = default;
};

// All of them, of interfaces that are switched on and have their carrier; without link-local ones
// (getifaddrs(3)).
base::Result<std::vector<Network>> networks();

// The interfaces by which to try to reach somebody (base/bind_device.h), best first; an empty one: unbound,
// as the routing table says. Never none.
// - The board itself, what is link-local (its zone says where), and who is in a network of an interface that
//   is no uplink: unbound alone, because no way out leads there.
// - Else the uplink in whose own network they are, the way out, the others, what costs last; then those that
//   are down, since probes may be wrong; all of them if they have an address of this family; and at last
//   unbound, for what has a route of its own.
std::vector<std::string> ways_to(const Ip& to, const std::vector<Figures>& uplinks,
                                 const std::vector<Network>& networks);

// The same, with the networks as they are now, of a numeric address ("192.0.2.1", "fe80::1%lan0"). Where they
// can't be seen, or it is no address: as if there were none of them, and by each family.
std::vector<std::string> ways_to(std::string_view address, const std::vector<Figures>& uplinks);

}  // namespace oob::uplink

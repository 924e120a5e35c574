#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

// What routing daemons say of one BGP peering. Pure; what they say is any bytes, cut anywhere.
namespace oob::console {

enum class RoutingDaemon { bird, frr, openbgpd };
std::optional<RoutingDaemon> routing_daemon(std::string_view name);  // "bird", "frr", "openbgpd"
const char* name_of(RoutingDaemon daemon);

struct Peering {
  // RFC 4271, 8.2.2; `down`: it is switched off (BIRD). `missing`: the daemon knows no such neighbour.
  enum class State { established, idle, connect, active, open_sent, open_confirm, down, missing };
  State state = State::missing;
  std::string since;  // as the daemon tells it: "12:44:53.971", "01:02:03"; empty: it does not
  std::optional<std::uint64_t> prefixes;  // received and taken, of all families together
  std::string last_error;                 // printable; empty: none that is known
  bool operator==(const Peering&) const = default;
};
const char* name_of(Peering::State state);  // "established", ..., "not found"

// "established since 12:44:53.971, 1 prefix", "active; last error: Received: Administrative shutdown".
std::string describe(const Peering& peering);

constexpr std::size_t kMostPeeringText = 256 * 1024;  // bytes of an answer; more is refused

// What asks `daemon` about `neighbour`, which check_neighbour() let through.
std::string peering_command(RoutingDaemon daemon, const std::string& neighbour);
// A name of BIRD's without quotes, or the numeric address of the others: nothing a shell would take for more.
// Fault::config: what is wrong with it.
base::Result<> check_neighbour(RoutingDaemon daemon, std::string_view neighbour);

// What such a command printed: `birdc show protocols all`, also restricted; `vtysh -c "show bgp neighbors X
// json"` or `"show bgp summary json"`; `bgpctl -j show neighbor`. Fault::failed: it is nothing of the kind,
// or not whole; the text says so, with the first words of what it is.
base::Result<Peering> read_peering(RoutingDaemon daemon, const std::string& neighbour, base::Bytes answer);

// Such a command has reached no daemon.
struct Unreached {
  enum class Why {
    not_running,  // there is none, and so nothing is established
    not_allowed,  // whoever is logged in may not ask it
    either,       // vtysh without root does not tell which
  };
  Why why = Why::not_running;
  std::string line;  // in which it says so; printable
  bool operator==(const Unreached&) const = default;
};
// Whether that is what such a command prints, often among its errors.
std::optional<Unreached> unreached(RoutingDaemon daemon, base::Bytes said);
// What lets somebody who is not root ask the daemon.
const char* asking_cure(RoutingDaemon daemon);

}  // namespace oob::console

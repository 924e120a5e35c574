// What a router prints where a routing daemon's answer is expected: any bytes. The first chooses the daemon.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "console/peering.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob::console;
  if (size == 0) return 0;
  RoutingDaemon daemon = data[0] == 'b'   ? RoutingDaemon::bird
                         : data[0] == 'f' ? RoutingDaemon::frr
                                          : RoutingDaemon::openbgpd;
  const char* neighbour = daemon == RoutingDaemon::bird  ? "upstream1"
                          : daemon == RoutingDaemon::frr ? "192.0.2.1"
                                                         : "192.0.2.2";
  oob::base::Bytes answer(reinterpret_cast<const char*>(data + 1), size - 1);
  auto peering = read_peering(daemon, neighbour, answer);
  std::string said = peering ? describe(*peering) : peering.error().what;
  if (said.empty() || said.size() > 1000) std::abort();
  if (oob::base::printable(said, 2000) != said) std::abort();
  if (peering && peering->state == Peering::State::missing && peering->prefixes) std::abort();
  return 0;
}

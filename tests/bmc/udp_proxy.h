#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "base/loop.h"
#include "tests/bmc/endpoint.h"

namespace oob::test {

// What a bad wire does to a datagram, as probabilities from 0 to 1, and to how long it takes.
struct WireFaults {
  double lose = 0;
  double duplicate = 0;
  double reorder = 0;   // comes after the next one of its direction, or 100 ms late
  double corrupt = 0;   // one bit flipped
  double truncate = 0;  // cut at some place
  base::milliseconds delay{0};
  base::milliseconds jitter{0};                 // up to so much more
  base::Result<> order(std::string_view line);  // "lose=0.1", "delay=20", ...
};

// A wire between clients and one BMC: a UDP proxy on the loop, with faults that a seed makes repeatable.
// Every client gets a socket of its own towards the BMC, so that the BMC tells them apart.
class UdpProxy {
 public:
  UdpProxy(base::Loop& loop, std::uint64_t seed = 1);
  ~UdpProxy();
  UdpProxy(const UdpProxy&) = delete;
  UdpProxy& operator=(const UdpProxy&) = delete;

  // Listens on `address`:`port` (0: any) for what goes to the BMC at `to_address`:`to_port`.
  base::Result<> open(const std::string& address, std::uint16_t port, const std::string& to_address,
                      std::uint16_t to_port);
  std::uint16_t port() const { return port_; }

  // All of these may change at any time.
  WireFaults to_bmc, to_client;
  bool unplugged = false;  // nothing passes; what is on its way arrives
  // Sees every datagram before the faults; what it returns goes on, nothing: it is lost.
  std::function<std::optional<std::string>(bool to_bmc, std::string datagram)> hook;
  // "unplugged=on|off", "to_bmc.lose=0.1", "to_client.delay=20", "lose=0.1" for both, "seen".
  base::Result<std::string> order(std::string_view line);

  struct Seen {
    std::uint64_t to_bmc = 0, to_client = 0;  // came in
    std::uint64_t lost = 0, duplicated = 0, reordered = 0, corrupted = 0, truncated = 0;
  } seen;

 private:
  struct Client {
    Endpoint from;
    UdpSocket socket;
    std::unique_ptr<base::Watch> watch;
  };
  struct Held {
    Endpoint client;
    std::string datagram;
  };
  void listen();
  void listen(Client& client);
  Client* client(const Endpoint& from);
  void pass(bool to_bmc, const Endpoint& client, std::string datagram);
  void later(bool to_bmc, const Endpoint& client, std::string datagram, base::milliseconds wait);
  void flush();
  void transmit(bool to_bmc, const Endpoint& client, const std::string& datagram);
  bool chance(double probability);

  base::Loop& loop_;
  std::mt19937_64 random_;
  Endpoint bmc_;
  std::uint16_t port_ = 0;
  base::Fd socket_;
  std::list<Client> clients_;  // least recently made first
  std::optional<Held> held_[2];
  std::multimap<base::Clock::time_point, std::pair<bool, Held>> late_;
  base::Timer late_timer_, held_timer_;
  std::unique_ptr<base::Watch> watch_;
};

}  // namespace oob::test

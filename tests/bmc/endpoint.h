#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace oob::test {

// An IP address and UDP port.
struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  bool operator==(const Endpoint& other) const;
  std::uint16_t port() const;
  bool is_loopback() const;  // 127.0.0.0/8
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

base::Result<Endpoint> make_endpoint(const std::string& address, std::uint16_t port);
// A non-blocking UDP socket bound to `address` and `port` (0: any), and the port it got.
struct UdpSocket {
  base::Fd fd;
  std::uint16_t port = 0;
};
base::Result<UdpSocket> bind_udp(const std::string& address, std::uint16_t port);

}  // namespace oob::test

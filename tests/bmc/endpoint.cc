#include "tests/bmc/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace oob::test {

bool Endpoint::operator==(const Endpoint& other) const {
  return size == other.size && std::memcmp(&address, &other.address, size) == 0;
}

std::uint16_t Endpoint::port() const {
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

bool Endpoint::is_loopback() const {
  if (address.ss_family != AF_INET) return false;
  return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24 == 127;
}

base::Result<Endpoint> make_endpoint(const std::string& address, std::uint16_t port) {
  Endpoint made;
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&made.address, &four, made.size = sizeof four);
    return made;
  }
  if (inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&made.address, &six, made.size = sizeof six);
    return made;
  }
  return base::fail(base::Fault::usage, base::str("\"", base::printable(address), "\" is not an IP address"));
}

base::Result<UdpSocket> bind_udp(const std::string& address, std::uint16_t port) {
  std::string where = base::str(address, ":", port);
  base::Result<Endpoint> at = make_endpoint(address, port);
  if (!at) return at.error();
  UdpSocket made;
  made.fd.reset(::socket(at->address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made.fd || ::bind(made.fd.get(), at->get(), at->size) != 0) return base::system_error(where);
  Endpoint bound;
  bound.size = sizeof bound.address;
  if (::getsockname(made.fd.get(), reinterpret_cast<sockaddr*>(&bound.address), &bound.size) != 0)
    return base::system_error(where);
  made.port = bound.port();
  return made;
}

}  // namespace oob::test

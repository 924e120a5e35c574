#include "ipmi/udp_socket.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

namespace oob::ipmi {

using base::fail;
using base::Fault;
using base::Fd;
using base::Result;
using base::str;

namespace {

struct Parts {
  std::string address;
  unsigned port = kPort;
};

Result<Parts> parts_of(const std::string& host) {
  Parts parts;
  std::string port;
  std::size_t bracket = host.find(']');
  if (!host.empty() && host.front() == '[' && bracket != std::string::npos) {
    parts.address = host.substr(1, bracket - 1);
    port = host.substr(bracket + 1);
  } else {
    std::size_t colon = host.find(':');
    parts.address = host.substr(0, colon);
    if (colon != std::string::npos) port = host.substr(colon);
  }
  bool right = port.empty() || (port.front() == ':' && base::parse_number(port.substr(1), parts.port) &&
                                parts.port > 0 && parts.port < 65536);
  if (parts.address.empty() || !right)
    return fail(Fault::config, str("not an address of a BMC: ", base::printable(host, 80)));
  return parts;
}

}  // namespace

Result<std::string> full_address(const std::string& host) {
  Result<Parts> parts = parts_of(host);
  if (!parts) return parts.error();
  bool v6 = parts->address.find(':') != std::string::npos;
  return str(v6 ? "[" : "", parts->address, v6 ? "]:" : ":", parts->port);
}

Result<Fd> connect_udp(const std::string& host) {
  Result<Parts> parts = parts_of(host);
  if (!parts) return parts.error();
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  int error = ::getaddrinfo(parts->address.c_str(), str(parts->port).c_str(), &hints, &found);
  if (error != 0) return fail(Fault::config, str(host, ": ", ::gai_strerror(error)));
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> address(found, ::freeaddrinfo);
  Fd socket(::socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || ::connect(socket.get(), address->ai_addr, address->ai_addrlen) < 0)
    return fail(Fault::unavailable, base::system_error(host).what);
  return socket;
}

}  // namespace oob::ipmi

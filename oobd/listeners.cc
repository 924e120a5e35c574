#include "oobd/listeners.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "base/bytes.h"

namespace oob {

using base::str;

base::Result<Listener> listen_tcp(const std::string& address) {
  std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int bad = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (bad) return base::fail(base::Fault::config, str("listen ", address, ": ", ::gai_strerror(bad)));
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> hold(found, ::freeaddrinfo);
  base::Fd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::system_error(str("listen ", address));
  int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (found->ai_family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) < 0 || ::listen(fd.get(), 256) < 0)
    return base::system_error(str("listen ", address));
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  auto number = bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                            : reinterpret_cast<sockaddr_in&>(bound).sin_port;
  return Listener{std::move(fd), str(address.substr(0, colon), ":", ntohs(number)), ntohs(number)};
}

base::Result<bool> listen_again(int fd, const std::string& address) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens) return false;
  // The old socket still has the address; SO_REUSEADDR on both lets another have it too, as it listens no
  // more.
  base::Result<Listener> again = listen_tcp(address);
  if (!again) return again.error();
  if (::dup3(again->fd.get(), fd, O_CLOEXEC) < 0) return base::system_error(str("listen ", address));
  return true;
}

}  // namespace oob

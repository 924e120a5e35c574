#include "oobd/listeners.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/bind_device.h"
#include "base/bytes.h"
#include "base/unix_socket.h"

namespace oob {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Fault::config,
                str("listen ", path, ": longer than the ", sizeof address.sun_path - 1, " bytes of a path"));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Takes away what an earlier run has left.
Result<> make_way(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) < 0) return {};
  if (!S_ISSOCK(status.st_mode))
    return fail(Fault::unavailable, str("listen ", path, ": something that is no socket is in the way"));
  if (base::connect_unix(path))
    return fail(Fault::busy, str("listen ", path, ": another process listens there"));
  if (::unlink(path.c_str()) < 0) return base::system_error(str("listen ", path, ": an old socket"));
  return {};
}

// From errno. What another process has, or this one may not have, is a fault of its own kind.
base::Error listen_error(const std::string& address) {
  const int number = errno;
  base::Error error = base::system_error(str("listen ", address), number);
  if (number == EADDRINUSE) error.fault = Fault::busy;
  if (number == EACCES) error.fault = Fault::denied;
  return error;
}

// None: nothing is there.
Listener::File file_at(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) < 0) return {};
  return {status.st_dev, status.st_ino};
}

Listener::File file_of(int fd) {
  struct stat status;
  if (::fstat(fd, &status) < 0) return {};
  return {status.st_dev, status.st_ino};
}

// A Unix socket that is shut down counts as listening still, and says so to poll().
bool is_shut_down(int fd) {
  pollfd look{fd, POLLRDHUP, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP));
}

}  // namespace

Result<Listener> listen_tcp(const std::string& address, const std::string& interface) {
  std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int bad = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (bad) return fail(Fault::config, str("listen ", address, ": ", ::gai_strerror(bad)));
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> hold(found, ::freeaddrinfo);
  base::Fd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::system_error(str("listen ", address));
  int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (found->ai_family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (Result<> tied = base::bind_device(fd.get(), interface); !tied)
    return base::wrap(str("listen ", address), tied.error());
  if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) < 0 || ::listen(fd.get(), 256) < 0)
    return listen_error(address);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  auto number = bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                            : reinterpret_cast<sockaddr_in&>(bound).sin_port;
  return Listener{std::move(fd),
                  str(address.substr(0, colon), ":", ntohs(number), interface.empty() ? "" : "%", interface),
                  ntohs(number)};
}

Result<Listener> listen_unix(const std::string& path, Listener::Way way) {
  Result<sockaddr_un> address = unix_address(path);
  if (!address) return address.error();
  if (Result<> free = make_way(path); !free) return free.error();
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::system_error(str("listen ", path));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un)) < 0)
    return listen_error(path);
  // No umask for it: other threads make files too. Nobody gets in before listen().
  if (::chmod(path.c_str(), way == Listener::Way::onion ? 0660 : 0600) < 0 || ::listen(fd.get(), 256) < 0)
    return base::system_error(str("listen ", path));
  const Listener::File socket = file_of(fd.get());
  return Listener{std::move(fd), str(kUnixPrefix, path), 0, way, file_at(path), socket};
}

Result<Listener> listen_at(const std::string& address) {
  if (!is_unix(address)) return listen_tcp(address);
  return listen_unix(address.substr(kUnixPrefix.size()), Listener::Way::onion);
}

bool is_tied(const std::string& address) {
  const std::size_t interface = address.rfind('%');  // one inside [ ] is a zone, and in a path a letter
  return !is_unix(address) && interface != std::string::npos && interface > address.rfind(':');
}

bool has_its_file(Listener& listener) {
  const Listener::File now = file_at(listener.address.substr(kUnixPrefix.size()));
  // It is another socket, with another file, where a front had shut it down.
  if (const Listener::File socket = file_of(listener.fd.get()); socket != listener.socket) {
    listener.socket = socket;
    listener.file = now;
  }
  return now != Listener::File{} && now == listener.file;
}

void remove_socket(const Listener& listener) {
  if (!is_unix(listener.address)) return;
  const std::string path = listener.address.substr(kUnixPrefix.size());
  if (file_of(listener.fd.get()) != listener.socket || file_at(path) == listener.file) ::unlink(path.c_str());
}

Result<bool> listen_again(int fd, const std::string& address, Listener::Way way) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens && !is_shut_down(fd))
    return false;
  const std::size_t interface = address.rfind('%');
  const bool tied = is_tied(address);
  // The old socket still has the address; SO_REUSEADDR on both lets another have it too, as it listens no
  // more.
  Result<Listener> again = address.starts_with(kUnixPrefix)
                               ? listen_unix(address.substr(kUnixPrefix.size()), way)
                           : tied ? listen_tcp(address.substr(0, interface), address.substr(interface + 1))
                                  : listen_tcp(address);
  if (!again) return again.error();
  if (::dup3(again->fd.get(), fd, O_CLOEXEC) < 0) return base::system_error(str("listen ", address));
  return true;
}

}  // namespace oob

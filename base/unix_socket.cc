#include "base/unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/wire.h"

namespace oob::base {
namespace {

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Fault::config,
                str(path, ": longer than the ", sizeof address.sun_path - 1, " bytes of a socket path"));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace

void set_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

Result<std::pair<Fd, Fd>> socket_pair(int type) {
  int pair[2];
  if (::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
    return system_error("socketpair");
  return std::pair{Fd(pair[0]), Fd(pair[1])};
}

Result<> send_packet(int socket, Bytes packet, int pass) {
  iovec part{const_cast<char*>(packet.data()), packet.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (pass >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &pass, sizeof(int));
  }
  if (::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return system_error("send packet");
  return {};
}

Result<Packet> receive_packet(int socket) {
  Packet packet;
  packet.bytes.resize(wire::kMostPayload + 1);
  iovec part{packet.bytes.data(), packet.bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return system_error("receive packet");
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      Fd owned(fd);
      if (!packet.fd) packet.fd = std::move(owned);
    }
  }
  if (size == 0) return fail(Fault::end, "receive packet: closed by the other side");
  if (message.msg_flags & MSG_TRUNC) return fail(Fault::internal, "receive packet: too long");
  packet.bytes.resize(static_cast<std::size_t>(size));
  return packet;
}

Result<std::size_t> send_some(int socket, Bytes bytes) {
  ssize_t size = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size < 0) return system_error("send");
  return static_cast<std::size_t>(size);
}

Result<std::size_t> receive_some(int socket, char* to, std::size_t most) {
  ssize_t size = ::recv(socket, to, most, MSG_DONTWAIT);
  if (size < 0) return system_error("receive");
  if (size == 0) return fail(Fault::end, "closed by the other side");
  return static_cast<std::size_t>(size);
}

Result<Fd> connect_unix(const std::string& path) {
  Result<sockaddr_un> address = unix_address(path);
  if (!address) return address.error();
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_error(path);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un)) < 0)
    return system_error(path);
  return socket;
}

Result<Fd> listen_unix(const std::string& path) {
  Result<sockaddr_un> address = unix_address(path);
  if (!address) return address.error();
  struct stat status;
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode))
      return fail(Fault::config, str(path, ": in the way of the control socket"));
    if (connect_unix(path))
      return fail(Fault::config, str(path, ": another oobd is running on this state directory"));
    ::unlink(path.c_str());
  }
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_error(path);
  mode_t before = ::umask(0177);
  int bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un));
  int number = errno;
  ::umask(before);
  if (bound < 0) return system_error(path, number);
  if (::listen(socket.get(), 64) < 0) return system_error(path);
  return socket;
}

Result<Peer> peer_of(int socket) {
#ifdef SO_PEERCRED
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
    return system_error("peer credentials");
  return Peer{credentials.uid, credentials.pid};
#else
  uid_t uid;
  gid_t gid;
  if (::getpeereid(socket, &uid, &gid) < 0) return system_error("peer credentials");
  return Peer{uid, 0};
#endif
}

}  // namespace oob::base

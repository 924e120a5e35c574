#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"

namespace oob::base {

// A connected pair of Unix sockets, both non-blocking and close-on-exec. `type` is SOCK_STREAM or
// SOCK_SEQPACKET.
Result<std::pair<Fd, Fd>> socket_pair(int type);

// Sends one packet, with the descriptor `pass` beside it unless that is negative. Fault::again: no room now.
Result<> send_packet(int socket, Bytes packet, int pass = -1);

struct Packet {
  std::string bytes;
  Fd fd;  // empty where none came along
};
// Receives one packet and at most one descriptor (more are closed). Fault::again, or Fault::end.
Result<Packet> receive_packet(int socket);

// Bytes of a stream socket or other descriptor, without SIGPIPE and without blocking: how many were moved.
// Fault::again when none could be; receive_some answers Fault::end at the end.
Result<std::size_t> send_some(int socket, Bytes bytes);
Result<std::size_t> receive_some(int socket, char* to, std::size_t most);

// A listening Unix stream socket at `path`, mode 0600; a dead socket file in its way is replaced, a live one
// is an error ("another oobd is running").
Result<Fd> listen_unix(const std::string& path);
Result<Fd> connect_unix(const std::string& path);

struct Peer {
  uid_t uid;
  pid_t pid;  // 0 where the system does not tell
};
// Who is at the other end of a connected Unix socket.
Result<Peer> peer_of(int socket);

void set_nonblocking(int fd);

}  // namespace oob::base

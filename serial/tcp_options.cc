// A file of its own: each system spells these options its own way.
#include "serial/tcp_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace oob::serial {
namespace {

void set(int socket, int level, int option, int value) {
  // A refusal costs speed of notice, not function.
  (void)::setsockopt(socket, level, option, &value, sizeof value);
}

}  // namespace

void set_tcp_options(int socket) {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  constexpr int kIdleSeconds = 30, kProbes = 3, kProbeSeconds = 10;
#ifdef TCP_KEEPIDLE
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, kIdleSeconds);
#endif
#ifdef TCP_KEEPINTVL
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, kProbeSeconds);
#endif
#ifdef TCP_KEEPCNT
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
#endif
#ifdef TCP_USER_TIMEOUT
  set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, (kIdleSeconds + kProbes * kProbeSeconds) * 1000);
#endif
}

}  // namespace oob::serial

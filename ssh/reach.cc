#include "ssh/reach.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <memory>

#include "base/fd.h"
#include "base/peer_address.h"
#include "base/unix_socket.h"
#include "ssh/privileges.h"
#include "ssh/reach_session.h"
#include "ssh/sandbox.h"

namespace oob::ssh {

using base::Clock;
using base::fail;
using base::Fault;
using base::Fd;
using base::milliseconds;
using base::Result;
using base::str;
using base::system_error;

namespace {

constexpr milliseconds kAsked{5000};  // for the request, which is there already

// Until the descriptor is ready; false when the time is over.
bool ready(int fd, short events, Clock::time_point until) {
  while (true) {
    auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
    if (left <= milliseconds(0)) return false;
    pollfd one{fd, events, 0};
    int found = ::poll(&one, 1, static_cast<int>(left.count()));
    if (found > 0) return true;
    if (found < 0 && errno != EINTR) return false;
  }
}

Result<> read_exactly(int fd, char* to, std::size_t size, Clock::time_point until) {
  while (size > 0) {
    Result<std::size_t> got = base::receive_some(fd, to, size);
    if (got) {
      to += *got;
      size -= *got;
    } else if (got.error().fault != Fault::again || !ready(fd, POLLIN, until)) {
      return fail(Fault::internal, "no request came");
    }
  }
  return {};
}

Result<ReachRequest> read_request(int fd) {
  Clock::time_point until = Clock::now() + kAsked;
  unsigned char head[4];
  Result<> got = read_exactly(fd, reinterpret_cast<char*>(head), sizeof head, until);
  if (!got) return got.error();
  std::size_t size = std::size_t{head[0]} << 24 | head[1] << 16 | head[2] << 8 | head[3];
  if (size > kMostReach) return fail(Fault::internal, "a request that is too long");
  base::Wiped payload(size);
  payload.text.resize(size);
  got = read_exactly(fd, payload.text.data(), size, until);
  if (!got) return got.error();
  return ReachRequest::decode(payload.text);
}

void set_option(int fd, int level, int option, int value) {
  // Refused, it costs the speed of notice and no more.
  (void)::setsockopt(fd, level, option, &value, sizeof value);
}

// A host that vanishes is noticed within a minute, talking or not.
void watch_peer(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
#endif
#ifdef TCP_USER_TIMEOUT
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
#endif
}

Result<Fd> connect_to(const std::string& address, milliseconds limit) {
  std::string host = base::address_of(address), port = address.substr(address.rfind(':') + 1);
  addrinfo wish{}, *found = nullptr;
  wish.ai_socktype = SOCK_STREAM;
  wish.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  if (::getaddrinfo(host.c_str(), port.c_str(), &wish, &found) != 0)
    return fail(Fault::unavailable, "not a numeric address with a port");
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  Fd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  auto trouble = [](int number) { return fail(Fault::unavailable, system_error("connect", number).what); };
  if (!socket) return trouble(errno);
  watch_peer(socket.get());
  if (::connect(socket.get(), found->ai_addr, found->ai_addrlen) == 0) return socket;
  if (errno != EINPROGRESS) return trouble(errno);
  if (!ready(socket.get(), POLLOUT, Clock::now() + limit))
    return fail(Fault::unavailable, str("no answer within ", limit.count() / 1000, " s"));
  int number = 0;
  socklen_t size = sizeof number;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &number, &size) < 0) number = errno;
  if (number != 0) return trouble(number);
  return socket;
}

Result<> reach(int core, const ReachPatience& patience, std::unique_ptr<ReachSession>& session) {
  Clock::time_point until = Clock::now() + patience.reach;
  Result<ReachRequest> request = read_request(core);
  if (!request) return request.error();
  std::string address = request->address;
  Result<Fd> connected = connect_to(address, patience.connect);
  if (!connected) return base::wrap(address, connected.error());
  // Its own network namespace, if it gets one, leaves it the connection that is there.
  Result<std::string> dropped = drop_privileges();
  if (!dropped) return dropped.error();
  session = std::make_unique<ReachSession>(std::move(*connected), core, std::move(*request));
  Result<> done = session->prepare();
  if (!done) return base::wrap(address, done.error());
  enter_sandbox(core);
  done = session->log_in(until);
  return done ? done : Result<>(base::wrap(address, done.error()));
}

}  // namespace

int run_reach(int core_socket, const ReachPatience& patience) {
  Fd core(core_socket);
  for (int number : {SIGPIPE, SIGINT, SIGHUP}) ::signal(number, SIG_IGN);
  base::set_nonblocking(core.get());
  if (ssh_init() != SSH_OK) return static_cast<int>(Fault::internal);
  std::unique_ptr<ReachSession> session;
  Result<> there = reach(core.get(), patience, session);
  // It fits what a socket takes at once.
  std::string answer = encode_reach_answer(there);
  bool told = base::send_some(core.get(), answer).has_value();
  if (there && told) session->carry();
  return there ? 0 : static_cast<int>(there.error().fault);
}

}  // namespace oob::ssh

#include "oobd/call_home_dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/bind_device.h"
#include "base/peer_address.h"
#include "uplink/ways.h"

namespace oob {

using base::fail;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;

namespace {

void set_number(int fd, int level, int option, long long value) {
  int number = static_cast<int>(value);
  // Refused, it costs the speed of notice and no more.
  (void)::setsockopt(fd, level, option, &number, sizeof number);
}

void ask_for_life(int fd, milliseconds every) {
  auto seconds = std::max<long long>(1, every.count() / 1000);
  set_number(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1);
#ifdef TCP_KEEPIDLE
  set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, 90);  // beyond CallHomeLimits::hopeless
#endif
}

}  // namespace

std::vector<CallHomeWay> call_home_ways(const std::string& bastion,
                                        const std::vector<uplink::Figures>& uplinks) {
  std::vector<std::string> order = uplink::ways_to(base::address_of(bastion), uplinks);
  std::vector<CallHomeWay> ways;
  for (const std::string& interface : order) {
    const bool by_any = interface.empty() && &interface == &order.back() && order.size() > 1;
    const bool metered = std::any_of(uplinks.begin(), uplinks.end(), [&](const uplink::Figures& one) {
      return one.metered && (by_any || one.interface == interface);
    });
    ways.push_back({interface, metered});
  }
  return ways;
}

void CallHomeDial::begin(const std::string& bastion, const std::string& interface, milliseconds keepalive,
                         milliseconds limit, Done done) {
  cancel();
  done_ = std::move(done);
  Result<bool> connected = connect(bastion, interface, keepalive);
  if (!connected || *connected) {
    Result<> result = connected ? Result<>() : Result<>(connected.error());
    return loop_.post(life_.wrap([this, result] { end(result); }));
  }
  watch_ = std::make_unique<base::Watch>(loop_, socket_.get());
  watch_->writable([this] {
    int number = 0;
    socklen_t size = sizeof number;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &number, &size) < 0) number = errno;
    if (number == 0) return end({});
    end(fail(Fault::unavailable, base::system_error("connect", number).what));
  });
  limit_.after(limit, [this, limit] {
    end(fail(Fault::unavailable, str("connect: no answer within ", limit.count(), " ms")));
  });
}

// Whether it is connected at once.
Result<bool> CallHomeDial::connect(const std::string& bastion, const std::string& interface,
                                   milliseconds keepalive) {
  std::string host = base::address_of(bastion), port = bastion.substr(bastion.rfind(':') + 1);
  addrinfo wish{}, *found = nullptr;
  wish.ai_socktype = SOCK_STREAM;
  wish.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  if (::getaddrinfo(host.c_str(), port.c_str(), &wish, &found) != 0)
    return fail(Fault::unavailable, "not a numeric address with a port");
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  socket_.reset(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return base::system_error("socket");
  if (Result<> bound = base::bind_device(socket_.get(), interface); !bound) return bound.error();
  ask_for_life(socket_.get(), keepalive);
  if (::connect(socket_.get(), found->ai_addr, found->ai_addrlen) == 0) return true;
  if (errno == EINPROGRESS) return false;
  return fail(Fault::unavailable, base::system_error("connect").what);
}

void CallHomeDial::cancel() {
  life_.renew();
  limit_.cancel();
  watch_.reset();
  socket_.reset();
  done_ = nullptr;
}

void CallHomeDial::end(Result<> result) {
  base::Fd socket = std::move(socket_);
  Done done = std::exchange(done_, nullptr);
  cancel();
  if (!done) return;
  if (!result) return done(result.error());
  done(std::move(socket));  // perhaps the end of this
}

milliseconds unanswered_for(int fd) {
#if defined(__linux__)
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return milliseconds(0);
  if (info.tcpi_unacked == 0 && info.tcpi_probes == 0) return milliseconds(0);
  return milliseconds(info.tcpi_last_ack_recv);
#else
  (void)fd;
  return milliseconds(0);
#endif
}

unsigned unanswered_tries(int fd) {
#if defined(__linux__)
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return 0;
  return info.tcpi_probes + (info.tcpi_unacked > 0 ? 1u + info.tcpi_retransmits : 0u);
#else
  (void)fd;
  return 0;
#endif
}

}  // namespace oob

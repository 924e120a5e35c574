#include "uplink/probe.h"

#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "base/bind_device.h"
#include "base/fd.h"
#include "base/life.h"
#include "uplink/echo.h"

namespace oob::uplink {

using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kToken = 16;    // random bytes in an echo: what comes back is ours
constexpr unsigned kMostAtOnce = 64;  // packets of one look at a raw socket, which sees those of others too
constexpr std::size_t kMostEcho = 2048;

std::string random_bytes(std::size_t size) {
  std::random_device device;
  std::string bytes;
  while (bytes.size() < size) bytes += static_cast<char>(device());
  return bytes;
}

bool same_host(const sockaddr_storage& a, const sockaddr_storage& b) {
  if (a.ss_family != b.ss_family) return false;
  if (a.ss_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in&>(a).sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in&>(b).sin_addr.s_addr;
  }
  return IN6_ARE_ADDR_EQUAL(&reinterpret_cast<const sockaddr_in6&>(a).sin6_addr,
                            &reinterpret_cast<const sockaddr_in6&>(b).sin6_addr);
}

// What is wrong here, before anything has left, is not the way's fault. Not of what comes back later: a
// router far away says EACCES too (RFC 4443, 3.1, code 1).
constexpr const char* kNoCarrier = "no carrier";

Error trouble_with(std::string_view doing) {
  int number = errno;
  Error error = base::system_error(doing, number);
  switch (number) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EPERM:
    case EACCES:
      error.fault = Fault::busy;
  }
  return error;
}

#ifdef __linux__
constexpr int kPingSocket = SOCK_DGRAM;  // needs no privilege where the system lets this group (icmp(7))
#else
constexpr int kPingSocket = SOCK_RAW;
#endif

}  // namespace

struct Probe::State {
  State(base::Loop& l, const Target& t, const std::string& by, base::milliseconds m, Done d)
      : loop(l), target(t), interface(by), limit(m), done(std::move(d)), timer(l), again(l) {}

  void start() {
    Result<> begun = begin();
    if (!begun) {
      Error error = begun.error();
      if (error.fault != Fault::denied && error.fault != Fault::busy) error = not_sent(std::move(error));
      loop.post(life.wrap([this, error] { finish(error); }));
      return;
    }
    timer.after(limit, [this] {
      unanswered(fail(Fault::unavailable, str("no answer within ", limit.count(), " ms")));
    });
  }

  // What the system says at once has not been on any wire. Without carrier it is the other end that is
  // missing: a router that died takes it along.
  Error not_sent(Error error) const {
    const char* why = trouble_here();
    if (why) error.what = str("interface ", base::printable(interface), ": ", why);
    error.fault = why == kNoCarrier ? Fault::unavailable : Fault::missing;
    return error;
  }

  // Why nothing leaves by the interface now, as far as it shows; null: it may.
  const char* trouble_here() const {
    if (interface.empty() || interface.size() >= IFNAMSIZ || !socket) return nullptr;
    ifreq asked{};
    std::memcpy(asked.ifr_name, interface.data(), interface.size());
    if (::ioctl(socket.get(), SIOCGIFFLAGS, &asked) < 0) return nullptr;
    auto flags = static_cast<unsigned short>(asked.ifr_flags);
    return !(flags & IFF_UP)        ? "switched off"
           : !(flags & IFF_RUNNING) ? kNoCarrier
           : !has_address(asked)    ? "no address"
                                    : nullptr;
  }

  // Of IPv4, which takes one of another interface then; IPv6 finds no route.
  bool has_address(ifreq& asked) const {
    return target.is_v6 || ::ioctl(socket.get(), SIOCGIFADDR, &asked) == 0 || errno != EADDRNOTAVAIL;
  }

  // An IPv4 packet is given to an interface without carrier or address all the same, and goes nowhere.
  void unanswered(Error error) { finish(trouble_here() ? not_sent(std::move(error)) : error); }

  Result<> begin() {
    if (Result<> open = open_socket(); !open) return open;
    unsigned index = interface.empty() ? 0 : ::if_nametoindex(interface.c_str());
    if (Result<> bound = base::bind_device(socket.get(), interface); !bound)
      return fail(index == 0 ? Fault::unavailable : Fault::denied, bound.error().what);
    size = target.socket_address(index, address);
    began = base::Clock::now();
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) < 0) {
      if (target.way == Target::Way::tcp && errno == ECONNREFUSED) {  // on the same machine
        loop.post(life.wrap([this] { answered(); }));
        return {};
      }
      if (errno != EINPROGRESS) return trouble_with("connect");
    }
    watch = std::make_unique<base::Watch>(loop, socket.get());
    if (target.way == Target::Way::tcp) {
      watch->writable([this] { connected(); });
      return {};
    }
    if (Result<> identified = identify(); !identified) return identified;
    token = random_bytes(kToken);
    if (Result<> sent = send_echo(); !sent) return sent;
    again.after(limit / 2, [this] { (void)send_echo(); });  // what is wrong shows by the limit
    wait();
    return {};
  }

  Result<> open_socket() {
    int family = target.is_v6 ? AF_INET6 : AF_INET;
    constexpr int kTerms = SOCK_CLOEXEC | SOCK_NONBLOCK;
    if (target.way == Target::Way::tcp) {
      socket.reset(::socket(family, SOCK_STREAM | kTerms, 0));
      if (!socket) return trouble_with("socket");
      return {};
    }
    int protocol = target.is_v6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
    socket.reset(::socket(family, kPingSocket | kTerms, protocol));
    if (socket) {
      raw = kPingSocket == SOCK_RAW;
    } else if (errno == EACCES || errno == EPERM || errno == EPROTONOSUPPORT) {
      socket.reset(::socket(family, SOCK_RAW | kTerms, protocol));
      raw = true;
    }
    if (socket) {
      if (raw && target.is_v6) only_replies();
      return {};
    }
    if (errno != EACCES && errno != EPERM) return trouble_with("socket");
#ifdef __linux__
    return fail(Fault::denied,
                str("oobd may send no ICMP echo: widen the range of groups that may (sysctl -w "
                    "net.ipv4.ping_group_range=\"",
                    ::getegid(), " ", ::getegid(), "\"), or give it CAP_NET_RAW, or probe by tcp:"));
#else
    return fail(Fault::denied, "oobd may send no ICMP echo, which takes root here: probe by tcp:");
#endif
  }

  // A raw socket takes all of ICMPv6 otherwise, router advertisements and all (RFC 3542, 3.2).
  void only_replies() {
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    // Where it fails, replies are picked out all the same.
    (void)::setsockopt(socket.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  }

  // The kernel gives a ping socket its identifier, as a port.
  Result<> identify() {
    if (raw) {
      std::string bytes = random_bytes(sizeof identifier);
      std::memcpy(&identifier, bytes.data(), sizeof identifier);
      return {};
    }
    sockaddr_storage own{};
    socklen_t own_size = sizeof own;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &own_size) < 0)
      return trouble_with("getsockname");
    identifier = ntohs(target.is_v6 ? reinterpret_cast<sockaddr_in6&>(own).sin6_port
                                    : reinterpret_cast<sockaddr_in&>(own).sin_port);
    return {};
  }

  EchoFamily family() const { return target.is_v6 ? EchoFamily::v6 : EchoFamily::v4; }

  Result<> send_echo() {
    std::string packet = echo_request(family(), {identifier, ++sequence, token});
    sent_at[sequence % 2] = base::Clock::now();
    if (::send(socket.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN)
      return trouble_with("echo");
    return {};
  }

  void wait() {
    watch->readable([this] { heard(); });
  }

  void heard() {
    char bytes[kMostEcho];
    for (unsigned i = 0; i < kMostAtOnce; ++i) {
      sockaddr_storage from{};
      socklen_t from_size = sizeof from;
      ssize_t got =
          ::recvfrom(socket.get(), bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &from_size);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (got < 0) return unanswered(base::system_error("echo"));
      if (!same_host(from, address)) continue;
      std::optional<Echo> echo =
          echo_reply(family(), {bytes, static_cast<std::size_t>(got)}, raw && !target.is_v6);
      bool ours = echo && echo->identifier == identifier && echo->sequence >= 1 &&
                  echo->sequence <= sequence && echo->data == token;
      if (!ours) continue;
      began = sent_at[echo->sequence % 2];
      return answered();
    }
    wait();
  }

  void connected() {
    int number = 0;
    socklen_t length = sizeof number;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &number, &length) < 0) number = errno;
    if (number != 0 && number != ECONNREFUSED) return unanswered(base::system_error("connect", number));
    answered();
  }

  void answered() {
    auto trip = std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now() - began).count();
    finish(std::max<base::Micros>(trip, 1));
  }

  // The last that happens here: `done` may destroy this.
  void finish(Result<base::Micros> result) {
    timer.cancel();
    again.cancel();
    watch.reset();
    socket.reset();
    Done call = std::exchange(done, nullptr);
    if (call) call(std::move(result));
  }

  base::Loop& loop;
  const Target target;
  const std::string interface;
  const base::milliseconds limit;
  Done done;
  base::Fd socket;
  std::unique_ptr<base::Watch> watch;
  base::Timer timer, again;
  sockaddr_storage address{};
  socklen_t size = 0;
  bool raw = false;
  std::uint16_t identifier = 0, sequence = 0;
  std::string token;
  base::Clock::time_point began, sent_at[2];
  base::Life life;
};

Probe::Probe(base::Loop& loop, const Target& target, const std::string& interface, base::milliseconds limit,
             Done done)
    : state_(std::make_unique<State>(loop, target, interface, limit, std::move(done))) {
  state_->start();
}

Probe::~Probe() = default;

}  // namespace oob::uplink

#include "ssh/front.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <deque>
#include <map>
#include <unordered_map>

#include "base/log.h"
#include "base/unix_socket.h"
#include "ssh/connection.h"
#include "ssh/host_keys.h"
#include "ssh/privileges.h"
#include "ssh/sandbox.h"

namespace oob::ssh {

using base::Bytes;
using base::Clock;
using base::Fault;
using base::Fd;
using base::Result;
using base::str;
using base::wire::Control;
using base::wire::Remark;

namespace {

constexpr int kAcceptsATurn = 16;
constexpr std::size_t kMostQueued = 1024;  // messages for the core
constexpr int kMostUnsent = 64 * 1024;     // bytes of a connection that the kernel holds and has not sent
constexpr base::milliseconds kAcceptPause{100};
constexpr std::size_t kMostWaiting = 64;       // connections that wait for others of their source to log in
constexpr std::size_t kMostWaitingOfOne = 32;  // of one source

// Where a connection comes from, in the forms that messages and limits need.
struct Place {
  std::string text;    // "192.0.2.9:50122", "[2001:db8::9]:50122"
  std::string source;  // the address; of IPv6 its /64, which is what one subscriber has
};

Place place_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {str(text, ":", ntohs(v4.sin_port)), text};
  }
  if (address.ss_family != AF_INET6) return {"?", "?"};
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
    return {str(text, ":", ntohs(v6.sin6_port)), text};
  }
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  std::string zone = v6.sin6_scope_id ? str("%", v6.sin6_scope_id) : "";
  return {str("[", text, zone, "]:", ntohs(v6.sin6_port)),
          base::hex(Bytes(reinterpret_cast<const char*>(&v6.sin6_addr), 8))};
}

}  // namespace

// The process: the control socket, the listeners, the limits before authentication, the connections.
class Front final : public House {
 public:
  Front(Fd control, const Patience& patience);
  int run(std::string sandbox);

 private:
  struct Listener {
    Listener(base::Loop& loop, Fd socket, std::string where)
        : fd(std::move(socket)), address(std::move(where)), watch(loop, fd.get()) {}
    Fd fd;
    std::string address;
    base::Watch watch;
  };

  base::Loop& loop() override { return loop_; }
  const base::wire::Setup& setup() const override { return setup_; }
  const Patience& patience() const override { return patience_; }
  std::string& scratch() override { return scratch_; }
  bool tell(std::string packet, Fd pass) override;
  void logged_in(std::uint64_t connection) override;
  void ended(std::uint64_t connection) override;

  void hear();
  void obey(base::Packet packet);
  void set_up(Bytes payload);
  void stop(int status);
  void flush();
  void remark(std::string text);

  void accept_on(Listener& listener);
  enum class Entry { now, later, never };
  Entry entry_for(const std::string& source);
  void arrive(Fd socket);
  void begin(Fd socket, const std::string& source);
  void admit_waiting();
  void drop_departed();
  void forget_source(const std::string& source);
  void look_soon();
  void look();

  const Patience patience_;
  base::Loop loop_;
  Fd control_;
  base::Watch control_watch_;
  base::Timer clock_, pause_;
  std::string scratch_;
  std::string sandbox_;  // what holds of it
  int status_ = 0;
  bool stopped_ = false;

  struct Queued {
    std::string packet;
    Fd pass;
  };
  std::deque<Queued> queue_;

  bool ready_ = false;
  base::wire::Setup setup_;
  HostKeys host_keys_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::uint64_t next_id_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::map<std::string, std::uint32_t> unauthenticated_;  // by source
  std::uint32_t all_unauthenticated_ = 0;
  // A script that opens many connections at once is not turned away: the excess waits here, unread, until
  // others of its source have logged in, at most for the grace time.
  struct Waiting {
    Fd socket;
    std::string source;
    Clock::time_point since;
  };
  std::deque<Waiting> waiting_;
  // Refusals since the last remark: one line a second, whatever the flood.
  unsigned too_many_strangers_ = 0, too_many_of_one_ = 0, too_many_ = 0, no_descriptors_ = 0;
  std::string one_;
};

Front::Front(Fd control, const Patience& patience)
    : patience_(patience),
      control_(std::move(control)),
      control_watch_(loop_, control_.get()),
      clock_(loop_),
      pause_(loop_),
      scratch_(Channel::kTurn, '\0') {
  // Numbers of a front that was started again must not meet those of the one before it.
  if (::getrandom(&next_id_, sizeof next_id_, 0) != sizeof next_id_)
    next_id_ = static_cast<std::uint64_t>(::getpid());
  next_id_ >>= 1;
}

int Front::run(std::string sandbox) {
  sandbox_ = std::move(sandbox);
  control_watch_.readable([this] { hear(); });
  if (!stopped_) loop_.run();
  listeners_.clear();
  auto connections = std::move(connections_);
  for (auto& [id, connection] : connections) connection->end("the daemon is stopping");
  return status_;
}

void Front::stop(int status) {
  stopped_ = true;
  status_ = status;
  loop_.stop();
}

// --- the control socket
// -----------------------------------------------------------------------------------------------

void Front::hear() {
  for (int i = 0; i < 32 && !stopped_; ++i) {
    Result<base::Packet> packet = base::receive_packet(control_.get());
    if (packet) {
      obey(std::move(*packet));
    } else if (packet.error().fault == Fault::again) {
      break;
    } else {
      if (packet.error().fault == Fault::internal) base::log(str("oobd front: ", packet.error().what));
      stop(packet.error().fault == Fault::internal ? static_cast<int>(Fault::internal) : 0);
      return;
    }
  }
  if (!stopped_) control_watch_.readable([this] { hear(); });
}

void Front::obey(base::Packet packet) {
  Bytes payload = Bytes(packet.bytes).substr(1);
  switch (static_cast<Control>(packet.bytes[0])) {
    case Control::setup:
      set_up(payload);
      return;
    case Control::listen: {
      auto listen = base::wire::Listen::decode(payload);
      if (!listen || !packet.fd) return;
      base::set_nonblocking(packet.fd.get());
      listeners_.push_back(std::make_unique<Listener>(loop_, std::move(packet.fd), listen->address));
      if (ready_) accept_on(*listeners_.back());
      return;
    }
    case Control::verdict: {
      auto verdict = base::wire::Verdict::decode(payload);
      auto found = verdict ? connections_.find(verdict->connection) : connections_.end();
      if (found == connections_.end()) return;
      auto connection = found->second;
      connection->verdict(*verdict);
      return;
    }
    case Control::ping:
      tell(base::wire::packet(Control::pong), {});
      return;
    case Control::drop: {
      auto drop = base::wire::Drop::decode(payload);
      auto found = drop ? connections_.find(drop->connection) : connections_.end();
      if (found == connections_.end()) return;
      auto connection = found->second;
      connection->end(drop->why);
      return;
    }
    default:
      return;
  }
}

void Front::set_up(Bytes payload) {
  auto setup = base::wire::Setup::decode(payload);
  if (!setup || ready_) return;
  setup_ = std::move(*setup);
  Result<> keys = host_keys_.import(setup_.host_keys);
  setup_.host_keys.clear();
  if (!keys) {
    base::log(str("oobd front: ", keys.error().what));
    stop(static_cast<int>(Fault::config));
    return;
  }
  ready_ = true;
  tell(base::wire::packet(Control::ready, base::wire::Ready{sandbox_, ""}.encode()), {});
  for (auto& listener : listeners_) accept_on(*listener);
}

bool Front::tell(std::string packet, Fd pass) {
  // That a connection has ended must reach the core, or it would keep it: there are only so many of them.
  bool ended = !packet.empty() && packet[0] == static_cast<char>(Control::closed);
  if (stopped_ || (queue_.size() >= kMostQueued && !ended)) return false;
  queue_.push_back({std::move(packet), std::move(pass)});
  if (queue_.size() == 1) flush();
  return true;
}

void Front::flush() {
  while (!queue_.empty()) {
    Result<> sent = base::send_packet(control_.get(), queue_.front().packet, queue_.front().pass.get());
    if (!sent && sent.error().fault == Fault::again) {
      if (!control_watch_.waits_writable()) control_watch_.writable([this] { flush(); });
      return;
    }
    queue_.pop_front();  // sent; or the core is gone, which hear() will find
  }
}

void Front::remark(std::string text) {
  Remark remark{Remark::Kind::log, "", std::move(text)};
  tell(base::wire::packet(Control::remark, remark.encode()), {});
}

// --- those who come
// -----------------------------------------------------------------------------------------------------

void Front::accept_on(Listener& listener) {
  for (int i = 0; i < kAcceptsATurn; ++i) {
    Fd socket(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      arrive(std::move(socket));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      ++no_descriptors_;
      look_soon();
      pause_.after(kAcceptPause, [this] {
        for (auto& each : listeners_)
          if (!each->watch.waits_readable()) accept_on(*each);
      });
      return;
    }
    if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) break;
  }
  listener.watch.readable([this, &listener] { accept_on(listener); });
}

Front::Entry Front::entry_for(const std::string& source) {
  if (connections_.size() >= setup_.most_connections) {
    ++too_many_;
    return Entry::never;
  }
  if (all_unauthenticated_ >= setup_.most_unauthenticated) {
    ++too_many_strangers_;
    return Entry::never;
  }
  auto found = unauthenticated_.find(source);
  if (found == unauthenticated_.end() || found->second < setup_.most_per_source) return Entry::now;
  drop_departed();
  auto of_one = std::count_if(waiting_.begin(), waiting_.end(),
                              [&](const Waiting& each) { return each.source == source; });
  if (waiting_.size() < kMostWaiting && static_cast<std::size_t>(of_one) < kMostWaitingOfOne)
    return Entry::later;
  ++too_many_of_one_;
  one_ = source;
  return Entry::never;
}

void Front::arrive(Fd socket) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&peer), &size) < 0) return;  // gone already
  look_soon();
  std::string source = place_of(peer).source;
  Entry entry = entry_for(source);
  if (entry == Entry::now) return begin(std::move(socket), source);
  if (entry == Entry::later) {
    waiting_.push_back({std::move(socket), std::move(source), Clock::now()});
    return;
  }
  // RFC 4253, 4.2 lets other lines come before the version.
  constexpr Bytes kFull = "oobd: too many connections, try again\r\n";
  ::send(socket.get(), kFull.data(), kFull.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Front::begin(Fd socket, const std::string& source) {
  sockaddr_storage peer{}, local{};
  socklen_t size = sizeof peer;
  if (::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&peer), &size) < 0)
    return;  // gone while it waited
  size = sizeof local;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&local), &size);
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef TCP_NOTSENT_LOWAT
  // What waits in the kernel can't be skipped: on a slow link it would be seconds of old output before a ^C
  // shows.
  int most = kMostUnsent;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
#endif
  std::uint64_t id = ++next_id_;
  auto connection = std::make_shared<Connection>(
      *this, id, Connection::Origin{place_of(peer).text, place_of(local).text, source});
  if (Result<> started = connection->start(host_keys_.bind(), std::move(socket)); !started) {
    remark(started.error().what);
    return;
  }
  ++unauthenticated_[source];
  ++all_unauthenticated_;
  connections_.emplace(id, std::move(connection));
}

// Nobody else looks whether those who wait are still there.
void Front::drop_departed() {
  std::erase_if(waiting_, [](const Waiting& each) {
    pollfd look{each.socket.get(), POLLRDHUP, 0};
    return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  });
}

void Front::admit_waiting() {
  drop_departed();
  auto grace = std::chrono::seconds(setup_.grace_seconds);
  std::erase_if(waiting_, [&](const Waiting& each) { return Clock::now() - each.since > grace; });
  for (auto each = waiting_.begin(); each != waiting_.end();) {
    auto found = unauthenticated_.find(each->source);
    bool room = (found == unauthenticated_.end() || found->second < setup_.most_per_source) &&
                all_unauthenticated_ < setup_.most_unauthenticated &&
                connections_.size() < setup_.most_connections;
    if (!room) {
      ++each;
      continue;
    }
    Waiting next = std::move(*each);
    each = waiting_.erase(each);
    begin(std::move(next.socket), next.source);
  }
}

void Front::forget_source(const std::string& source) {
  --all_unauthenticated_;
  auto found = unauthenticated_.find(source);
  if (--found->second == 0) unauthenticated_.erase(found);
  // Later: this is called in the middle of a connection's work.
  if (!waiting_.empty()) loop_.post([this] { admit_waiting(); });
}

void Front::logged_in(std::uint64_t id) {
  auto found = connections_.find(id);
  if (found != connections_.end()) forget_source(found->second->origin().source);
}

void Front::ended(std::uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (!found->second->authenticated()) forget_source(found->second->origin().source);
  connections_.erase(found);
}

// --- the clock
// ----------------------------------------------------------------------------------------------------------

void Front::look_soon() {
  if (!clock_.waiting()) clock_.after(patience_.look, [this] { look(); });
}

void Front::look() {
  if (no_descriptors_) remark("no more descriptors or memory for connections: they wait");
  if (too_many_) remark(str(too_many_, " connections refused: ", setup_.most_connections, " are open"));
  if (too_many_strangers_)
    remark(str(too_many_strangers_, " connections refused: ", setup_.most_unauthenticated,
               " have not logged in yet"));
  if (too_many_of_one_)
    remark(str(too_many_of_one_, " connections refused: ", setup_.most_per_source, " from ", one_,
               " have not logged in yet"));
  no_descriptors_ = too_many_ = too_many_strangers_ = too_many_of_one_ = 0;
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (auto& [id, connection] : connections_) all.push_back(connection);
  Clock::time_point now = Clock::now();
  for (auto& connection : all) connection->tick(now);
  admit_waiting();
  if (!connections_.empty() || !waiting_.empty()) look_soon();
}

int run_front(int control_socket, const Patience& patience) {
  Fd control(control_socket);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGINT,
           SIG_IGN);  // Ctrl-C in the core's terminal: the core decides, and its socket's end tells us
  ::signal(SIGHUP, SIG_IGN);
  Result<std::string> dropped = drop_privileges();
  if (!dropped) {
    base::log(str("oobd front: ", dropped.error().what));
    return static_cast<int>(Fault::internal);
  }
  if (ssh_init() != SSH_OK || !log_is_heard()) {
    base::log(str("oobd front: libssh ", libssh_version(), " does not let itself be watched"));
    return static_cast<int>(Fault::internal);
  }
  base::set_nonblocking(control.get());
  Front front(std::move(control), patience);
  return front.run(str(enter_sandbox(), ", ", *dropped));
}

}  // namespace oob::ssh

#include "ssh/front.h"

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
#include "base/peer_address.h"
#include "base/unix_socket.h"
#include "ssh/admission.h"
#include "ssh/circuits.h"
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
using base::wire::Listen;
using base::wire::Remark;

namespace {

constexpr int kAcceptsATurn = 16;
constexpr std::size_t kMostQueued = 1024;  // messages for the core
constexpr int kMostInKernel = 64 * 1024;   // bytes of a connection that the kernel holds and has not sent
constexpr base::milliseconds kAcceptPause{100};
constexpr std::chrono::seconds kRemarks{60};  // between two remarks on the same, the first is at once

// RFC 4253, 4.2 lets other lines come before the version. What the client has said already is taken, or the
// kernel would reset the connection, and the line might not be read.
void turn_away(const Fd& socket, Bytes line) {
  char heard[256];
  ::send(socket.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  [[maybe_unused]] ssize_t taken = ::recv(socket.get(), heard, sizeof heard, MSG_DONTWAIT);
}

}  // namespace

// The process: the control socket, the listeners, who waits to come in, the connections.
class Front final : public House {
 public:
  Front(Fd control, const Patience& patience);
  int run(std::string sandbox);

 private:
  struct Listener {
    Listener(base::Loop& loop, Fd socket, Listen given)
        : fd(std::move(socket)),
          address(std::move(given.address)),
          way(given.way),
          bastion(std::move(given.bastion)),
          watch(loop, fd.get()) {}
    Fd fd;
    std::string address;
    Listen::Way way;
    std::string bastion;
    pid_t tor = 0;  // the process that connected last, for Way::onion; 0: none yet
    base::Watch watch;
    std::unique_ptr<Circuits> circuits;  // of Way::onion
    bool broken = false;                 // it listens no more, and is left alone
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
  void add_listener(Fd socket, Listen given);
  void stop(int status);
  void flush();
  void remark(std::string text);

  void accept_on(Listener& listener);
  void arrive_on(const Listener& listener, Fd socket, const sockaddr_storage& peer);
  void arrive(Fd socket, Connection::Origin origin);
  void begin(std::uint64_t id, Fd socket, Connection::Origin origin, const std::string& source);
  void make_room(std::uint64_t instead);
  void admit_waiting();
  void admit_soon();
  Admission::Stage stage_of(std::uint64_t id) const;
  void tell_figures(Clock::time_point now);
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
  Admission admission_{[this](std::uint64_t id) { return stage_of(id); }};
  // A script that opens many connections at once is not turned away: the excess waits here, unread, until
  // others of its source have logged in, at most for the grace time.
  struct Waiting {
    Fd socket;
    Connection::Origin origin;
    std::string source;
  };
  std::unordered_map<std::uint64_t, Waiting> waiting_;
  bool admit_posted_ = false;
  std::uint16_t next_number_ = 0;  // of those whom no port tells apart
  base::wire::Figures told_;
  // What was refused since the last remark on it: one line a minute of each, whatever the flood.
  struct Refused {
    std::uint64_t count = 0;
    Clock::time_point told{};
  };
  void tell_refused(Refused& refused, Clock::time_point now, const std::string& why);
  Refused full_, too_many_, too_many_of_one_, kept_out_, no_descriptors_, not_begun_, no_circuit_;
  std::string one_, kept_;  // the last sources of the two
  std::string silent_;      // the listener of the last one without a circuit
  std::string trouble_;     // why the last one was not begun
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
      auto listen = Listen::decode(payload);
      if (!listen || !packet.fd) return;
      base::set_nonblocking(packet.fd.get());
      add_listener(std::move(packet.fd), std::move(*listen));
      return;
    }
    case Control::deafen:
      if (auto deafen = base::wire::Deafen::decode(payload))
        std::erase_if(listeners_, [&](const auto& each) { return each->address == deafen->address; });
      return;
    case Control::verdict: {
      auto verdict = base::wire::Verdict::decode(payload);
      auto found = verdict ? connections_.find(verdict->connection) : connections_.end();
      if (found == connections_.end()) return;
      admission_.answered(verdict->connection, verdict->accept);
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
    case Control::opened: {
      auto opened = base::wire::Opened::decode(payload);
      auto found = opened ? connections_.find(opened->connection) : connections_.end();
      if (found == connections_.end()) return;
      auto connection = found->second;
      connection->opened(*opened);
      return;
    }
    default:
      return;
  }
}

void Front::set_up(Bytes payload) {
  auto setup = base::wire::Setup::decode(payload);
  if (!setup) return;
  if (ready_ && !setup->host_keys.empty()) return;  // keys are given once
  setup_ = std::move(*setup);
  admission_.set_up(setup_);
  setup_.good_sources.clear();
  if (ready_) return;
  Result<> keys = host_keys_.import(setup_.host_keys);
  setup_.host_keys.clear();
  if (!keys) {
    base::log(str("oobd front: ", keys.error().what));
    stop(static_cast<int>(Fault::config));
    return;
  }
  ready_ = true;
  tell(base::wire::packet(Control::ready, base::wire::Ready{sandbox_, host_keys_.key_exchange()}.encode()),
       {});
  for (auto& listener : listeners_) accept_on(*listener);
}

void Front::add_listener(Fd socket, Listen given) {
  Listener& added =
      *listeners_.emplace_back(std::make_unique<Listener>(loop_, std::move(socket), std::move(given)));
  if (added.way == Listen::Way::onion) {
    auto named = [this, &added](Fd from_tor, std::uint32_t circuit) {
      // Another tor than before counts its circuits from 1 again, and they are other people's.
      if (Result<base::Peer> tor = base::peer_of(from_tor.get()); tor && tor->pid > 0)
        if (std::exchange(added.tor, tor->pid) != tor->pid) admission_.forget_circuits();
      arrive(std::move(from_tor), {base::onion_text(circuit, next_number_++), added.address});
    };
    auto refused = [this, &added] {
      ++no_circuit_.count;
      silent_ = added.address;
      look_soon();
    };
    added.circuits = std::make_unique<Circuits>(loop_, patience_.circuit, named, refused);
  }
  if (ready_) accept_on(added);
}

bool Front::tell(std::string packet, Fd pass) {
  // That a connection has ended must reach the core, or it would keep it: there are only so many of them.
  bool ended = !packet.empty() && packet[0] == static_cast<char>(Control::closed);
  if (stopped_ || (queue_.size() >= kMostQueued && !ended)) return false;
  if (!packet.empty() && packet[0] == static_cast<char>(Control::ask))
    if (auto ask = base::wire::Ask::decode(Bytes(packet).substr(1))) admission_.asks(ask->connection);
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
  if (listener.broken) return;
  for (int i = 0; i < kAcceptsATurn; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    Fd socket(::accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                        SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      arrive_on(listener, std::move(socket), peer);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      ++no_descriptors_.count;
      look_soon();
      pause_.after(kAcceptPause, [this] {
        for (auto& each : listeners_)
          if (!each->watch.waits_readable()) accept_on(*each);
      });
      return;
    }
    // A front before this one may have shut it down. It would be readable for ever; the core opens another
    // one before it starts the next front.
    if (errno == EINVAL || errno == EBADF || errno == ENOTSOCK) {
      listener.broken = true;
      return remark(str("no longer listens on ", listener.address, ": ", base::system_error("accept").what));
    }
    if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) break;
  }
  listener.watch.readable([this, &listener] { accept_on(listener); });
}

void Front::arrive_on(const Listener& listener, Fd socket, const sockaddr_storage& peer) {
  switch (listener.way) {
    case Listen::Way::tcp:
      return arrive(std::move(socket), {base::peer_text(peer), ""});
    case Listen::Way::onion:
      return listener.circuits->take(std::move(socket));
    case Listen::Way::home:
      return arrive(std::move(socket), {base::home_text(listener.bastion, next_number_++), listener.address});
  }
}

// An origin without a local address is told it when it begins: a flood need not be asked for it.
void Front::arrive(Fd socket, Connection::Origin origin) {
  look_soon();
  const Clock::time_point now = Clock::now();
  std::string source = base::source_of(origin.peer);
  Admission::Verdict verdict = admission_.arrive(source, now);
  constexpr Bytes kTooMany = "oobd: too many connections, try again\r\n";
  switch (verdict.answer) {
    case Admission::Answer::enter:
      if (verdict.instead) make_room(verdict.instead);
      return begin(++next_id_, std::move(socket), std::move(origin), source);
    case Admission::Answer::wait:
      if (verdict.instead) make_room(verdict.instead);
      admission_.wait(++next_id_, source, now);
      waiting_.emplace(next_id_, Waiting{std::move(socket), std::move(origin), std::move(source)});
      return admit_soon();
    case Admission::Answer::penalised:
      ++kept_out_.count;
      kept_ = std::move(source);
      return turn_away(socket, base::is_onion(kept_)
                                   ? "oobd: too many failures from your circuit, try again later\r\n"
                                   : "oobd: too many failures from your address, try again later\r\n");
    case Admission::Answer::too_many:
      ++too_many_.count;
      break;
    case Admission::Answer::too_many_of_one:
      ++too_many_of_one_.count;
      one_ = std::move(source);
      break;
    case Admission::Answer::full:
      ++full_.count;
      break;
  }
  turn_away(socket, kTooMany);
}

// The connection that is to give its place up.
void Front::make_room(std::uint64_t instead) {
  auto waiting = waiting_.find(instead);
  if (waiting != waiting_.end()) {
    waiting_.erase(waiting);
    return admission_.leave(instead, Offence::none, Clock::now());
  }
  auto found = connections_.find(instead);
  if (found == connections_.end()) return;
  auto connection = found->second;
  connection->end("too many connections, try again");
}

void Front::begin(std::uint64_t id, Fd socket, Connection::Origin origin, const std::string& source) {
  if (origin.local.empty()) {
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&local), &size);
    origin.local = base::peer_text(local);
  }
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef TCP_NOTSENT_LOWAT
  // What waits in the kernel can't be skipped: on a slow link it would be seconds of old output before a ^C
  // shows.
  int most = kMostInKernel;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
#endif
  auto connection = std::make_shared<Connection>(*this, id, std::move(origin));
  admission_.enter(id, source, Clock::now());
  if (Result<> started = connection->start(host_keys_.bind(), std::move(socket)); !started) {
    admission_.leave(id, Offence::none, Clock::now());
    ++not_begun_.count;
    trouble_ = started.error().what;
    return look_soon();
  }
  connections_.emplace(id, std::move(connection));
}

Admission::Stage Front::stage_of(std::uint64_t id) const {
  auto waiting = waiting_.find(id);
  if (waiting != waiting_.end()) {
    // Nobody else looks whether those who wait are still there, or have said anything.
    pollfd look{waiting->second.socket.get(), POLLIN | POLLRDHUP, 0};
    bool there = ::poll(&look, 1, 0) > 0 && !(look.revents & (POLLRDHUP | POLLHUP | POLLERR));
    return there ? Admission::Stage::heard : Admission::Stage::silent;
  }
  auto found = connections_.find(id);
  return found == connections_.end() ? Admission::Stage::silent : found->second->stage();
}

void Front::admit_waiting() {
  if (waiting_.empty()) return;
  const Clock::time_point now = Clock::now();
  for (std::uint64_t id : admission_.tired(now)) make_room(id);
  std::uint64_t id = 0;
  while (!waiting_.empty()) {
    Admission::Verdict verdict = admission_.next(now, id);
    if (verdict.answer != Admission::Answer::enter) return;
    if (verdict.instead) make_room(verdict.instead);
    Waiting next = std::move(waiting_.extract(id).mapped());
    begin(id, std::move(next.socket), std::move(next.origin), next.source);
  }
}

// Later: this is called in the middle of a connection's work. Once for all who come in a turn.
void Front::admit_soon() {
  if (waiting_.empty() || std::exchange(admit_posted_, true)) return;
  loop_.post([this] {
    admit_posted_ = false;
    admit_waiting();
  });
}

void Front::logged_in(std::uint64_t id) {
  admission_.logged_in(id);
  admit_soon();
}

void Front::ended(std::uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  admission_.leave(id, found->second->offence(), Clock::now());
  connections_.erase(found);
  look_soon();
  admit_soon();
}

// --- the clock
// ----------------------------------------------------------------------------------------------------------

void Front::look_soon() {
  if (!clock_.waiting()) clock_.after(patience_.look, [this] { look(); });
}

void Front::look() {
  const Clock::time_point now = Clock::now();
  tell_refused(no_descriptors_, now, "no more descriptors or memory: they wait");
  tell_refused(not_begun_, now, trouble_);
  tell_refused(no_circuit_, now,
               str("on ", silent_,
                   " they do not say by which circuit they come: is HiddenServiceExportCircuitID haproxy in "
                   "the torrc?"));
  tell_refused(full_, now, str(setup_.most_connections, " are open"));
  tell_refused(too_many_, now, str(setup_.most_unauthenticated, " have not logged in yet"));
  tell_refused(too_many_of_one_, now,
               str(admission_.most_of(one_), " from ", one_, " have not logged in yet"));
  tell_refused(kept_out_, now, str("their addresses failed again and again, as ", kept_, " did"));
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (auto& [id, connection] : connections_) all.push_back(connection);
  for (auto& connection : all) connection->tick(now);
  admit_waiting();
  tell_figures(now);
  if (!connections_.empty() || !waiting_.empty() || admission_.changes(now)) look_soon();
}

void Front::tell_refused(Refused& refused, Clock::time_point now, const std::string& why) {
  if (refused.count == 0 || (refused.told != Clock::time_point{} && now - refused.told < kRemarks)) return;
  remark(str(refused.count, refused.count == 1 ? " connection" : " connections", " refused: ", why));
  refused = {0, now};
}

void Front::tell_figures(Clock::time_point now) {
  base::wire::Figures figures = admission_.figures(now);
  if (figures == told_) return;
  if (tell(base::wire::packet(Control::figures, figures.encode()), {})) told_ = figures;
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
  return front.run(str(enter_sandbox(control_socket), ", ", *dropped));
}

}  // namespace oob::ssh

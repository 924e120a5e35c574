#include "oobd/door.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/clock_state.h"
#include "base/log.h"
#include "base/peer_address.h"
#include "base/unix_socket.h"
#include "console/door_report.h"
#include "console/session.h"

namespace oob {

using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;
using base::wire::Control;

namespace {

// "alice", "alice:edge1", "alice+edge1".
void split_user(const std::string& name, std::string& user, std::string& device) {
  std::size_t at = name.find_first_of(":+");
  user = name.substr(0, at);
  device = at == std::string::npos ? "" : name.substr(at + 1);
}

// What the front hands over is looked at as if a stranger had: only a connected stream socket will do.
bool is_stream(const base::Fd& socket) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
         base::peer_of(socket.get());
}

auth::WithoutClock without_clock(Config::Unsynchronised means) {
  if (means == Config::Unsynchronised::skip) return auth::WithoutClock::skip;
  return means == Config::Unsynchronised::refuse ? auth::WithoutClock::refuse : auth::WithoutClock::check;
}

}  // namespace

Door::Door(base::Loop& loop, console::Core& core, base::Micros newest_known)
    : loop_(loop),
      core_(core),
      newest_known_(newest_known),
      second_factor_(loop, core.blocking, core.state + "/totp"),
      refusals_(loop, {[this](auth::Entry entry) { core_.journal.note(std::move(entry)); },
                       [](const std::string& line) { base::log(line); }}),
      good_sources_(loop, core.blocking, core.state + "/good_sources") {
  if (Result<> loaded = good_sources_.load(); !loaded) base::log(loaded.error().what);
}

Door::~Door() { close(); }

void Door::close() {
  if (!front_) return;
  front_.reset();
  core_.forwards->end_all("oobd is stopped");
  good_sources_.flush();
}

void Door::adopt(const Config& config) {
  std::map<std::string, std::vector<std::string>> roles_of;
  std::map<std::string, std::string> key_files, totp_files;
  for (const auto& [name, user] : config.users) {
    roles_of[name] = user.roles;
    key_files[name] = user.keys;
    if (!user.totp_file.empty()) totp_files[name] = user.totp_file;
  }
  core_.policy = std::make_unique<auth::Policy>(std::move(roles_of), config.roles);
  keyring_ =
      std::make_unique<auth::Keyring>(std::move(key_files), auth::Trust{config.user_ca, config.revoked_keys});
  second_factor_.adopt(std::move(totp_files), without_clock(config.totp_unsynchronised), newest_known_);
  good_sources_.keep_users([this](const std::string& user) { return core_.policy->knows(user); });
  bool changed = !(limits_ == config.limits);
  limits_ = config.limits;
  if (front_ && changed) front_->change(setup());
}

base::wire::Setup Door::setup() const {
  base::wire::Setup setup;
  setup.grace_seconds = limits_.grace;
  setup.most_unauthenticated = limits_.startups;
  setup.most_per_source = limits_.per_source;
  setup.most_tries = limits_.tries;
  setup.most_channels = limits_.channels;
  setup.most_connections = limits_.connections;
  setup.penalties = limits_.penalties;
  setup.good_sources = good_sources_.sources();
  return setup;
}

void Door::open(std::vector<std::string> host_keys, std::vector<FrontProcess::Gate> gates,
                std::function<void()> ready) {
  ready_ = std::move(ready);
  base::wire::Setup setup = this->setup();
  setup.host_keys = std::move(host_keys);
  FrontProcess::Hooks hooks;
  hooks.started = [this] {
    ++core_.front_starts;
    connections_.clear();
    reasons_.clear();
    core_.forwards->end_all("the front was started again");
    core_.door.figures = {};
  };
  hooks.ready = [this](const base::wire::Ready& ready) { this->ready(ready); };
  hooks.message = [this](Control kind, base::Bytes payload, base::Fd fd) {
    heard(kind, payload, std::move(fd));
  };
  front_ = std::make_unique<FrontProcess>(loop_, std::move(setup), std::move(gates), std::move(hooks));
  front_->start();
}

void Door::ready(const base::wire::Ready& ready) {
  core_.door.front_sandbox = printable(ready.sandbox, 500);
  core_.door.key_exchange = printable(ready.key_exchange, 500);
  if (std::exchange(said_key_exchange_, core_.door.key_exchange) != core_.door.key_exchange) {
    base::log(str("front: ", core_.door.front_sandbox));
    base::log(str("key exchange: ", core_.door.key_exchange));
    if (!console::is_post_quantum(core_.door.key_exchange))
      base::log(
          "this SSH library has no post-quantum key exchange: what is recorded today may be read one day");
  }
  ready_();
}

// Whoever is in by a user or key that is gone, is out. What has only run out since the login stays in, as
// with sshd: the night may be longer than a certificate.
std::vector<std::uint64_t> Door::come_by(const std::string& peer) const {
  std::vector<std::uint64_t> found;
  for (const auto& [number, connection] : connections_)
    if (base::source_of(connection.asked.peer) == base::source_of(peer)) found.push_back(number);
  return found;
}

void Door::end_lost_rights() {
  std::vector<std::uint64_t> lost;
  for (auto& [number, connection] : connections_) {
    Result<auth::KeyTerms> still =
        keyring_->find(connection.who.user, connection.key, connection.who.source, connection.since);
    if (still) {
      connection.terms = *still;
      continue;
    }
    base::log(str("session of ", connection.who.user, " ended: ", still.error().what));
    front_->send(Control::drop, base::wire::Drop{number, "your key is no longer accepted"}.encode());
    for (const auto& session : core_.sessions)
      if (session->visitor().connection == number)
        session->end("your key is no longer accepted", static_cast<int>(Fault::denied));
    lost.push_back(number);
  }
  for (std::uint64_t number : lost) connections_.erase(number);
  core_.forwards->recheck([this](std::uint64_t number) -> std::optional<console::Forwards::Terms> {
    auto at = connections_.find(number);
    if (at == connections_.end()) return std::nullopt;
    return console::Forwards::Terms{at->second.terms.no_forwarding, at->second.terms.permit_open};
  });
  for (const auto& session : core_.sessions) session->recheck();
}

// --- what the front says
// ----------------------------------------------------------------------------------------------

void Door::heard(Control kind, base::Bytes payload, base::Fd fd) {
  using namespace base::wire;
  if (kind == Control::ask) {
    if (Result<Ask> ask = Ask::decode(payload)) return asked(*ask);
  } else if (kind == Control::code) {
    if (Result<Code> code = Code::decode(payload)) return coded(*code);
  } else if (kind == Control::session && fd) {
    if (Result<OpenSession> open = OpenSession::decode(payload)) return opened(*open, std::move(fd));
  } else if (kind == Control::forward && fd) {
    if (Result<Forward> wish = Forward::decode(payload)) return forward(*wish, std::move(fd));
  } else if (kind == Control::closed) {
    if (Result<Closed> gone = Closed::decode(payload)) return closed(gone->connection);
  } else if (kind == Control::remark) {
    if (Result<Remark> remark = Remark::decode(payload)) return remarked(*remark);
  } else if (kind == Control::figures) {
    if (Result<Figures> figures = Figures::decode(payload)) {
      core_.door.figures = *figures;
      return;
    }
  }
  base::log(
      str("front: a message that makes no sense (", static_cast<int>(kind), ", ", payload.size(), " bytes)"));
}

// Why, for the journal; the client is never told. The front tells when its tries are over.
void Door::refuse(const std::string& peer, const std::string& user, const std::string& why) {
  auto at = reasons_.find(peer);
  if (at == reasons_.end()) {
    if (reasons_.size() >= kMostReasons) reasons_.erase(reasons_.begin());
    at = reasons_.emplace(peer, Reason{printable(user, 64), {}}).first;
  }
  // ssh offers a certificate and then the key inside it: the reason of the first is the one that helps.
  std::string& told = at->second.why;
  std::string added = printable(why, kMostReason);
  if (told.find(added) != std::string::npos || told.size() + added.size() > 2 * kMostReason) return;
  told += str(told.empty() ? "" : "; ", added);
}

bool Door::is_full(const std::string& user) const {
  auto of_user = std::count_if(connections_.begin(), connections_.end(), [&](const auto& each) {
    return !each.second.awaits_code && each.second.who.user == user;
  });
  return static_cast<std::uint32_t>(of_user) >= limits_.per_user;
}

// What has expired stays so when the clock falls back: unless somebody keeps it right, the newest time counts
// that this run or the journal has seen. A beginning (a certificate's) is before that all the more.
base::Micros Door::key_time() const {
  base::Micros wall = base::wall_now();
  if (base::clock_state().synchronised) return wall;
  return std::max(wall, core_.time->now().latest);
}

void Door::asked(const base::wire::Ask& ask) {
  base::wire::Verdict verdict;
  verdict.connection = ask.connection;
  verdict.number = ask.number;
  std::string user, device;
  split_user(ask.user, user, device);
  std::string source = base::address_of(ask.peer);
  Result<auth::KeyTerms> terms = core_.policy->knows(user)
                                     ? keyring_->find(user, ask.key, source, key_time())
                                     : Result<auth::KeyTerms>(fail(Fault::denied, "no such user"));
  if (terms && is_full(user) && ask.verified)
    terms = fail(Fault::denied, str(limits_.per_user, " connections are open (limits.per_user)"));
  if (!terms) {
    refuse(ask.peer, user, terms.error().what);
    return front_->send(Control::verdict, verdict.encode());
  }
  verdict.no_pty = terms->no_pty;
  if (!ask.verified) {
    verdict.accept = true;
    return front_->send(Control::verdict, verdict.encode());
  }
  bool known = connections_.count(ask.connection) != 0;
  if (known || connections_.size() >= limits_.connections) {
    base::log(known ? "front: a connection that logs in twice" : "front: more connections than are allowed");
    return front_->send(Control::verdict, verdict.encode());
  }
  Connection connection{{user, terms->fingerprint, source}, ask.key, device, *terms, ask, key_time()};
  connection.asked.key.clear();
  if (core_.policy->needs_second_factor(user)) {
    Result<auth::SecondFactor::Need> need = second_factor_.need(user);
    if (!need) {
      refuse(ask.peer, user, need.error().what);
      return front_->send(Control::verdict, verdict.encode());
    }
    connection.awaits_code = need->code;
    connection.second_factor = need->code ? "totp" : need->remark;
    connection.notice = need->remark;
    verdict.prompt = need->prompt;
  }
  verdict.accept = !connection.awaits_code;
  verdict.further = connection.awaits_code;
  Connection& kept = connections_.emplace(ask.connection, std::move(connection)).first->second;
  if (verdict.accept) logged_in(ask.connection, kept);
  front_->send(Control::verdict, verdict.encode());
}

void Door::coded(const base::wire::Code& code) {
  auto at = connections_.find(code.connection);
  if (at == connections_.end() || !at->second.awaits_code || at->second.code_judged)
    return base::log("front: a code that nobody asked for");
  at->second.code_judged = true;
  const std::string& user = at->second.who.user;
  std::string source = base::source_of(at->second.asked.peer);
  second_factor_.check(user, code.code, {source, good_sources_.is_good(user, source)}, base::wall_now(),
                       life_.wrap([this, connection = code.connection, number = code.number](
                                      const Result<>& right) { judged(connection, number, right); }));
}

void Door::judged(std::uint64_t number, std::uint32_t question, Result<> right) {
  auto at = connections_.find(number);
  if (at == connections_.end()) return;  // gone meanwhile
  Connection& connection = at->second;
  connection.code_judged = false;
  if (right && is_full(connection.who.user))  // others came in while this one was asked
    right = fail(Fault::denied, str(limits_.per_user, " connections are open (limits.per_user)"));
  base::wire::Verdict verdict;
  verdict.connection = number;
  verdict.number = question;
  verdict.accept = right.has_value();
  verdict.no_pty = connection.terms.no_pty;
  if (right) {
    connection.awaits_code = false;
    logged_in(number, connection);
  } else {
    refuse(connection.asked.peer, connection.who.user, right.error().what);
  }
  front_->send(Control::verdict, verdict.encode());
}

void Door::logged_in(std::uint64_t number, Connection& connection) {
  ++core_.logins;
  const base::wire::Ask& ask = connection.asked;
  reasons_.erase(ask.peer);
  auth::Entry entry("login");
  entry.with("user", connection.who.user)
      .with("key", connection.who.key)
      .with("source", connection.who.source)
      .with("peer", printable(ask.peer))
      .with("local", printable(ask.local))
      .with("client", printable(ask.client))
      .with("connection", static_cast<std::int64_t>(number));
  if (connection.terms.is_certificate)
    entry.with("serial", std::to_string(connection.terms.serial))
        .with("key_id", connection.terms.key_id)
        .with("ca", connection.terms.ca);
  if (!connection.second_factor.empty()) entry.with("second_factor", connection.second_factor);
  if (auth::SecondFactor::Wrong wrong = second_factor_.take_wrong(connection.who.user); wrong.codes > 0) {
    entry.with("wrong_codes", static_cast<std::int64_t>(wrong.codes));
    connection.notice += str(connection.notice.empty() ? "" : "; ", wrong.codes,
                             wrong.codes == 1 ? " wrong code was" : " wrong codes were",
                             " given with your key since your last login, the last from ", wrong.last_source);
  }
  core_.journal.note(std::move(entry));
  std::string source = base::source_of(ask.peer);
  if (base::is_onion(source)) return;  // somebody else's tomorrow
  good_sources_.note(connection.who.user, connection.who.key, source, base::wall_now());
  front_->add_good_source(source);
}

std::size_t Door::channels_of(std::uint64_t connection) const {
  auto sessions = std::count_if(core_.sessions.begin(), core_.sessions.end(), [&](const auto& session) {
    return session->visitor().connection == connection;
  });
  return static_cast<std::size_t>(sessions) + core_.forwards->count(connection);
}

console::Visitor Door::visitor_of(std::uint64_t number, const Connection& connection) {
  console::Visitor visitor;
  visitor.who = connection.who;
  visitor.session = core_.next_session++;
  visitor.connection = number;
  visitor.since = base::wall_now();
  return visitor;
}

void Door::opened(const base::wire::OpenSession& open, base::Fd socket) {
  auto at = connections_.find(open.connection);
  if (at == connections_.end() || at->second.awaits_code)
    return base::log("front: a session for a connection that has not logged in");
  if (!is_stream(socket)) return base::log("front: a session without a session socket");
  if (channels_of(open.connection) >= limits_.channels)
    return base::log("front: more sessions on a connection than are allowed");
  Connection& connection = at->second;
  console::Session::Terms terms{connection.terms.has_forced_command, connection.terms.forced_command,
                                connection.device, std::exchange(connection.notice, "")};
  base::set_nonblocking(socket.get());
  console::add_session(core_, std::move(socket), visitor_of(open.connection, connection), std::move(terms));
}

void Door::forward(const base::wire::Forward& wish, base::Fd socket) {
  base::wire::Opened answer{wish.connection, wish.number, false};
  auto at = connections_.find(wish.connection);
  bool in = at != connections_.end() && !at->second.awaits_code;
  if (!in || !is_stream(socket) || channels_of(wish.connection) >= limits_.channels) {
    base::log("front: a forward that it should have refused itself");
    return front_->send(Control::opened, answer.encode());
  }
  base::set_nonblocking(socket.get());
  const auth::KeyTerms& terms = at->second.terms;
  core_.forwards->open(core_, visitor_of(wish.connection, at->second),
                       {terms.no_forwarding, terms.permit_open}, wish, std::move(socket),
                       life_.wrap([this, answer](bool open) mutable {
                         answer.open = open;
                         if (front_) front_->send(Control::opened, answer.encode());
                       }));
}

void Door::closed(std::uint64_t connection) {
  connections_.erase(connection);
  core_.forwards->end(connection, "the client went away");
}

void Door::remarked(const base::wire::Remark& remark) {
  std::string text = printable(remark.text);
  if (remark.kind != base::wire::Remark::Kind::refused)
    return base::log(str("front: ", printable(remark.peer, 64), remark.peer.empty() ? "" : ": ", text));
  ++core_.refusals;
  auth::Refusal refusal{printable(remark.peer, 64), text, "", ""};
  auto reason = reasons_.find(remark.peer);
  if (reason != reasons_.end()) {
    refusal.why = std::move(reason->second.why);
    refusal.user = std::move(reason->second.user);
    reasons_.erase(reason);
  }
  refusals_.add(refusal);
}

}  // namespace oob

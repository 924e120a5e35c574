#include "oobd/door.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/log.h"
#include "base/peer_address.h"
#include "base/unix_socket.h"
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

}  // namespace

Door::Door(base::Loop& loop, console::Core& core) : loop_(loop), core_(core) {}

Door::~Door() = default;

void Door::adopt(const Config& config) {
  std::map<std::string, std::vector<std::string>> roles_of;
  std::map<std::string, std::string> key_files;
  for (const auto& [name, user] : config.users) {
    roles_of[name] = user.roles;
    key_files[name] = user.keys;
  }
  core_.policy = std::make_unique<auth::Policy>(std::move(roles_of), config.roles);
  keyring_ = std::make_unique<auth::Keyring>(std::move(key_files));
  limits_ = config.limits;
}

void Door::open(std::vector<std::string> host_keys, std::vector<FrontProcess::Gate> gates,
                std::function<void()> ready) {
  base::wire::Setup setup;
  setup.host_keys = std::move(host_keys);
  setup.grace_seconds = limits_.grace;
  setup.most_unauthenticated = limits_.startups;
  setup.most_per_source = limits_.per_source;
  setup.most_tries = limits_.tries;
  setup.most_channels = limits_.channels;
  setup.most_connections = limits_.connections;
  setup.penalties = limits_.penalties;
  FrontProcess::Hooks hooks;
  hooks.started = [this] {
    ++core_.front_starts;
    connections_.clear();
    reasons_.clear();
  };
  hooks.ready = std::move(ready);
  hooks.message = [this](Control kind, base::Bytes payload, base::Fd fd) {
    heard(kind, payload, std::move(fd));
  };
  front_ = std::make_unique<FrontProcess>(loop_, std::move(setup), std::move(gates), std::move(hooks));
  front_->start();
}

// Whoever is in by a user or key that is gone, is out.
void Door::end_lost_rights() {
  std::vector<std::uint64_t> lost;
  for (auto& [number, connection] : connections_) {
    Result<auth::KeyTerms> still =
        keyring_->find(connection.who.user, connection.key, connection.who.source, base::wall_now());
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
  for (const auto& session : core_.sessions) session->recheck();
}

void Door::heard(Control kind, base::Bytes payload, base::Fd fd) {
  using namespace base::wire;
  if (kind == Control::ask) {
    if (Result<Ask> ask = Ask::decode(payload)) return asked(*ask);
  } else if (kind == Control::session && fd) {
    if (Result<OpenSession> open = OpenSession::decode(payload)) return opened(*open, std::move(fd));
  } else if (kind == Control::closed) {
    if (Result<Closed> closed = Closed::decode(payload)) {
      connections_.erase(closed->connection);
      return;
    }
  } else if (kind == Control::remark) {
    if (Result<Remark> remark = Remark::decode(payload)) return remarked(*remark);
  }
  base::log(
      str("front: a message that makes no sense (", static_cast<int>(kind), ", ", payload.size(), " bytes)"));
}

void Door::asked(const base::wire::Ask& ask) {
  base::wire::Verdict verdict;
  verdict.connection = ask.connection;
  verdict.number = ask.number;
  std::string user, device;
  split_user(ask.user, user, device);
  std::string source = base::address_of(ask.peer);
  Result<auth::KeyTerms> terms = core_.policy->knows(user)
                                     ? keyring_->find(user, ask.key, source, base::wall_now())
                                     : Result<auth::KeyTerms>(fail(Fault::denied, "no such user"));
  if (!terms) {
    if (reasons_.size() >= kMostReasons) reasons_.erase(reasons_.begin());
    reasons_[ask.peer] = str(printable(user, 64), ": ", terms.error().what);
    return front_->send(Control::verdict, verdict.encode());
  }
  bool known = connections_.count(ask.connection) != 0;
  if (ask.verified && (known || connections_.size() >= limits_.connections)) {
    base::log(known ? "front: a connection that logs in twice" : "front: more connections than are allowed");
    return front_->send(Control::verdict, verdict.encode());
  }
  verdict.accept = true;
  verdict.no_pty = terms->no_pty;
  if (ask.verified) {
    ++core_.logins;
    reasons_.erase(ask.peer);
    auth::Principal who{user, terms->fingerprint, source};
    core_.journal.note(auth::Entry("login")
                           .with("user", user)
                           .with("key", terms->fingerprint)
                           .with("source", source)
                           .with("peer", printable(ask.peer))
                           .with("local", printable(ask.local))
                           .with("client", printable(ask.client))
                           .with("connection", static_cast<std::int64_t>(ask.connection)));
    connections_[ask.connection] = Connection{who, ask.key, device, *terms};
  }
  front_->send(Control::verdict, verdict.encode());
}

void Door::opened(const base::wire::OpenSession& open, base::Fd socket) {
  // What the front hands over is looked at as if a stranger had: only a connected stream socket can be a
  // session.
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM ||
      !base::peer_of(socket.get()))
    return base::log("front: a session without a session socket");
  auto channels = std::count_if(core_.sessions.begin(), core_.sessions.end(), [&](const auto& session) {
    return session->visitor().connection == open.connection;
  });
  if (static_cast<std::uint32_t>(channels) >= limits_.channels)
    return base::log("front: more sessions on a connection than are allowed");
  auto at = connections_.find(open.connection);
  if (at == connections_.end()) return base::log("front: a session for a connection that has not logged in");
  const Connection& connection = at->second;
  console::Session::Terms terms{connection.terms.has_forced_command, connection.terms.forced_command,
                                connection.device};
  console::Visitor visitor;
  visitor.who = connection.who;
  visitor.session = core_.next_session++;
  visitor.connection = open.connection;
  visitor.since = base::wall_now();
  base::set_nonblocking(socket.get());
  console::add_session(core_, std::move(socket), std::move(visitor), std::move(terms));
}

void Door::remarked(const base::wire::Remark& remark) {
  std::string text = printable(remark.text);
  base::log(str("front: ", printable(remark.peer, 64), remark.peer.empty() ? "" : ": ", text));
  if (remark.kind != base::wire::Remark::Kind::refused) return;
  ++core_.refusals;
  auth::Entry entry("login.refused");
  entry.with("source", printable(remark.peer, 64)).with("text", text);
  auto reason = reasons_.find(remark.peer);
  if (reason != reasons_.end()) {
    entry.with("why", reason->second);
    reasons_.erase(reason);
  }
  core_.journal.note(std::move(entry));
}

}  // namespace oob

#include "oobd/server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "auth/host_key.h"
#include "base/log.h"
#include "base/unix_socket.h"
#include "console/reports.h"
#include "ssh/front.h"

namespace oob {

using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;
using base::wire::Control;

namespace {

constexpr const char* kLocalSocket = "/ctl.sock";

// "alice", "alice:edge1", "alice+edge1".
void split_user(const std::string& name, std::string& user, std::string& device) {
  std::size_t at = name.find_first_of(":+");
  user = name.substr(0, at);
  device = at == std::string::npos ? "" : name.substr(at + 1);
}

std::string address_of(const std::string& peer) {
  std::string host = peer.substr(0, peer.rfind(':'));
  if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return host;
}

void raise_limits() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &files) < 0) base::log("the limit of open files could not be raised");
  }
}

}  // namespace

std::string version() { return "oobd " OOBD_VERSION; }

Server::Server(base::Loop& loop, std::string config_file)
    : loop_(loop),
      config_file_(std::move(config_file)),
      accept_pause_(loop),
      whole_again_(loop),
      disk_(loop),
      blocking_(loop) {}

Server::~Server() {
  if (core_) {
    for (const auto& session : core_->sessions)
      session->end("oobd is stopped", static_cast<int>(Fault::unavailable));
  }
  front_.reset();
  if (core_) {
    core_->sessions.clear();
    core_->journal.note(auth::Entry("stop"));
  }
  gear_.reset();
  if (archive_) archive_->flush();
  if (local_) ::unlink(str(config_->state, kLocalSocket).c_str());
}

Result<Config> Server::read() {
  ConfigOutcome outcome = read_config(config_file_);
  if (outcome.config) return std::move(*outcome.config);
  for (const ConfigFault& fault : outcome.faults) base::log(fault.text());
  std::string more =
      outcome.faults.size() > 1 ? str(" (and ", outcome.faults.size() - 1, " more faults)") : "";
  return fail(Fault::config, str(outcome.faults.front().text(), more));
}

Result<> Server::lock_state() {
  const std::string& state = config_->state;
  if (::mkdir(state.c_str(), 0700) < 0 && errno != EEXIST)
    return base::system_error(str("state folder ", state));
  struct stat status;
  if (::stat(state.c_str(), &status) < 0) return base::system_error(str("state folder ", state));
  if (!S_ISDIR(status.st_mode)) return fail(Fault::config, str("state folder ", state, ": not a folder"));
  if (status.st_mode & 077)
    return fail(Fault::config, str("state folder ", state, ": others may look into it; chmod 700 ", state));
  lock_.reset(::open(str(state, "/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!lock_) return base::system_error(str(state, "/lock"));
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) < 0)
    return fail(Fault::config, str("state folder ", state, ": another oobd is running on it"));
  return {};
}

Result<> Server::load_host_keys() {
  using auth::HostKey;
  using auth::HostKeyKind;
  std::vector<HostKeyKind> kinds = {HostKeyKind::ed25519, HostKeyKind::ecdsa};
  if (config_->rsa_host_key) kinds.push_back(HostKeyKind::rsa);
  for (HostKeyKind kind : kinds) {
    Result<HostKey> key = HostKey::load_or_make(config_->state, kind);
    if (!key) return fail(Fault::config, key.error().what);
    setup_.host_keys.push_back(key->text());
    host_key_lines_.push_back(key->public_line());
    host_key_prints_.push_back(str(key->type(), " ", key->fingerprint()));
  }
  return {};
}

Result<> Server::listen() {
  for (const std::string& address : config_->listen) {
    Result<Listener> listener = listen_tcp(address);
    if (!listener) return listener.error();
    listeners_.push_back(std::move(*listener));
  }
  Result<base::Fd> local = base::listen_unix(str(config_->state, kLocalSocket));
  if (!local) return local.error();
  local_ = std::move(*local);
  local_watch_ = std::make_unique<base::Watch>(loop_, local_.get());
  local_watch_->readable([this] { accept_local(); });
  return {};
}

Result<> Server::start(std::function<void(const std::vector<std::string>&)> ready) {
  ready_ = std::move(ready);
  raise_limits();
  Result<Config> config = read();
  if (!config) return config.error();
  config_ = std::move(*config);
  for (auto step : {&Server::lock_state, &Server::load_host_keys}) {
    Result<> done = (this->*step)();
    if (!done) return done;
  }
  Result<std::unique_ptr<auth::Journal>> journal = auth::Journal::open(loop_, disk_, config_->state);
  if (!journal) return fail(Fault::journal, journal.error().what);
  journal_ = std::move(*journal);
  Result<> listening = listen();
  if (!listening) return listening;

  archive_ = std::make_unique<console::Archive>(loop_, disk_, config_->state + "/transcripts");
  archive_->on_trouble([this] { tell_trouble(); });
  pace_ = std::make_unique<console::Pace>(loop_, *archive_);
  core_.emplace(console::Core{.loop = loop_,
                              .blocking = blocking_,
                              .archive = *archive_,
                              .journal = *journal_,
                              .inventory = inventory_,
                              .policy = nullptr,
                              .sessions = {},
                              .transcripts = config_->state + "/transcripts",
                              .state = config_->state,
                              .escape = config_->escape,
                              .version = version(),
                              .started = base::wall_now(),
                              .reload = [this] { return reload(); }});
  adopt(*config_);
  journal_->note(
      auth::Entry("start").with("version", version()).with("dropped_bytes", journal_->dropped_bytes()));
  gear_ =
      std::make_unique<Gear>(Gear::Surroundings{loop_, blocking_, *archive_, *pace_, *journal_, inventory_});
  gear_->start(*config_);
  start_front();
  return {};
}

// Users, roles and keys: swapped whole.
void Server::adopt(const Config& config) {
  std::map<std::string, std::vector<std::string>> roles_of;
  std::map<std::string, std::string> key_files;
  for (const auto& [name, user] : config.users) {
    roles_of[name] = user.roles;
    key_files[name] = user.keys;
  }
  core_->policy = std::make_unique<auth::Policy>(std::move(roles_of), config.roles);
  core_->escape = config.escape;
  keyring_ = std::make_unique<auth::Keyring>(std::move(key_files));
}

// A log that has holes is everybody's business, at once; that it is whole again, once that has lasted. A disk
// on the brink would tell both by turns.
void Server::tell_trouble() {
  std::string trouble = archive_->trouble();
  if (trouble.empty()) {
    if (told_trouble_) whole_again_.after(kWholeAgain, [this] { announce_log(false, ""); });
    return;
  }
  whole_again_.cancel();
  if (!told_trouble_) loop_.post([this, trouble] { announce_log(true, trouble); });
}

void Server::announce_log(bool failing, const std::string& trouble) {
  if (told_trouble_ == failing) return;
  told_trouble_ = failing;
  std::string text = failing ? "THE LOG CAN'T BE WRITTEN: "
                             : str("the log is written again; ", archive_->lost(), " bytes are in no file");
  base::log(str(text, trouble));
  journal_->note(auth::Entry(failing ? "transcripts.failing" : "transcripts.written")
                     .with("text", printable(str(text, trouble))));
  text += console::reason_of(trouble);
  for (const auto& [name, device] : inventory_.all()) device->console->announce(text);
}

// --- reload
// -----------------------------------------------------------------------------------------------------------

std::string Server::apply_devices(const Config& next) {
  Config before = std::exchange(*config_, next);
  config_->state = before.state;
  std::string said = str("reloaded: ", gear_->change(next));
  if (before.listen != next.listen) said += "; 'listen' has changed and takes effect at the next start";
  if (before.state != next.state) said += "; 'state' has changed and takes effect at the next start";
  if (before.rsa_host_key != next.rsa_host_key) said += "; 'rsa_host_key' takes effect at the next start";
  if (before.scrollback != next.scrollback) said += "; 'scrollback' takes effect for devices that are added";
  return said;
}

// Whoever is in by a user or key that is gone, is out.
void Server::end_lost_rights() {
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
    for (const auto& session : core_->sessions)
      if (session->visitor().connection == number)
        session->end("your key is no longer accepted", static_cast<int>(Fault::denied));
    lost.push_back(number);
  }
  for (std::uint64_t number : lost) connections_.erase(number);
  for (const auto& session : core_->sessions) session->recheck();
}

Result<std::string> Server::reload() {
  notify(str(
      "RELOADING=1\nMONOTONIC_USEC=",
      std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now().time_since_epoch()).count()));
  Result<Config> next = read();
  if (!next) {
    base::log("reload: nothing is changed");
    journal_->note(auth::Entry("reload.failed").with("text", printable(next.error().what)));
    notify("READY=1");
    return base::wrap("nothing is changed", next.error());
  }
  adopt(*next);
  std::string said = apply_devices(*next);
  end_lost_rights();
  base::log(said);
  journal_->note(auth::Entry("reload").with("text", said));
  notify("READY=1");
  return said;
}

// --- the front
// --------------------------------------------------------------------------------------------------------

void Server::start_front() {
  std::vector<FrontProcess::Gate> gates;
  for (const Listener& listener : listeners_) gates.push_back({listener.fd.get(), listener.address});
  FrontProcess::Hooks hooks;
  hooks.started = [this] {
    ++core_->front_starts;
    connections_.clear();
    reasons_.clear();
  };
  hooks.ready = [this] {
    if (!ready_) return;
    std::vector<std::string> addresses;
    for (const Listener& listener : listeners_) addresses.push_back(listener.address);
    std::exchange(ready_, nullptr)(addresses);
  };
  hooks.message = [this](Control kind, base::Bytes payload, base::Fd fd) {
    heard(kind, payload, std::move(fd));
  };
  most_connections_ = setup_.most_connections;
  most_channels_ = setup_.most_channels;
  front_ = std::make_unique<FrontProcess>(loop_, std::move(setup_), std::move(gates), std::move(hooks));
  front_->start();
}

void Server::heard(Control kind, base::Bytes payload, base::Fd fd) {
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

void Server::asked(const base::wire::Ask& ask) {
  base::wire::Verdict verdict{.connection = ask.connection, .number = ask.number};
  std::string user, device;
  split_user(ask.user, user, device);
  std::string source = address_of(ask.peer);
  Result<auth::KeyTerms> terms = core_->policy->knows(user)
                                     ? keyring_->find(user, ask.key, source, base::wall_now())
                                     : Result<auth::KeyTerms>(fail(Fault::denied, "no such user"));
  if (!terms) {
    if (reasons_.size() >= kMostReasons) reasons_.erase(reasons_.begin());
    reasons_[ask.peer] = str(printable(user, 64), ": ", terms.error().what);
    return front_->send(Control::verdict, verdict.encode());
  }
  bool known = connections_.count(ask.connection) != 0;
  if (ask.verified && (known || connections_.size() >= most_connections_)) {
    base::log(known ? "front: a connection that logs in twice" : "front: more connections than are allowed");
    return front_->send(Control::verdict, verdict.encode());
  }
  verdict.accept = true;
  verdict.no_pty = terms->no_pty;
  if (ask.verified) {
    ++core_->logins;
    reasons_.erase(ask.peer);
    auth::Principal who{user, terms->fingerprint, source};
    journal_->note(auth::Entry("login")
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

void Server::opened(const base::wire::OpenSession& open, base::Fd socket) {
  // What the front hands over is looked at as if a stranger had: only a connected stream socket can be a
  // session.
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM ||
      !base::peer_of(socket.get()))
    return base::log("front: a session without a session socket");
  auto channels = std::count_if(core_->sessions.begin(), core_->sessions.end(), [&](const auto& session) {
    return session->visitor().connection == open.connection;
  });
  if (static_cast<std::uint32_t>(channels) >= most_channels_)
    return base::log("front: more sessions on a connection than are allowed");
  auto at = connections_.find(open.connection);
  if (at == connections_.end()) return base::log("front: a session for a connection that has not logged in");
  const Connection& connection = at->second;
  console::Session::Terms terms{connection.terms.has_forced_command, connection.terms.forced_command,
                                connection.device};
  console::Visitor visitor;
  visitor.who = connection.who;
  visitor.session = next_session_++;
  visitor.connection = open.connection;
  visitor.since = base::wall_now();
  base::set_nonblocking(socket.get());
  console::add_session(*core_, std::move(socket), std::move(visitor), std::move(terms));
}

void Server::remarked(const base::wire::Remark& remark) {
  std::string text = printable(remark.text);
  base::log(str("front: ", printable(remark.peer, 64), remark.peer.empty() ? "" : ": ", text));
  if (remark.kind != base::wire::Remark::Kind::refused) return;
  ++core_->refusals;
  auth::Entry entry("login.refused");
  entry.with("source", printable(remark.peer, 64)).with("text", text);
  auto reason = reasons_.find(remark.peer);
  if (reason != reasons_.end()) {
    entry.with("why", reason->second);
    reasons_.erase(reason);
  }
  journal_->note(std::move(entry));
}

// --- the board itself
// -------------------------------------------------------------------------------------------------

void Server::accept_local() {
  base::Fd socket(::accept4(local_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket) {
    board_visitor(std::move(socket));
  } else if (errno == EMFILE || errno == ENFILE) {
    return accept_pause_.after(base::milliseconds(200), [this] { accept_local(); });
  }
  local_watch_->readable([this] { accept_local(); });
}

void Server::board_visitor(base::Fd socket) {
  Result<base::Peer> peer = base::peer_of(socket.get());
  auto local = std::count_if(core_->sessions.begin(), core_->sessions.end(),
                             [](const auto& session) { return session->visitor().connection == 0; });
  bool allowed = peer && (peer->uid == 0 || peer->uid == ::geteuid());
  if (!allowed || static_cast<std::size_t>(local) >= kMostLocal) {
    // It is not told more than this; its socket's buffer takes it whole.
    std::string text =
        allowed ? "oobd: too many sessions on the board\n" : "oobd: only root and oobd's own user may\n";
    std::string frames = base::wire::frame(base::wire::Frame::err, text);
    int status = static_cast<int>(allowed ? Fault::busy : Fault::denied);
    base::wire::add_frames(frames, base::wire::Frame::exit,
                           base::wire::Writer().u32(static_cast<std::uint32_t>(status)).take());
    if (!base::send_some(socket.get(), frames)) base::log("ctl: a visitor went away");
    return;
  }
  console::Visitor visitor;
  visitor.who = auth::Policy::local(peer->uid);
  visitor.session = next_session_++;
  visitor.since = base::wall_now();
  console::add_session(*core_, std::move(socket), std::move(visitor), {});
}

int run_serve(const std::string& config_file) {
  ::signal(SIGPIPE, SIG_IGN);
  base::Loop loop;
  int status = 0;
  {
    Server server(loop, config_file);
    base::Signals signals(loop, {SIGHUP, SIGTERM, SIGINT, SIGCHLD}, [&](int number) {
      if (number == SIGCHLD) return server.child_ended();
      if (number != SIGHUP) return loop.stop();
      if (Result<std::string> done = server.reload(); !done) base::log(done.error().what);
    });
    base::log(str(version(), ", libssh ", ssh::libssh_version()));
    Watchdog watchdog(loop);
    Result<> started = server.start([&](const std::vector<std::string>& addresses) {
      std::string line = "ready on";
      for (const std::string& address : addresses) line += " " + address;
      for (const std::string& key : server.host_key_lines())
        line += str(", host key ", key.substr(0, key.find(' ')));
      base::log(line);
      notify("READY=1");
    });
    if (started) {
      loop.run();
      notify("STOPPING=1");
      base::log("stopping");
    } else {
      base::log(started.error().what);
      status = static_cast<int>(started.error().fault);
    }
  }
  return status;
}

}  // namespace oob

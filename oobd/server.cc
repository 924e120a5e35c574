#include "oobd/server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "audit/transcript_marks.h"
#include "auth/host_key.h"
#include "base/log.h"
#include "base/peer_address.h"
#include "base/unix_socket.h"
#include "console/reports.h"
#include "console/session.h"
#include "oobd/config_hash.h"
#include "oobd/core_sandbox.h"
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

void raise_limits() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &files) < 0) base::log("the limit of open files could not be raised");
  }
}

// The name of messages in other people's logs.
std::string host_name() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) < 0) return "";
  return name;
}

std::optional<audit::SyslogSettings> syslog_settings(const Config& config) {
  if (!config.syslog) return std::nullopt;
  const SyslogConfig& given = *config.syslog;
  return audit::SyslogSettings{given.server, given.ca, given.name, given.certificate, given.key};
}

}  // namespace

std::string version() { return "oobd " OOBD_VERSION; }

Server::Server(base::Loop& loop, std::string config_file)
    : loop_(loop),
      config_file_(std::move(config_file)),
      accept_pause_(loop),
      whole_again_(loop),
      blocking_(loop) {}

Server::~Server() {
  if (core_) {
    for (const auto& session : core_->sessions)
      session->end("oobd is stopped", static_cast<int>(Fault::unavailable));
  }
  if (door_) door_->close();
  if (core_) {
    core_->sessions.clear();
    recordings_.reset();
    if (archive_) archive_->seal();
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
  std::vector<HostKeyKind> kinds = {HostKeyKind::ed25519};
  if (config_->rsa_host_key) kinds.push_back(HostKeyKind::rsa);
  for (HostKeyKind kind : kinds) {
    Result<HostKey> key = HostKey::load_or_make(config_->state, kind);
    if (!key) return fail(Fault::config, key.error().what);
    host_keys_.push_back(key->text());
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
  Result<> listening = listen();
  if (!listening) return listening;
  std::vector<std::uint16_t> ports;  // a front may leave them shut down: FrontProcess::open_gates()
  for (const Listener& listener : listeners_) ports.push_back(listener.port);
  std::string sandbox =
      config_->sandbox ? enter_core_sandbox(*config_, config_file_, ports) : "off (server.sandbox)";
  disk_.emplace(loop_);
  base::Micros journal_written = auth::last_written(config_->state + "/journal");
  auth::Journal::Options journal_terms;
  journal_terms.reserve = config_->audit.reserve;
  // With "degrade" nobody is kept out of a console because of the disk, whatever is wrong with it.
  journal_terms.opens_later = !config_->audit.refuse;
  Result<std::unique_ptr<auth::Journal>> journal =
      auth::Journal::open(loop_, *disk_, config_->state, journal_terms);
  if (!journal)
    return fail(Fault::journal, str(journal.error().what,
                                    ". The journal can't be opened, and without it nothing is begun "
                                    "(audit.on_audit_failure is \"refuse\")"));
  journal_ = std::move(*journal);
  if (!journal_->loss().empty()) base::log(str("THE JOURNAL BEGINS ANEW: ", journal_->loss()));

  archive_ = std::make_unique<console::Archive>(loop_, *disk_, config_->state + "/transcripts");
  archive_->resume_seals(audit::marked_transcripts(config_->state + "/journal", journal_->written()));
  archive_->on_trouble([this] { tell_trouble(); });
  archive_->on_open([this](const std::string& device) {
    journal_->note(auth::Entry("transcript.open").with("device", device));
  });
  archive_->on_sealed([this](const std::string& device, const console::SealedRange& range) {
    journal_->note(auth::Entry("transcript.mark")
                       .with("device", device)
                       .with("from", static_cast<std::int64_t>(range.from))
                       .with("to", static_cast<std::int64_t>(range.to))
                       .with("sha256", range.sha256));
  });
  recordings_ = std::make_unique<audit::Recordings>(loop_, *disk_, *journal_, config_->state + "/recordings");
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
  core_->escape = config_->escape;
  core_->recordings = recordings_.get();
  core_->refuse_without_audit = config_->audit.refuse;
  core_->checkpoint_line = config_->audit.checkpoint_line;
  door_ = std::make_unique<Door>(loop_, *core_, journal_written);
  core_->door.core_sandbox = std::move(sandbox);
  core_->door.host_keys = std::exchange(host_key_prints_, {});
  door_->adopt(*config_);
  journal_->note(with_config_hash(
      auth::Entry("start").with("version", version()).with("dropped_bytes", journal_->dropped_bytes()),
      config_file_, *config_));
  rights_.emplace(*core_);
  rights_->load(config_->state + "/grants", journal_written);
  rights_->adopt();
  rights_->look();
  DiskGuard::Options guard;
  guard.seen = journal_written;
  guard.pause_recordings = [this](bool paused) { recordings_->pause(paused); };
  guard.drop_journal = [this](auto done) { journal_->drop_oldest(blocking_, std::move(done)); };
  disk_guard_.emplace(*core_, config_->audit, std::move(guard));
  gear_ =
      std::make_unique<Gear>(Gear::Surroundings{loop_, blocking_, *archive_, *pace_, *journal_, inventory_});
  gear_->start(*config_);
  syslog_ = std::make_unique<audit::SyslogExport>(loop_, blocking_, *journal_, config_->state, host_name());
  core_->syslog = [this] { return syslog_->figures(); };
  syslog_->adopt(syslog_settings(*config_));
  start_front();
  return {};
}

// A log that has holes is everybody's business, at once; that it is whole again, once that has lasted. A disk
// on the brink would tell both by turns.
void Server::tell_trouble() {
  std::string trouble = archive_->trouble();
  if (disk_guard_) disk_guard_->look();
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
  // What waits for the next start is compared with what runs, at the next reload too.
  config_->state = before.state;
  config_->listen = before.listen;
  config_->rsa_host_key = before.rsa_host_key;
  config_->sandbox = before.sandbox;
  config_->audit.reserve = before.audit.reserve;
  std::string said = str("reloaded: ", gear_->change(next));
  if (before.listen != next.listen) said += "; 'listen' has changed and takes effect at the next start";
  if (before.state != next.state) said += "; 'state' has changed and takes effect at the next start";
  if (before.rsa_host_key != next.rsa_host_key) said += "; 'rsa_host_key' takes effect at the next start";
  if (before.sandbox != next.sandbox) said += "; 'sandbox' takes effect at the next start";
  if (before.audit.reserve != next.audit.reserve) said += "; 'audit.reserve' takes effect at the next start";
  if (before.scrollback != next.scrollback) said += "; 'scrollback' takes effect for devices that are added";
  return said;
}

Result<std::string> Server::reload() {
  notify(str(
      "RELOADING=1\nMONOTONIC_USEC=",
      std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now().time_since_epoch()).count()));
  Result<Config> next = read();
  if (!next) {
    base::Error error = next.error();
    if (config_->sandbox && error.what.find("Permission denied") != std::string::npos)
      error.what +=
          " (the running daemon may read nothing in a folder that was not in use at its start, see "
          "server.sandbox: "
          "start it again, or keep the file beside the others)";
    base::log("reload: nothing is changed");
    journal_->note(auth::Entry("reload.failed").with("text", printable(error.what)));
    notify("READY=1");
    return base::wrap("nothing is changed", error);
  }
  core_->escape = next->escape;
  core_->refuse_without_audit = next->audit.refuse;
  core_->checkpoint_line = next->audit.checkpoint_line;
  door_->adopt(*next);
  rights_->adopt();
  disk_guard_->adopt(next->audit);
  syslog_->adopt(syslog_settings(*next));
  std::string said = apply_devices(*next);
  door_->end_lost_rights();
  rights_->look();
  base::log(said);
  journal_->note(with_config_hash(auth::Entry("reload").with("text", said), config_file_, *config_));
  notify("READY=1");
  return said;
}

// --- the front
// --------------------------------------------------------------------------------------------------------

void Server::start_front() {
  std::vector<FrontProcess::Gate> gates;
  for (const Listener& listener : listeners_) gates.push_back({listener.fd.get(), listener.address});
  std::vector<std::string> keys = std::exchange(host_keys_, {});
  door_->open(std::move(keys), std::move(gates), [this] {
    if (!ready_) return;
    std::vector<std::string> addresses;
    for (const Listener& listener : listeners_) addresses.push_back(listener.address);
    std::exchange(ready_, nullptr)(addresses);
  });
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
  visitor.session = core_->next_session++;
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

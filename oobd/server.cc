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
#include "console/dialogue.h"
#include "console/guards.h"
#include "console/reports.h"
#include "console/session.h"
#include "console/visits_under_way.h"
#include "oobd/config_hash.h"
#include "oobd/core_sandbox.h"
#include "oobd/drill_ground.h"
#include "oobd/self_path.h"
#include "snapshot/store.h"
#include "ssh/front.h"
#include "uplink/ways.h"

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
      leaving_(loop),
      blocking_(loop),
      uplinks_(loop, {}) {}

Server::~Server() {
  if (core_) {
    for (const auto& session : core_->sessions)
      session->end("oobd is stopped", static_cast<int>(Fault::unavailable));
  }
  call_homes_.reset();
  if (door_) door_->close();
  if (gates_) gates_->remove_sockets();
  if (core_) {
    core_->sessions.clear();
    drill_clock_.reset();
    core_->drills.reset();
    snapshot_clock_.reset();
    watches_.reset();
    watches_told_.reset();
    core_->snapshots.reset();
    core_->guards.reset();
    core_->dialogues.reset();  // while there are consoles to say last words on, and recordings
    if (core_->visits) core_->visits->flush();
    recordings_.reset();
    if (archive_) archive_->seal();
    core_->journal.note(auth::Entry("stop"));
  }
  gear_.reset();
  if (archive_) archive_->flush();
  if (local_) ::unlink(str(config_->state, kLocalSocket).c_str());
}

void Server::wind_down(std::function<void()> done) {
  if (std::exchange(stopping_, true) || !core_ || core_->dialogues->under_way() == 0) return done();
  snapshot_clock_.reset();
  drill_clock_.reset();
  if (core_->guards) core_->guards->hold();
  leaving_.after(kLeaving, done);
  core_->dialogues->leave_all(fail(Fault::unavailable, "oobd is stopped"), done);
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
  Gates::Hooks hooks;
  hooks.open = [this](const FrontProcess::Gate& gate) {
    if (door_) door_->listen(gate);
  };
  hooks.close = [this](const std::string& address) {
    if (door_) door_->deafen(address);
  };
  hooks.told = [this](const console::ClosedListener& listener) { note_listener(listener); };
  gates_.emplace(loop_, std::move(hooks));
  gates_->adopt(*config_);  // what is wrong is in the log
  if (Result<> usable = gates_->usable(); !usable) return usable;
  Result<base::Fd> local = base::listen_unix(str(config_->state, kLocalSocket));
  if (!local) return local.error();
  local_ = std::move(*local);
  local_watch_ = std::make_unique<base::Watch>(loop_, local_.get());
  local_watch_->readable([this] { accept_local(); });
  return {};
}

void Server::note_listener(const console::ClosedListener& listener) {
  if (!journal_) return;  // start() comes to it
  journal_->note(auth::Entry(listener.why.empty() ? "listener.open" : "listener.failed")
                     .with("listen", listener.address)
                     .with("uplink", listener.uplink)
                     .with("text", printable(listener.why)));
}

std::vector<std::string> Server::uplink_errors() const {
  std::vector<std::string> errors = checkup_->errors();
  for (const console::ClosedListener& each : gates_->closed())
    if (!each.uplink.empty())
      errors.push_back(str("uplink ", each.uplink, ": does not listen on ", each.address, ": ",
                           printable(each.why), "; it is tried again each second"));
  return errors;
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
  if (config_->sandbox) gates_->confine();
  start_errands();
  std::string sandbox =
      config_->sandbox ? enter_core_sandbox(*config_, config_file_, gates_->ports()) : "off (server.sandbox)";
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
  core_->recipes = config_->recipes;
  core_->dialogues = std::make_shared<console::Dialogues>();
  core_->refuse_without_audit = config_->audit.refuse;
  core_->checkpoint_line = config_->audit.checkpoint_line;
  door_ = std::make_unique<Door>(loop_, *core_, journal_written);
  core_->door.core_sandbox = std::move(sandbox);
  core_->door.host_keys = std::exchange(host_key_prints_, {});
  door_->adopt(*config_);
  journal_->note(with_config_hash(
      auth::Entry("start").with("version", version()).with("dropped_bytes", journal_->dropped_bytes()),
      config_file_, *config_));
  for (const console::ClosedListener& each : gates_->closed()) note_listener(each);
  core_->closed_listeners = [this] { return gates_->closed(); };
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
  core_->guards = std::make_shared<console::Guards>(*core_);
  // What is wrong with the file is said, and all else goes on.
  (void)core_->guards->open(config_->state + "/guards");
  core_->visits = std::make_shared<console::VisitsUnderWay>(*disk_, config_->state + "/visits");
  if (Result<> opened = core_->visits->open(); !opened) {
    std::string text = str("what an earlier run left open is not known: ", printable(opened.error().what));
    base::log(text);
    journal_->note(auth::Entry("console.open").with("text", text));
  }
  core_->visits->tell(*core_);
  core_->guards->start();
  syslog_ = std::make_unique<audit::SyslogExport>(loop_, blocking_, *journal_, config_->state, host_name());
  core_->syslog = [this] { return syslog_->figures(); };
  uplink_news_.emplace(*core_, uplinks_, *syslog_);
  uplink_news_->listening([this](const std::string& name) { return gates_->listening(name); });
  interfaces_changed_ = uplinks_.on_interfaces([this] { gates_->look(); });
  uplinks_.adopt(uplink_settings(*config_));
  syslog_->adopt(syslog_settings(*config_));
  checkup_.emplace(loop_, blocking_);
  checkup_->follow(uplinks_);
  core_->uplink_errors = [this] { return uplink_errors(); };
  checkup_->adopt(*config_);
  start_snapshots();
  watches_told_.emplace(*disk_, config_->state + "/watches");
  if (Result<> opened = watches_told_->open(); !opened)
    base::log(str("what watches have told is not known: ", printable(opened.error().what)));
  watches_.emplace(*core_, console::Watches::Limits{}, &*watches_told_);
  watches_->adopt(watch_settings(*config_));
  start_notices();
  start_front();
  start_call_homes();
  start_drills();
  return {};
}

// What it runs is not in the sandbox, so it begins before that.
void Server::start_errands() {
  if (!needs_errands(*config_)) return;
  errands_ = std::make_unique<Errands>(loop_, self_path(), config_file_);
  if (Result<> started = errands_->start(); !started) base::log(str("errands: ", started.error().what));
}

void Server::start_call_homes() {
  if (!errands_) return;
  CallHomeGround ground{
      loop_,
      config_->state,
      key_blobs(host_key_lines_),
      [this](const std::string& bastion) { return call_home_ways(bastion, uplinks_.figures()); },
      [this](const std::string& name, base::Fd socket, unsigned place, CallHomeGround::Ended ended) {
        return errands_->call_home(name, std::move(socket), place, std::move(ended));
      },
      [this](std::uint64_t errand) { errands_->end(errand); },
      [this](auth::Entry entry) { journal_->note(std::move(entry)); },
      [this](const std::string& name) { return door_->come_by(base::home_text(name, 0)); }};
  call_homes_ = std::make_unique<CallHomes>(std::move(ground), CallHomeLimits{});
  core_->call_homes = [this] { return call_homes_->figures(); };
  home_way_out_ = uplinks_.on_way_out([this](const std::string&) { call_homes_->uplinks_changed(); });
  home_uplinks_ =
      uplinks_.on_change([this](const uplink::Uplinks::Change&) { call_homes_->uplinks_changed(); });
  adopt_call_homes(*config_);
}

// What becomes of connections that were there, for people; or nothing.
std::string Server::adopt_call_homes(const Config& config) {
  if (!call_homes_) return "";
  call_homes_->set_login(std::chrono::seconds(config.limits.grace) + kLateLogin);
  return call_homes_->adopt(config.call_homes);
}

void Server::start_notices() {
  auto ways = [this]() -> notice::WaysTo {
    return [now = uplinks_.figures()](const std::string& address) { return uplink::ways_to(address, now); };
  };
  notices_ = std::make_unique<Notices>(Notices::Surroundings{loop_, blocking_, *journal_, config_->state,
                                                             host_name(), errands_.get(), ways,
                                                             [this] { return uplinks_.way_out(); }});
  way_out_changed_ = uplinks_.on_way_out([this](const std::string&) { notices_->way_out_changed(); });
  core_->notices = [this] { return notices_->figures(); };
  if (errands_) core_->programs_trouble = [this] { return errands_->trouble(); };
  notices_->adopt(config_->notifies);
}

void Server::start_drills() {
  core_->drills = std::make_shared<console::Drills>(*disk_, config_->state + "/drill");
  if (Result<> opened = core_->drills->open(); !opened)
    base::log(str("how the last drill went is not known: ", printable(opened.error().what)));
  drill_login_.emplace(loop_, key_blobs(host_key_lines_));
  core_->drills->ground(drill_ground(*config_, *gates_, *drill_login_, *notices_));
  drill_clock_.emplace(*core_, config_->drill.every, DrillClock::Options{});
}

void Server::start_snapshots() {
  snapshot::Store::Options options;
  options.state = config_->state;
  if (std::string host = host_name(); !host.empty()) options.host = host;
  options.recipes = [this] { return *core_->recipes; };
  options.changed = [this](const std::string& text) {
    journal_->note(auth::Entry("snapshot.changed").with("text", printable(text, 2000)));
  };
  store_ = std::make_unique<snapshot::Store>(loop_, std::move(options));
  core_->history = store_.get();
  core_->snapshots = std::make_shared<console::Snapshots>();
  snapshot_clock_.emplace(*core_, config_->snapshot, SnapshotClock::Options{});
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
  if (stopping_) return fail(Fault::unavailable, "oobd is being stopped");
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
  core_->recipes = next->recipes;
  door_->adopt(*next);
  rights_->adopt();
  disk_guard_->adopt(next->audit);
  syslog_->adopt(syslog_settings(*next));
  if (errands_) errands_->adopt();
  notices_->adopt(next->notifies);
  uplinks_.adopt(uplink_settings(*next));
  std::string homes = adopt_call_homes(*next);
  checkup_->adopt(*next);
  std::string said = apply_devices(*next);
  if (!homes.empty()) said += "; " + homes;
  if (!errands_ && needs_errands(*next))
    said += "; programs of [notify] and [callhome] take effect at the next start";
  if (std::string later = gates_->adopt(*config_); !later.empty()) said += "; " + later;
  watches_->adopt(watch_settings(*next));
  core_->visits->tell(*core_);
  door_->end_lost_rights();
  rights_->look();
  snapshot_clock_->adopt(next->snapshot);
  core_->drills->ground(drill_ground(*config_, *gates_, *drill_login_, *notices_));
  drill_clock_->adopt(next->drill.every);
  base::log(said);
  journal_->note(with_config_hash(auth::Entry("reload").with("text", said), config_file_, *config_));
  notify("READY=1");
  return said;
}

// --- the front
// --------------------------------------------------------------------------------------------------------

void Server::start_front() {
  std::vector<std::string> keys = std::exchange(host_keys_, {});
  door_->open(std::move(keys), gates_->open(), [this] {
    if (!ready_) return;
    std::vector<std::string> addresses;
    for (const FrontProcess::Gate& gate : gates_->open())
      if (gate.way != Listener::Way::home) addresses.push_back(gate.address);
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
      if (number != SIGHUP) {
        notify("STOPPING=1");
        return server.wind_down([&loop] { loop.stop(); });
      }
      if (Result<std::string> done = server.reload(); !done) base::log(done.error().what);
    });
    base::log(str(version(), ", libssh ", ssh::libssh_version()));
    Watchdog watchdog(loop);
    Result<> started = server.start([&](const std::vector<std::string>& addresses) {
      std::string line = addresses.empty() ? "ready, but on no address yet" : "ready on";
      for (const std::string& address : addresses) line += " " + address;
      for (const std::string& key : server.host_key_lines())
        line += str(", host key ", key.substr(0, key.find(' ')));
      base::log(line);
      notify("READY=1");
    });
    if (started) {
      loop.run();
      base::log("stopping");
    } else {
      base::log(started.error().what);
      status = static_cast<int>(started.error().fault);
    }
  }
  return status;
}

}  // namespace oob

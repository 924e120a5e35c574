#include "ipmi/bmc.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "ipmi/udp_socket.h"

namespace oob::ipmi {

using base::Error;
using base::fail;
using base::Fault;
using base::milliseconds;
using base::str;

namespace {

// IPMI 2.0, appendix G.
constexpr std::uint8_t kGetDeviceId = 0x01, kSetSessionPrivilege = 0x3b, kCloseSession = 0x3c;

// How often a packet of the handshake is sent, and how long it waits each time: a dead BMC holds a Pass for
// 2.2 s.
constexpr unsigned kSends = 3;
constexpr milliseconds kWaits[kSends] = {milliseconds(500), milliseconds(700), milliseconds(1000)};
constexpr unsigned kRounds = 2;    // of Open Session while somebody waits
constexpr unsigned kRestarts = 5;  // of a handshake whose BMC is there
constexpr milliseconds kRestartPause{200};
constexpr milliseconds kTryLimit{20'000};
constexpr milliseconds kBackOff[] = {milliseconds(1000), milliseconds(2000), milliseconds(5000),
                                     milliseconds(10'000), milliseconds(30'000)};
constexpr milliseconds kLater = kBackOff[4];
constexpr milliseconds kWrongPause{300'000};  // BMCs lock users out who try wrong passwords too often
constexpr milliseconds kFilesLimit{10'000};
constexpr milliseconds kRefusedPause{200};
constexpr unsigned kMostRefusals = 3;  // in a session, with nothing heard between them
constexpr unsigned kDatagramsAtOnce = 64;

// `time` give or take a quarter, so that those who failed together do not try together.
milliseconds jittered(milliseconds time) {
  std::int64_t range = time.count() / 2;
  std::int64_t part = range > 0 ? static_cast<std::int64_t>(get32(random_bytes(4), 0) % range) : 0;
  return time - milliseconds(range / 2) + milliseconds(part);
}

std::string suite_name(const Suite& suite) { return str("suite ", static_cast<int>(suite.id)); }

}  // namespace

Bmc::Bmc(base::Loop& loop, base::Blocking& blocking, HandshakeGate& gate, BmcSettings settings, Event event)
    : loop_(loop),
      blocking_(blocking),
      gate_(gate),
      settings_(std::move(settings)),
      event_(std::move(event)),
      step_(loop),
      retry_(loop),
      requests_(loop, *this),
      alive_(loop) {
  Result<std::string> address = full_address(settings_.host);
  address_ = address ? *address : settings_.host;
  name_ = str(settings_.name, " (", address_, ")");
}

Bmc::~Bmc() {
  if (up_)
    for (const std::string& message : requests_.last_words()) send_message(message);
  if (established_) leave_session();  // also one that was about to be up
}

void Bmc::start() { open(); }

void Bmc::retry() {
  if (opening_) {
    asked_to_retry_ = true;
    return;
  }
  if (up_) {
    if (settings_.privilege != Privilege::none || privilege_ >= Privilege::op) return;
    leave_session();
    lose("opened anew, to ask for more rights");
  }
  wrong_ = failures_ = 0;
  remembered_ = 0;  // the file says
  held_ = false;
  open();
}

// --- opening
// ----------------------------------------------------------------------------------------------

void Bmc::open() {
  if (up_ || opening_) return;
  opening_ = true;
  restarts_ = rounds_ = refusals_ = 0;
  // Anew each time: a level that was refused once may have been so by mistake, or be granted by now.
  level_ = settings_.privilege != Privilege::none ? settings_.privilege
           : sol_wants_admin_                     ? Privilege::admin
                                                  : Privilege::op;
  retry_.cancel();
  pass_ = gate_.enter([this] { read_files(); });
}

// The password is read anew for each attempt and kept no longer than that.
void Bmc::read_files() {
  struct Found {
    Result<Credentials> credentials = fail(Fault::internal, "");
    Result<int> suite = 0;
  };
  auto found = std::make_shared<Found>();
  enough_ = base::Clock::now() + kTryLimit;
  step_.after(kFilesLimit, [this] {
    opening_life_.renew();
    give_up("its password file can't be read: the disk does not answer", back_off());
  });
  blocking_.run(
      [found, settings = settings_] {
        found->credentials = read_credentials(settings);
        if (settings.cipher_suite == 0) found->suite = remembered_suite(settings);
      },
      opening_life_.wrap([this, found] {
        step_.cancel();
        if (!found->credentials) return give_up(found->credentials.error().what, back_off());
        credentials_ = std::move(*found->credentials);
        // Whoever can damage the file must not be able to make 17 forgotten.
        remembered_ = std::max(remembered_, found->suite ? *found->suite : 17);
        memory_trouble_ = found->suite ? "" : found->suite.error().what;
        suites_ = suites();
        begin();
      }));
}

// The next one to be tried is the last.
std::vector<Suite> Bmc::suites() const {
  if (settings_.cipher_suite == 3) return {kSuite3};
  // What did 17 once is not believed when it says it can do no more than 3: that is what an attacker would
  // say.
  if (settings_.cipher_suite == 17 || remembered_ == 17) return {kSuite17};
  if (remembered_ == 3) return {kSuite17, kSuite3};
  return {kSuite3, kSuite17};
}

void Bmc::begin() {
  watch_.reset();
  Result<base::Fd> socket = connect_udp(settings_.host);
  if (!socket) return give_up(socket.error().what, back_off());
  socket_ = std::move(*socket);
  watch_ = std::make_unique<base::Watch>(loop_, socket_.get());
  watch_->readable([this] { readable(); });
  suite_ = suites_.back();
  privilege_ = level_;
  unreachable_.clear();
  handshake_ = std::make_unique<Handshake>(
      SessionTerms{suite_, privilege_, settings_.user, credentials_->password, credentials_->kg});
  sends_ = 0;
  send_handshake();
}

void Bmc::send_handshake() {
  if (sends_ < kSends) {
    if (send(handshake_->packet())) step_.after(kWaits[sends_++], [this] { send_handshake(); });
    return;
  }
  if (handshake_->step() != Handshake::Step::open_session)
    return handshake_failed(Refusal::none, "its answers get lost while a session is opened");
  // While somebody waits there is another round, but not before others have had their turn.
  if (!requests_.idle() && ++rounds_ < kRounds) {
    handshake_.reset();
    pass_.reset();
    pass_ = gate_.enter([this] { begin(); });
    return;
  }
  give_up(str(address_, ": no answer", unreachable_.empty() ? "" : str(" (", unreachable_, ")")), back_off());
}

// With fresh ids, which mends damaged and lost packets, and BMCs that mix their own sessions up (X10DRW-E).
void Bmc::begin_again() {
  step_.after(jittered(kRestartPause), [this] { begin(); });
}

void Bmc::handshake_moved() {
  step_.cancel();
  if (handshake_->step() == Handshake::Step::failed) {
    std::string why = handshake_->why();
    return handshake_failed(handshake_->refusal(), why);
  }
  if (handshake_->step() == Handshake::Step::done) return set_privilege();
  sends_ = 0;
  send_handshake();
}

void Bmc::handshake_failed(Refusal refusal, const std::string& why) {
  handshake_.reset();
  bool again = ++restarts_ <= kRestarts && base::Clock::now() < enough_;
  switch (refusal) {
    case Refusal::none:
      if (again) return begin_again();
      return give_up(str(address_, ": ", why), back_off());
    case Refusal::suite:
      if (suites_.size() > 1) {
        suites_.pop_back();
        return begin();
      }
      if (remembered_ == 17 && settings_.cipher_suite == 0)
        return give_up(str(address_, ": refuses cipher suite 17, which it did before: ", why,
                           " (if that is meant, say cipher_suite = 3)",
                           memory_trouble_.empty() ? "" : str("; ", memory_trouble_)),
                       kLater);
      return give_up(str(address_, ": ", suite_name(suite_), " is refused: ", why), back_off());
    case Refusal::suite_or_privilege:
      if (suites_.size() > 1) {
        suites_.pop_back();
        return begin();
      }
      suites_ = suites();
      [[fallthrough]];
    case Refusal::privilege:
      // Twice, as nothing has signed that answer.
      if (again && (++refusals_ % 2 != 0 || lower_level())) return begin_again();
      return give_up(str(address_, ": ", why), kLater);
    case Refusal::credentials:
    case Refusal::downgrade:
      // One answer alone may have been damaged; more than two would lock the user out.
      if (++wrong_ < 2 && again) return begin_again();
      held_ = true;
      return give_up(str(address_, ": ", why), kWrongPause);
    case Refusal::full:
      return give_up(str(address_, ": all its sessions are taken: ", why), kLater);
  }
}

// The BMC refuses this user the level: the next lower one that is of use. False: there is none.
bool Bmc::lower_level() {
  if (settings_.privilege != Privilege::none || level_ <= Privilege::user) return false;
  level_ = level_ == Privilege::admin ? Privilege::op : Privilege::user;
  return true;
}

// The session stands, with the rights of User (13.24): now the level that was asked for.
void Bmc::set_privilege() {
  keys_ = handshake_->keys();
  our_session_ = handshake_->our_session();
  bmc_session_ = handshake_->bmc_session();
  handshake_.reset();
  sequence_ = 0;
  window_ = ReplayWindow();
  port_refusals_ = 0;
  established_ = true;
  Request request;
  request.command = kSetSessionPrivilege;
  request.data = std::string(1, static_cast<char>(privilege_));
  auto answered = [this](const Result<Response>& response) {
    // The level that is granted (22.18); some say nothing.
    unsigned granted = response && !response->data.empty() ? get8(response->data, 0) & 0x0f : 0;
    bool less = granted != 0 && granted < static_cast<unsigned>(privilege_);
    if (response && response->completion == 0 && !less) return came_up();
    leave_session();
    drop_session("");
    if (!response) return handshake_failed(Refusal::none, response.error().what);
    // 80h, 81h: more than this user or this channel may.
    bool too_much = less || response->completion == 0x80 || response->completion == 0x81;
    handshake_failed(too_much ? Refusal::privilege : Refusal::none,
                     str("privilege '", name_of(privilege_), "' for user '", base::printable(settings_.user),
                         "': ", too_much ? "more than it may have" : completion_text(response->completion)));
  };
  requests_.ask_first(std::move(request), opening_life_.wrap(answered));
}

void Bmc::came_up() {
  up_ = true;
  opening_ = held_ = asked_to_retry_ = false;
  pass_.reset();
  credentials_.reset();
  failures_ = wrong_ = 0;
  trouble_.clear();
  told_.clear();
  remember();
  event_("bmc.up", str(suite_name(suite_), ", ", name_of(privilege_)));
  requests_.start();
  alive_.after(kKeepAlive, [this] { stay_alive(); });
  if (sol_) sol_->session_up();
}

void Bmc::remember() {
  if (settings_.cipher_suite != 0 || remembered_ == suite_.id) return;
  remembered_ = suite_.id;
  auto kept = std::make_shared<Result<>>();
  blocking_.run(
      [kept, settings = settings_, suite = remembered_] { *kept = remember_suite(settings, suite); },
      life_.wrap([this, kept] {
        if (!*kept) event_("bmc.memory", str("what worked can't be remembered: ", kept->error().what));
      }));
}

void Bmc::give_up(const std::string& why, milliseconds again) {
  opening_life_.renew();
  opening_ = false;
  handshake_.reset();
  drop_session(why);
  watch_.reset();
  socket_.reset();
  pass_.reset();
  credentials_.reset();
  step_.cancel();
  ++failures_;
  trouble_ = why;
  if (told_ != why) {
    told_ = why;
    event_("bmc.failed", why);
  }
  // Whoever ordered a retry meanwhile has changed something: what has just failed was the old.
  if (std::exchange(asked_to_retry_, false)) again = kRestartPause;
  retry_.after(jittered(again), [this] {
    wrong_ = 0;
    held_ = false;
    open();
  });
  requests_.fail_all(fail(Fault::unavailable, why));
  if (sol_) sol_->session_lost(fail(Fault::unavailable, why));
}

milliseconds Bmc::back_off() const {
  return kBackOff[std::min<std::size_t>(failures_, std::size(kBackOff) - 1)];
}

// --- the session's end
// ------------------------------------------------------------------------------------

void Bmc::lose(const std::string& why) {
  if (!up_) return;
  up_ = false;
  trouble_ = told_ = str(address_, ": ", why);
  drop_session(trouble_);
  watch_.reset();
  socket_.reset();
  event_("bmc.down", trouble_);
  retry_.after(jittered(kBackOff[0]), [this] { open(); });
  if (sol_) sol_->session_lost(fail(Fault::unavailable, trouble_));
}

void Bmc::drop_session(const std::string& why) {
  established_ = false;
  alive_.cancel();
  requests_.stop(fail(Fault::unavailable, why));
  keys_ = SessionKeys();
}

void Bmc::leave_session() {
  Request request;
  request.command = kCloseSession;
  put32(request.data, bmc_session_);
  send_message(encode_message(request, 0));
}

bool Bmc::ask_for_more_privilege() {
  if (settings_.privilege != Privilege::none || sol_wants_admin_ || privilege_ >= Privilege::admin || !up_)
    return false;
  sol_wants_admin_ = true;
  loop_.post(life_.wrap([this] {
    if (!up_) return;
    leave_session();
    lose("opened anew, to ask for an administrator's rights");
  }));
  return true;
}

// --- packets
// ----------------------------------------------------------------------------------------------

// False: the opening has just been given up.
bool Bmc::send(const std::string& datagram) {
  if (::send(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
  // ECONNREFUSED tells of an earlier packet; a full buffer or a lost route is a lost packet.
  if (errno == ECONNREFUSED) return !refused_by_port();
  if (errno != EAGAIN && errno != EWOULDBLOCK) unreachable_ = std::generic_category().message(errno);
  return true;
}

void Bmc::send_payload(PayloadType type, Bytes payload) {
  if (++sequence_ == 0) ++sequence_;  // 0 is not for packets of a session (6.12.12)
  Result<std::string> packet = seal(keys_, type, bmc_session_, sequence_, payload);
  if (packet) {
    send(*packet);
  } else {
    unreachable_ = packet.error().what;  // out of memory: as if it were lost
  }
}

// Nobody listens on the BMC's port: at once the end of an opening; in a session only when it lasts, as a BMC
// may refuse for a moment. True: given up.
bool Bmc::refused_by_port() {
  if (!established_) {
    if (!opening_ || !handshake_) return false;
    give_up(str(address_, ": nothing listens there (port closed)"), back_off());
    return true;
  }
  if (++port_refusals_ >= kMostRefusals) {
    loop_.post(life_.wrap([this] {
      if (port_refusals_ >= kMostRefusals) lose("nothing listens there any more (port closed)");
    }));
  } else if (up_ && requests_.idle()) {
    alive_.after(kRefusedPause, [this] { stay_alive(); });
  }
  return false;
}

void Bmc::readable() {
  char buffer[kMostDatagram];
  for (unsigned i = 0; i < kDatagramsAtOnce && socket_; ++i) {
    ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == ECONNREFUSED && refused_by_port()) return;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      continue;
    }
    if (static_cast<std::size_t>(size) <= sizeof buffer) take(Bytes(buffer, static_cast<std::size_t>(size)));
  }
  if (watch_) watch_->readable([this] { readable(); });
}

void Bmc::take(Bytes datagram) {
  if (handshake_) {
    if (handshake_->take(datagram)) handshake_moved();
    return;
  }
  if (!established_) return;
  Result<Packet> packet = decode_packet(datagram, auth_code_size(keys_.suite));
  if (!packet || packet->session != our_session_) return;
  Result<std::string> payload = unseal(keys_, *packet);
  // Verified first: a forged number must not move the window.
  if (!payload || !window_.take(packet->sequence)) return;
  port_refusals_ = 0;
  if (packet->type == PayloadType::sol && up_ && sol_) return sol_->sol_packet(*payload);
  if (packet->type != PayloadType::ipmi) return;
  // The checksums inside are wrong on some boards (X9SCM); the auth code has covered them.
  Result<Response> response = decode_message(*payload, Checksums::ignored);
  if (!response) return;
  if (up_) alive_.after(kKeepAlive, [this] { stay_alive(); });
  requests_.answered(*response);
}

// SOL traffic alone does not keep every session open.
void Bmc::stay_alive() {
  alive_.after(kKeepAlive, [this] { stay_alive(); });
  if (!requests_.idle()) return;
  Request request;
  request.command = kGetDeviceId;
  requests_.ask(std::move(request), Send::again, nullptr);
}

// --- for those who use it
// -------------------------------------------------------------------------------

void Bmc::ask(Request request, Send how, std::function<void(Result<Response>)> done) {
  if (!up_ && !opening_) {
    if (held_) {
      Fault fault = how == Send::again ? Fault::unavailable : Fault::again;  // it does not go out
      if (done)
        loop_.post(life_.wrap([done = std::move(done), error = fail(fault, trouble_)] { done(error); }));
      return;
    }
    open();
  }
  requests_.ask(std::move(request), how, std::move(done));
}

Result<> Bmc::send_sol(Bytes payload) {
  if (!up_) return fail(Fault::unavailable, trouble_);
  send_payload(PayloadType::sol, payload);
  return {};
}

void Bmc::take_sol(SolUser& user) {
  sol_ = &user;
  if (!up_) return;
  loop_.post(life_.wrap([this, taken = &user] {
    if (up_ && sol_ == taken) sol_->session_up();
  }));
}

void Bmc::leave_sol(SolUser& user) {
  if (sol_ == &user) sol_ = nullptr;
}

}  // namespace oob::ipmi

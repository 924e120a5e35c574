#include "ipmi/sol.h"

#include <algorithm>
#include <cassert>

namespace oob::ipmi {

using base::Error;
using base::Fault;
using base::str;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::uint8_t kActivate = 0x48, kDeactivate = 0x49, kActivationStatus = 0x4a,
                       kInstanceInfo = 0x4b;  // 24.1, 24.2, 24.4, 24.5
constexpr char kSol = 1, kInstance = 1;
// The first auxiliary byte of table 24-2: encrypted and authenticated; and, as ipmitool always asks, with
// serial alerts deferred instead of failing, and CTS and DCD/DSR deasserted at first.
constexpr char kPlain = static_cast<char>(0xc0), kDeferred = static_cast<char>(0xc6);
constexpr std::uint8_t kAlreadyActive = 0x80, kNoPrivilege = 0xd4;
constexpr std::size_t kRoomAgain = SolStream::kMostOut / 2;
constexpr milliseconds kHeldLong{600'000};  // had it so long: the next hold-off is short again

// Why Activate Payload said no, with the cure where there is one (table 24-2).
std::string refusal(std::uint8_t completion) {
  switch (completion) {
    case 0x81:
      return "Serial over LAN is disabled in the BMC (ipmitool sol set enabled true, and sol payload enable "
             "for the user)";
    case 0x82:
      return "the BMC's limit of SOL sessions is reached";
    case 0x83:
      return "the BMC refuses Serial over LAN with encryption (ipmitool sol set force-encryption)";
    case 0x84:
      return "the BMC refuses Serial over LAN without encryption";
    case kNoPrivilege:
      return str(
          "the user may not use Serial over LAN: raise the privilege level, or ipmitool sol payload "
          "enable: ",
          completion_text(completion));
    case 0xc1:
    case 0xcc:
      return str("the BMC has no Serial over LAN: ", completion_text(completion));
    default:
      return str("Activate Payload: ", completion_text(completion));
  }
}

// Invalid field, not in this state, unspecified: some boards mean the auxiliary bits.
bool without_reason(std::uint8_t completion) {
  return completion == 0xcc || completion == 0xd5 || completion == 0xff;
}

// Whether a BMC that answers so to a question will never answer it better.
bool never_tells(std::uint8_t completion) {
  return completion != 0 && completion != 0xc0 && completion != 0xc3 && completion != 0xff;
}

// Table 24-6: the session that has it. Some say 0, and some may mean another id than we do.
std::optional<std::uint32_t> owner_in(const Result<Response>& info) {
  if (!info || info->completion != 0 || info->data.size() < 4) return std::nullopt;
  std::uint32_t owner = get32(info->data, 0);
  return owner != 0 ? std::make_optional(owner) : std::nullopt;
}

}  // namespace

Sol::Sol(base::Loop& loop, Link& link, SolSettings settings, std::function<void(const std::string&)> remark)
    : Sol(loop, link, settings, std::move(remark), Times{}) {}

Sol::Sol(base::Loop& loop, Link& link, SolSettings settings, std::function<void(const std::string&)> remark,
         Times times)
    : loop_(loop),
      link_(link),
      parameters_(link, settings),
      set_parameters_(settings.any()),
      remark_(std::move(remark)),
      times_(times),
      random_(std::random_device{}()),
      limit_(loop),
      settings_limit_(loop),
      pause_(loop),
      stream_timer_(loop),
      ask_timer_(loop) {
  link_.take_sol(*this);
}

Sol::~Sol() {
  close();
  link_.leave_sol(*this);
}

// --- opening -----------------------------------------------------------------------------------------------

void Sol::open(std::function<void(base::Result<>)> done) {
  assert(state_ == State::closed);
  return_ = nullptr;
  state_ = State::opening;
  opened_ = std::move(done);
  took_over_ = asked_again_ = tried_both_ = false;
  run_.emplace();
  waits_for_session_ = !link_.up() && link_.opening();
  if (!link_.up() && !waits_for_session_) {
    std::string why = link_.trouble().empty() ? str(link_.name(), ": no session yet") : link_.trouble();
    loop_.post(run_->wrap([this, why] { fail_open(base::fail(Fault::unavailable, why)); }));
    return;
  }
  limit_.after(times_.open_limit, [this] {
    fail_open(base::fail(Fault::unavailable,
                         str(link_.name(), waits_for_session_ ? ": its session is not open yet"
                                                              : ": no answer to Activate Payload")));
  });
  if (!waits_for_session_) prepare();
}

void Sol::prepare() {
  waits_for_session_ = false;
  if (!set_parameters_) return activate();
  // A BMC that does not answer these may have a SOL all the same.
  settings_limit_.after(times_.settings_limit, [this] {
    parameters_.stop();
    say("SOL: the BMC does not answer to what its parameters are");
    activate();
  });
  parameters_.apply([this](const std::string& trouble) {
    settings_limit_.cancel();
    if (!trouble.empty() && trouble != last_trouble_) say(trouble);
    last_trouble_ = trouble;
    activate();
  });
}

void Sol::activate() {
  asking_ = true;
  if (!maybe_active_) active_in_ = link_.session();
  link_.ask({NetFn::app, kActivate, {kSol, kInstance, deferred_ ? kDeferred : kPlain, 0, 0, 0}},
            Link::Send::once, run_->wrap([this](const Result<Response>& answer) { activated(answer); }));
}

void Sol::activated(const Result<Response>& answer) {
  if (state_ != State::opening) return;
  asking_ = false;
  if (!answer) {
    // If it went out it may have been done. Then the next try finds it active, and that was us.
    if (answer.error().fault != Fault::again) maybe_active_ = true;
    if (std::exchange(asked_again_, true) || !link_.up())
      return fail_open(base::fail(Fault::unavailable, answer.error().what));
    return activate();
  }
  switch (answer->completion) {
    case 0:
      return came_up(*answer);
    case kAlreadyActive:
      return in_use();
    case kNoPrivilege:
      if (link_.ask_for_more_privilege())
        return fail_open(
            base::fail(Fault::unavailable, str(link_.name(),
                                               ": Serial over LAN needs a higher privilege level; the "
                                               "session is opened again with it")));
      break;
    default:
      if (!without_reason(answer->completion)) break;
      deferred_ = !deferred_;  // what worked is kept, and each is tried once
      if (!std::exchange(tried_both_, true)) return activate();
      break;
  }
  fail_open(base::fail(Fault::unavailable, str(link_.name(), ": ", refusal(answer->completion))));
}

void Sol::in_use() {
  if (maybe_active_ && !took_over_) return ask_whose_it_is();
  auto now = base::Clock::now();
  if (now < let_have_until_) {
    auto left = duration_cast<seconds>(let_have_until_ - now + milliseconds(999)).count();
    return fail_open(base::fail(
        Fault::unavailable,
        str(link_.name(), ": Serial over LAN was taken by another session; trying again in ", left, " s")));
  }
  if (took_over_) {
    // It was deactivated and is active again: somebody else wants it as much.
    taken("");
    return fail_open(
        base::fail(Fault::unavailable, str(link_.name(), ": Serial over LAN is in use by another session")));
  }
  say("Serial over LAN was in use by another session; it was taken over");
  deactivate_and_try_again();
}

// It may be what this line left behind: that is nobody's loss, and no theft. `once`: the session is not worth
// the answer.
void Sol::ask_whose_it_is() {
  if (!tells_owner_) return told_left({});
  link_.ask({NetFn::app, kInstanceInfo, {kSol, kInstance}}, Link::Send::once,
            run_->wrap([this](const Result<Response>& info) {
              if (state_ != State::opening) return;
              if (info && never_tells(info->completion)) tells_owner_ = false;
              told_left(owner_in(info));
            }));
}

void Sol::told_left(std::optional<std::uint32_t> owner) {
  bool ours = owner && (*owner == link_.session() || *owner == active_in_ || *owner == owner_);
  bool another = owner && !ours && link_.session() != 0;
  if (another || (!ours && base::Clock::now() < let_have_until_)) {
    maybe_active_ = false;
    if (another && std::exchange(unanswered_, false)) taken("");  // that was why
    return in_use();
  }
  if (!ours)
    say("Serial over LAN was still active, perhaps since this line had it before; it was activated anew");
  deactivate_and_try_again();
}

void Sol::deactivate_and_try_again() {
  took_over_ = true;
  // Whatever it answers: some say yes and don't do it, some say 80h and do (24.2).
  link_.ask({NetFn::app, kDeactivate, {kSol, kInstance, 0, 0, 0, 0}}, Link::Send::again,
            run_->wrap([this](const Result<Response>&) {
              if (state_ != State::opening) return;
              maybe_active_ = false;
              pause_.after(times_.takeover_pause + up_to(times_.takeover_jitter), [this] { activate(); });
            }));
}

void Sol::came_up(const Response& answer) {
  // Table 24-2: four auxiliary bytes, the largest payload that the BMC takes, the largest that it sends, its
  // UDP port and VLAN. The port is ours already, whatever some say it is.
  std::size_t size = answer.data.size() >= 6 ? get16(answer.data, 4) : 0;
  stream_.emplace(SolStream::characters_for(size), times_.most_tries);
  state_ = State::open;
  maybe_active_ = unanswered_ = false;
  active_in_ = link_.session();
  let_have_until_ = {};  // whoever took it has let go of it
  up_since_ = base::Clock::now();
  limit_.cancel();
  tells_owner_ = true;
  told_once_ = false;
  owner_ = 0;
  auto done = std::move(opened_);
  opened_ = nullptr;
  ask_whose();
  done({});
}

void Sol::fail_open(Error error) {
  auto done = std::move(opened_);
  close();
  if (done) done(std::move(error));
}

// --- bytes -------------------------------------------------------------------------------------------------

void Sol::sol_packet(Bytes payload) {
  if (state_ != State::open) return;
  stream_->receive(payload, base::Clock::now());
  drive();
}

// Sends what the stream has to send, and looks how it is.
void Sol::drive() {
  if (state_ != State::open) return;
  auto now = base::Clock::now();
  stream_->tick(now);
  while (std::optional<std::string> packet = stream_->packet(now))
    if (!link_.send_sol(*packet)) break;  // session_lost() follows and says why
  if (stream_->ended()) return taken("the BMC ended Serial over LAN");
  if (stream_->unanswered()) return no_answer();
  if (std::optional<SolStream::Time> due = stream_->due()) {
    stream_timer_.at(*due, [this] { drive(); });
  } else {
    stream_timer_.cancel();
  }
  wake();
}

// Never from inside a call of the Console, so by way of the loop.
void Sol::wake() {
  bool read = readable_ && (state_ == State::broken || stream_->something_to_read());
  bool write = writable_ && (state_ == State::broken || stream_->room() >= kRoomAgain);
  if (read)
    loop_.post(run_->wrap([this] {
      if (readable_) std::exchange(readable_, nullptr)();
    }));
  if (write)
    loop_.post(run_->wrap([this] {
      if (writable_) std::exchange(writable_, nullptr)();
    }));
}

Result<std::size_t> Sol::read(char* to, std::size_t most) {
  assert(stream_);
  std::size_t size = stream_->read(to, most, base::Clock::now());
  drive();
  if (size > 0) return size;
  if (state_ == State::broken && !stream_->something_to_read()) return base::fail(Fault::unavailable, why_);
  return base::fail(Fault::again, "");
}

std::optional<console::LineMark> Sol::next_mark() {
  if (!stream_) return std::nullopt;
  return stream_->next_mark();
}

Result<std::size_t> Sol::write(Bytes bytes) {
  assert(stream_);
  if (state_ == State::broken) return base::fail(Fault::unavailable, why_);
  std::size_t size = stream_->write(bytes);
  drive();
  if (size == 0 && !bytes.empty()) return base::fail(Fault::again, "");
  return size;
}

base::Result<> Sol::send_break(unsigned) {
  assert(stream_);
  if (state_ == State::broken) return base::fail(Fault::unavailable, why_);
  if (!stream_->send_break()) return base::fail(Fault::busy, "a break is on its way already");
  drive();
  return {};
}

void Sol::wait_readable(std::function<void()> what) {
  assert(stream_);
  readable_ = std::move(what);
  wake();
}

void Sol::wait_writable(std::function<void()> what) {
  assert(stream_);
  writable_ = std::move(what);
  wake();
}

void Sol::wait_return(std::function<void()> what) { return_ = std::move(what); }

std::string Sol::describe() const { return str("sol ", link_.name()); }

// --- the end -----------------------------------------------------------------------------------------------

void Sol::session_up() {
  if (return_) return std::exchange(return_, nullptr)();
  if (state_ == State::opening && waits_for_session_) prepare();
}

void Sol::session_lost(const Error& why) {
  // The BMC may not know yet, and keep an activation of ours for a minute.
  if (state_ == State::open) {
    maybe_active_ = true;
    break_off(why.what);
  } else if (state_ == State::opening) {
    if (asking_) maybe_active_ = true;
    fail_open(base::fail(Fault::unavailable, why.what));
  }
}

// Readers get what is here first, then why.
void Sol::break_off(std::string why) {
  state_ = State::broken;
  why_ = std::move(why);
  stream_timer_.cancel();
  ask_timer_.cancel();
  wake();
}

// Some BMCs go dumb so when the machine is reset, with the activation in place; or it was taken without a
// word. Whoever opens it next asks which.
void Sol::no_answer() {
  maybe_active_ = unanswered_ = true;
  if (base::Clock::now() - up_since_ >= kHeldLong) hold_off_ = milliseconds(0);
  break_off(str(link_.name(),
                ": the BMC takes no input, it answers no packet (another session may have "
                "Serial over LAN)"));
}

// Somebody else has the SOL. For a while it will not be deactivated.
void Sol::taken(std::string why) {
  auto now = base::Clock::now();
  bool held_long = state_ == State::open && now - up_since_ >= kHeldLong;
  hold_off_ = hold_off_ == milliseconds(0) || held_long ? times_.first_hold_off
                                                        : std::min(2 * hold_off_, kMostHoldOff);
  let_have_until_ = now + hold_off_ + up_to(hold_off_ / 4);
  maybe_active_ = false;
  if (!why.empty()) break_off(str(link_.name(), ": ", why));
}

void Sol::let_go() {
  // If this gets lost, the next activation finds the SOL active and knows that it may be ours.
  maybe_active_ = true;
  link_.ask({NetFn::app, kDeactivate, {kSol, kInstance, 0, 0, 0, 0}}, Link::Send::parting,
            life_.wrap([this](const Result<Response>& answer) {
              if (answer) maybe_active_ = false;
            }));
}

void Sol::close() {
  bool active = state_ == State::open || std::exchange(asking_, false);
  state_ = State::closed;
  for (base::Timer* timer : {&limit_, &settings_limit_, &pause_, &stream_timer_, &ask_timer_})
    timer->cancel();
  parameters_.stop();
  run_.reset();
  opened_ = nullptr;
  readable_ = writable_ = return_ = nullptr;
  stream_.reset();
  if (active && link_.up()) let_go();
}

// --- whose it is -------------------------------------------------------------------------------------------

void Sol::ask_later() {
  ask_timer_.after(times_.ask_every + up_to(times_.ask_every / 8), [this] { ask_whose(); });
}

// Many BMCs don't tell the session that the SOL was taken from. The first answers, right after the
// activation, are what this BMC says when all is well, right or wrong; only a change is news.
void Sol::ask_whose() {
  link_.ask({NetFn::app, kActivationStatus, {kSol}}, Link::Send::again,
            run_->wrap([this](const Result<Response>& answer) { told_active(answer); }));
}

void Sol::told_active(const Result<Response>& answer) {
  if (state_ != State::open) return;
  if (!answer) return ask_later();
  if (answer->completion != 0) {
    if (!never_tells(answer->completion)) ask_later();
    return;
  }
  // Table 24-5: the capacity, then a bit for each instance.
  bool active = answer->data.size() >= 2 && (get8(answer->data, 1) & 1);
  if (!active) {
    if (told_once_) taken("Serial over LAN was deactivated by somebody");
    return;
  }
  if (!tells_owner_) {
    told_once_ = true;
    return ask_later();
  }
  link_.ask({NetFn::app, kInstanceInfo, {kSol, kInstance}}, Link::Send::again,
            run_->wrap([this](const Result<Response>& info) { told_owner(info); }));
}

void Sol::told_owner(const Result<Response>& answer) {
  if (state_ != State::open) return;
  bool first = !std::exchange(told_once_, true);
  if (answer && never_tells(answer->completion)) tells_owner_ = false;
  if (std::optional<std::uint32_t> owner = owner_in(answer)) {
    std::uint32_t ours = link_.session();
    if (first) owner_ = *owner;
    if (!first && ours != 0 && *owner != ours && *owner != owner_)
      return taken("Serial over LAN was taken by another session");
  }
  ask_later();
}

void Sol::say(const std::string& what) {
  if (remark_) remark_(what);
}

milliseconds Sol::up_to(milliseconds most) {
  return milliseconds(
      std::uniform_int_distribution<std::int64_t>(0, std::max<std::int64_t>(most.count(), 0))(random_));
}

}  // namespace oob::ipmi

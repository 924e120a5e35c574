#include "ipmi/chassis.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/time.h"
#include "ipmi/event_log.h"
#include "ipmi/sensors.h"

namespace oob::ipmi {

using base::fail;
using base::Fault;
using base::str;
using console::BootDevice;
using console::PowerAction;
using console::PowerOutcome;
using console::PowerState;

namespace {

// IPMI 2.0 rev 1.1, appendix G.
constexpr std::uint8_t kGetStatus = 0x01, kControl = 0x02, kIdentify = 0x04;
constexpr std::uint8_t kSetBootOptions = 0x08, kGetBootOptions = 0x09;
// Table 28-14, parameter selectors.
constexpr char kSetInProgress = 0, kBootInfoAcknowledge = 4, kBootFlags = 5;
constexpr char kSetComplete = 0, kInProgress = 1, kCommitWrite = 2;
// Table 5-2.
constexpr std::uint8_t kInvalidCommand = 0xc1, kTimedOut = 0xc3, kWrongLength = 0xc7, kInvalidField = 0xcc,
                       kNotNow = 0xd5;

char control_of(PowerAction action) {  // table 28-4
  switch (action) {
    case PowerAction::off:
      return 0;
    case PowerAction::on:
      return 1;
    case PowerAction::cycle:
      return 2;
    case PowerAction::reset:
      return 3;
    case PowerAction::soft:
      return 5;
  }
  return 5;
}

unsigned device_of(BootDevice device) {  // table 28-14, boot flags, data 2
  switch (device) {
    case BootDevice::none:
      return 0;
    case BootDevice::pxe:
      return 1;
    case BootDevice::disk:
      return 2;
    case BootDevice::cdrom:
      return 5;
    case BootDevice::bios:
      return 6;
  }
  return 0;
}

const char* noun_of(PowerAction action) {
  switch (action) {
    case PowerAction::on:
      return "a power on";
    case PowerAction::off:
      return "a power off";
    case PowerAction::cycle:
      return "a power cycle";
    case PowerAction::reset:
      return "a reset";
    case PowerAction::soft:
      return "a soft power off";
  }
  return "a power action";
}

bool restarts(PowerAction action) { return action == PowerAction::cycle || action == PowerAction::reset; }

// The state that an action ends in.
PowerState aim_of(PowerAction action) {
  return action == PowerAction::off || action == PowerAction::soft ? PowerState::off : PowerState::on;
}

constexpr const char* kGone = "a reload replaced or removed its BMC";

std::string quoted(PowerAction action) { return str("'", console::name_of(action), "'"); }

// done_or_error(), and what to do about too few rights.
Result<Response> allowed(std::string_view what, const Result<Response>& answer) {
  Result<Response> response = done_or_error(what, answer);
  if (response || response.error().fault != Fault::denied) return response;
  return fail(Fault::denied, str(response.error().what,
                                 ": the BMC's user needs operator rights (see `privilege`, and the user's "
                                 "settings in the BMC)"));
}

}  // namespace

struct Chassis::PowerJob {
  PowerAction action;
  base::milliseconds wait;
  Done<PowerOutcome> done;
  bool asked = false;  // of the Link: from here on it may have been done
  std::string lost;    // why nobody knows whether it was done; empty: the BMC took it
  std::optional<base::Clock::time_point> sent;  // answered, or given up
  base::Clock::time_point deadline;
  base::milliseconds pause;
  bool seen_off = false;
};

struct Chassis::BootJob {
  BootDevice device;
  Done<> done;
  bool in_progress = false;  // the BMC was told that parameters are being set
};

Chassis::Chassis(base::Loop& loop, Link& link, std::string bmc, Sensors& sensors, EventLog& events,
                 PowerSlot& slot, PowerChange changed, ChassisPace pace)
    : loop_(loop),
      link_(link),
      bmc_(std::move(bmc)),
      sensors_(sensors),
      events_(events),
      slot_(slot),
      changed_(std::move(changed)),
      pace_(pace),
      look_(loop) {}

Chassis::~Chassis() {
  if (job_) {
    slot_.action.clear();
    std::string what = quoted(job_->action);
    what = job_->asked ? str(kGone, "; ", what, " may have been done")
                       : str(what, " was not sent: nothing was done: ", kGone);
    loop_.post([done = std::move(job_->done), what] { done(fail(Fault::unavailable, what)); });
  }
  if (boot_)
    loop_.post([done = std::move(boot_->done)] {
      done(fail(Fault::unavailable, str(kGone, "; the boot device may have been set")));
    });
  for (auto& [number, tell] : promises_) loop_.post(std::move(tell));
}

template <class T>
bool Chassis::may(const auth::Grant& grant, const Done<T>& done) {
  if (grant.action() == auth::Action::power) return true;
  std::string what = str("a grant to ", auth::name_of(grant.action()), " shown to drive a chassis");
  loop_.post([done, what] { done(fail(Fault::internal, what)); });
  return false;
}

void Chassis::ask(std::uint8_t command, std::string data, Link::Send how,
                  std::function<void(Result<Response>)> done) {
  link_.ask({NetFn::chassis, command, std::move(data)}, how, life_.wrap(std::move(done)));
}

template <class T>
Chassis::Done<T> Chassis::promised(Done<T> done, const char* if_we_go) {
  std::uint64_t number = ++last_promise_;
  promises_[number] = [done, if_we_go] { done(fail(Fault::unavailable, str(kGone, if_we_go))); };
  return life_.wrap([this, number, done](const Result<T>& result) {
    promises_.erase(number);
    done(result);
  });
}

// --- the state -------------------------------------------------------------------------------------------

void Chassis::saw_power(PowerState state) {
  PowerState before = std::exchange(state_, state);
  seen_ = base::Clock::now();
  if (job_ && job_->sent && state == PowerState::off) job_->seen_off = true;
  if (before != PowerState::unknown && before != state && changed_) changed_(before, state);
}

PowerState Chassis::known_power() const {
  bool fresh = link_.up() && base::Clock::now() - seen_ <= pace_.fresh;
  return fresh ? state_ : PowerState::unknown;
}

void Chassis::read_power(Done<PowerState> done) {
  ask(kGetStatus, "", Link::Send::again, [this, done = std::move(done)](const Result<Response>& answer) {
    Result<Response> status = allowed("chassis status", answer);
    if (!status) return done(status.error());
    if (status->data.empty()) return done(fail(Fault::failed, "chassis status: the BMC's answer is empty"));
    PowerState state = get8(status->data, 0) & 1 ? PowerState::on : PowerState::off;  // table 28-3
    auto alive = life_.wrap([done, state] { done(state); });
    saw_power(state);
    alive();  // unless changed_ was the end of us
  });
}

void Chassis::power(Done<PowerState> done) { read_power(promised(std::move(done), "")); }

// --- power -----------------------------------------------------------------------------------------------

void Chassis::apply(const auth::Grant& grant, PowerAction action, base::milliseconds wait,
                    Done<PowerOutcome> done) {
  if (!may(grant, done)) return;
  if (!slot_.action.empty()) {
    std::string what = str(slot_.action, " is under way");
    return loop_.post([done, what] { done(fail(Fault::busy, what)); });
  }
  slot_.action = noun_of(action);
  job_ = std::make_unique<PowerJob>(PowerJob{action, wait, std::move(done), false, {}, {}, {}, pace_.first});
  read_power([this](const Result<PowerState>& state) { check_before(state); });
}

void Chassis::check_before(const Result<PowerState>& state) {
  if (!state) return finish(base::wrap(str(quoted(job_->action), " was not sent"), state.error()));
  if (restarts(job_->action)) {
    if (*state == PowerState::off) return finish(fail(Fault::failed, "the machine is off: 'on' starts it"));
  } else if (*state == aim_of(job_->action)) {
    return finish(PowerOutcome{*state, str("was ", console::name_of(*state), " already")});
  }
  act();
}

void Chassis::act() {
  job_->asked = true;
  ask(kControl, std::string(1, control_of(job_->action)), Link::Send::once,
      [this](const Result<Response>& answer) { acted(answer); });
}

// From here on the action may have been done, and is never sent again.
void Chassis::acted(const Result<Response>& answer) {
  if (!answer && answer.error().fault == Fault::again)
    return finish(fail(Fault::unavailable,
                       str(quoted(job_->action), " was not sent: nothing was done: ", answer.error().what)));
  if (!answer && answer.error().fault == Fault::unavailable) {
    job_->lost = str("no answer to ", quoted(job_->action));
  } else if (answer && answer->completion == kTimedOut) {
    job_->lost = str(quoted(job_->action), ": ", completion_text(kTimedOut));
  } else if (answer && answer->completion == kNotNow && restarts(job_->action)) {
    return finish(fail(Fault::failed, "the machine is off: 'on' starts it"));
  } else if (Result<Response> taken = allowed(quoted(job_->action), answer); !taken) {
    return finish(taken.error());
  }
  job_->sent = base::Clock::now();
  job_->deadline = *job_->sent + job_->wait;
  look_later();
}

void Chassis::look_later() {
  auto at = std::min(base::Clock::now() + job_->pause, job_->deadline);
  job_->pause = std::min(job_->pause * 3 / 2, pace_.most);
  look_.at(at, [this] { read_power([this](const Result<PowerState>& state) { looked(state); }); });
}

void Chassis::looked(const Result<PowerState>& state) {
  PowerJob& job = *job_;
  auto now = base::Clock::now();
  bool over = now >= job.deadline, taken = job.lost.empty();
  if (state && *state == aim_of(job.action)) {
    if (!restarts(job.action))
      return finish(PowerOutcome{
          *state,
          taken ? "" : str("the BMC did not confirm, but the machine is ", console::name_of(*state))});
    if (job.seen_off || (taken && job.action == PowerAction::reset)) return finish(PowerOutcome{*state, ""});
    if (now - *job.sent >= pace_.settle) {
      if (!taken) return finish(not_proven(state));
      return finish(PowerOutcome{*state, "the BMC took it; no off was seen"});
    }
  }
  if (over) return time_over(state);
  look_later();
}

void Chassis::time_over(const Result<PowerState>& state) {
  const PowerJob& job = *job_;
  // An off that was seen proves a restart that nobody confirmed; then it is the on that is missing.
  bool proven = job.lost.empty() || (restarts(job.action) && job.seen_off);
  if (!proven) return finish(not_proven(state));
  if (!state)
    return finish(base::wrap(str(quoted(job.action), " was sent, but its end was not seen"), state.error()));
  auto span = std::chrono::duration_cast<std::chrono::microseconds>(job.wait);
  std::string wait = base::human_span(span.count());
  // On, and no off was seen: it has not begun yet, or is over already.
  if (restarts(job.action) && *state == PowerState::on)
    return finish(fail(Fault::failed,
                       str(quoted(job.action), " was sent, but its off and on were not seen within ", wait)));
  std::string what = str("the machine is still ", console::name_of(*state), " after ", wait);
  if (job.action == PowerAction::soft)
    what += ": its operating system did not shut down; 'off' cuts the power";
  finish(fail(Fault::failed, what));
}

base::Error Chassis::not_proven(const Result<PowerState>& state) const {
  return fail(Fault::unavailable, str(job_->lost, "; it may have been done; ",
                                      state ? str("the machine is ", console::name_of(*state))
                                            : str("the machine's state is unknown: ", state.error().what)));
}

void Chassis::finish(Result<PowerOutcome> result) {
  look_.cancel();
  slot_.action.clear();
  std::unique_ptr<PowerJob> job = std::move(job_);
  job->done(std::move(result));
}

// --- boot device -----------------------------------------------------------------------------------------

void Chassis::boot(const auth::Grant& grant, BootDevice device, Done<> done) {
  if (!may(grant, done)) return;
  if (boot_) return loop_.post([done] { done(fail(Fault::busy, "a boot device is being set already")); });
  boot_ = std::make_unique<BootJob>(BootJob{device, std::move(done)});
  // As ipmitool 1.8.19 does it. What comes before the flags is courtesy: a BMC that knows neither (80h, CCh)
  // or finds that somebody left a setting open (81h) may take the flags all the same.
  set_boot({kSetInProgress, kInProgress}, [this](const Result<Response>& begun) {
    if (!begun || begun->completion == 0xd4) return end_boot(allowed("boot device", begun).error());
    boot_->in_progress = begun->completion == 0;
    set_boot({kBootInfoAcknowledge, 1, 1}, [this](const Result<Response>&) {
      // Valid, for the next boot only.
      std::string flags{kBootFlags, '\x80', static_cast<char>(device_of(boot_->device) << 2), 0, 0, 0};
      set_boot(std::move(flags), [this](const Result<Response>& answer) { boot_taken(answer); });
    });
  });
}

void Chassis::set_boot(std::string data, std::function<void(const Result<Response>&)> then) {
  ask(kSetBootOptions, std::move(data), Link::Send::again, std::move(then));
}

void Chassis::boot_taken(const Result<Response>& answer) {
  Result<Response> taken = allowed(str("boot device '", console::name_of(boot_->device), "'"), answer);
  auto go_on = [this, taken] {
    if (!taken) return end_boot(taken.error());
    read_boot();
  };
  if (!boot_->in_progress) return go_on();
  // Ends what was begun, whether the flags were taken or not; committing is optional in BMCs.
  auto complete = [this, go_on] {
    set_boot({kSetInProgress, kSetComplete}, [go_on](const Result<Response>&) { go_on(); });
  };
  if (!taken) return complete();
  set_boot({kSetInProgress, kCommitWrite}, [complete](const Result<Response>&) { complete(); });
}

void Chassis::read_boot() {
  ask(kGetBootOptions, {kBootFlags, 0, 0}, Link::Send::again, [this](const Result<Response>& answer) {
    // The flags are set; a BMC that can't show them is believed. Table 28-13: version, selector, data 1, 2.
    if (!answer || answer->completion != 0 || answer->data.size() < 4) return end_boot({});
    // Some show the device without the bit that calls the flags valid (OpenIPMI's simulator).
    bool for_ever = (get8(answer->data, 2) & 0x40) != 0;
    unsigned shown = get8(answer->data, 3) >> 2 & 0x0f;
    std::string what = str("the BMC took boot device '", console::name_of(boot_->device), "', but ");
    if (shown != device_of(boot_->device))
      return end_boot(fail(Fault::failed, shown == 0 ? what + "shows none"
                                                     : str(what, "shows device ", shown, " (table 28-14)")));
    if (shown != 0 && for_ever) return end_boot(fail(Fault::failed, what + "shows it for every boot"));
    end_boot({});
  });
}

void Chassis::end_boot(Result<> result) {
  std::unique_ptr<BootJob> job = std::move(boot_);
  job->done(std::move(result));
}

// --- the rest --------------------------------------------------------------------------------------------

void Chassis::identify(const auth::Grant& grant, bool on, Done<> done) {
  if (!may(grant, done)) return;
  auto told = [done = promised(std::move(done), "; it may have been done")](const Result<Response>& answer) {
    Result<Response> taken = allowed("identify", answer);
    done(taken ? Result<>() : Result<>(taken.error()));
  };
  // 28.5: seconds, 0 for off; then whether to go on without end, which older BMCs do not know.
  if (!on) return ask(kIdentify, std::string(1, '\0'), Link::Send::again, told);
  ask(kIdentify, {'\xff', 1}, Link::Send::again, [this, told](const Result<Response>& answer) {
    bool unknown = answer && (answer->completion == kWrongLength || answer->completion == kInvalidField ||
                              answer->completion == kInvalidCommand);
    if (!unknown) return told(answer);
    ask(kIdentify, {'\xff'}, Link::Send::again, told);
  });
}

void Chassis::sensors(Done<std::vector<console::Sensor>> done) {
  sensors_.read(promised(std::move(done), ""));
}

void Chassis::events(Done<std::vector<console::LogEvent>> done) {
  events_.read(promised(std::move(done), ""));
}

void Chassis::clear_events(const auth::Grant& grant, unsigned last, Done<> done) {
  if (!may(grant, done)) return;
  events_.clear(last, promised(std::move(done), "; it may have been cleared"));
}

}  // namespace oob::ipmi

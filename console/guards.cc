#include "console/guards.h"

#include <time.h>

#include <algorithm>
#include <cstdio>

#include "auth/journal_line.h"
#include "auth/trusted_file.h"
#include "base/log.h"
#include "base/whole_file.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/guard_file.h"
#include "console/guard_revert.h"

namespace oob::console {

using base::Fault;
using base::Micros;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostGuardFile = 2 << 20;
constexpr Micros kSecond = 1'000'000;
// Before the time is over people are told when so much of it is left.
constexpr Micros kWarnings[] = {60 * kSecond, 10 * kSecond};
constexpr unsigned kMostJournalTries = 60;  // then it has failed
constexpr base::milliseconds kLineLook{1000};
constexpr base::milliseconds kResetWait{30'000};

base::milliseconds millis(Micros span) {
  return std::chrono::ceil<base::milliseconds>(std::chrono::microseconds(std::max<Micros>(span, 0)));
}

Micros boot_clock() {
#ifdef CLOCK_BOOTTIME
  constexpr clockid_t kClock = CLOCK_BOOTTIME;
#else
  constexpr clockid_t kClock = CLOCK_MONOTONIC;
#endif
  timespec now{};
  ::clock_gettime(kClock, &now);
  return static_cast<Micros>(now.tv_sec) * kSecond + now.tv_nsec / 1000;
}

// What is written down of it when nobody is there.
auth::Entry guard_event(const Guard& guard, const char* ev) {
  auth::Entry entry(ev);
  entry.with("user", guard.who.user).with("key", guard.who.key).with("source", guard.who.source);
  entry.with("device", guard.device);
  return entry;
}

std::string shown_revert(const Guard& guard) {
  return base::printable(guard.revert, Guards::kMostRevert * 4);
}

PastGuard past_of(const Guard& guard, Micros at) {
  return {.device = guard.device, .user = guard.who.user, .at = at, .by = {}, .why = guard.why};
}

}  // namespace

struct Guards::Live {
  Live(base::Loop& loop, Guard given) : guard(std::move(given)), timer(loop) {}

  Guard guard;
  std::size_t warned = 0;                             // so many of kWarnings
  bool confirming = false;                            // that is being written down: nothing fires meanwhile
  bool talking = false;                               // with the device
  std::function<void(const base::Error&)> interrupt;  // that
  bool resetting = false;
  std::uint64_t approval = 0;  // that the reset waits for
  bool written = false;        // guard.request is in the journal
  unsigned silent = 0;         // tries at which nothing came, one after the other
  unsigned stuck = 0;          // tries at which the console was not as it should be
  unsigned journal_tries = 0;
  base::Clock::time_point line_until{}, busy_until{};
  base::Timer timer;  // while it fires
  base::Life life;
};

Guards::Terms Guards::usual(Core& core) {
  Terms terms;
  terms.since_boot = boot_clock;
  terms.boot = auth::boot_id();
  terms.revert = [&core](const Guard& guard, std::function<void(Go)> typing,
                         std::function<void(Reverted)> done) {
    return revert_over_console(core, guard, std::move(typing), std::move(done));
  };
  return terms;
}

Guards::Guards(Core& core) : Guards(core, usual(core)) {}
Guards::Guards(Core& core, Terms terms) : core_(core), terms_(std::move(terms)), clock_(core.loop) {}
Guards::~Guards() = default;

// --- the file
// -------------------------------------------------------------------------------------------------------

Result<> Guards::open(std::string file) {
  file_ = std::move(file);
  Result<auth::TrustedFile> trusted = auth::TrustedFile::open(file_, 077, kMostGuardFile);
  if (!trusted && trusted.error().fault == Fault::missing) return {};
  Result<std::string> whole = trusted ? trusted->read() : Result<std::string>(trusted.error());
  Result<GuardFile> kept = whole ? read_guards(*whole) : Result<GuardFile>(whole.error());
  if (!kept) {
    std::string aside = file_ + ".damaged", where = str("; it is kept as ", aside);
    if (std::rename(file_.c_str(), aside.c_str()) != 0) where = "";
    base::Error error = whole ? base::wrap(file_, kept.error()) : kept.error();
    std::string told = str("NO GUARD HOLDS: ", error.what, where);
    base::log(told);
    core_.journal.note(auth::Entry("guard.failed").with("text", base::printable(told)));
    return error;
  }
  for (PastGuard& past : kept->past) past_[past.device] = std::move(past);
  for (Guard& guard : kept->guards) {
    if (guard.boot != terms_.boot) {
      // The machine was started meanwhile: by the wall clock, as far as that is to be believed.
      guard.ends =
          terms_.since_boot() + std::clamp<Micros>(guard.until - core_.time->now().latest, 0, guard.span);
      guard.boot = terms_.boot;
      changed_ = true;  // else the next start in this boot would go by the wall clock again
    }
    auto one = std::make_unique<Live>(core_.loop, std::move(guard));
    guards_[one->guard.device] = std::move(one);
  }
  return {};
}

void Guards::start() {
  for (const auto& [device, one] : guards_) {
    if (one->guard.state == Guard::State::firing) one->guard.state = Guard::State::armed;  // as if just now
    if (one->guard.state == Guard::State::typed)
      fail(*one, "oobd ended while the change was being taken back: nobody knows how far that came");
  }
  tick();
}

void Guards::hold() {
  clock_.cancel();
  for (const auto& [device, one] : guards_) {
    one->timer.cancel();
    one->life.renew();
  }
}

void Guards::save(Done done) {
  if (file_.empty()) return done({});
  changed_ = true;
  waiting_.push_back(std::move(done));
  if (!writing_) write();
}

// One write at a time; what came meanwhile is served by the next.
void Guards::write() {
  writing_ = true;
  changed_ = false;
  auto written = std::make_shared<Result<>>();
  auto served = std::make_shared<std::vector<Done>>(std::exchange(waiting_, {}));
  core_.blocking.run([written, file = file_,
                      bytes = guards_text(all(), past_)] { *written = base::write_whole(file, bytes, 0600); },
                     life_.wrap([this, written, served] {
                       std::string why = *written ? "" : written->error().what;
                       if (!why.empty() && why != not_stored_) base::log(str("guards are not stored: ", why));
                       not_stored_ = why;
                       changed_ = changed_ || !*written;
                       for (Done& done : *served) done(*written);
                       writing_ = false;
                       if (!waiting_.empty()) write();
                     }));
}

// --- questions
// ------------------------------------------------------------------------------------------------------

Guards::Live* Guards::live(const std::string& device) {
  auto found = guards_.find(device);
  return found == guards_.end() ? nullptr : found->second.get();
}

const Guard* Guards::find(const std::string& device) const {
  auto found = guards_.find(device);
  return found == guards_.end() ? nullptr : &found->second->guard;
}

std::vector<const Guard*> Guards::all() const {
  std::vector<const Guard*> guards;
  for (const auto& [device, one] : guards_) guards.push_back(&one->guard);
  return guards;
}

Micros Guards::left(const Guard& guard) const {
  return std::max<Micros>(0, guard.ends - terms_.since_boot());
}

const PastGuard* Guards::past(const std::string& device) const {
  auto found = past_.find(device);
  return found == past_.end() ? nullptr : &found->second;
}

std::string Guards::no_guard(const std::string& device) const {
  const PastGuard* last = past(device);
  return str(device, " has no guard", last ? ": " : "", last ? text_of(*last) : "");
}

std::string text_of(const PastGuard& past) {
  std::string at = base::rfc3339(past.at, base::Precision::seconds);
  switch (past.end) {
    case PastGuard::End::taken_back:
      return str("its change was taken back at ", at, " (", past.user, "'s guard), status 0");
    case PastGuard::End::confirmed:
      return str(past.by, " confirmed its change at ", at, " (", past.user, "'s guard), and it stays");
    case PastGuard::End::seen:
      break;
  }
  return str(past.user, "'s guard had failed, as ", past.by, " has seen at ", at, ": ", past.why);
}

std::string text_of(const Guard& guard, Micros left) {
  switch (guard.state) {
    case Guard::State::armed:
      return str(guard.who.user, "'s change is taken back at ",
                 base::rfc3339(guard.until, base::Precision::seconds), " (in ", base::human_span(left), ")");
    case Guard::State::firing:
    case Guard::State::typed:
      return str(guard.who.user, "'s change is being taken back now");
    case Guard::State::failed:
      break;
  }
  return str("GUARD: ", guard.why);
}

// --- by people
// ------------------------------------------------------------------------------------------------------

void Guards::arm(const Visitor& visitor, const std::string& device, std::string revert, Micros span,
                 bool replace, std::function<void(Result<Guard>)> done) {
  auto refuse = [&](const std::string& why) {
    core_.loop.post([done = std::move(done), why] { done(base::fail(Fault::busy, why)); });
  };
  auto in_the_way = [this, device, replace]() -> std::string {
    const Live* there = live(device);
    if (!there) return "";
    bool armed = there->guard.state == Guard::State::armed;
    if (replace && armed && !there->confirming) return "";
    return str(device, " has a guard already: ", text_of(there->guard, left(there->guard)), "; 'guard ",
               device, " confirm' ends it", armed ? ", --replace puts this one in its place" : "");
  };
  if (std::string why = in_the_way(); !why.empty()) return refuse(why);
  if (guards_.size() + arming_.size() >= kMost) return refuse(str("there are ", kMost, " guards already"));
  if (!arming_.insert(device).second) return refuse(str(device, ": somebody is arming a guard just now"));
  Guard guard;
  guard.device = device;
  guard.revert = std::move(revert);
  guard.who = visitor.who;
  guard.span = span;
  guard.boot = terms_.boot;
  auth::Entry entry = event_of(visitor, "guard.armed");
  entry.with("device", device).with("seconds", span / kSecond).with("revert", shown_revert(guard));
  if (const Live* there = live(device))
    entry.with("replaces", str(there->guard.who.user, ": ", shown_revert(there->guard)));
  core_.journal.commit(
      std::move(entry), life_.wrap([this, guard, in_the_way, done](const Result<>& written) mutable {
        std::string why = written ? in_the_way() : "";
        if (!written || !why.empty()) {
          arming_.erase(guard.device);
          tick();
          if (!written) return done(written.error());
          core_.journal.note(guard_event(guard, "guard.failed").with("text", base::printable(why)));
          return done(base::fail(Fault::busy, why));
        }
        guard.armed = core_.time->now().latest;
        guard.until = guard.armed + guard.span;
        guard.ends = terms_.since_boot() + guard.span;
        auto before = std::make_shared<std::unique_ptr<Live>>(std::move(guards_[guard.device]));
        guards_[guard.device] = std::make_unique<Live>(core_.loop, guard);
        save([this, guard, before, done](const Result<>& stored) {
          arming_.erase(guard.device);
          if (!stored) {
            guards_[guard.device] = std::move(*before);
            if (!guards_[guard.device]) guards_.erase(guard.device);
            std::string what = str("the guard could not be stored and does not hold: ", stored.error().what);
            core_.journal.note(guard_event(guard, "guard.failed").with("text", base::printable(what)));
            tick();
            return done(base::fail(stored.error().fault, what));
          }
          if (*before)
            announce(guard, str(guard.who.user, " replaces ", (*before)->guard.who.user,
                                "'s guard, which would have typed '", shown_revert((*before)->guard), "'"));
          announce(guard, str(text_of(guard, left(guard)), " unless 'guard ", guard.device, " confirm'"));
          tick();
          done(guard);
        });
      }));
}

void Guards::confirm(const Visitor& visitor, const std::string& device, Done done) {
  Live* one = live(device);
  base::Error why{};
  if (!one) why = base::fail(Fault::missing, no_guard(device));
  if (one && one->guard.state == Guard::State::typed)
    why = base::fail(Fault::busy, str(device, ": too late, the change is being taken back at this moment"));
  // One that waits for a second person has not begun.
  bool asks = one && one->resetting && core_.approvals && core_.approvals->waits(one->approval);
  if (one && one->resetting && !asks)
    why = base::fail(Fault::busy, str(device, ": too late, its chassis is being reset at this moment"));
  if (arming_.contains(device))
    why = base::fail(Fault::busy, str(device, ": somebody is arming a guard just now; try again"));
  if (one && one->confirming) why = base::fail(Fault::busy, str(device, ": it is being confirmed already"));
  if (!why.what.empty()) {
    core_.loop.post([done = std::move(done), why] { done(why); });
    return;
  }
  one->confirming = true;
  one->timer.cancel();
  if (asks) {
    core_.approvals->withdraw(one->approval);
    one->resetting = false;
  }
  auth::Entry entry = event_of(visitor, "guard.confirmed").with("device", device);
  core_.journal.commit(
      std::move(entry), one->life.wrap([this, one, who = visitor.who.user, done](const Result<>& written) {
        if (!written) {
          one->confirming = false;
          if (one->guard.state == Guard::State::firing && !one->talking) write_down(*one);
          tick();
          return done(written.error());
        }
        Guard guard = one->guard;
        bool failed = guard.state == Guard::State::failed;
        if (one->interrupt) one->interrupt(base::fail(Fault::busy, "the change was confirmed"));
        PastGuard past = past_of(guard, core_.time->now().latest);
        past.end = failed ? PastGuard::End::seen : PastGuard::End::confirmed;
        past.by = who;
        remove(std::move(past), done);  // `one` has gone
        announce(guard, str(who, " has ", failed ? "seen that the guard failed" : "confirmed the change",
                            "; nothing is taken back"));
      }));
}

void Guards::remove(PastGuard past, Done done) {
  std::string device = past.device;
  guards_.erase(device);
  past_[device] = std::move(past);
  if (past_.size() > kMostPast)
    past_.erase(std::min_element(past_.begin(), past_.end(),
                                 [](const auto& a, const auto& b) { return a.second.at < b.second.at; }));
  save([device, done = std::move(done)](const Result<>& stored) {
    if (stored) return done({});
    done(base::fail(stored.error().fault,
                    str("the guard of ", device,
                        " is ended, but a restart would bring it back as long as that can't be stored, which "
                        "oobd goes on trying: ",
                        stored.error().what)));
  });
}

// --- the clock
// ------------------------------------------------------------------------------------------------------

void Guards::announce(const Guard& guard, const std::string& what) {
  Device* device = core_.inventory.find(guard.device);
  if (!device || !device->console) return;
  device->console->transcript().mark("guard", what);
  device->console->announce(str("guard: ", what));
  core_.archive.flush();
}

void Guards::tick() {
  if (changed_ && !writing_) write();
  Micros next = std::chrono::microseconds(terms_.look).count();
  std::vector<std::string> over;
  for (const auto& [device, one] : guards_) {
    if (one->guard.state != Guard::State::armed || one->confirming || arming_.contains(device)) continue;
    Micros rest = left(one->guard);
    if (rest == 0) {
      over.push_back(device);
      continue;
    }
    warn(*one);
    next = std::min(next, rest);
    for (Micros at : kWarnings)
      if (rest > at) next = std::min(next, rest - at);
  }
  for (const std::string& device : over)
    if (Live* one = live(device)) fire(*one);
  clock_.after(millis(next) + base::milliseconds(1), [this] { tick(); });
}

void Guards::warn(Live& one) {
  Micros rest = left(one.guard);
  std::size_t due = one.warned;
  for (std::size_t i = one.warned; i < std::size(kWarnings); ++i)
    if (rest <= kWarnings[i]) due = i + 1;
  if (due == one.warned) return;
  bool news = one.guard.span > kWarnings[due - 1];  // else it was said when it was armed
  one.warned = due;
  if (news)
    announce(one.guard, str("in ", base::human_span(rest), " oobd takes the keyboard and types '",
                            shown_revert(one.guard), "' unless 'guard ", one.guard.device, " confirm'"));
}

// --- firing
// --------------------------------------------------------------------------------------------------------

void Guards::fire(Live& one) {
  one.guard.state = Guard::State::firing;
  one.line_until = base::Clock::now() + terms_.line;
  one.busy_until = base::Clock::now() + terms_.busy;
  announce(one.guard, str("THE TIME IS OVER: oobd takes ", one.guard.who.user, "'s change back and types '",
                          shown_revert(one.guard), "'"));
  write_down(one);
}

void Guards::write_down(Live& one) {
  if (one.written) return attempt(one);
  auth::Entry entry = guard_event(one.guard, "guard.request").with("revert", shown_revert(one.guard));
  core_.journal.commit(std::move(entry), one.life.wrap([this, &one](const Result<>& written) {
    one.written = written.has_value();
    if (one.confirming) return;
    if (written) return attempt(one);
    if (++one.journal_tries >= kMostJournalTries) return fail(one, written.error().what);
    one.timer.after(terms_.journal, [this, &one] { write_down(one); });
  }));
}

void Guards::attempt(Live& one) {
  Device* device = core_.inventory.find(one.guard.device);
  if (!device) return fail(one, str("no such device: ", one.guard.device));
  Result<auth::Grant> grant = core_.policy->decide(one.guard.who, auth::Action::write, one.guard.device);
  if (!grant) return fail(one, str("nothing was typed, for ", grant.error().what, " any more"));
  if (device->console->state() != Console::State::up) {
    if (base::Clock::now() >= one.line_until)
      return give_up(one, str("its line is down: ", device->console->why_down()));
    one.timer.after(std::min(kLineLook, terms_.line), [this, &one] { attempt(one); });
    return;
  }
  one.talking = true;
  auto typing = one.life.wrap([this, &one](const Go& go) { may_type(one, go); });
  one.interrupt =
      terms_.revert(one.guard, typing, one.life.wrap([this, &one](const Reverted& how) { ended(one, how); }));
}

// The file says that it was typed before it is: after a crash it is not typed again.
void Guards::may_type(Live& one, const Go& go) {
  if (one.confirming) return go(base::fail(Fault::busy, "the change is being confirmed"));
  one.guard.state = Guard::State::typed;
  save(one.life.wrap([go](const Result<>& stored) {
    if (stored) return go({});
    go(base::fail(Fault::unavailable, str("nothing was typed, for it could not be stored that it would be: ",
                                          stored.error().what)));
  }));
}

void Guards::ended(Live& one, const Reverted& how) {
  one.talking = false;
  one.interrupt = nullptr;
  one.line_until = base::Clock::now() + terms_.line;  // it was up
  if (!how.result && !how.typed && one.guard.state == Guard::State::typed) {
    one.guard.state = Guard::State::firing;
    save([](const Result<>&) {});
  }
  if (one.confirming) return;  // goes on if that fails
  std::string why = how.result ? "" : how.result.error().what;
  std::string said = how.said.substr(0, how.said.find_last_not_of(" \t\r\n") + 1);
  if (how.result) {
    auth::Entry entry = guard_event(one.guard, "guard.result").with("status", how.status);
    if (!said.empty()) entry.with("text", base::printable(said));
    if (!how.recording.empty()) entry.with("recording", how.recording);
    core_.journal.note(std::move(entry));
    if (how.status != 0)
      return keep_failed(one, str("the change was to be taken back, and that ended with status ", how.status,
                                  said.empty() ? "" : ": ", said));
    Guard guard = one.guard;
    // Where that can't be stored it is shown in `status`, and tried again.
    remove(past_of(guard, core_.time->now().latest), [](const Result<>&) {});
    return announce(guard, str(guard.who.user, "'s change is taken back"));
  }
  if (how.typed)
    return fail(one, str("what takes the change back was typed, and nobody knows how far it came: ", why));
  Fault fault = how.result.error().fault;
  if (fault != Fault::unavailable && fault != Fault::busy) return fail(one, why);
  one.silent = how.silent ? one.silent + 1 : 0;
  if (one.silent >= terms_.tries) return give_up(one, why);
  bool enough = fault == Fault::busy ? base::Clock::now() >= one.busy_until
                                     : !how.silent && ++one.stuck >= terms_.tries;
  if (enough) return fail(one, why);
  announce(one.guard, str("the change could not be taken back yet, oobd tries again: ", why));
  one.timer.after(terms_.again, [this, &one] { attempt(one); });
}

// Nothing comes from the device at all.
void Guards::give_up(Live& one, const std::string& why) {
  Device* device = core_.inventory.find(one.guard.device);
  if (device && device->guard_power && device->chassis) return reset(one, why);
  fail(one, str("the console does not answer: ", why));
}

void Guards::reset(Live& one, const std::string& why) {
  announce(one.guard, str("THE CONSOLE DOES NOT ANSWER, oobd RESETS THE CHASSIS: ", why));
  one.resetting = true;
  Visitor visitor;
  visitor.who = one.guard.who;
  Deeds::Order order = power_order(core_, visitor, one.guard.device, PowerAction::reset, kResetWait);
  one.approval = core_.deeds->begin(
      core_, std::move(order), one.life.wrap([this, &one, why](const Result<PowerOutcome>& result) {
        one.resetting = false;
        if (!result)
          return fail(one, str("the console does not answer (", why,
                               "), and the chassis was not reset: ", result.error().what));
        std::string told = str("the console did not answer (", why,
                               "), so the chassis was reset; look whether the change is gone");
        core_.journal.note(guard_event(one.guard, "guard.result").with("text", told));
        keep_failed(one, told);
      }));
}

void Guards::fail(Live& one, const std::string& why) {
  base::log(str(one.guard.device, ": guard: ", base::printable(why)));
  core_.journal.note(guard_event(one.guard, "guard.failed").with("text", base::printable(why)));
  keep_failed(one, str("THE CHANGE IS NOT TAKEN BACK: ", why));
}

// Until somebody says that they have seen it.
void Guards::keep_failed(Live& one, const std::string& why) {
  one.timer.cancel();
  one.guard.state = Guard::State::failed;
  one.guard.why = base::printable(why);
  save([](const Result<>&) {});  // shown in `status`, and tried again
  announce(one.guard, str(one.guard.why, " ('guard ", one.guard.device, " confirm' ends this)"));
}

}  // namespace oob::console

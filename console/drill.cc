#include "console/drill.h"

#include <algorithm>
#include <set>

#include "console/dispatcher.h"
#include "console/drill_checks.h"
#include "console/inventory.h"

namespace oob::console {

using base::printable;
using base::Result;
using base::str;

namespace {

base::Micros micros_since(base::Clock::time_point when) {
  return std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now() - when).count();
}

// What Serial over LAN of ipmi says of itself begins so.
bool is_sol(const Console& console) { return console.describe().starts_with("sol "); }

}  // namespace

std::string text_of(const DrillTally& tally) {
  std::string text =
      str(tally.tried(), tally.tried() == 1 ? " check: " : " checks: ", tally.passed, " passed");
  if (tally.failed) text += str(", ", tally.failed, " failed");
  if (tally.skipped) text += str(", ", tally.skipped, " skipped");
  return text;
}

Drill::Drill(Core& core, Order order, const DrillGround& ground, const Limits& limits, Told told, Done done)
    : core_(core),
      order_(std::move(order)),
      ground_(ground),
      limits_(limits),
      told_(std::move(told)),
      done_(std::move(done)),
      began_(base::wall_now()),
      since_(base::Clock::now()),
      whole_(core.loop) {
  whole_.after(limits_.whole, [this] { over_time(); });
  core_.loop.post(life_.wrap([this] { start(); }));
}

Drill::~Drill() = default;

void Drill::start() {
  if (order_.board) plan_board();
  for (const std::string& device : order_.devices) plan_device(device);
  fill();
}

void Drill::plan_board() {
  if (ground_.login)
    waiting_.push_back({"login", "", [this](Number number) { try_login(number); }});
  else
    tell({"login", "", Outcome::skipped,
          "no listener that this board can dial; dial its uplinks from outside", 0});
  waiting_.push_back({"journal", "", [this](Number number) { try_journal(number); }});
  std::vector<std::string> by_the_clock;
  if (ground_.by_the_clock) by_the_clock = ground_.by_the_clock();
  tell(drill_clock(core_, by_the_clock));
  tell(drill_disk(core_));
  for (const DrillCheck& check : drill_ways(core_)) tell(check);
  for (const notice::Figures& each : core_.notices()) {
    std::optional<DrillCheck> known = drill_notify(each);
    if (known || !ground_.notify) {
      tell(known ? *known
                 : DrillCheck{str("notify ", each.name), "", Outcome::skipped, "it can't be tried", 0});
    } else {
      waiting_.push_back({str("notify ", each.name), "",
                          [this, name = each.name](Number number) { try_notify(number, name); }});
    }
  }
}

void Drill::plan_device(const std::string& name) {
  const Device* device = core_.inventory.find(name);
  if (!device) return;
  std::string console = str(name, " console"), bmc = str(name, " BMC"), snapshot = str(name, " snapshot");
  if (Result<auth::Grant> may = core_.policy->decide(order_.visitor.who, typing(), name); !may)
    bar(console, name, may.error().what);
  else
    waiting_.push_back({console, name, [this, name](Number number) { try_console(number, name); }});
  if (!device->chassis && device->model.empty()) return;
  Result<auth::Grant> may = core_.policy->decide(order_.visitor.who, reading(), name);
  if (!may) {
    if (device->chassis) bar(bmc, name, may.error().what);
    if (!device->model.empty()) bar(snapshot, name, may.error().what);
    return;
  }
  if (device->chassis)
    waiting_.push_back({bmc, name, [this, name](Number number) { try_bmc(number, name); }});
  if (!device->model.empty()) tell(drill_snapshot(core_, *device, ground_.every, ground_.pulls_by_clock));
}

void Drill::fill() {
  while (!over_ && !waiting_.empty() && running_.size() < limits_.at_once) {
    Try next = std::move(waiting_.front());
    waiting_.pop_front();
    Number number = next_++;
    Running& running = running_[number];
    running.name = next.name;
    running.device = next.device;
    running.since = base::Clock::now();
    next.begin(number);
  }
  if (!over_ && waiting_.empty() && running_.empty()) finish();
}

// --- what is tried
// -----------------------------------------------------------------------------------------------------

void Drill::try_login(Number number) {
  give_limit(number, limits_.login, "no answer: the way in of this board hangs; 'status' tells of the front");
  ground_.login(life_.wrap([this, number](const Result<std::string>& how) {
    conclude(number, how ? Outcome::passed : Outcome::failed, how ? *how : how.error().what);
  }));
}

void Drill::try_journal(Number number) {
  give_limit(number, limits_.journal, "the disk does not take it; 'status' tells more");
  core_.journal.seal(life_.wrap([this, number](const Result<auth::Checkpoint>& sealed) {
    conclude(number, sealed ? Outcome::passed : Outcome::failed,
             sealed ? str("written and sealed, ", sealed->size, " records") : sealed.error().what);
  }));
}

void Drill::try_notify(Number number, const std::string& name) {
  give_limit(number, limits_.notify, str("no answer within ", limits_.notify.count() / 1000, " s"));
  ground_.notify(name, life_.wrap([this, number](const notice::Outcome& outcome) {
    bool arrived = outcome.kind == notice::Outcome::Kind::delivered;
    conclude(number, arrived ? Outcome::passed : Outcome::failed,
             arrived ? "a test was delivered" : str("a test was not delivered: ", outcome.text));
  }));
}

void Drill::try_bmc(Number number, const std::string& name) {
  Device* device = core_.inventory.find(name);
  if (!device || !device->chassis) return conclude(number, Outcome::skipped, "it was removed meanwhile");
  if (const std::string& trouble = device->chassis->trouble(); !trouble.empty())
    return conclude(number, Outcome::failed,
                    str("no session with ", device->chassis->bmc(), ": ", trouble,
                        "; 'oobd check --bmc' on the board tells more"));
  give_limit(number, limits_.bmc, str("no answer within ", limits_.bmc.count() / 1000, " s"));
  device->chassis->power(life_.wrap([this, number, name](const Result<PowerState>& power) {
    if (!power)
      return conclude(number, Outcome::failed, str("the power can't be read: ", power.error().what));
    const Device* now = core_.inventory.find(name);
    std::string sol;
    if (now && is_sol(*now->console)) {
      if (now->console->state() != Console::State::up)
        return conclude(
            number, Outcome::failed,
            str("session up, power ", name_of(*power), ", but no Serial over LAN: ",
                now->console->why_down().empty() ? "it is being opened" : now->console->why_down(),
                "; 'oobd check --bmc' on the board tells more"));
      sol = ", Serial over LAN up";
    }
    conclude(number, Outcome::passed, str("session up", sol, ", power ", name_of(*power)));
  }));
}

void Drill::try_console(Number number, const std::string& name) {
  if (!core_.inventory.find(name)) return conclude(number, Outcome::skipped, "it was removed meanwhile");
  Result<auth::Grant> grant = decide(core_, order_.visitor, typing(), name);
  if (!grant) {
    tally_.barred = true;
    return conclude(number, Outcome::skipped, grant.error().what);
  }
  running_[number].probe = std::make_unique<DrillProbe>(
      core_, std::move(*grant), order_.visitor.who.user, limits_.probe,
      [this, number](const DrillCheck& check) { conclude(number, check.outcome, check.text); });
}

// --- how it goes on
// ----------------------------------------------------------------------------------------------------

void Drill::give_limit(Number number, base::milliseconds limit, const std::string& text) {
  auto timer = std::make_unique<base::Timer>(core_.loop);
  timer->after(limit, [this, number, text] { conclude(number, Outcome::failed, text); });
  running_[number].limit = std::move(timer);
}

// Later: what is under way may be what calls us.
void Drill::conclude(Number number, Outcome outcome, const std::string& text) {
  core_.loop.post(life_.wrap([this, number, outcome, text] {
    auto at = running_.find(number);
    if (over_ || at == running_.end()) return;
    Running ended = std::move(at->second);
    running_.erase(at);
    tell({ended.name, ended.device, outcome, printable(text), micros_since(ended.since)});
    fill();
  }));
}

void Drill::tell(const DrillCheck& check) {
  if (check.outcome == Outcome::passed) ++tally_.passed;
  if (check.outcome == Outcome::skipped) ++tally_.skipped;
  if (check.outcome == Outcome::failed) {
    ++tally_.failed;
    tally_.failures.push_back(check);
  }
  told_(check);
}

void Drill::bar(const std::string& name, const std::string& device, const std::string& why) {
  tally_.barred = true;
  tell({name, device, Outcome::skipped, printable(why), 0});
}

void Drill::over_time() {
  std::string text = str("the drill's own time (", limits_.whole.count() / 1000, " s) was over");
  auto running = std::exchange(running_, {});
  for (const auto& [number, one] : running)
    tell({one.name, one.device, Outcome::failed, text, micros_since(one.since)});
  for (const Try& one : std::exchange(waiting_, {}))
    tell({one.name, one.device, Outcome::failed, "not tried: " + text, 0});
  if (!over_) finish();
}

void Drill::recheck() {
  std::set<Number> ended;
  for (auto& [number, one] : running_)
    if (one.probe && !still_may(core_, order_.visitor, typing(), one.device)) ended.insert(number);
  for (Number number : ended) {
    tally_.barred = true;
    running_[number].probe.reset();
    conclude(number, Outcome::skipped, "you may no longer type there");
  }
}

void Drill::give_up(const std::string& why) {
  if (over_) return;
  tally_.given_up = why;
  running_.clear();
  waiting_.clear();
  finish();
}

void Drill::finish() {
  over_ = true;
  whole_.cancel();
  tally_.took = micros_since(since_);
  // The first are named, and of the very first the reason goes to people.
  std::stable_sort(tally_.failures.begin(), tally_.failures.end(),
                   [](const DrillCheck& a, const DrillCheck& b) { return drill_rank(a) < drill_rank(b); });
  core_.loop.post(life_.wrap([this] {
    // Perhaps the end of this.
    Done done = std::move(done_);
    DrillTally tally = std::move(tally_);
    done(tally);
  }));
}

}  // namespace oob::console

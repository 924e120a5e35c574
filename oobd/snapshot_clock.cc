#include "oobd/snapshot_clock.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "console/history.h"
#include "console/inventory.h"

namespace oob {

using base::Micros;
using std::chrono::microseconds;

namespace {

constexpr Micros kPlausible = 1'735'689'600'000'000;  // 2025: a clock before that was never set
constexpr Micros kLeap = 60'000'000;                  // the wall clock was set, if it moved by more

Micros steady_micros() {
  return std::chrono::duration_cast<microseconds>(base::Clock::now().time_since_epoch()).count();
}

double by_chance() {
  static thread_local std::minstd_rand source{std::random_device()()};
  return std::uniform_real_distribution<double>(0, 1)(source);
}

}  // namespace

Micros place_within(const std::string& device, Micros spread) {
  if (spread <= 0) return 0;
  std::uint64_t number = 0;
  for (unsigned char byte : base::sha256(device).substr(0, 8)) number = number << 8 | byte;
  return static_cast<Micros>(number % static_cast<std::uint64_t>(spread));
}

Micros turn_before(Micros now, Micros every, Micros place) {
  Micros since = (now - place) % every;
  return now - (since < 0 ? since + every : since);
}

SnapshotClock::SnapshotClock(console::Core& core, const SnapshotConfig& config, Options options)
    : core_(core), config_(config), options_(std::move(options)), timer_(core.loop) {
  if (!options_.chance) options_.chance = by_chance;
  tick();
}

void SnapshotClock::adopt(const SnapshotConfig& config) {
  bool same = config.every == config_.every && config.spread == config_.spread;
  config_ = config;
  if (!same)
    for (auto& [name, plan] : plans_) plan.at = first(name);
  tick();
}

bool SnapshotClock::clock_is_set() const { return options_.wall() >= kPlausible; }

// A device without a login is one that may be found open: worth a try once somebody has shown that it is.
bool SnapshotClock::wanted(const console::Device& device) const {
  if (!console::can_be_pulled(core_, device)) return false;
  const auto& login = device.login;
  if (!login.user.empty() || !login.password_file.empty() || device.in_band) return true;
  // A try that failed is in there too, without a revision.
  const auto& latest = core_.history->latest();
  auto at = latest.find(device.name);
  return at != latest.end() && !at->second.revision.empty();
}

microseconds SnapshotClock::jitter() const {
  return microseconds(static_cast<Micros>(options_.chance() * static_cast<double>(config_.spread) / 10));
}

microseconds SnapshotClock::until_turn(const std::string& device, Micros& last) const {
  Micros now = options_.wall();
  last = turn_before(now, config_.every, place_within(device, config_.spread));
  return microseconds(last + config_.every - now) + jitter();
}

// A clock that was never set says nothing of turns: they are counted from the start.
SnapshotClock::Time SnapshotClock::first(const std::string& device) const {
  Time now = base::Clock::now(), soonest = std::max(now, started_ + options_.settle);
  microseconds place = microseconds(place_within(device, config_.spread)) + jitter();
  if (!clock_is_set()) return soonest + place;
  Micros last = 0, checked = 0;
  microseconds next = until_turn(device, last);
  const auto& latest = core_.history->latest();
  if (auto at = latest.find(device); at != latest.end()) checked = at->second.checked;
  bool done = checked >= last && checked <= options_.wall() + kLeap;
  return done ? now + next : std::max(soonest, std::min(now + next, soonest + place));
}

// It was set, so that plans that were made by it are no good.
void SnapshotClock::look_at_the_clock() {
  Micros ahead = options_.wall() - steady_micros();
  bool set = clock_is_set(), leapt = std::abs(ahead - wall_ahead_) > kLeap;
  if (set && (leapt || !was_set_))
    for (auto& [name, plan] : plans_)
      if (!plan.running && plan.failures == 0) plan.at = first(name);
  wall_ahead_ = ahead;
  was_set_ = set;
}

void SnapshotClock::tick() {
  if (config_.every == 0) {
    std::erase_if(plans_, [](const auto& each) { return !each.second.running; });
    return timer_.cancel();
  }
  if (!core_.history || !core_.snapshots) return timer_.after(options_.look, [this] { tick(); });
  look_at_the_clock();
  Time now = base::Clock::now(), next = now + options_.look;
  std::erase_if(plans_, [&](const auto& each) {
    const console::Device* device = core_.inventory.find(each.first);
    return !each.second.running && (!device || !wanted(*device));
  });
  std::vector<std::pair<Time, std::string>> due;
  for (const auto& [name, device] : core_.inventory.all()) {
    if (!wanted(*device)) continue;
    auto [at, fresh] = plans_.try_emplace(name);
    Plan& plan = at->second;
    if (fresh) plan.at = first(name);
    if (plan.running) continue;
    if (plan.at <= now) {
      due.emplace_back(plan.at, name);
    } else {
      next = std::min(next, plan.at);
    }
  }
  auto running = static_cast<std::size_t>(
      std::count_if(plans_.begin(), plans_.end(), [](const auto& each) { return each.second.running; }));
  bool disk_is_shed = !core_.disk.refusal.empty() || core_.disk.number >= 2;
  // Who has waited longest goes first.
  std::sort(due.begin(), due.end());
  for (const auto& [since, name] : due)
    if (!disk_is_shed && running++ < kAtOnce) begin(name, plans_[name]);
  auto wait = std::chrono::ceil<base::milliseconds>(next - now);
  timer_.after(std::max(wait, base::milliseconds(1)), [this] { tick(); });
}

void SnapshotClock::begin(const std::string& device, Plan& plan) {
  plan.running = true;
  console::Snapshots::Order order;
  order.visitor.who = auth::Policy::schedule();
  order.visitor.session = core_.next_session++;
  order.visitor.since = base::wall_now();
  order.visitor.doing = "snapshot";
  order.visitor.device = device;
  order.device = device;
  core_.snapshots->begin(
      core_, std::move(order),
      life_.wrap([this, device](const console::Snapshots::Outcome& outcome) { ended(device, outcome); }));
}

void SnapshotClock::ended(const std::string& device, const console::Snapshots::Outcome& outcome) {
  auto at = plans_.find(device);
  if (at == plans_.end()) return;
  Plan& plan = at->second;
  plan.running = false;
  if (config_.every == 0) return tick();
  Micros last = 0;
  microseconds next = clock_is_set() ? until_turn(device, last) : microseconds(config_.every);
  if (outcome.stored) {
    plan.failures = 0;
  } else {
    microseconds again = options_.again, most = std::max(again, microseconds(config_.every / 4));
    for (unsigned i = 0; i < plan.failures && again < most; ++i) again *= 2;
    ++plan.failures;
    next = std::min(next, std::min(again, most));
  }
  plan.at = base::Clock::now() + next;
  tick();
}

}  // namespace oob

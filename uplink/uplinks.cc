#include "uplink/uplinks.h"

#include <algorithm>
#include <list>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/life.h"
#include "uplink/interfaces.h"
#include "uplink/judge.h"
#include "uplink/link_events.h"
#include "uplink/probe.h"

namespace oob::uplink {

using base::Clock;
using base::milliseconds;
using base::Result;
using base::str;

namespace {

constexpr milliseconds kGathered{50};  // a change of an interface is several messages of the system

// Those who are told of something, until their handles go.
template <class... What>
class Listeners {
 public:
  std::shared_ptr<void> add(std::function<void(What...)> what) {
    auto kept = std::make_shared<std::function<void(What...)>>(std::move(what));
    all_.push_back(kept);
    return kept;
  }
  // They may add others and drop handles meanwhile.
  void tell(const What&... what) {
    std::erase_if(all_, [](const auto& each) { return each.expired(); });
    std::vector<std::weak_ptr<std::function<void(What...)>>> now = all_;
    for (const auto& each : now)
      if (auto call = each.lock()) (*call)(what...);
  }

 private:
  std::vector<std::weak_ptr<std::function<void(What...)>>> all_;
};

}  // namespace

struct Uplinks::State {
  struct Link {
    Link(base::Loop& loop, Settings s, const Limits& limits)
        : settings(std::move(s)),
          judge({limits.down_after, limits.up_after, !settings.probe.empty()}),
          next(loop) {
      for (const std::string& text : settings.probe)
        if (Result<Target> target = Target::parse(text)) targets.push_back(std::move(*target));
      shown.interface = settings.interface;
      shown.metered = settings.metered;
      shown.health = judge.health();
      shown.why = judge.why();
    }

    const Settings settings;
    std::vector<Target> targets;
    Judge judge;
    std::optional<Interface> interface;
    Figures shown;
    Clock::time_point changed = Clock::now();  // its health did, or it was first watched
    bool has_changed = false;
    bool told = false;  // its first verdict was
    base::Timer next;
    Clock::time_point began;                 // the last round
    std::optional<Clock::time_point> asked;  // when a round was over last, whatever came of it
    bool is_silent = false;                  // nobody answered in that one
    std::string hindrance;                   // of the round that is under way
    std::list<std::unique_ptr<Probe>> probes;
    std::size_t under_way = 0;
    Round round;
  };
  using Links = std::map<std::string, std::unique_ptr<Link>>;

  State(base::Loop& l, Limits m) : loop(l), limits(m), look_timer(l), gather(l) {}

  // --- interfaces

  void adopt(const std::map<std::string, Settings>& wanted) {
    std::erase_if(links, [&](const auto& each) {
      auto same = wanted.find(each.first);
      return same == wanted.end() || same->second != each.second->settings;
    });
    for (const auto& [name, settings] : wanted) {
      if (links.count(name)) continue;
      auto made = std::make_unique<Link>(loop, settings, limits);
      made->shown.name = name;
      links[name] = std::move(made);
    }
    if (links.empty()) {
      look_timer.cancel();
      gather.cancel();
      events.reset();
      return choose();
    }
    if (!events) {
      events = std::make_unique<LinkEvents>(loop, [this] {
        if (!gather.waiting()) gather.after(kGathered, [this] { look(); });
      });
    }
    // Who goes by one before the first look is to know what addresses there are.
    if (Result<std::map<std::string, Interface>> found = interfaces())
      for (auto& [name, link] : links)
        if (auto at = found->find(link->settings.interface); at != found->end())
          link->shown.addresses = at->second.addresses;
    // From the loop, so that who is told has been made.
    look_timer.after(milliseconds(0), [this] { look(); });
  }

  void look() {
    look_timer.after(limits.look, [this] { look(); });
    Result<std::map<std::string, Interface>> found = interfaces();
    if (!found) {  // memory is short, or this process may not: next time, with what is known
      for (auto& [name, link] : links)
        if (!link->judge.is_found()) link->shown.why = found.error().what;
      return;
    }
    bool any = false;
    for (auto& [name, link] : links) {
      auto at = found->find(link->settings.interface);
      std::optional<Interface> now;
      if (at != found->end()) now = at->second;
      bool changed = now != link->interface;
      any = any || changed;
      link->interface = std::move(now);
      link->shown.addresses = link->interface ? link->interface->addresses : std::vector<std::string>();
      std::string trouble = link->interface ? trouble_of(*link->interface) : "there is no such interface now";
      link->judge.interface(trouble, Clock::now());
      if (!trouble.empty()) {
        stop_round(*link);
        link->shown.hindrance.clear();
      } else if (changed) {  // sockets of the old one lead nowhere
        stop_round(*link);
        start_round(*link);
      }
    }
    auto tell = life.wrap([this] { on_interfaces.tell(); });
    judged();
    if (any) tell();
  }

  // --- rounds

  void stop_round(Link& link) {
    link.next.cancel();
    link.probes.clear();
    link.under_way = 0;
  }

  void start_round(Link& link) {
    if (link.targets.empty()) return;
    stop_round(link);
    link.began = Clock::now();
    link.round = Round();
    link.hindrance.clear();
    link.under_way = link.targets.size();
    for (const Target& target : link.targets) {
      link.probes.push_back(std::make_unique<Probe>(
          loop, target, link.settings.interface, limits.answer,
          [this, &link, &target](Result<base::Micros> trip) { heard(link, target, std::move(trip)); }));
    }
  }

  void heard(Link& link, const Target& target, Result<base::Micros> trip) {
    Round& round = link.round;
    base::Fault fault = trip ? base::Fault() : trip.error().fault;
    if (fault == base::Fault::busy) {
      ++round.not_asked;
      if (link.hindrance.empty()) link.hindrance = str(target.text, ": ", trip.error().what);
    } else if (fault == base::Fault::denied) {
      ++round.not_allowed;
    } else {
      ++round.asked;
      ++link.shown.probes;
    }
    if (trip) {
      ++round.answered;
      ++link.shown.answered;
      link.shown.round_trip = *trip;
    } else if (round.trouble.empty() && fault != base::Fault::busy) {
      round.trouble = str(target.text, ": ", trip.error().what);
    }
    if (--link.under_way > 0) return;
    link.shown.hindrance = link.hindrance;
    link.asked = Clock::now();
    link.is_silent = round.asked > 0 && round.answered == 0;
    link.judge.round(round, Clock::now());
    plan(link);
    judged();  // the last: who is told may change everything
  }

  void plan(Link& link) {
    auto since = std::chrono::duration_cast<milliseconds>(Clock::now() - link.began);
    milliseconds pause = is_seldom(link) ? limits.metered : limits.probe;
    link.next.after(std::max(milliseconds(0), pause - since), [this, &link] { start_round(link); });
  }

  // While another is the way out and well, a metered one is left alone.
  bool is_seldom(const Link& link) const {
    if (!link.settings.metered || link.judge.health() != Health::up || link.shown.name == out) return false;
    auto way = links.find(out);
    return way != links.end() && way->second->judge.health() == Health::up;
  }

  // --- verdicts

  void judged() {
    std::vector<Change> changes;
    for (auto& [name, link] : links) {
      Health now = link->judge.health();
      bool first = link->judge.is_found() && !std::exchange(link->told, link->judge.is_found());
      Health before = std::exchange(link->shown.health, now);
      link->shown.why = link->judge.why();
      if (first) {
        if (now != Health::up) changes.push_back({name, now, now, link->shown.why});
      } else if (before != now && link->judge.is_found()) {
        link->changed = Clock::now();
        link->has_changed = true;
        changes.push_back({name, before, now, link->shown.why});
      }
    }
    std::string interface_before = way_out();
    pick();
    hurry();
    std::string interface_now = way_out();
    auto tell_way = life.wrap([this, interface_now] { on_way_out.tell(interface_now); });
    auto tell = life.wrap([this](const Change& change) { on_change.tell(change); });
    for (const Change& change : changes) tell(change);
    if (interface_now != interface_before) tell_way();
  }

  void choose() {
    std::string before = way_out();
    pick();
    if (std::string now = way_out(); now != before) on_way_out.tell(now);
  }

  // Of a metered one that was not asked lately, or did not answer when it was, nobody knows whether it is
  // still what it was: any other that is known to work comes before it.
  int rank(const Link& link) const {
    if (!link.judge.is_found() || link.judge.health() == Health::down) return 9;
    bool up = link.judge.health() == Health::up;
    if (!link.settings.metered) return up ? 0 : 1;
    if (link.targets.empty()) return up ? 2 : 3;
    bool is_fresh = link.asked && Clock::now() - *link.asked <= 2 * limits.probe + limits.answer;
    return link.is_silent || !is_fresh ? 4 : up ? 2 : 3;
  }

  void pick() {
    auto now = links.find(out);
    int least = now == links.end() ? 9 : rank(*now->second);
    std::string best = least == 9 ? "" : out;
    for (const auto& [name, link] : links) {
      if (rank(*link) >= least) continue;
      least = rank(*link);
      best = name;
    }
    out = best;
    for (const auto& [name, link] : links) link->shown.is_way_out = name == out;
    out_interface = out.empty() ? "" : links[out]->settings.interface;
  }

  // Metered ones that have been let alone are asked at once when they may be needed.
  void hurry() {
    for (auto& [name, link] : links) {
      if (!link->next.waiting() || is_seldom(*link)) continue;
      auto since = std::chrono::duration_cast<milliseconds>(Clock::now() - link->began);
      if (since > limits.probe)
        link->next.after(milliseconds(0), [this, l = link.get()] { start_round(*l); });
    }
  }

  std::string way_out() const { return out_interface; }

  base::Loop& loop;
  const Limits limits;
  Links links;
  std::string out, out_interface;  // the uplink's name, and its interface's
  base::Timer look_timer, gather;
  std::unique_ptr<LinkEvents> events;  // while there are uplinks
  Listeners<Change> on_change;
  Listeners<> on_interfaces;
  Listeners<std::string> on_way_out;
  base::Life life;
};

Uplinks::Uplinks(base::Loop& loop, Limits limits) : state_(std::make_unique<State>(loop, limits)) {}
Uplinks::~Uplinks() = default;

void Uplinks::adopt(const std::map<std::string, Settings>& settings) { state_->adopt(settings); }

std::string Uplinks::way_out() const { return state_->way_out(); }

bool Uplinks::is_up(const std::string& name) const {
  auto at = state_->links.find(name);
  return at != state_->links.end() && at->second->judge.is_found() &&
         at->second->judge.health() == Health::up;
}

bool Uplinks::leads_out(const std::string& interface) const {
  return std::any_of(state_->links.begin(), state_->links.end(), [&](const auto& each) {
    return each.second->settings.interface == interface && each.second->judge.health() != Health::down;
  });
}

Uplinks::Handle Uplinks::on_change(std::function<void(const Change&)> what) {
  return state_->on_change.add(std::move(what));
}
Uplinks::Handle Uplinks::on_interfaces(std::function<void()> what) {
  return state_->on_interfaces.add(std::move(what));
}
Uplinks::Handle Uplinks::on_way_out(std::function<void(const std::string&)> what) {
  return state_->on_way_out.add(std::move(what));
}

std::vector<Figures> Uplinks::figures() const {
  std::vector<Figures> all;
  for (const auto& [name, link] : state_->links) {
    Figures& each = all.emplace_back(link->shown);
    each.lasting =
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - link->changed).count();
    if (link->has_changed) each.since = base::wall_now() - each.lasting;
  }
  return all;
}

}  // namespace oob::uplink

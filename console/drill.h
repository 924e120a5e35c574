#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "console/core.h"
#include "console/drill_probe.h"
#include "notice/outcome.h"

namespace oob::console {

// What of the board a drill can't know by the Core alone.
struct DrillGround {
  // Tries the way in of this board, as far as the key that it shows: how it went ("… after 0.1 s"). Null:
  // there is no listener that this board can dial.
  std::function<void(std::function<void(base::Result<std::string>)> done)> login;
  // Tells the [notify.NAME] that this is a test, and what became of that. Null: there are none.
  std::function<void(const std::string& name, std::function<void(notice::Outcome)> done)> notify;
  // What of a login goes by the clock, as a sentence names it: "role night (hours)". Null: nothing does.
  std::function<std::vector<std::string>()> by_the_clock;
  base::Micros every = 0;       // [drill] every; 0: only on demand
  bool pulls_by_clock = false;  // [snapshot] every: snapshots are wanted, whoever takes them by hand
};

// How a drill went.
struct DrillTally {
  std::size_t passed = 0, failed = 0, skipped = 0;
  std::vector<DrillCheck> failures;
  base::Micros took = 0;
  bool barred = false;   // something was skipped because whoever ordered it may not do it
  std::string given_up;  // why it was not brought to its end; empty: it was
  std::size_t tried() const { return passed + failed + skipped; }
  // Nothing has failed, and something was tried.
  bool is_good() const { return failed == 0 && passed > 0 && given_up.empty(); }
};

// "14 checks: 12 passed, 2 skipped"
std::string text_of(const DrillTally& tally);

// One drill: what the board knows of itself, then each console, BMC and snapshot of its devices, some at
// once, each within a time limit and all of it too. What its visitor may not do is skipped with the reason;
// of a console's keys that is Action::write, of the rest Action::watch. Owned by Drills; its end gives all
// keyboards back. The Core outlives it.
class Drill {
 public:
  struct Order {
    Visitor visitor;
    bool scheduled = false;            // by the clock: typing an Enter counts as part of Action::snapshot
    std::vector<std::string> devices;  // that exist, and may be seen
    bool board = true;                 // what is about no device, too
  };
  struct Limits {
    DrillProbe::Patience probe{};
    base::milliseconds bmc{20'000}, journal{10'000}, login{15'000}, notify{45'000};
    base::milliseconds whole{600'000};
    std::size_t at_once = 16;
  };
  using Told = std::function<void(const DrillCheck&)>;
  using Done = std::function<void(const DrillTally&)>;

  // `told` hears of each check when it is over, `done` of all, once; both from the loop.
  Drill(Core& core, Order order, const DrillGround& ground, const Limits& limits, Told told, Done done);
  ~Drill();
  Drill(const Drill&) = delete;
  Drill& operator=(const Drill&) = delete;

  // The policy has changed: what may no longer be done ends.
  void recheck();
  // No more is tried; what is under way is let go.
  void give_up(const std::string& why);
  const Visitor& visitor() const { return order_.visitor; }
  base::Micros began() const { return began_; }

 private:
  using Outcome = DrillCheck::Outcome;
  using Number = std::uint64_t;
  struct Try {
    std::string name, device;
    std::function<void(Number)> begin;
  };
  struct Running {
    std::string name, device;
    base::Clock::time_point since;
    std::unique_ptr<base::Timer> limit;
    std::unique_ptr<DrillProbe> probe;
  };

  void start();
  void plan_board();
  void plan_device(const std::string& device);
  void fill();
  void over_time();
  void try_login(Number number);
  void try_journal(Number number);
  void try_notify(Number number, const std::string& name);
  void try_bmc(Number number, const std::string& device);
  void try_console(Number number, const std::string& device);
  // The check under way ends so, unless it has.
  void conclude(Number number, Outcome outcome, const std::string& text);
  void give_limit(Number number, base::milliseconds limit, const std::string& text);
  void tell(const DrillCheck& check);
  void bar(const std::string& name, const std::string& device, const std::string& why);
  void finish();
  auth::Action reading() const { return order_.scheduled ? auth::Action::snapshot : auth::Action::watch; }
  auth::Action typing() const { return order_.scheduled ? auth::Action::snapshot : auth::Action::write; }

  Core& core_;
  Order order_;
  DrillGround ground_;
  Limits limits_;
  Told told_;
  Done done_;
  DrillTally tally_;
  base::Micros began_;
  base::Clock::time_point since_;
  std::deque<Try> waiting_;
  std::map<Number, Running> running_;
  Number next_ = 1;
  bool over_ = false;
  base::Timer whole_;
  base::Life life_;
};

}  // namespace oob::console

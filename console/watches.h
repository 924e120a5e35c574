#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/time.h"
#include "console/core.h"
#include "console/peering.h"
#include "console/watch_figures.h"
#include "console/watches_told.h"
#include "uplink/target.h"

namespace oob::console {

// What one [watch.NAME] says.
struct WatchSettings {
  // By a console ...
  std::string device;
  RoutingDaemon daemon = RoutingDaemon::bird;
  std::string neighbour;
  std::string command;  // empty: peering_command()
  // ... or, without a device, by probes; an empty interface: by the routing table.
  std::vector<uplink::Target> targets;
  std::string interface;
  base::milliseconds every{60'000};
};
bool operator==(const WatchSettings& one, const WatchSettings& other);
// What is watched, without how it is asked and how often: "edge1 bird upstream1", "lan0 tcp:192.0.2.1:9".
std::string what_of(const WatchSettings& settings);

// Looks at each peering every so often, as Policy::schedule(), and tells what has changed: the journal
// (watch.lost, with what the console had said since the last look, watch.restored, watch.unknown) and whoever
// is on the console. A look takes the keyboard if it is free; while somebody has it, it is left out. It is
// not recorded, since it comes each minute and always types the same; the transcript has it. Tells the Core
// of its figures while it lives; ends before the dialogues.
class Watches {
 public:
  struct Limits {
    base::milliseconds first{3000};      // from the start: lines come up meanwhile
    base::milliseconds again{5000};      // to the next look at what seems lost
    base::milliseconds queue{1000};      // where another watch is on the console
    base::milliseconds command{20'000};  // for the daemon's client
    base::milliseconds login{40'000};    // beyond that: to log in
    base::milliseconds answer{2000};     // for one probe
    unsigned lost_after = 2;             // looks in a row; by probes one more
    unsigned unknown_after = 3;          // looks in a row that came to nothing
    base::milliseconds silent{900'000};  // or without an answer for whatever reason; or 3 times `every`
    base::milliseconds seldom{300'000};  // after more of these, at most that apart, or `every`
    std::size_t at_once = 8;             // dialogues of watches: others need some as well
  };

  // `told` outlives it; null: each start is the first.
  Watches(Core& core, Limits limits, WatchesTold* told = nullptr);
  ~Watches();
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  // By name. What watches the same as before keeps its state.
  void adopt(const std::map<std::string, WatchSettings>& settings);
  std::vector<WatchFigures> figures() const;  // by name

 private:
  class One;
  Core& core_;
  Limits limits_;
  WatchesTold* told_;
  std::set<std::string> visited_;  // devices where a watch is on the console just now
  std::map<std::string, std::unique_ptr<One>> all_;
};

}  // namespace oob::console

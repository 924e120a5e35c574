#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "uplink/figures.h"

namespace oob::uplink {

// What one [uplink.NAME] says of its health.
struct Settings {
  std::string interface;
  std::vector<std::string> probe;  // "tcp:192.0.2.1:443", "icmp:192.0.2.1"
  bool metered = false;
  bool operator==(const Settings&) const = default;
};

// All uplinks: watches their interfaces, sends their probes, says which one outbound work goes by. Looks at
// interfaces each second and as the system tells of a change; probes are bound to their interface.
class Uplinks {
 public:
  // A way out that is dead though its interface is up is down after `probe` + `down_after` * `answer` at the
  // latest, which must stay well below 10 s.
  struct Limits {
    base::milliseconds look{1000};        // at the interfaces, where the system tells nothing
    base::milliseconds probe{2000};       // from round to round, where that takes no longer
    base::milliseconds metered{30'000};   // the same of a metered one that is well, as is the way out
    base::milliseconds answer{2000};      // for one probe
    unsigned down_after = 3;              // rounds without any answer: down; with some: degraded
    base::milliseconds up_after{10'000};  // so long all is well again before it counts as up
  };
  struct Change {
    std::string name;
    Health before, now;  // the same: it was found so at the start, and that is not up
    std::string why;     // empty: up
  };

  Uplinks(base::Loop& loop, Limits limits);
  ~Uplinks();
  Uplinks(const Uplinks&) = delete;
  Uplinks& operator=(const Uplinks&) = delete;

  // By name. What stays the same keeps its state.
  void adopt(const std::map<std::string, Settings>& settings);

  // The interface by which outbound work goes: the first by name that is up and not metered, then degraded,
  // then metered ones; stays with the one it has while that is as good. Empty: none is known to work, so the
  // routing table decides.
  std::string way_out() const;
  bool is_up(const std::string& name) const;
  // False: no uplink has this interface, or what has it is down.
  bool leads_out(const std::string& interface) const;

  // Runs from the loop: an uplink's health has changed; interfaces or addresses have; way_out() has. A handle
  // ends it.
  using Handle = std::shared_ptr<void>;
  [[nodiscard]] Handle on_change(std::function<void(const Change&)> what);
  [[nodiscard]] Handle on_interfaces(std::function<void()> what);
  [[nodiscard]] Handle on_way_out(std::function<void(const std::string& interface)> what);

  std::vector<Figures> figures() const;  // by name; `listening` is empty, who listens knows it

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace oob::uplink

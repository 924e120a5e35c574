#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "auth/hours.h"
#include "auth/principal.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::console {

struct Core;
struct Visitor;

// A change of a device that is taken back unless somebody confirms it in time.
struct Guard {
  enum class State {
    armed,   // its time runs
    firing,  // its time is over, and nothing was typed yet
    typed,   // what takes the change back was typed, and nobody knows yet how that went
    failed,  // somebody must look; `why` says at what. Shown until it is confirmed
  };
  std::string device;
  std::string revert;                 // one line, for the device's shell or command line
  auth::Principal who;                // armed it; asked of the policy again when its time is over
  base::Micros armed = 0, until = 0;  // by the wall clock
  base::Micros span = 0;
  std::string boot;  // of the machine, and when it ends by that boot's clock, which nobody sets
  base::Micros ends = 0;
  State state = State::armed;
  std::string why;
};

// How the last guard of a device ended, for whoever comes after it.
struct PastGuard {
  enum class End {
    taken_back,  // what takes the change back was typed, and ended with status 0
    confirmed,   // in time: the change stays
    seen,        // it had failed, and somebody has seen that
  };
  std::string device;
  std::string user;     // armed it
  base::Micros at = 0;  // by the wall clock
  End end = End::taken_back;
  std::string by;   // who confirmed it; empty: taken_back
  std::string why;  // of one that had failed: at what
};

// How a change was taken back.
struct Reverted {
  base::Result<> result;  // Fault::busy, Fault::unavailable: it may go better later
  bool typed = false;     // the device may have done it, whatever the result
  bool silent = false;    // nothing at all came from the device: nothing else may lead to a reset
  int status = 0;
  std::string said;       // the end of what it printed
  std::string recording;  // its ID; empty: not recorded
};

// All guards, kept in one file (docs/formats.md), so that they outlive the daemon and the machine's boot.
// Owned by the Core, and reads what it needs from there.
class Guards {
 public:
  static constexpr std::size_t kMost = 256, kMostPast = 256;
  static constexpr std::size_t kMostRevert = 1000;  // bytes
  static constexpr base::Micros kLeast = 30'000'000, kLongest = 86'400'000'000;
  using Done = std::function<void(base::Result<>)>;

  // Whether the line may be typed now.
  using Go = std::function<void(base::Result<>)>;
  // Takes the change back over the console. `typing` is called when the device is about to get the line,
  // which it gets once `go` was called without an Error; `done` is called once, later. What is returned ends
  // it, with that reason.
  using Revert = std::function<std::function<void(const base::Error&)>(
      const Guard&, std::function<void(Go go)> typing, std::function<void(Reverted)> done)>;

  // What tests have otherwise.
  struct Terms {
    std::function<base::Micros()> since_boot;  // never stands still, not even while the machine sleeps
    std::string boot;
    Revert revert;
    base::milliseconds line{120'000};  // for a line that is down when the time is over
    base::milliseconds busy{600'000};  // for people who keep the keyboard then
    unsigned tries = 3;                // at a console that is silent, and at one that is not as it should be
    base::milliseconds again{40'000};  // between them
    base::milliseconds journal{10'000};  // between tries to write down what is about to be done
    base::milliseconds look{20'000};     // at the clock, at least
  };
  static Terms usual(Core& core);

  explicit Guards(Core& core);
  Guards(Core& core, Terms terms);
  ~Guards();
  Guards(const Guards&) = delete;
  Guards& operator=(const Guards&) = delete;

  // What the file holds. Blocks; for start-up, with the clock judged already. On an Error (a file that is
  // damaged, or not the daemon's own) there is no guard, and the file is kept as FILE.damaged.
  base::Result<> open(std::string file);
  // Those whose time is over fire. REQUIRES: once, when the devices are there.
  void start();
  // For a stop: nothing fires any more, and what is under way does not come to an end; the next start goes by
  // the file.
  void hold();

  const Guard* find(const std::string& device) const;  // null: there is none
  std::vector<const Guard*> all() const;               // in the order of the devices' names
  base::Micros left(const Guard& guard) const;         // until it fires; never negative
  // How the last one of a device ended. Null: none has, or more than kMostPast of others have since.
  const PastGuard* past(const std::string& device) const;
  // "r1 has no guard", and how its last one ended. For people.
  std::string no_guard(const std::string& device) const;
  // Why the file does not have what holds, so that a restart would go by something older; empty: it does. It
  // is written again until it has.
  const std::string& not_stored() const { return not_stored_; }

  // In the journal, then in the file, then it holds. Fault::busy: there is one already; with `replace` it
  // takes that one's place, unless that fires just now or has failed. REQUIRES: the visitor may write on the
  // device.
  void arm(const Visitor& visitor, const std::string& device, std::string revert, base::Micros span,
           bool replace, std::function<void(base::Result<Guard>)> done);
  // The change stays; of a failed one: somebody has seen it. Fault::missing: there is none; Fault::busy: the
  // line is typed already, or the chassis is being reset, or somebody arms one in its place.
  void confirm(const Visitor& visitor, const std::string& device, Done done);

 private:
  struct Live;
  Live* live(const std::string& device);
  void tick();
  void warn(Live& one);
  void fire(Live& one);
  void write_down(Live& one);
  void attempt(Live& one);
  void may_type(Live& one, const Go& go);
  void ended(Live& one, const Reverted& how);
  void give_up(Live& one, const std::string& why);
  void reset(Live& one, const std::string& why);
  void fail(Live& one, const std::string& why);
  void keep_failed(Live& one, const std::string& why);
  void announce(const Guard& guard, const std::string& what);
  void remove(PastGuard past, Done done);
  void save(Done done);
  void write();

  Core& core_;
  Terms terms_;
  std::string file_;
  std::map<std::string, std::unique_ptr<Live>> guards_;
  std::map<std::string, PastGuard> past_;
  std::set<std::string> arming_;  // devices whose guard is being written down
  base::Timer clock_;
  std::vector<Done> waiting_;  // for a write that has not begun
  bool writing_ = false;
  bool changed_ = false;  // since what the file has
  std::string not_stored_;
  base::Life life_;
};

// For people, without the device's name: "alice's change is taken back at 2026-… (in 4 min)".
std::string text_of(const Guard& guard, base::Micros left);
// "its change was taken back at 2026-… (alice's guard), status 0".
std::string text_of(const PastGuard& past);

}  // namespace oob::console

#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "auth/hours.h"
#include "auth/principal.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"

namespace oob::base {
class Blocking;
}

namespace oob::auth {

// A right that somebody was given for a while.
struct TimedGrant {
  std::uint64_t id = 0;
  std::string user;
  std::set<Action> actions;  // never admin
  std::string devices;       // a glob
  std::string by;
  base::Micros given = 0, until = 0;
  base::Clock::time_point ends{};  // the same by this run's monotonic clock
};

// All timed grants that hold, kept in one file (docs/formats.md). A grant ends by the wall clock or by the
// monotonic clock of this run, whichever comes first, so that setting the clock back makes none longer. It
// journals nothing: whoever changes it has written that down.
class TimedGrants {
 public:
  static constexpr std::size_t kMost = 256;
  static constexpr base::Micros kLeast = 1'000'000, kLongest = 30 * 86'400'000'000LL;
  using Done = std::function<void(base::Result<>)>;

  // Kept in memory only, until open().
  TimedGrants() = default;
  TimedGrants(const TimedGrants&) = delete;
  TimedGrants& operator=(const TimedGrants&) = delete;

  // What the file holds of the newest time that was seen, and the grants, those that ended meanwhile too:
  // end_due() gives them. Blocks; for start-up. On an Error (a file that is damaged, or not the daemon's own)
  // no grant holds, and the next change writes it anew. `blocking` outlives this.
  base::Result<> open(base::Blocking& blocking, std::string file);
  // As it was stored: the newest time seen by an earlier run whose clock fell behind it. 0: none.
  base::Micros seen() const { return seen_; }
  // Keeps it in the file, or with 0 drops it.
  void set_seen(base::Micros seen, Done done);
  // Sets the monotonic ends of what was loaded: at once while the clock is evidently wrong, for nobody knows
  // then whether their time is over. REQUIRES: once, after open().
  void begin(const Moment& now);

  // Fault::busy when there are kMost already. What is reserved does not hold; it takes its place.
  base::Result<TimedGrant> reserve(std::string user, std::set<Action> actions, std::string devices,
                                   std::string by, base::Micros span, const Moment& now);
  // It holds from now on, and is stored; when that fails it does not hold any more.
  void add(const TimedGrant& grant, Done done);
  // Gives up what was reserved.
  void drop(std::uint64_t id);
  // Ends it at once; `done` tells how storing that went.
  void remove(std::uint64_t id, Done done);
  // Takes out those whose time is over, and stores that.
  std::vector<TimedGrant> end_due(const Moment& now);

  bool allows(const std::string& user, Action action, const std::string& device, const Moment& now) const;
  // On whatever devices.
  bool allows(const std::string& user, Action action, const Moment& now) const;
  const TimedGrant* find(std::uint64_t id) const;
  // In the order of their ids; those whose time is over may still be among them.
  const std::vector<TimedGrant>& all() const { return grants_; }
  // How long until the next one ends, in microseconds; negative: none.
  base::Micros next_end(const Moment& now) const;

 private:
  static bool over(const TimedGrant& grant, const Moment& now);
  std::string text() const;
  base::Result<> read(const std::string& text);
  void save(Done done);
  void write();

  base::Blocking* blocking_ = nullptr;
  std::string file_;
  base::Micros seen_ = 0;
  std::uint64_t next_id_ = 1;
  std::vector<TimedGrant> grants_;    // hold
  std::vector<TimedGrant> reserved_;  // are being written down
  std::vector<Done> waiting_;         // for a write that has not begun
  bool writing_ = false;
  base::Life life_;
};

}  // namespace oob::auth

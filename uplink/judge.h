#pragma once

#include <optional>
#include <string>

#include "base/loop.h"
#include "uplink/figures.h"

namespace oob::uplink {

// What came of one round of probes.
struct Round {
  unsigned asked = 0, answered = 0;
  unsigned not_allowed = 0;  // could not be asked at all; not among `asked`
  std::string trouble;       // of the first that has one: "tcp:192.0.2.1:443: no answer within 2000 ms"
  // These could not be asked either, for a reason that tells nothing of the way: they count for nothing.
  unsigned not_asked = 0;
};

// Makes one uplink's health of what is seen of it, with hysteresis. Pure: it is told the time, which only
// grows, and does nothing by itself.
//
//   down       at once without its interface, the interface's carrier or an address; or after `down_after`
//              rounds without any answer
//   degraded   as soon as a probe is not answered; and from down at the first sign of life, so that it can be
//              the way out when there is nothing better
//   up         once all has been well for `up_after`
//
// An interface that is lost within `up_after` of its return has to stay for `up_after` before it counts
// again, so one that comes and goes is down rather than everything by turns.
class Judge {
 public:
  using Time = base::Clock::time_point;
  struct Terms {
    unsigned down_after = 3;
    base::milliseconds up_after{10'000};
    bool probed = false;  // there are probes; else it is as good as its interface
  };

  explicit Judge(Terms terms) : terms_(terms) {}

  // `trouble`: why nothing can leave by the interface; empty: something can. At each look.
  void interface(const std::string& trouble, Time now);
  void round(const Round& round, Time now);

  // Before the first verdict: degraded, "not probed yet".
  Health health() const { return health_; }
  const std::string& why() const { return why_; }  // empty while up
  bool is_found() const { return found_; }         // there has been a verdict

 private:
  void now_is(Health health, std::string why);
  void well(Time now);
  bool returns(Time now);

  const Terms terms_;
  Health health_ = Health::degraded;
  std::string why_ = "not probed yet";
  bool found_ = false;
  bool usable_ = false;    // the interface is
  bool relapsed_ = false;  // it was lost again soon after it had come back
  Time usable_since_{};
  std::optional<Time> returned_;    // when it left down last
  std::optional<Time> well_since_;  // all of it, after something was not
  unsigned silent_ = 0;             // rounds in a row
};

}  // namespace oob::uplink

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/loop.h"
#include "base/result.h"
#include "oobd/call_home_dial.h"

namespace oob {

// A TCP connection to a bastion, and the way that it took.
struct CallHomeFlow {
  base::Fd socket;
  CallHomeWay way;
};

// Dials a bastion by several ways: by the next one when one fails, or has got nowhere after a head start, so
// that a way that swallows everything holds nobody up. A metered one waits longer, while an unmetered one may
// still lead there: a first word that is lost is repeated after a second. The first connection is kept.
class CallHomeRace {
 public:
  // An Error: no way led there; what was wrong with each.
  using Done = std::function<void(base::Result<CallHomeFlow> flow)>;
  struct Terms {
    base::milliseconds head_start, metered;  // for each way before the next one; before a metered one
    base::milliseconds limit;                // for each way
    base::milliseconds keepalive;            // CallHomeDial::begin()
  };

  explicit CallHomeRace(base::Loop& loop) : loop_(loop), head_start_(loop) {}
  CallHomeRace(const CallHomeRace&) = delete;
  CallHomeRace& operator=(const CallHomeRace&) = delete;

  // `bastion` is numeric, with its port. `done` is called from the loop, once, unless cancel() comes first.
  // REQUIRES: there is a way.
  void begin(const std::string& bastion, std::vector<CallHomeWay> ways, const Terms& terms, Done done);
  void cancel();
  bool under_way() const { return static_cast<bool>(done_); }

 private:
  struct Runner {
    explicit Runner(base::Loop& loop) : dial(loop) {}
    CallHomeDial dial;
    std::string trouble;  // it has failed
  };
  void next();
  void over(std::size_t at, base::Result<base::Fd> connected);
  bool may_be_spared() const;
  std::string trouble() const;

  base::Loop& loop_;
  std::string bastion_;
  std::vector<CallHomeWay> ways_;
  Terms terms_{};
  std::vector<std::unique_ptr<Runner>> runners_;  // by the first of the ways
  base::Timer head_start_;
  Done done_;
};

}  // namespace oob

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "audit/verify.h"
#include "base/life.h"

namespace oob::console {

struct Core;
struct Visitor;

// `verify` within the daemon: one run at a time, on a thread of base::Blocking, for all who ask meanwhile;
// who asks while one runs gets the next. A run that nobody waits for any more stops. It holds the files
// against what the daemon knows by itself: its newest checkpoint and its key.
class Verifications {
 public:
  using Done = std::function<void(const base::Result<audit::VerifyReport>&)>;

  // Somebody who waits: `done` is called once, on the loop, while the Waiting lives.
  struct Run;
  struct Waiting {
    Done done;
    std::shared_ptr<Run> run;  // null until it has begun
    const char* phase() const;
    unsigned percent() const;
  };
  [[nodiscard]] std::shared_ptr<Waiting> ask(Core& core, Done done);

 private:
  void begin(Core& core);
  void finished(Core& core);

  std::vector<std::weak_ptr<Waiting>> next_, now_;
  std::shared_ptr<Run> run_;
  base::Life life_;
};

// What of a report this visitor may have: all of it who audits all devices; others how many faults there are.
audit::VerifyReport report_for(const Core& core, const Visitor& visitor, audit::VerifyReport report);

}  // namespace oob::console

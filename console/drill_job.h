#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/life.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/drill.h"
#include "console/job.h"

namespace oob::console {

// `drill [DEVICE…]`: tries what is needed when all else is gone, prints a line for each check as it ends, and
// at last how many passed. The exit status is 0 when nothing failed and something passed, else 1. Without
// devices all that may be seen, and what is about the board itself. It is given up when the visitor leaves.
class DrillJob : public Job {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io,
                                                 Arguments arguments);

  DrillJob(Core& core, Visitor& visitor, JobIo& io, Drill::Order order, bool as_json);
  ~DrillJob() override;
  void start() override;
  std::size_t typed(base::Bytes bytes) override;
  void recheck() override;
  bool wants_keys() const override { return true; }

 private:
  void show(const DrillCheck& check);
  void conclude(const base::Result<DrillTally>& tally);

  Core& core_;
  JobIo& io_;
  Drill::Order order_;
  bool as_json_, over_ = false;
  std::size_t shown_ = 0;
  std::uint64_t drill_ = 0;
  base::Life life_;
};

}  // namespace oob::console

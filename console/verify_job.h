#pragma once

#include <memory>

#include "base/loop.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"
#include "console/verification.h"

namespace oob::console {

// `verify`: checks the audit trail of this daemon while it runs, on a thread of its own. Ends with 0 where
// it is whole, 1 where it is not, 2 where it can't be read.
class VerifyJob : public Job {
 public:
  static constexpr std::chrono::seconds kTellEvery{5};  // how far it is, on a terminal

  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);

  VerifyJob(Core& core, Visitor& visitor, JobIo& io, bool as_json);
  void start() override;
  void recheck() override;

 private:
  void tell();
  void done(const base::Result<audit::VerifyReport>& report);
  void finish(int status);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  bool as_json_, over_ = false;
  std::shared_ptr<Verifications::Waiting> waiting_;
  base::Timer telling_;
};

}  // namespace oob::console

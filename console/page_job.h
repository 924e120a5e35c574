#pragma once

#include <memory>

#include "console/audit_stream.h"
#include "console/verification.h"

namespace oob::console {

// `export ID --html`: one page with the recording and its player, and on top what `verify` says of the trail
// at this moment and a checkpoint over it.
class PageJob : public StreamJob {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  PageJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments);
  void start() override;

 private:
  void seal(const audit::Recording& recording);
  void check(const audit::Recording& recording);
  void tell();
  void show(const audit::Recording& recording, const audit::VerifyReport& report);
  void finish(int status) override;

  Arguments arguments_;
  std::shared_ptr<Verifications::Waiting> waiting_;
  base::Timer telling_;
};

}  // namespace oob::console

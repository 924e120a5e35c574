#pragma once

#include <memory>
#include <string>

#include "console/audit_stream.h"

namespace oob::console {

// `redact ID --from T --to T --why TEXT`: hides what a recording shows of some time, written down first. What
// else holds the same bytes is named: the device's transcript, and others' recordings of that time.
class RedactJob : public AuditJob {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  RedactJob(Core& core, Visitor& visitor, JobIo& io, std::string id, base::Micros from, base::Micros to,
            std::string why);
  void start() override;

 private:
  void redact(const audit::Recording& recording);
  void name_others(const audit::Recording& recording);

  std::string id_;
  base::Micros from_, to_;
  std::string why_;
};

}  // namespace oob::console

#pragma once

#include <memory>
#include <string>

#include "console/audit_stream.h"

namespace oob::console {

// `journal`: the audit trail, for people or (--json) exactly as it is on the disk. Who may not audit all
// devices is given the records of those they may, and of their own sessions.
class JournalJob : public StreamJob {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  JournalJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, std::shared_ptr<Source> source);
  void start() override;

 private:
  bool may(const Part& part) override;
  void at_end() override;

  Arguments arguments_;
  std::shared_ptr<Source> records_;
  bool told_ = false;
  auth::Journal::Handle growth_;
};

// `checkpoint`: signs the journal as it is now and gives the signed note.
class CheckpointJob : public AuditJob {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  CheckpointJob(Core& core, Visitor& visitor, JobIo& io, bool as_json)
      : AuditJob(core, visitor, io), as_json_(as_json) {}
  void start() override;

 private:
  bool as_json_;
};

}  // namespace oob::console

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
  auth::Journal::Handle growth_;
};

// `checkpoint`: signs the journal as it is now and gives the signed note.
class CheckpointJob : public AuditJob {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  CheckpointJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments)
      : AuditJob(core, visitor, io), arguments_(std::move(arguments)) {}
  void start() override;

 private:
  Arguments arguments_;
};

}  // namespace oob::console

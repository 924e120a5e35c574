#pragma once

#include <memory>
#include <string>

#include "console/audit_stream.h"

namespace oob::console {

// `audit grep RE`: searches what people read, line by line: recordings as rendered text (audit::ScreenText),
// then transcripts. What is found can be handed to `replay`: ID@SECONDS.
class SearchJob : public StreamJob {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  SearchJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, base::Micros since);
  void start() override;

 private:
  void search(std::vector<audit::Recording> recordings);
  bool may(const Part& part) override { return may_audit(core_, visitor_, part.device); }
  bool wanted(const std::string& device) const;

  Arguments arguments_;
  base::Micros since_;
};

}  // namespace oob::console

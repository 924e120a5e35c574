#pragma once

#include <memory>
#include <string>

#include "console/audit_stream.h"

namespace oob::console {

// `audit grep RE`: searches what people read, line by line: recordings as rendered text (audit::ScreenText),
// then transcripts. What is found can be handed to `replay`: ID@SECONDS. Who may audit all devices searches
// the transcripts of those too that the configuration no longer has.
class SearchJob : public StreamJob {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  SearchJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, base::Micros since);
  void start() override;

 private:
  struct Found {
    base::Result<std::vector<audit::Recording>> recordings = std::vector<audit::Recording>();
    base::Result<std::vector<std::string>> transcripts =
        std::vector<std::string>();  // devices of the folders
  };
  void search(Found& found);
  bool may(const Part& part) override { return may_audit(core_, visitor_, part.device); }
  bool wanted(const std::string& device) const;

  Arguments arguments_;
  base::Micros since_;
};

}  // namespace oob::console

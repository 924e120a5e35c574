#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "audit/input_record.h"
#include "audit/recorder.h"
#include "base/life.h"
#include "base/loop.h"
#include "console/core.h"
#include "console/job.h"

namespace oob::console {

// What is written down of one visit to one console: its recording, from before anything is shown or typed.
// Does nothing where nothing is recorded. Owned by the job; ends the recording with itself.
class RecordedVisit {
 public:
  // A disk that hangs holds nobody up longer, unless nobody is let in without the audit trail.
  static constexpr base::milliseconds kPatience{2000};

  RecordedVisit(Core& core, const Visitor& visitor, JobIo& io);
  ~RecordedVisit();

  // `then` is called once: with an empty text; with a line for the visitor, because it can't be written down;
  // or with Fault::journal, and then there is no visit. At once where nothing is recorded; never after end().
  void begin(const std::string& device, const std::string& command,
             std::function<void(const base::Result<std::string>&)> then);
  void end(int status);

  // Of the recording; empty where there is none, or not yet a file.
  std::string id() const { return recorder_ ? recorder_->id() : std::string(); }
  bool records_input() const { return input_.has_value(); }
  void event(const auth::Entry& entry);
  void typed(base::Bytes bytes);  // the line took them
  // The same of what no recording has, whatever is echoed: "{secret}", for its length is nobody's business.
  void typed_secret();
  // To the visitor and the recording.
  void output(base::Bytes bytes, base::Bytes shown);

 private:
  void answer(const base::Result<>& opened);
  void tell_typed();
  void write(const audit::InputRecord::Decided& decided);
  base::Micros now() const;

  Core& core_;
  const Visitor& visitor_;
  JobIo& io_;
  std::unique_ptr<audit::Recorder> recorder_;
  std::optional<audit::InputRecord> input_;  // where typing is recorded
  std::uint64_t typed_ = 0;                  // not yet told
  base::Timer patience_, typed_timer_, echo_timer_;
  std::function<void(const base::Result<std::string>&)> then_;
  base::Life life_;  // of one recording
};

}  // namespace oob::console

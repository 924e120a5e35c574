#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/life.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"

namespace oob::console {

// `sel D`: the BMC's event log, one record a line. `--clear` writes every record into the journal, then
// clears the log; if another event came meanwhile, it begins again.
class SelJob : public Job {
 public:
  static constexpr int kMostTries = 3;
  static constexpr std::size_t kAnEntry = 64;    // records; an entry is far below the journal's longest line
  static constexpr std::size_t kMostText = 300;  // bytes of one record's text there

  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);

  SelJob(Core& core, Visitor& visitor, JobIo& io, std::string device, bool clear, bool as_json);
  void start() override;
  std::size_t typed(base::Bytes bytes) override;
  void room() override { pour(); }
  void recheck() override;
  bool wants_keys() const override { return clear_; }

 private:
  void read();
  void have(std::vector<LogEvent> events);
  void pour();
  std::string line_of(const LogEvent& event) const;
  void write_down(std::size_t from);
  void clear();
  void cleared(const base::Result<PowerOutcome>& result);
  void stop(const base::Error& error);
  void finish(int status);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  std::string device_;
  bool clear_, as_json_;
  std::vector<LogEvent> events_;
  std::size_t shown_ = 0;  // of events_
  std::size_t time_width_ = 0, sensor_width_ = 0;
  std::set<std::string> written_;  // raw records that are in the journal
  int tries_ = 0;
  std::uint64_t sought_ = 0;  // of Approvals, while a second person is waited for
  ApprovalPtr approval_;
  bool showing_ = false, clearing_ = false, over_ = false;
  base::Timer guard_;
  base::Life life_;
};

}  // namespace oob::console

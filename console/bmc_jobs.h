#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/life.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"

namespace oob::console {

// Times Core::chassis_patience: reading sensors or an event log, and clearing one, are thousands of requests
// of a slow BMC.
constexpr int kManyRequests = 10;

// `boot D …` and `identify D …`: one deed on one chassis, whose result is one line.
class DeedJob : public Job {
 public:
  static base::Result<std::unique_ptr<Job>> make_boot(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  static base::Result<std::unique_ptr<Job>> make_identify(Core& core, Visitor& visitor, JobIo& io,
                                                          Arguments a);

  // `said` is printed when it is done.
  DeedJob(Core& core, Visitor& visitor, JobIo& io, Deeds::Order order, std::string said);
  void start() override;
  std::size_t typed(base::Bytes bytes) override;
  void recheck() override;
  bool wants_keys() const override { return true; }

 private:
  void finish(const base::Result<>& result);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  Deeds::Order order_;
  std::string device_, said_;
  std::uint64_t sought_ = 0;  // of Approvals, should a second person be waited for
  bool over_ = false;
  base::Life life_;
};

// `sensors D`: what the BMC measures, as a table or one JSON object a line.
class SensorsJob : public Job {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);

  SensorsJob(Core& core, Visitor& visitor, JobIo& io, std::string device, bool as_json);
  void start() override;
  void recheck() override;

 private:
  void show(const std::vector<Sensor>& sensors);
  void stop(const base::Error& error);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  std::string device_;
  bool as_json_, over_ = false;
  base::Timer guard_;
  base::Life life_;
};

}  // namespace oob::console

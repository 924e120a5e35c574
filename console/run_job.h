#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/life.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"
#include "console/safe_output.h"
#include "recipe/pull.h"

namespace oob::console {

// `run D -- COMMAND`: logs in by the device's model, runs it, gives its output alone and ends with its
// status, or with recipe::kLate when its time was over. In the journal before anything is typed. When the
// visitor goes the dialogue ends the command and leaves the device by itself.
class RunJob : public Job {
 public:
  static constexpr std::size_t kMostCommand = 8192;  // bytes
  static constexpr std::chrono::seconds kTimeout{60};
  // Beyond the command's own time: to log in, and to get its output here over a slow line.
  static constexpr std::chrono::minutes kAround{15};

  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io,
                                                 Arguments arguments);

  struct Wish {
    std::string command;
    base::milliseconds timeout = kTimeout, wait{};
  };
  RunJob(Core& core, Visitor& visitor, JobIo& io, const Arguments& arguments, Wish wish);
  ~RunJob() override;

  void start() override;
  void room() override { push(); }
  void recheck() override;

 private:
  struct Run;
  void begin();
  void conclude(const base::Result<>& result, const std::string& left_open);
  void push();
  std::size_t give(const std::string& bytes, std::size_t from, bool to_err);
  void stop(const base::Error& error);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  auth::Grant grant_;
  std::string device_;
  Wish wish_;
  std::optional<SafeOutput> safe_;  // where the policy wants it on a terminal
  std::shared_ptr<Run> run_;        // also the dialogue's
  std::optional<std::uint64_t> dialogue_;
  bool answered_ = false, over_ = false;
  std::size_t out_given_ = 0, err_given_ = 0;
  base::Life life_;
};

}  // namespace oob::console

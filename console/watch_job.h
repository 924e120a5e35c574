#pragma once

#include <re2/re2.h>

#include <memory>
#include <optional>
#include <string>

#include "base/life.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"
#include "console/recorded_visit.h"
#include "console/safe_output.h"

namespace oob::console {

// `watch D`: what the console says from now on, as a stream: as lines without control sequences, or --raw
// exactly, or --safe with what SafeOutput passes; a policy that wants that has it on a terminal, where a pipe
// stays exact. Ends with the visitor.
class WatchJob : public Job, private Watcher {
 public:
  static constexpr base::milliseconds kQuiet{500};  // after which a line that has not ended is given as it is
  static constexpr std::size_t kMostLine = 16 * 1024;  // what is longer becomes several lines

  WatchJob(Core& core, Visitor& visitor, JobIo& io, const Arguments& arguments);
  ~WatchJob() override;
  void start() override;
  void room() override { pump(); }
  void recheck() override;

 private:
  void more() override { pump(); }
  void told(const std::string& what) override;
  void gone(const std::string& why) override;
  void arrive(const std::string& unrecorded);
  void pump();
  void show(base::Bytes bytes, std::string lines);
  void give_line();
  void stop(const base::Error& error);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  std::string device_;
  bool raw_;
  std::optional<SafeOutput> safe_;
  bool over_ = false;
  std::string line_;  // the beginning of a line that has not ended
  base::Timer quiet_;
  RecordedVisit visit_{core_, visitor_, io_};
  std::unique_ptr<Attachment> attachment_;
  base::Life life_;
};

// `expect D RE`: waits until something new matches, prints that line. A line that has not ended matches too,
// since prompts don't end.
class ExpectJob : public Job, private Watcher {
 public:
  static constexpr std::size_t kMostLine = 16 * 1024;  // what is longer is looked at in pieces of this size

  static constexpr base::milliseconds kQuiet{
      100};  // after which a line that has not ended is taken for a prompt

  // REQUIRES: expression->ok().
  ExpectJob(Core& core, Visitor& visitor, JobIo& io, const Arguments& arguments,
            std::unique_ptr<RE2> expression, base::milliseconds timeout);
  void start() override;
  void recheck() override;

 private:
  void more() override;
  void told(const std::string& what) override;
  void gone(const std::string& why) override;
  void arrive(const std::string& unrecorded);
  void stop(const base::Error& error);
  bool look(base::Bytes bytes);
  bool matches(std::string& text) const;
  void found(std::string text);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  std::string device_;
  std::unique_ptr<RE2> expression_;
  base::milliseconds timeout_;
  bool over_ = false;
  std::string line_;
  base::Timer timer_, quiet_;
  RecordedVisit visit_{core_, visitor_, io_};
  std::unique_ptr<Attachment> attachment_;
  base::Life life_;
};

}  // namespace oob::console

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/life.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"
#include "console/log_reader.h"
#include "console/safe_output.h"

namespace oob::console {

// The options of `log` as a query; Fault::usage where they make none.
base::Result<LogQuery> log_query(const Arguments& arguments, base::Micros now);

// `log D`: what the console said, read from the files on a thread of its own, piece by piece as the visitor
// takes them; --follow goes on with what is said now. --safe is --raw with what SafeOutput passes; a policy
// that wants that has it on a terminal, where a pipe stays exact.
class LogJob : public Job, private Watcher {
 public:
  LogJob(Core& core, Visitor& visitor, JobIo& io, const Arguments& arguments, LogQuery query);

  void start() override;
  void room() override { read(); }
  void recheck() override;

 private:
  struct Reading;  // what the thread works on

  void more() override;
  void told(const std::string& what) override { io_.remark(what); }
  void gone(const std::string& why) override;
  void read();
  void came(Reading& reading);
  void stop(const base::Error& error);
  void finish(int status);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  std::string device_;
  LogQuery query_;
  bool follow_;
  std::optional<SafeOutput> safe_;
  bool reading_ = false, at_end_ = false, more_ = false, over_ = false;
  std::unique_ptr<LogReader> reader_;
  std::unique_ptr<Attachment> attachment_;  // only to be told of more
  base::Life life_;
};

}  // namespace oob::console

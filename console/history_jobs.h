#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/life.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/history.h"
#include "console/job.h"

namespace oob::console {

// What the commands have in common that look at what is kept of configurations. Each needs 'snapshot' on the
// device; what is shown of a file is written down before (file.read).
class HistoryJob : public Job {
 public:
  HistoryJob(Core& core, Visitor& visitor, JobIo& io) : core_(core), visitor_(visitor), io_(io) {}
  void recheck() override;
  void room() override { pour(); }

 protected:
  // Writes down that `file` of `revision` is read, then goes on with `then`; else the job ends.
  void write_down(const std::string& file, const std::string& revision, bool bytes,
                  std::function<void()> then);
  // Prints all of it, as it is taken, and ends the job. `exact`: nothing is taken out of it on a terminal.
  void tell(std::string text, bool exact);
  // Ends the job: a revision was not found, with those that there are.
  void no_such_revision(const base::Error& error);
  void stop(const base::Error& error);
  void finish(int status);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  std::string device_;  // empty: of several
  bool over_ = false;
  base::Life life_;

 private:
  void pour();
  std::string text_;
  std::size_t at_ = 0;
  bool telling_ = false;
};

// `snapshots D`: the revisions of one device or of all that a glob stands for, newest first.
class SnapshotsJob : public HistoryJob {
 public:
  static constexpr std::size_t kLines = 100, kMostLines = 10'000;  // of each device
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  SnapshotsJob(Core& core, Visitor& visitor, JobIo& io, std::vector<std::string> devices, bool as_json,
               std::size_t most);
  void start() override { next(); }

 private:
  void next();
  void add(const std::string& device, const std::vector<History::Revision>& revisions);

  std::deque<std::string> waiting_;
  bool several_, as_json_;
  std::size_t most_;
  std::vector<std::vector<std::string>> rows_;
  std::string json_;
  bool any_ = false;
};

// `show D [FILE]`: one file of a revision, exactly; secrets masked on a terminal.
class ShowJob : public HistoryJob {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  ShowJob(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  void start() override;

 private:
  void choose(const std::vector<History::File>& files);
  void show(const std::string& bytes);

  std::string file_, revision_;
  bool bytes_;
};

// `diff D [REV [REV]]`: a unified diff.
class DiffJob : public HistoryJob {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  DiffJob(Core& core, Visitor& visitor, JobIo& io, History::Diff wish);
  void start() override;

 private:
  void nothing_shown();

  History::Diff wish_;
};

}  // namespace oob::console

#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/life.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"
#include "console/progress_bar.h"
#include "console/snapshots.h"

namespace oob::console {

// `snapshot D …`: pulls the configurations of all devices that a name or glob stands for, several side by
// side, and prints a line for each as soon as it is known; meanwhile how far they are. The exit status is the
// greatest of the devices': 0 stored or unchanged, 1 in quarantine or not to be proved, else a Fault. What
// has not been stored when the visitor leaves is given up, and its device left properly (Snapshots).
class SnapshotJob : public Job {
 public:
  static constexpr std::size_t kAtOnce = 8;  // the board's processor is small
  static constexpr std::chrono::seconds kMostWait{3600};
  static constexpr base::milliseconds kDrawEvery{250}, kTellEvery{500};

  struct Work {
    std::string pattern;
    Puller::Way way = Puller::Way::any;
    base::milliseconds wait{};
    bool accept = false, as_json = false;
    std::vector<std::string> devices;                          // that it is about
    std::vector<std::pair<std::string, base::Error>> refused;  // that may be seen and no more
    std::size_t skipped = 0;                                   // have no model
  };
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io,
                                                 Arguments arguments);

  SnapshotJob(Core& core, Visitor& visitor, JobIo& io, Work work);
  ~SnapshotJob() override;
  void start() override;
  std::size_t typed(base::Bytes bytes) override;
  void resized() override;
  void recheck() override;
  bool wants_keys() const override { return true; }

 private:
  struct UnderWay {
    std::uint64_t number = 0;  // of Snapshots
    base::Clock::time_point told{};
  };
  void fill();
  void begin_one(const std::string& device);
  void progress(const std::string& device, const recipe::Progress& how_far);
  void conclude(const std::string& device, const Snapshots::Outcome& outcome);
  void print(const std::string& text);
  void remark(const std::string& text);
  void draw();
  void draw_soon();
  void give_up(const base::Error& why);
  void finish(int status);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  Work work_;
  std::deque<std::string> waiting_;
  std::map<std::string, UnderWay> under_way_;
  std::optional<ProgressBars> bars_;  // on terminals that can
  base::Timer drawing_;
  std::size_t width_ = 0;  // of the longest name
  int worst_ = kDone;
  bool over_ = false;
  base::Life life_;
};

}  // namespace oob::console

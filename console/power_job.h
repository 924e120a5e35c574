#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/life.h"
#include "console/confirm.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"
#include "console/line_editor.h"

namespace oob::console {

// `power D …`: the state of, or an action on, all devices that a name or glob stands for, at once. Devices
// behind one BMC are one machine to it: an action is done once for all of them. Each device's line is printed
// as soon as it is known. The exit status is the greatest of the devices' faults,
// and 0 when there is none. Where a second person has to approve, one approval is for all of it. What was
// begun goes on when the visitor leaves (Deeds).
class PowerJob : public Job {
 public:
  static constexpr std::size_t kAtOnce = 64;
  static constexpr std::chrono::seconds kAnswer{60};  // for a name that a person is asked to type
  static constexpr std::chrono::seconds kWait{30}, kMostWait{600};

  struct Work {
    std::string pattern;
    std::optional<PowerAction> action;  // none: status
    base::milliseconds wait = kWait;    // for the state to come true
    std::string yes;                    // what --yes named
    bool as_json = false;
    std::vector<std::string> devices;                          // that it acts on
    std::vector<std::pair<std::string, base::Error>> refused;  // that may be seen and no more
    std::size_t skipped = 0;                                   // have no chassis
  };

  // From the words of the command; refuses what needs a --yes on no terminal.
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io,
                                                 Arguments arguments);

  PowerJob(Core& core, Visitor& visitor, JobIo& io, Work work, Confirmation asked);
  void start() override;
  std::size_t typed(base::Bytes bytes) override;
  void ended() override;
  void resized() override;
  void recheck() override;
  bool wants_keys() const override { return true; }

 private:
  void ask();
  void answered(bool yes);
  void seek_approval();
  void begin();
  void fill();
  void begin_one(const std::string& device);
  bool may_begin(const std::string& device);
  std::vector<std::string> take_same_bmc(const std::string& device);
  void conclude(const std::string& device, const base::Result<PowerOutcome>& result);
  void interrupt();
  void finish(int status);
  auth::Action right() const { return work_.action ? auth::Action::power : auth::Action::watch; }

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  Work work_;
  Confirmation asked_;
  std::optional<LineEditor> editor_;  // while a name is being asked for
  std::deque<std::string> waiting_;
  struct UnderWay {
    std::unique_ptr<base::Timer> guard;  // of a question
    std::string by;                      // the device by whose BMC's action it is done
  };
  std::map<std::string, UnderWay> under_way_;
  std::size_t width_ = 0;  // of the longest name
  int worst_ = kDone;
  std::uint64_t sought_ = 0;  // of Approvals, while a second person is waited for
  ApprovalPtr approval_;      // of the whole order
  bool begun_ = false, over_ = false;
  base::Timer answer_;
  base::Life life_;
};

}  // namespace oob::console

#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/life.h"
#include "base/loop.h"
#include "console/chassis.h"
#include "ipmi/link.h"
#include "ipmi/sel.h"
#include "ipmi/sensors.h"

namespace oob::ipmi {

// The system event log of a BMC (IPMI 2.0 rev 1.1, 31): reads it, clears it, and tells what is new in it. One
// thing at a time, the rest waits its turn. Owned by its Station; all from the loop.
class EventLog {
 public:
  using Events = std::vector<console::LogEvent>;
  static constexpr std::size_t kMostRecords = 16384;
  static constexpr std::size_t kMostWaiting = 16;
  static constexpr base::milliseconds kLimit{300'000};         // of one thing
  static constexpr base::milliseconds kNamesPatience{60'000};  // then the events go without names
  static constexpr base::milliseconds kErasePatience{60'000};
  static constexpr base::milliseconds kErasePause{200};

  // `sensors` give names and units.
  EventLog(base::Loop& loop, Link& link, Sensors& sensors);
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // The whole log, oldest first. Errors: as Link::ask(); Fault::failed for a log that can't be read ("record
  // chain loops at 0005h"); Fault::busy when too many wait, or somebody clears the log again and again.
  void read(std::function<void(Result<Events>)> done);

  // Clears the log if `last` still is the id of its last record; an empty log is done at once. Fault::busy:
  // another event came, or somebody else has the log: nothing was cleared. Fault::unavailable: the answer did
  // not come, or the request did not go out; the text says whether the log may have been cleared.
  void clear(unsigned last, std::function<void(Result<>)> done);

  // What came since the last call, oldest first; empty when nothing did, when the BMC does not answer (what
  // is missed comes with the next call) or too many wait. The first call only learns where the log ends.
  // Costs one request when nothing is new. To be called about once a minute.
  void poll(std::function<void(Events)> done);

 private:
  // What Get SEL Info (31.2) says that changes when the log does.
  struct Stamp {
    std::uint16_t entries = 0;
    std::uint32_t addition = 0, erase = 0;
    bool operator==(const Stamp&) const = default;
  };
  // Where the log ended when it was last polled.
  struct End {
    Stamp stamp;
    std::optional<SelRecord> last;  // nothing: the log was empty
  };
  // A chain as it is being read.
  struct Walk {
    std::uint16_t from = 0, id = 0;  // where it began; to be asked for
    std::set<std::uint16_t> seen;
    std::vector<SelRecord> records;
    unsigned restarts = 0;
    std::function<void()> then;
  };
  // One thing to do, and who is told when it fails.
  struct Task {
    std::function<void()> start;
    std::function<void(const base::Error&)> failed;
  };
  enum class OnLost { reserve_again, tell };  // a reservation
  using Answered = std::function<void(const Response&)>;

  void run(Task task);
  void start_front();
  void end_task(std::function<void()> tell);
  void fail_task(base::Error error);
  void fail_task(base::Fault fault, const std::string& why);
  void ask(std::uint8_t command, std::string data, Answered then);
  void ask_info(std::function<void(const Stamp&)> then);
  void ask_entry(std::uint16_t id, OnLost lost, Answered then);
  void reserve(std::function<void()> then);

  void walk(std::uint16_t from, std::function<void()> then);
  void walk_on();
  void entry(const Response& response);
  void chain_broke();
  void with_names(std::function<void(const SensorRecords&)> then);
  Events described(const SensorRecords& sensors) const;

  void check_last(unsigned last, std::function<void()> cleared);
  void erase(std::function<void()> cleared);
  void erasing(const Response& response, std::function<void()> cleared);
  void ask_erasure(std::function<void()> cleared);
  void look_whether_erased(std::function<void()> cleared);

  void learn_end(const Stamp& stamp, std::function<void(Events)> done);
  void read_news(const Stamp& stamp, std::function<void(Events)> done);
  void hand_over(const Stamp& stamp, std::uint16_t from, std::function<void(Events)> done);

  base::Loop& loop_;
  Link& link_;
  Sensors& sensors_;
  std::deque<Task> tasks_;  // the front one is under way
  Walk walk_;
  std::optional<End> end_;
  std::uint16_t reservation_ = 0;
  unsigned reservations_ = 0;        // that were lost in this task
  std::uint8_t entry_bytes_ = 0xff;  // how many to ask for of a record; FFh: all of it
  base::Clock::time_point erase_deadline_;
  base::Timer limit_, names_, pause_;
  base::Life life_;
  base::Life task_life_;  // of the task under way
};

}  // namespace oob::ipmi

#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/disk.h"
#include "base/life.h"
#include "base/result.h"
#include "console/drill.h"

namespace oob::console {

// How the last whole drill went.
struct DrillRecord {
  static constexpr std::size_t kMostFailures = 64;  // that are named
  base::Micros at = 0;                              // wall clock, when it began
  std::string by;
  std::uint64_t passed = 0, failed = 0, skipped = 0;
  struct Failure {
    std::string device;  // empty: it is about the board
    std::string name;    // "edge1 console"
    bool operator==(const Failure&) const = default;
  };
  std::vector<Failure> failures;
  bool is_good() const { return failed == 0 && passed > 0; }
  bool operator==(const DrillRecord&) const = default;
};

// The drill under way, at most one, and what the last whole one said, kept in one file (docs/formats.md,
// "Drill") so that restarts don't postpone the next. A drill is in the journal before anything is typed
// (drill.begin), and its result afterwards (drill.passed, drill.failed, or drill.given_up). Owned by the
// Core.
class Drills {
 public:
  static constexpr std::size_t kMostFile = 64 * 1024;  // bytes
  using Told = Drill::Told;
  // Fault::busy: another one is under way; Fault::journal: nothing was tried.
  using Done = std::function<void(const base::Result<DrillTally>&)>;

  // The disk outlives it.
  Drills(base::Disk& disk, std::string file, Drill::Limits limits = {});
  // What is under way is given up, in the journal too.
  ~Drills();
  Drills(const Drills&) = delete;
  Drills& operator=(const Drills&) = delete;

  // What an earlier run left. Blocks; for start-up. An Error: there is a file, and it is not one of ours; it
  // is as if there were none.
  base::Result<> open();
  void ground(DrillGround ground) { ground_ = std::move(ground); }

  // `told` and `done` come from the loop, `done` once. 0: it did not begin, as `done` says.
  std::uint64_t begin(Core& core, Drill::Order order, Told told, Done done);
  // Whoever wanted it has gone: nothing more is tried. Nothing when it has ended.
  void give_up(std::uint64_t number, const std::string& why);
  void recheck();  // the policy has changed
  bool under_way() const { return run_ != nullptr; }

  const std::optional<DrillRecord>& last() const { return last_; }
  base::Micros every() const { return ground_.every; }
  // When the clock wants the next one, wall clock; 0: it does not. For `status`.
  std::function<base::Micros()> next = [] { return base::Micros{0}; };

 private:
  struct Run;
  void ended(const DrillTally& tally);
  void keep(const DrillTally& tally);
  void save();

  base::Disk& disk_;
  std::string file_;
  Drill::Limits limits_;
  DrillGround ground_;
  std::optional<DrillRecord> last_;
  std::unique_ptr<Run> run_;
  std::uint64_t next_number_ = 1;
  bool writing_ = false, changed_ = false;
  base::Life life_;
};

// The file, and what is in it; nothing when it is not whole.
std::string drill_file(const DrillRecord& record);
std::optional<DrillRecord> read_drill_file(const std::string& text);

// How the last drill went and when the next is due, for `status` and `metrics`. What failed of devices that
// the visitor may not see is counted, not named.
std::string drill_status(const Core& core, const Visitor& visitor);
void drill_status(const Core& core, const Visitor& visitor, boost::json::object& object);
std::string drill_metrics(const Core& core);

}  // namespace oob::console

#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/life.h"
#include "base/result.h"

namespace oob::console {

struct Core;

// On which devices a dialogue has typed something and did not leave them properly yet, kept in one file
// (docs/formats.md, "Visits"): so a daemon that was killed in the middle of one tells at its next start that
// the console may be logged in. Owned by the Core. The disk outlives it.
class VisitsUnderWay {
 public:
  using Done = std::function<void(base::Result<>)>;
  struct Visit {
    std::string doing;       // "alice's snapshot"
    std::string why;         // Console::left_open(), since the last dialogue ended; else empty
    bool under_way = false;  // as far as the file knows
  };
  using Visits = std::map<std::string, Visit>;          // by devices
  static constexpr std::size_t kMostFile = 1 << 20;     // bytes
  static constexpr base::milliseconds kPatience{2000};  // of who waits for begin()

  VisitsUnderWay(base::Disk& disk, std::string file);
  VisitsUnderWay(const VisitsUnderWay&) = delete;
  VisitsUnderWay& operator=(const VisitsUnderWay&) = delete;

  // What an earlier run left. Blocks; for start-up. A line that is damaged is passed over. An Error: there is
  // a file, and it can't be read.
  base::Result<> open();
  // What an earlier run left is LEFT OPEN on the consoles that are there, and once in the journal
  // (console.open). At start, and when devices may have come.
  void tell(Core& core);

  // Something is about to be typed there: `done` once that is on the disk, or why it is not.
  void begin(const std::string& device, const std::string& doing, Done done);
  // That is over. `why` is what Console::left_open() says now; empty: it was left properly.
  void end(const std::string& device, const std::string& why);
  // For Console::left_open(): a person has seen to it.
  std::function<void()> seen_to(const std::string& device);

  const Visits& all() const { return visits_; }
  bool is_written() const { return !writing_; }
  // Gives the disk what it does not have yet. For a stop: nothing calls back.
  void flush();

 private:
  void save();
  void write();

  base::Disk& disk_;
  std::string file_;
  Visits visits_;
  std::set<std::string> before_;  // devices where an earlier run was at work to its end
  std::vector<Done> waiting_;     // for a write that has not begun
  bool writing_ = false, changed_ = false;
  base::Life life_;
};

// The file, and what is in it.
std::string visits_text(const VisitsUnderWay::Visits& visits);
VisitsUnderWay::Visits read_visits(const std::string& text);

}  // namespace oob::console

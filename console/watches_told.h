#pragma once

#include <map>
#include <string>

#include "base/disk.h"
#include "base/life.h"
#include "base/result.h"
#include "console/watch_figures.h"

namespace oob::console {

// What was told last of each watch, kept in one file (docs/formats.md, "Watches"), so that a start in the
// middle of an outage tells neither of its beginning again nor nothing of its end. The disk outlives it.
class WatchesTold {
 public:
  struct Told {
    std::string what;  // the peering, or the addresses: another one of the same name was told nothing of
    WatchState state = WatchState::unknown;
    base::Micros since = 0;  // wall time
    bool operator==(const Told&) const = default;
  };
  using All = std::map<std::string, Told>;           // by the watch's name
  static constexpr std::size_t kMostFile = 1 << 20;  // bytes

  WatchesTold(base::Disk& disk, std::string file);
  // What the disk does not have yet is given to it.
  ~WatchesTold();
  WatchesTold(const WatchesTold&) = delete;
  WatchesTold& operator=(const WatchesTold&) = delete;

  // What an earlier run left. Blocks; for start-up. A line that is damaged is passed over. An Error: there is
  // a file, and it can't be read.
  base::Result<> open();
  const All& all() const { return all_; }
  void tell(const std::string& name, Told told);
  void forget(const std::string& name);

 private:
  void save();
  void write();

  base::Disk& disk_;
  std::string file_;
  All all_;
  bool writing_ = false, changed_ = false;
  base::Life life_;
};

// The file, and what is in it.
std::string watches_told_text(const WatchesTold::All& all);
WatchesTold::All read_watches_told(const std::string& text);

}  // namespace oob::console

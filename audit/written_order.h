#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "audit/retention.h"

namespace oob::audit {

// In which order recordings and segments of transcripts were written, told by the journal: its numbers only
// grow, where a board without a clock dates what it writes after a power cut before all the rest. What it has
// read it keeps, some hundred bytes a file, and reads on from there.
class WrittenOrder {
 public:
  // `journal`: STATE/journal.
  explicit WrittenOrder(std::string journal) : journal_(std::move(journal)) {}

  // Sets the `order` of files, and when recordings were `written` (a redaction writes to them later), by what
  // the journal has before record `end`. One that was there at the first
  // call and of which the journal has nothing (retention has shortened it, or it began anew) is older than
  // all others, and one that came since (the journal could not be written) is newer. Blocks; for one thread
  // at a time.
  void place(std::vector<KeptFile>& files, std::uint64_t end);

 private:
  using Key =
      std::pair<std::string, std::uint64_t>;  // "r" and the id, or "t" and the device; where it begins
  using Keys = std::set<Key>;

  static Key key_of(const KeptFile& file);
  void read(const Keys& listed, std::uint64_t end);
  void take(const std::string& line, std::uint64_t n, const Keys& listed);

  std::string journal_;
  std::uint64_t next_ = 0;  // the record to go on with
  bool first_ = true;
  Keys before_;  // that were there at the first call
  struct Told {
    std::uint64_t order = 0;  // 1 + the last record that tells of it
    base::Micros wall = 0;
  };
  std::map<Key, Told> found_;
};

}  // namespace oob::audit

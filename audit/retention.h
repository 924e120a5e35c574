#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/journal.h"
#include "base/disk.h"
#include "base/life.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::audit {

class WrittenOrder;

// One file that may be removed one day.
struct KeptFile {
  enum class Kind { recording, transcript, journal };
  Kind kind = Kind::recording;
  std::string name;                // a recording's id; the device of a transcript
  std::string path;                // absolute
  std::uint64_t from = 0, to = 0;  // of a transcript: offsets; of the journal: `from` is its first record
  std::uint64_t bytes = 0;
  base::Micros written = 0;  // when it was last written to, by the clock of then
  // Of recordings and transcripts: what has more is newer (WrittenOrder).
  static constexpr std::uint64_t kNoOrder = 0, kNewest = ~std::uint64_t{0};
  std::uint64_t order = kNoOrder;
  bool pinned = false;  // live, held, or the newest of its transcript or of the journal: stays

  // Something but the clock tells which files of its group are older.
  bool is_ordered() const { return kind != Kind::recording || (order != kNoOrder && order != kNewest); }
};

struct KeptFiles {
  std::vector<KeptFile> files;  // of each kind and device the oldest first
  std::uint64_t holds = 0;
  std::string trouble;  // the first folder that could not be read
};

// What is below a state folder (docs/formats.md). Blocks.
KeptFiles list_kept(const std::string& state);

struct RetentionRules {
  // Of all recordings; of each device's transcript; of the journal.
  struct Kind {
    base::Micros keep = 0;    // 0: for ever
    std::uint64_t most = 0;   // bytes; 0: any
    std::uint64_t floor = 0;  // bytes of the newest that a full disk does not take
  };
  Kind recordings, transcripts, journal;
};

struct Victim {
  KeptFile file;
  std::string_view why;  // "age", "size", "disk", as the journal has it
};

// What has to go, in this order: what is too old at `now` (0: the clock can't be told, nothing is), what is
// too much, and then the oldest recordings and segments above their floors until `wanted` bytes are free.
// Which is older is told by `order`, then by the clock. A file that is ordered is taken for written no sooner
// than those before it; a date before 2020 or after `now` is none, and then that of the next one counts.
// Pure.
std::vector<Victim> choose(const std::vector<KeptFile>& files, const RetentionRules& rules, base::Micros now,
                           std::uint64_t wanted);

// Removes files, one at a time, off the loop. Each is read, and its record with the SHA-256 of what was there
// is on the disk and has its checkpoint, before it goes; where the journal can't take that, nothing is
// removed.
class Retention {
 public:
  static constexpr std::size_t kMostARound = 64;  // files
  static constexpr std::uint64_t kMostBytesARound = std::uint64_t{1} << 30;

  struct Options {
    std::string state;
    // Journal::drop_oldest, which writes its record itself; empty: the journal is never shortened.
    std::function<void(std::function<void(base::Result<>)>)> drop_journal;
  };
  struct Totals {
    std::uint64_t recordings = 0, segments = 0, journal_files = 0;  // removed since the start
    std::uint64_t bytes = 0;                                        // that they had
    std::uint64_t holds = 0;                                        // there now
  };

  // All outlive it; its end ends the round before the next file.
  Retention(base::Blocking& blocking, auth::Journal& journal, Options options);
  ~Retention();
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;

  // A round; `done` tells how many files went, and whether more would have to. REQUIRES: !running().
  void run(const RetentionRules& rules, base::Micros now, std::uint64_t wanted,
           std::function<void(std::size_t removed, bool more)> done);
  bool running() const { return running_; }
  const Totals& totals() const { return totals_; }
  // Why the last round could not do all; empty while all is well.
  const std::string& trouble() const { return trouble_; }

 private:
  void next();
  void remove_journal_file();
  void write_down(const std::string& sum);
  void seal();
  void unlink();
  void gone();
  void spare(const std::string& why);
  void end();

  base::Blocking& blocking_;
  auth::Journal& journal_;
  Options options_;
  std::shared_ptr<WrittenOrder> order_;  // of the round that runs
  bool running_ = false, more_ = false;
  std::vector<Victim> victims_;
  std::size_t at_ = 0, removed_ = 0;
  std::function<void(std::size_t, bool)> done_;
  Totals totals_;
  std::string trouble_, found_trouble_;
  base::Life life_;
};

}  // namespace oob::audit

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "auth/signed_note.h"
#include "base/disk.h"
#include "base/loop.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::auth {

class JournalDisk;

// When an entry came, taken once so that waiting for the disk does not show in it.
struct JournalStamp {
  base::Micros wall = 0;
  std::int64_t mono = 0;  // CLOCK_MONOTONIC in µs
  static JournalStamp now();
};

// One event of the audit trail. Values are texts or whole numbers; texts must be printable (base::printable)
// where any part came from a peer or device. The journal adds n, t, mono and boot by itself.
struct Entry {
  explicit Entry(std::string event) : ev(std::move(event)) {}
  Entry& with(std::string key, std::string value) &;
  Entry&& with(std::string key, std::string value) &&;
  Entry& with(std::string key, std::int64_t value) &;
  Entry&& with(std::string key, std::int64_t value) &&;

  std::string ev;
  std::map<std::string, std::variant<std::string, std::int64_t>> fields;
};

// The audit trail: canonical JSON lines below DIR/journal/, the leaves of a Merkle tree whose root is signed
// (docs/formats.md, "Journal" and "Seal of the journal"), appended in order by the disk thread.
class Journal {
 public:
  static constexpr std::uint64_t kMostUnsealed = 16;  // records; then there is a checkpoint
  static constexpr std::chrono::milliseconds kSealAfter{1000};

  struct Options {
    std::uint64_t reserve = 16 << 20;  // bytes of STATE/journal/reserve, let go when the disk is full
    std::chrono::milliseconds new_key_after = std::chrono::hours(24);
    std::function<JournalStamp()> now = JournalStamp::now;  // for tests whose clock is set
    // Where the files can't be opened: open() gives a journal all the same, whose commits fail with
    // trouble(), whose notes wait within their bounds, and which is opened as soon as that can be done.
    bool opens_later = false;
    std::chrono::milliseconds open_again_after{3000};
  };

  static constexpr std::chrono::seconds kPatience{10};  // with the disk, for a commit

  // Continues where the last run ended: a torn last line is cut off and said. Blocks; for start-up.
  // Fault::journal: it can be neither gone on with nor begun anew.
  static base::Result<std::unique_ptr<Journal>> open(base::Loop& loop, base::Disk& disk,
                                                     std::string directory, Options options);
  static base::Result<std::unique_ptr<Journal>> open(base::Loop& loop, base::Disk& disk,
                                                     std::string directory);
  // The same on a disk that may fail: for tests.
  static base::Result<std::unique_ptr<Journal>> open(base::Loop& loop, base::Disk& disk,
                                                     std::string directory, Options options,
                                                     std::shared_ptr<JournalDisk> files);
  // Hands what was noted to the disk thread; commits not yet answered never are.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Written soon, in order, and on the disk within some seconds. While writing fails, 256 of them are kept
  // and written later; the rest are lost, and an entry "gap" then tells how many.
  void note(Entry entry);
  // `done` gets success once the entry is on the disk (fdatasync); several waiting ones share a sync. On
  // Fault::journal the entry is not there, and what it tells of must not be done. At most 1024 may wait.
  void commit(Entry entry, std::function<void(base::Result<>)> done);

  // Empty while all is well, else why the last write failed ("journal: No space left on device"), or why it
  // is not open yet.
  std::string trouble() const;
  // False while it has to be opened later: nothing was read, so that vkey() is empty and written() is 0.
  bool is_open() const;
  // What open() cut off after the last whole record: for the entry that notes the start.
  std::int64_t dropped_bytes() const;

  // A checkpoint over all that was noted and committed before this call, once it is on the disk; the newest
  // there is where nothing has come since. Fault::journal: it can't be written or signed.
  void seal(std::function<void(base::Result<Checkpoint>)> done);
  // The newest that is on the disk; empty before the first.
  const std::optional<SignedNote>& checkpoint() const;
  std::string vkey() const;  // of the key that signs now
  // Why this start began a new life of the journal ("12 records that were signed are missing: …"); empty when
  // it went on with the one that was there, or there was none.
  const std::string& loss() const;
  // `what` runs on the loop when written() has grown, at most some times a second, and when trouble() has
  // begun or is over. For followers and exporters, which read by JournalReader, and no further than
  // written(). Ends with the handle.
  using Handle = std::shared_ptr<void>;
  [[nodiscard]] Handle on_growth(std::function<void()> what);
  // Records that are in the files, and that are synced. What is behind them may still go.
  std::uint64_t written() const;

  // Removes the oldest file of records, once the record `retention` that tells of it is on the disk, and the
  // checkpoints that can't be checked without it. It is read by `blocking`. An error where it is the newest,
  // or has records that no checkpoint on the disk covers. One at a time.
  void drop_oldest(base::Blocking& blocking, std::function<void(base::Result<>)> done);
  // Bytes of STATE/journal/reserve that a full disk has left.
  std::uint64_t reserve_left() const;

 private:
  struct State;
  explicit Journal(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace oob::auth

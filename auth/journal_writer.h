#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "auth/journal_start.h"

namespace oob::auth {

struct JournalItem {
  Entry entry;
  JournalStamp stamp;
  std::function<void(base::Result<>)> done;  // of a commit
  bool rotates = false;                      // key.rotate; its `next` is added when it is written
  std::uint64_t number = 0;                  // in the order in which they came
};

// What is written together.
struct JournalBatch {
  std::vector<JournalItem> items;
  std::uint64_t lost = 0;  // told by the gap entry at its end
  bool sync = false;
  base::Result<> result;
};

// STATE/journal/reserve: room on the disk for when there is none. Belongs to the disk thread.
class JournalReserve {
 public:
  JournalReserve(JournalDisk& disk, std::string folder, std::uint64_t wanted);
  std::uint64_t left() const { return left_; }
  // Lets go of at least so many bytes; false when nothing is left.
  bool give(std::uint64_t bytes);
  // Fills it up again when there is room. Looks every 30 s.
  void tend();

 private:
  void fill(std::uint64_t room_wanted);

  JournalDisk& disk_;
  std::string folder_;
  std::uint64_t wanted_, left_ = 0;
  JournalDisk::File file_;
  std::chrono::steady_clock::time_point looked_{};
};

// The disk thread's side of the journal. Numbers are given here and only for good when all of a batch is in
// the file, so that a failure leaves neither a hole nor a double. A checkpoint is signed only over records
// whose sync succeeded, and those are never written again.
class JournalWriter {
 public:
  static constexpr std::uint64_t kMostFile = 16 << 20;  // bytes; the next record begins a new file

  // What the loop's side shows of it.
  struct Progress {
    std::uint64_t synced = 0, reserve = 0;
    bool due = false;       // there is a checkpoint to write at once
    bool unsealed = false;  // something has no checkpoint
    SignedNote checkpoint;
    std::string vkey;
    std::uint64_t notes_bytes = 0;  // of whole checkpoints in their file
  };
  // What is left of the checkpoints without those of records that are gone.
  struct Cut {
    JournalDisk::File file;   // checkpoints.new; none where there is nothing to cut
    std::uint64_t bytes = 0;  // that were cut off
    std::uint64_t upto = 0;   // of the old file, which is in the new one
  };

  JournalWriter(std::shared_ptr<JournalDisk> disk, std::string state, JournalLife life, std::string boot,
                std::uint64_t reserve);

  base::Result<> write(JournalBatch& batch);
  // Checkpoints over what is due, or over everything there is.
  base::Result<> seal(bool everything);
  // The record that has to be on the disk before the oldest file of a folder may go; `to`: the record after
  // its last. `sealed`: so many records have a checkpoint. Reads whole files; for any thread, as what it
  // reads is not written any more.
  static base::Result<Entry> oldest(const std::string& folder, std::uint64_t sealed, std::uint64_t& to);
  // Writes the checkpoints of more than `to` records, and always the newest, of the first `upto` bytes of the
  // file anew beside it. For any thread, like oldest(): checkpoints are only added to.
  static base::Result<Cut> cut_notes(JournalDisk& disk, const std::string& folder, std::uint64_t to,
                                     std::uint64_t upto);
  // Removes the files, and then has what was cut, and what came since, take the checkpoints' place.
  base::Result<> remove_before(std::uint64_t to, Cut& cut);
  Progress progress() const;

 private:
  struct Plan {
    Checkpoint checkpoint;
    bool rotates = false;
  };

  bool prepare_key(JournalItem& item);
  std::string lines_of(JournalBatch& batch, std::uint64_t& count, JournalStamp& last, bool& rotates);
  int attempt(const std::string& lines, bool sync);
  int ready();
  int mend();
  int begin();
  int sync();
  void absorb(base::Bytes lines);
  void plan(bool rotates);
  base::Result<> seal_planned();
  int write_notes(const std::string& text);
  int take_notes(Cut& cut);
  // Runs it again, with more of the reserve let go each time, as long as the disk is full.
  int with_room(std::uint64_t bytes, const std::function<int()>& what);

  std::shared_ptr<JournalDisk> disk_;
  std::string state_, folder_, boot_, origin_;
  JournalReserve reserve_;

  JournalDisk::File records_;
  std::uint64_t synced_bytes_ = 0;  // of the current file
  std::string pending_;             // lines behind them that may not be on the disk yet
  std::uint64_t pending_count_ = 0;
  bool torn_ = false;                 // more than that may be in the file
  bool again_ = false;                // the lines of pending_ have to be written again, as their sync failed
  MerkleTree tree_;                   // over what is synced
  std::optional<JournalStamp> last_;  // of this boot

  JournalDisk::File notes_;
  std::uint64_t notes_bytes_ = 0;
  bool notes_torn_ = false;
  std::deque<Plan> plans_;
  std::uint64_t planned_ = 0;  // the size of the newest that was planned or written
  SignedNote newest_;

  std::optional<NoteSigner> signer_, next_;
  std::optional<NoteKey> key_;
  std::optional<std::uint64_t> rotation_;  // the size after the key.rotate that is under way
  bool promotes_ = false;                  // next_ signs already, and has to take the file of the key
  bool next_written_ = false;              // next_ is in its file
};

}  // namespace oob::auth

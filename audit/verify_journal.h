#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/verify.h"
#include "audit/verify_checkpoints.h"
#include "auth/journal_reader.h"
#include "auth/merkle.h"

namespace oob::audit {

// What a later life tells of the one before it.
struct LostLife {
  std::string folder, by;    // "journal.lost-1"; the place of the record that tells
  std::string why;           // it ended
  std::string origin, root;  // of its newest checkpoint; `root` is 32 raw bytes
  std::uint64_t size = 0;    // 0: it had no whole checkpoint, and nothing proves what it holds
};

// One life of the journal: a folder of records and their checkpoints. The records that tell of files outside
// are given to `record` with their place, as soon as it is known whether they are `sealed`: in the newest
// life by a checkpoint that fits, in a lost one by what the life after it tells. Others may be anybody's.
class Life {
 public:
  using Taker = std::function<void(const auth::Record& record, const std::string& place, bool sealed)>;

  // `lost`: null for the newest.
  Life(const VerifyOptions& options, VerifyReport& report, std::vector<Anchor>& anchors, std::string folder,
       const LostLife* lost, Taker record);

  // Fault::failed with nothing found: it was stopped. Fault::missing and others: it can't be read at all.
  base::Result<> check();

  std::uint64_t first() const { return first_; }
  bool trusted() const { return trusted_; }
  std::uint64_t unsealed() const;
  const std::string& origin() const { return origin_; }
  std::string vkey() const { return key_ ? key_->text() : ""; }
  const std::optional<auth::Checkpoint>& newest() const { return newest_; }  // that fits
  const std::optional<auth::Record>& oldest() const { return oldest_; }      // record that is left

 private:
  using Place = auth::JournalReader::Place;
  void find(Finding::Kind kind, const std::string& text, const Place* place = nullptr);
  std::string at(const Place& place) const;
  base::Result<> resume();
  void take_key(const std::string* vkey, const Place& place);
  void judge(const std::string& line, const Place& place);
  void order(const auth::Record& record, const Place& place);
  void sessions(const auth::Record& record, const Place& place);
  void meet(const Place& place);
  void sign(const auth::SignedNote& note, const Place& place);
  void release(bool sealed);
  void finish(const Place& place);
  void judge_tail(const Place& place);
  void judge_lost();

  const VerifyOptions& options_;
  VerifyReport& report_;
  std::vector<Anchor>& anchors_;
  std::string folder_, path_;
  const LostLife* lost_;
  Taker record_;
  std::vector<std::pair<auth::Record, std::string>> waiting_;  // for release()
  CheckpointFile checkpoints_;
  auth::MerkleTree tree_;
  std::uint64_t first_ = 0, sealed_size_ = 0;
  std::optional<auth::NoteKey> key_;
  std::string next_;  // the vkey of a key.rotate, in force from the next record on
  std::string origin_;
  std::optional<auth::Checkpoint> newest_;
  std::optional<auth::Record> oldest_, last_;
  std::optional<std::uint64_t> resumed_by_;  // the record of the retention that the tree goes on from
  std::vector<std::string> boots_;
  std::uint64_t off_ = 0;            // by how much the numbers of records are wrong just now
  std::deque<std::int64_t> recent_;  // times of the records of the last second
  std::vector<std::pair<std::int64_t, std::uint64_t>> open_;  // sessions, and the records that opened them
  bool sealed_ = true, trusted_ = false, differs_ = false, proven_ = false;
};

}  // namespace oob::audit

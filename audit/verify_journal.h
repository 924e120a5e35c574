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

// One life of the journal: a folder of records and their checkpoints. Each record that parses is given to
// `record` with its place.
class Life {
 public:
  using Taker = std::function<void(const auth::Record& record, const std::string& place)>;

  Life(const VerifyOptions& options, VerifyReport& report, std::vector<Anchor>& anchors, std::string folder,
       Taker record);

  // Fault::failed with nothing found: it was stopped. Fault::missing and others: it can't be read at all.
  base::Result<> check();

  std::uint64_t first() const { return first_; }
  bool sealed() const { return sealed_; }  // false: it is of a time before there was a seal
  bool trusted() const { return trusted_; }
  std::uint64_t unsealed() const;
  const std::string& origin() const { return origin_; }
  std::string vkey() const { return key_ ? key_->text() : ""; }
  const std::optional<auth::Checkpoint>& newest() const { return newest_; }    // that fits
  const std::optional<auth::Checkpoint>& written() const { return written_; }  // that is there
  // Of the first record: what it says of the life before.
  const std::optional<auth::Record>& begin() const { return begin_; }

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
  void finish(const Place& place);

  const VerifyOptions& options_;
  VerifyReport& report_;
  std::vector<Anchor>& anchors_;
  std::string folder_, path_;
  Taker record_;
  CheckpointFile checkpoints_;
  auth::MerkleTree tree_;
  std::uint64_t first_ = 0, sealed_size_ = 0;
  std::optional<auth::NoteKey> key_;
  std::string next_;  // the vkey of a key.rotate, in force from the next record on
  std::string origin_;
  std::optional<auth::Checkpoint> newest_, written_;
  std::optional<auth::Record> begin_, last_;
  std::vector<std::string> boots_;
  std::uint64_t off_ = 0;            // by how much the numbers of records are wrong just now
  std::deque<std::int64_t> recent_;  // times of the records of the last second
  std::vector<std::pair<std::int64_t, std::uint64_t>> open_;  // sessions, and the records that opened them
  bool sealed_ = true, trusted_ = false, differs_ = false;
};

}  // namespace oob::audit

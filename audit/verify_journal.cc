#include "audit/verify_journal.h"

#include <algorithm>
#include <cstdlib>

#include "audit/verify_files.h"
#include "audit/verify_snapshots.h"
#include "auth/journal_events.h"

namespace oob::audit {

using auth::Checkpoint;
using auth::NoteKey;
using auth::Record;
using auth::SignedNote;
using base::fail;
using base::Fault;
using base::Result;
using base::str;
using Kind = Finding::Kind;

namespace {

// docs/formats.md, "Seal of the journal": 16 records and those of a second may wait for a checkpoint, and
// never more than so many together, whatever time they claim to be of.
constexpr std::uint64_t kMostUnsealed = 16, kMostLate = 4096;
// What a checkpoint takes at the most that the daemon is writing just now.
constexpr std::uint64_t kMostTornNote = 1024;
constexpr std::int64_t kSealAfter = 1'000'000;  // microseconds
constexpr std::int64_t kStep = 500'000;         // microseconds that the clock may be off unsaid
constexpr std::uint64_t kProgressEvery = 1024;  // records
constexpr std::size_t kMostBoots = 100'000;     // remembered
constexpr std::size_t kMostSessions = 100'000;  // open at once
constexpr std::string_view kBegin = "journal.begin";

}  // namespace

Life::Life(const VerifyOptions& options, VerifyReport& report, std::vector<Anchor>& anchors,
           std::string folder, const LostLife* lost, Taker record)
    : options_(options),
      report_(report),
      anchors_(anchors),
      folder_(std::move(folder)),
      path_(str(options.state, "/", folder_)),
      lost_(lost),
      record_(std::move(record)),
      checkpoints_(path_ + "/checkpoints") {}

std::uint64_t Life::unsealed() const { return tree_.size() - sealed_size_; }

std::string Life::at(const Place& place) const {
  return place.file.empty() ? folder_ : str(folder_, "/", place.file, ":", place.line);
}

void Life::find(Kind kind, const std::string& text, const Place* place) {
  Finding finding{kind, place ? at(*place) : folder_, std::nullopt, text};
  if (place) finding.n = place->n;
  report_.add(std::move(finding));
}

Result<> Life::check() {
  Result<std::unique_ptr<auth::JournalReader>> reader = auth::JournalReader::open(path_);
  if (!reader) return reader.error();
  first_ = (*reader)->first();
  sealed_size_ = first_;
  if (first_ > 0) {
    Result<> resumed = resume();
    if (!resumed) return resumed.error();
  }
  std::string line;
  Place place;
  meet(place);
  while (true) {
    Result<bool> next = (*reader)->next(line, place);
    if (!next) {
      find(Kind::missing, next.error().what);
      break;
    }
    if (!*next) {
      // While we read, more may have been written: records first, and then the checkpoint over them.
      const SignedNote* note = checkpoints_.peek();
      if (!note || note->checkpoint.size <= tree_.size()) break;
      next = (*reader)->next(line, place);
      if (!next || !*next) break;
    }
    judge(line, place);
    if (tree_.size() % kProgressEvery == 0 && options_.progress &&
        !options_.progress((*reader)->bytes_read(), (*reader)->bytes(), "journal"))
      return fail(Fault::failed, "stopped");
  }
  if ((*reader)->torn() > 0 && !options_.daemon)
    find(Kind::note, str((*reader)->torn(), " bytes after the last record are none: torn off by a crash"));
  finish(place);
  return {};
}

// Where files were removed, the tree goes on from what the record of that says.
Result<> Life::resume() {
  Result<std::unique_ptr<auth::JournalReader>> reader = auth::JournalReader::open(path_);
  if (!reader) return reader.error();
  std::string line;
  Place place;
  while (true) {
    Result<bool> next = (*reader)->next(line, place);
    if (!next || !*next) break;
    if (line.find("\"ev\":\"retention\"") == std::string::npos) continue;
    Result<Record> record = Record::parse(line);
    if (!record || record->ev != "retention") continue;
    const std::string* kind = record->text("kind");
    const std::string* tree = record->text("tree");
    if (!kind || *kind != "journal" || !tree ||
        record->number("to") != std::optional<std::int64_t>(static_cast<std::int64_t>(first_)))
      continue;
    std::vector<std::string> subtrees;
    bool right = true;
    base::split(*tree, ' ', [&](std::string_view root) {
      subtrees.emplace_back();
      right = right && unhex(root, subtrees.back());
    });
    Result<auth::MerkleTree> resumed = auth::MerkleTree::resume(first_, std::move(subtrees));
    if (right && resumed) tree_ = std::move(*resumed);
    if (!right || !resumed)
      find(Kind::altered, "the tree of what was removed is none of that many records", &place);
    take_key(record->text("vkey"), place);
    resumed_by_ = place.n;
    find(Kind::note, str("records before ", first_, " were removed as being old"), &place);
    return {};
  }
  find(Kind::missing, str("the records before ", first_, " are missing, and no retention tells why"));
  for (std::uint64_t bit = 0; bit < 64; ++bit)  // a tree that fits nothing, of the right size
    if (first_ >> bit & 1) {
      std::vector<std::string> none(static_cast<std::size_t>(__builtin_popcountll(first_)),
                                    std::string(32, '\0'));
      if (auto resumed = auth::MerkleTree::resume(first_, std::move(none))) tree_ = std::move(*resumed);
      break;
    }
  differs_ = true;
  return {};
}

void Life::take_key(const std::string* vkey, const Place& place) {
  if (!vkey) return find(Kind::altered, "has no key", &place);
  Result<NoteKey> key = NoteKey::parse(*vkey);
  if (!key) return find(Kind::altered, str("its key: ", key.error().what), &place);
  if (key_ && key->name() != origin_)
    return find(Kind::altered, str("its key is of another journal, ", base::printable(key->name(), 100)),
                &place);
  origin_ = key->name();
  key_ = std::move(*key);
}

void Life::judge(const std::string& line, const Place& place) {
  Result<Record> record = Record::parse(line);
  if (!record) {
    find(Kind::altered, str("is no record: ", record.error().what), &place);
    last_.reset();
  } else {
    order(*record, place);
    if (place.n == 0) {
      if (record->ev == kBegin && record->number("format") == std::optional<std::int64_t>(1)) {
        take_key(record->text("vkey"), place);
        const std::string* origin = record->text("origin");
        if (!origin || *origin != origin_) find(Kind::altered, "its origin is not its key's", &place);
      } else if (lost_ && lost_->size == 0 && !checkpoints_.there() && record->ev != kBegin) {
        sealed_ = false;
      } else {
        find(Kind::altered, "is not the journal.begin that a journal begins with", &place);
      }
    }
    sessions(*record, place);
    if (BoundFiles::concerns(*record) || BoundSnapshots::concerns(*record))
      waiting_.emplace_back(*record, at(place));
    if (!oldest_) oldest_ = *record;
  }
  tree_.add(line);
  ++report_.records;
  meet(place);
  if (record && record->ev == "key.rotate") {
    const SignedNote* later = checkpoints_.peek();
    if (sealed_size_ != tree_.size() && later && !differs_)
      find(Kind::missing, "the checkpoint of exactly the records up to this one is missing", &place);
    take_key(record->text("next"), place);
  }
  if (record) last_ = std::move(*record);
}

void Life::order(const Record& record, const Place& place) {
  if (last_ && record.boot != last_->boot) recent_.clear();
  recent_.push_back(record.mono);
  while (record.mono - recent_.front() > kSealAfter) recent_.pop_front();
  if (record.n - place.n != off_) {
    off_ = record.n - place.n;
    if (off_ != 0) find(Kind::altered, str("has the number ", record.n, ", not ", place.n), &place);
  }
  if (!auth::is_journal_event(record.ev))
    find(Kind::altered,
         str("no version of oobd that this one knows writes '", base::printable(record.ev, 60), "'"), &place);
  if (!last_) return;
  if (record.boot != last_->boot) {
    if (std::find(boots_.begin(), boots_.end(), record.boot) != boots_.end())
      find(Kind::altered, "is of a boot that had ended", &place);
    if (boots_.size() < kMostBoots) boots_.push_back(last_->boot);
    return;
  }
  if (record.mono < last_->mono) find(Kind::altered, "is of a time before the record before it", &place);
  std::int64_t moved = (record.wall - last_->wall) - (record.mono - last_->mono);
  if (std::abs(moved) > kStep && record.ev != "clock.step" && last_->ev != "clock.step")
    find(Kind::altered, str("the clock moved by ", moved / 1000, " ms and no clock.step says so"), &place);
}

// Each session that was opened is closed, unless the daemon had no time to write that down.
void Life::sessions(const Record& record, const Place& place) {
  std::optional<std::int64_t> number = record.number("session");
  if (record.ev == "session.open" && number && open_.size() < kMostSessions) {
    open_.emplace_back(*number, place.n);
  } else if (record.ev == "session.close" && number) {
    std::erase_if(open_, [&](const auto& one) { return one.first == *number; });
  } else if (record.ev == "gap") {
    open_.clear();  // a close may be among what was lost
  } else if (record.ev == "stop") {
    for (const auto& [session, opened] : open_)
      find(Kind::missing,
           str("the daemon stopped, and the end of session ", session, " (record ", opened,
               ") was not written"),
           &place);
    open_.clear();
  } else if (record.ev == "start") {
    open_.clear();  // without a stop before: a crash ended them
  }
}

// What was signed, and what somebody remembers, of exactly the records so far.
void Life::meet(const Place& place) {
  while (const SignedNote* note = checkpoints_.peek()) {
    if (note->checkpoint.size > tree_.size()) break;
    sign(*note, place);
    checkpoints_.take();
  }
  if (lost_ && lost_->size == tree_.size() && lost_->origin == origin_ && lost_->root == tree_.root()) {
    proven_ = true;
    release(true);
  }
  auto anchor = std::lower_bound(anchors_.begin(), anchors_.end(), tree_.size(),
                                 [](const Anchor& one, std::uint64_t size) { return one.size < size; });
  if (anchor == anchors_.end() || anchor->size != tree_.size()) return;
  std::string root = tree_.root();
  for (; anchor != anchors_.end() && anchor->size == tree_.size(); ++anchor)
    if (anchor->root == root && (anchor->origin.empty() || anchor->origin == origin_)) anchor->fits = true;
}

void Life::sign(const SignedNote& note, const Place& place) {
  const Checkpoint& checkpoint = note.checkpoint;
  ++report_.checkpoints;
  // Of what retention removed, maybe with the key before; a later one holds that too.
  if (first_ > 0 && checkpoint.size <= first_) return;
  Finding finding{Kind::altered, str(folder_, "/checkpoints: no. ", checkpoints_.number() + 1), std::nullopt,
                  ""};
  auto wrong = [&](const std::string& text) {
    finding.text = str("the checkpoint of ", checkpoint.size, " records ", text);
    report_.add(finding);
  };
  if (!key_ || checkpoint.origin != origin_ || note.key_name != origin_)
    return wrong(str("is of another journal, ", base::printable(checkpoint.origin, 100)));
  if (note.key_id != key_->id() || !note.verify(*key_))
    return wrong("does not have the signature of the key that was in force");
  if (checkpoint.size < tree_.size()) return wrong("comes after one of more records");
  if (checkpoint.root != tree_.root()) {
    if (differs_) return;  // once said, for all that follow
    differs_ = true;
    std::uint64_t from = newest_ ? newest_->size : first_;
    Kind kind = Kind::altered;
    Finding records{kind, at(place), place.n, ""};
    records.text = from + 1 == checkpoint.size ? str("record ", from, " is not the one that was signed")
                                               : str("among the records ", from, " to ", checkpoint.size - 1,
                                                     " are some that are not those that were signed");
    return report_.add(std::move(records));
  }
  newest_ = checkpoint;
  sealed_size_ = checkpoint.size;
  if (std::find(options_.keys.begin(), options_.keys.end(), *key_) != options_.keys.end()) trusted_ = true;
  if (!lost_) release(true);
}

void Life::release(bool sealed) {
  for (const auto& [record, place] : waiting_) record_(record, place, sealed);
  waiting_.clear();
}

void Life::finish(const Place& place) {
  if (const SignedNote* note = checkpoints_.peek()) {
    std::uint64_t most = note->checkpoint.size;
    bool signed_here = key_ && note->verify(*key_);
    for (; (note = checkpoints_.peek()); checkpoints_.take()) {
      ++report_.checkpoints;
      most = std::max(most, note->checkpoint.size);
    }
    find(Kind::missing,
         str("there are checkpoints of up to ", most, " records, and only ", tree_.size(),
             " records: the last ", most - tree_.size(), " are missing",
             signed_here ? "" : " (or the checkpoints are not of this journal)"),
         tree_.size() > first_ ? &place : nullptr);
  }
  if (std::uint64_t left = checkpoints_.left(); left > (options_.daemon ? kMostTornNote : 0))
    report_.add({Kind::altered, folder_ + "/checkpoints", std::nullopt,
                 str("after ", checkpoints_.number(), " checkpoints come ", left, " bytes that are none",
                     checkpoints_.fault().empty() ? "" : ": ", checkpoints_.fault())});
  if (!sealed_) {
    find(Kind::note, "was written before there was a seal, and proves nothing");
  } else if (!checkpoints_.there() || (!newest_ && !differs_)) {
    find(Kind::missing, checkpoints_.there() ? "has no checkpoint that fits" : "has no checkpoints");
  }
  judge_tail(place);
  if (lost_) judge_lost();
  if (!options_.keys.empty() && !trusted_)
    find(Kind::altered, str("no key that was given signed it; its own is ", vkey()));
  for (Anchor& anchor : anchors_)
    if (anchor.size < first_ && (anchor.origin.empty() || anchor.origin == origin_)) anchor.too_old = true;
  release(false);
}

// The last records, which no checkpoint holds.
void Life::judge_tail(const Place& place) {
  std::uint64_t late = unsealed() - std::min<std::uint64_t>(unsealed(), recent_.size());
  bool many = late > kMostUnsealed || unsealed() > kMostLate;
  if (sealed_ && many && !differs_ && !options_.daemon)
    find(Kind::unsealed,
         str("the last ", unsealed(), " records have no checkpoint; a crash leaves so at most ",
             kMostUnsealed, ", and those of one second, and never more than ", kMostLate),
         &place);
  if (resumed_by_ && *resumed_by_ >= sealed_size_ && sealed_)
    find(Kind::unsealed,
         str("records before ", first_, " are missing, and the retention that tells why (record ",
             *resumed_by_, ") has no checkpoint"));
}

void Life::judge_lost() {
  if (lost_->size == 0)
    return find(Kind::note,
                str("nothing proves what it holds: ", lost_->by, " knows of no checkpoint of it"));
  if (proven_ && (!newest_ || newest_->size == lost_->size)) return;
  bool fewer = !proven_ && lost_->size > tree_.size();
  report_.add({fewer ? Kind::missing : Kind::altered, lost_->by, 0,
               str("tells of another end of ", folder_, " than it has: of ", lost_->size, " records",
                   fewer ? str(", of which the last ", lost_->size - tree_.size(), " are missing") : "")});
}

}  // namespace oob::audit

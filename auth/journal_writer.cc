#include "auth/journal_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "auth/journal_line.h"
#include "auth/journal_names.h"
#include "auth/journal_walk.h"
#include "base/log.h"
#include "base/sha256.h"

namespace oob::auth {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::int64_t kClockStep = 500'000;  // µs that the wall clock may stray from one record to the next
constexpr std::size_t kMostPending = 4 << 20;  // bytes that wait for a sync
// Records that do. With a batch before and behind them they stay below what formats.md allows without a seal.
constexpr std::uint64_t kMostPendingCount = 1024;
constexpr std::size_t kMostWholeFile = 64 << 20;

bool is_full(int error) { return error == ENOSPC || error == EDQUOT; }

Result<> result_of(int error) {
  if (error == 0) return {};
  return journal_error(error);
}

}  // namespace

JournalWriter::JournalWriter(std::shared_ptr<JournalDisk> disk, std::string state, JournalLife life,
                             std::string boot, std::uint64_t reserve)
    : disk_(std::move(disk)),
      state_(std::move(state)),
      folder_(state_ + "/journal"),
      boot_(std::move(boot)),
      origin_(std::move(life.origin)),
      reserve_(*disk_, folder_, reserve),
      records_(std::move(life.records)),
      synced_bytes_(life.records_size),
      tree_(std::move(life.tree)),
      notes_(std::move(life.checkpoints)),
      notes_bytes_(life.checkpoints_size),
      planned_(life.checkpoint.checkpoint.size),
      newest_(std::move(life.checkpoint)),
      signer_(std::move(life.signer)),
      next_(std::move(life.next)),
      key_(std::move(life.key)),
      next_written_(next_.has_value()) {
  if (life.boot == boot_) last_ = life.last;
  if (life.rotation) {
    rotation_ = life.rotation->size;
    plans_.push_back({std::move(*life.rotation), true});
    planned_ = *rotation_;
  }
  reserve_.tend();
}

Result<> JournalWriter::write(JournalBatch& batch) {
  if (batch.items.empty()) return batch.sync ? result_of(sync()) : Result<>();
  std::uint64_t count = 0;
  JournalStamp last = last_.value_or(JournalStamp{});
  bool rotates = false;
  std::string lines = lines_of(batch, count, last, rotates);
  if (lines.empty()) return {};
  bool sync = batch.sync || rotates || pending_.size() > kMostPending || pending_count_ >= kMostPendingCount;
  int error = with_room(lines.size(), [&] { return attempt(lines, sync); });
  if (error == 0) {
    last_ = last;
    if (!sync) {
      pending_ += lines;
      pending_count_ += count;
    }
  } else if (rotates) {
    rotation_.reset();
  }
  reserve_.tend();
  return result_of(error);
}

// The next key has to be on the disk before the record that names it.
bool JournalWriter::prepare_key(JournalItem& item) {
  if (rotation_ || promotes_) return false;
  if (!next_) {
    Result<NoteSigner> made = NoteSigner::make();
    if (!made) return false;
    next_ = std::move(*made);
    next_written_ = false;
  }
  if (!next_written_) {
    next_written_ = with_room(4096, [this] { return write_next_key(*disk_, state_, *next_); }) == 0;
    if (!next_written_) return false;
  }
  item.entry.with("next", NoteKey::of(origin_, next_->public_key()).text());
  return true;
}

std::string JournalWriter::lines_of(JournalBatch& batch, std::uint64_t& count, JournalStamp& last,
                                    bool& rotates) {
  std::string lines;
  bool any = last_.has_value();
  std::uint64_t number = tree_.size() + pending_count_;
  for (JournalItem& item : batch.items) {
    if (item.rotates && !prepare_key(item)) continue;
    JournalStamp stamp = item.stamp;
    if (any) {
      stamp.mono = std::max(stamp.mono, last.mono);
      std::int64_t by = (stamp.wall - last.wall) - (stamp.mono - last.mono);
      if (std::abs(by) > kClockStep)
        lines += journal_line(Entry("clock.step").with("by", by), stamp, number + count++, boot_);
    }
    if (item.rotates) {
      rotates = true;
      rotation_ = number + count + 1;
    }
    lines += journal_line(item.entry, stamp, number + count++, boot_);
    last = stamp;
    any = true;
  }
  return lines;
}

int JournalWriter::attempt(const std::string& lines, bool sync) {
  int error = ready();
  if (error != 0) return error;
  std::uint64_t whole = synced_bytes_ + pending_.size();
  error = disk_->write(records_, lines, whole);
  if (error != 0) {
    torn_ = true;
  } else if (sync) {
    error = disk_->sync(records_);
    // The kernel may take what it could not write for written: only what is written again is sure.
    if (error != 0) torn_ = again_ = true;
  }
  if (error != 0) {
    mend();  // else it is tried before the next write
    return error;
  }
  if (!sync) return 0;
  synced_bytes_ = whole + lines.size();
  absorb(std::exchange(pending_, {}));
  pending_count_ = 0;
  absorb(lines);
  return 0;
}

int JournalWriter::mend() {
  if (torn_) {
    std::uint64_t whole = again_ ? synced_bytes_ : synced_bytes_ + pending_.size();
    if (int error = disk_->truncate(records_, whole); error != 0) return error;
    torn_ = false;
  }
  if (again_) {
    int error = disk_->write(records_, pending_, synced_bytes_);
    torn_ = error != 0;
    again_ = error != 0;
    return error;
  }
  return 0;
}

int JournalWriter::ready() {
  if (int error = mend(); error != 0) return error;
  if (records_ && synced_bytes_ + pending_.size() < kMostFile) return 0;
  if (int error = sync(); error != 0) return error;
  return begin();
}

int JournalWriter::begin() {
  JournalDisk::File file;
  // It can be there already, empty, when the first write into it failed.
  if (int error = disk_->open(str(folder_, "/", journal_name(tree_.size())), file); error != 0) return error;
  struct stat status;
  if (::fstat(file.fd.get(), &status) < 0) return errno;
  if (status.st_size != 0) return EEXIST;  // somebody else wrote it
  if (int error = disk_->sync_folder(folder_); error != 0) return error;
  records_ = std::move(file);
  synced_bytes_ = 0;
  // Only for a quick start: without it, or with half of it, everything is read.
  const std::optional<NoteKey> key =
      rotation_ && *rotation_ <= tree_.size() ? NoteKey::of(origin_, next_->public_key()) : *key_;
  JournalDisk::File tree;
  if (disk_->open(str(folder_, "/", tree_name(tree_.size())), tree) == 0 && disk_->truncate(tree, 0) == 0)
    disk_->write(tree, tree_text({tree_, key}), 0);
  return 0;
}

int JournalWriter::sync() {
  if (int error = with_room(pending_.size(), [this] { return mend(); }); error != 0) return error;
  if (!records_ || pending_.empty()) return 0;
  if (int error = disk_->sync(records_); error != 0) {
    torn_ = again_ = true;
    mend();
    return error;
  }
  synced_bytes_ += pending_.size();
  absorb(std::exchange(pending_, {}));
  pending_count_ = 0;
  return 0;
}

void JournalWriter::absorb(Bytes lines) {
  while (!lines.empty()) {
    std::size_t end = lines.find('\n');
    tree_.add(lines.substr(0, end));
    lines.remove_prefix(end + 1);
    if (rotation_ == tree_.size())
      plan(true);
    else if (tree_.size() - planned_ >= Journal::kMostUnsealed)
      plan(false);
  }
}

void JournalWriter::plan(bool rotates) {
  plans_.push_back({{origin_, tree_.size(), tree_.root()}, rotates});
  planned_ = tree_.size();
}

Result<> JournalWriter::seal(bool everything) {
  if (everything) {
    if (int error = with_room(pending_.size(), [this] { return sync(); }); error != 0)
      return journal_error(error);
    if (tree_.size() > planned_) plan(false);
  }
  Result<> sealed = seal_planned();
  // One over everything says as much as all between; only the last one of a key has its place.
  if (!sealed && plans_.size() > 1) {
    std::deque<Plan> kept;
    for (Plan& one : plans_) {
      if (one.rotates || &one == &plans_.back()) kept.push_back(std::move(one));
    }
    plans_ = std::move(kept);
  }
  reserve_.tend();
  return sealed;
}

Result<> JournalWriter::seal_planned() {
  while (!plans_.empty() || promotes_) {
    if (promotes_) {
      if (int error = with_room(4096, [this] { return promote_next_key(*disk_, state_); }); error != 0)
        return journal_error(error, "journal_key");
      promotes_ = false;
    }
    std::string text;
    std::size_t signs = 0;
    SignedNote last;
    bool rotates = false;
    while (signs < plans_.size() && !rotates) {
      Result<SignedNote> note = signer_->sign(plans_[signs].checkpoint);
      if (!note) return note.error();
      text += note->text();
      rotates = plans_[signs++].rotates;
      last = std::move(*note);
    }
    if (signs == 0) break;
    if (int error = with_room(text.size(), [&] { return write_notes(text); }); error != 0)
      return journal_error(error, "journal: checkpoint");
    newest_ = std::move(last);
    plans_.erase(plans_.begin(), plans_.begin() + static_cast<std::ptrdiff_t>(signs));
    if (rotates) {
      signer_ = std::exchange(next_, std::nullopt);
      key_ = NoteKey::of(origin_, signer_->public_key());
      rotation_.reset();
      next_written_ = false;
      promotes_ = true;
    }
  }
  return {};
}

int JournalWriter::write_notes(const std::string& text) {
  if (notes_torn_) {
    if (int error = disk_->truncate(notes_, notes_bytes_); error != 0) return error;
    notes_torn_ = false;
  }
  int error = disk_->write(notes_, text, notes_bytes_);
  if (error == 0) error = disk_->sync(notes_);
  if (error == 0) {
    notes_bytes_ += text.size();
    return 0;
  }
  notes_torn_ = disk_->truncate(notes_, notes_bytes_) != 0;
  return error;
}

int JournalWriter::with_room(std::uint64_t bytes, const std::function<int()>& what) {
  int error = what();
  for (std::uint64_t more = bytes; is_full(error) && reserve_.give(more); more *= 2) error = what();
  return error;
}

Result<Entry> JournalWriter::oldest(const std::string& folder, std::uint64_t sealed, std::uint64_t& to) {
  Result<std::vector<std::uint64_t>> files = journal_numbers(folder);
  if (!files) return files.error();
  if (files->size() < 2) return fail(Fault::failed, "journal: its only file is not removed");
  std::uint64_t from = files->front();
  to = (*files)[1];
  if (to > sealed)
    return fail(Fault::failed, str("journal: no checkpoint covers the records before ", to, " yet"));
  std::string name = journal_name(from);
  Result<std::string> text = read_small_file(str(folder, "/", name), kMostWholeFile);
  if (!text) return text.error();
  // What a file beside it says is only believed when the next one agrees.
  Result<JournalPlace> next = read_tree(folder, to);
  for (bool quick : {true, false}) {
    Result<JournalPlace> place = from == 0 ? Result<JournalPlace>(JournalPlace{})
                                 : quick   ? read_tree(folder, from)
                                           : find_retained(folder, from);
    if (!place) continue;
    base::split(Bytes(*text).substr(0, text->size() - !text->empty()), '\n', [&](std::string_view line) {
      place->tree.add(line);
      bool begins = line.find("\"ev\":\"journal.begin\"") != line.npos;
      if (!begins && line.find("\"ev\":\"key.rotate\"") == line.npos) return;
      Result<Record> record = Record::parse(line);
      const std::string* vkey = record ? record->text(begins ? "vkey" : "next") : nullptr;
      if (vkey) {
        if (Result<NoteKey> key = NoteKey::parse(*vkey)) place->key = std::move(*key);
      }
    });
    if (place->tree.size() != to || !place->key) continue;
    if (quick && from > 0 && (!next || next->tree.root() != place->tree.root())) continue;
    std::string subtrees;
    for (const std::string& subtree : place->tree.subtrees())
      subtrees += str(subtrees.empty() ? "" : " ", base::hex(subtree));
    return Entry("retention")
        .with("kind", "journal")
        .with("from", static_cast<std::int64_t>(from))
        .with("to", static_cast<std::int64_t>(to))
        .with("bytes", static_cast<std::int64_t>(text->size()))
        .with("sha256", base::hex(base::sha256(*text)))
        .with("vkey", place->key->text())
        .with("tree", subtrees);
  }
  return fail(Fault::failed, str("journal: ", name, " is not as it was written, so it is not removed"));
}

Result<> JournalWriter::remove_before(std::uint64_t to, Cut& cut) {
  Result<std::vector<std::uint64_t>> files = journal_numbers(folder_);
  if (!files) return files.error();
  int error = 0;
  for (std::uint64_t first : *files) {
    if (first >= to || error != 0) break;
    error = disk_->unlink(str(folder_, "/", tree_name(first)));
    if (error == 0) error = disk_->unlink(str(folder_, "/", journal_name(first)));
  }
  if (error == 0) error = disk_->sync_folder(folder_);
  if (error == 0 && cut.file) error = take_notes(cut);
  reserve_.tend();
  return result_of(error);
}

Result<JournalWriter::Cut> JournalWriter::cut_notes(JournalDisk& disk, const std::string& folder,
                                                    std::uint64_t to, std::uint64_t upto) {
  constexpr std::size_t kPiece = 64 * 1024;  // holds many notes
  Cut cut;
  JournalDisk::File old;
  std::string path = folder + "/checkpoints", piece;
  if (int error = disk.open(path, old); error != 0) return journal_error(error, path);
  for (bool more = true; more;) {
    piece.resize(std::min<std::uint64_t>(kPiece, upto - cut.bytes));
    if (int error = disk.read(old, piece, cut.bytes); error != 0) return journal_error(error, path);
    std::size_t at = 0, size = 0;
    for (more = false; at < piece.size(); at += size, more = true) {
      Result<SignedNote> note = SignedNote::parse(Bytes(piece).substr(at), size);
      if (note && note->checkpoint.size <= to && cut.bytes + at + size < upto) continue;
      // What was cut short by the piece's end comes with the next; what is no note stays for who verifies.
      more = !note && at > 0 && cut.bytes + piece.size() < upto;
      break;
    }
    cut.bytes += at;
  }
  if (cut.bytes == 0) return cut;
  cut.upto = upto;
  int error = disk.open(path + ".new", cut.file);
  if (error == 0) error = disk.truncate(cut.file, 0);
  for (std::uint64_t at = cut.bytes; at < upto && error == 0; at += piece.size()) {
    piece.resize(std::min<std::uint64_t>(kPiece, upto - at));
    error = disk.read(old, piece, at);
    if (error == 0) error = disk.write(cut.file, piece, at - cut.bytes);
  }
  if (error == 0) error = disk.sync(cut.file);
  if (error == 0) return cut;
  disk.unlink(path + ".new");
  return journal_error(error, path + ".new");
}

// At any moment the one file or the other is there whole under the name.
int JournalWriter::take_notes(Cut& cut) {
  std::string more(notes_bytes_ - cut.upto, '\0');
  int error = disk_->read(notes_, more, cut.upto);
  if (error == 0 && !more.empty()) error = disk_->write(cut.file, more, cut.upto - cut.bytes);
  if (error == 0 && !more.empty()) error = disk_->sync(cut.file);
  if (error == 0) error = disk_->rename(cut.file.path, notes_.path);
  if (error != 0) {
    disk_->unlink(cut.file.path);
    return is_full(error) ? 0 : error;  // then with a later file
  }
  // What is written from here on goes into the new file, so that its name has to be there to stay.
  cut.file.path = notes_.path;
  notes_ = std::move(cut.file);
  notes_bytes_ -= cut.bytes;
  notes_torn_ = false;
  return disk_->sync_folder(folder_);
}

JournalWriter::Progress JournalWriter::progress() const {
  return {tree_.size(),
          reserve_.left(),
          !plans_.empty() || promotes_,
          !plans_.empty() || promotes_ || tree_.size() > planned_ || !pending_.empty(),
          newest_,
          key_->text(),
          notes_bytes_};
}

}  // namespace oob::auth

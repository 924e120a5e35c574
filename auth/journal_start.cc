#include "auth/journal_start.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "auth/journal_line.h"
#include "auth/journal_names.h"
#include "auth/journal_walk.h"

namespace oob::auth {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostKey = 4096;
constexpr std::size_t kTail = 64 * 1024;  // of the checkpoints: holds some hundred

// Text that is secret, wiped when it goes.
struct Secret {
  std::string text;
  ~Secret() { OPENSSL_cleanse(text.data(), text.size()); }
};

std::optional<NoteSigner> read_key(const std::string& path) {
  Result<std::string> read = read_small_file(path, kMostKey);
  if (!read) return {};
  Secret pem{std::move(*read)};
  Result<NoteSigner> key = NoteSigner::from_pem(pem.text);
  if (!key) return {};
  return std::move(*key);
}

bool is_key(const std::optional<NoteSigner>& signer, const std::optional<NoteKey>& key) {
  return signer && key && NoteKey::of(key->name(), signer->public_key()) == *key;
}

bool exists(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0;
}

std::uint64_t size_of(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

std::uint64_t life_of(std::string_view origin) {
  std::uint64_t life = 0;
  std::size_t slash = origin.rfind('/');
  return slash != origin.npos && base::parse_number(origin.substr(slash + 1), life) ? life : 0;
}

// The newest whole note of a file, and where it ends. Fault::failed: there is none.
Result<SignedNote> newest_note(const std::string& path, std::uint64_t& end) {
  std::uint64_t size = size_of(path), from = size - std::min<std::uint64_t>(size, kTail);
  base::Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  std::string tail(size - from, '\0');
  ssize_t got = file ? ::pread(file.get(), tail.data(), tail.size(), static_cast<off_t>(from)) : 0;
  tail.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  for (std::size_t at = tail.size(); at-- > 0;) {
    if (at > 0 ? tail[at - 1] != '\n' : from > 0) continue;
    std::size_t length = 0;
    Result<SignedNote> note = SignedNote::parse(base::Bytes(tail).substr(at), length);
    if (!note) continue;
    end = from + at + length;
    return note;
  }
  return fail(Fault::failed, "nothing of it was ever sealed");
}

std::string board_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  std::string board = std::string(name).substr(0, 64);
  for (char& c : board) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (!plain) c = '-';
  }
  return board.empty() ? "board" : board;
}

class Start {
 public:
  Start(JournalDisk& disk, const std::string& state, const std::string& boot, const JournalStamp& now)
      : disk_(disk),
        state_(state),
        folder_(state + "/journal"),
        fresh_(state + "/journal.new"),
        boot_(boot),
        now_(now) {}

  Result<JournalLife> run() {
    if (Result<> own = own_folder(); !own) return own.error();
    bool finished = false;
    if (!exists(folder_) && is_whole_birth()) {
      if (int error = put_in_place(); error != 0) return journal_error(error, fresh_);
      finished = true;
    }
    if (is_empty()) {
      std::uint64_t lost = highest_lost();
      bool had = lost > 0 || exists(state_ + "/journal_key");
      if (std::string stranger = find_stranger(); !stranger.empty())
        return bear(lost + 2, str("its folder had no records, but ", stranger), true);
      return bear(lost + 1, had ? "its folder was empty or missing" : "", false);
    }
    Result<JournalLife> life = go_on(finished);
    if (life || life.error().fault == Fault::journal) return life;
    std::uint64_t end = 0, of = 0;
    if (Result<SignedNote> newest = newest_note(folder_ + "/checkpoints", end)) {
      previous_ = newest->checkpoint;
      of = life_of(newest->checkpoint.origin);
    }
    std::uint64_t number = std::max(of, highest_lost() + 1);
    return bear(number + 1, life.error().what, true);
  }

 private:
  Result<> own_folder() {
    struct stat status;
    if (::lstat(folder_.c_str(), &status) < 0)
      return errno == ENOENT ? Result<>() : Result<>(journal_error(errno, folder_));
    if (!S_ISDIR(status.st_mode)) return fail(Fault::journal, str(folder_, ": not a folder"));
    if (status.st_mode & 077) return fail(Fault::journal, str(folder_, ": others can get in; chmod 0700 it"));
    // What can't be looked into may have records: it is not taken for empty.
    base::Fd look(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return look ? Result<>() : Result<>(journal_error(errno, folder_));
  }

  // Nothing was ever written into it.
  bool is_empty() const {
    if (size_of(folder_ + "/checkpoints") > 0) return false;
    Result<std::vector<std::uint64_t>> files = journal_numbers(folder_);
    if (!files) return true;
    return std::all_of(files->begin(), files->end(), [this](std::uint64_t first) {
      return size_of(str(folder_, "/", journal_name(first))) == 0;
    });
  }

  // What a folder without records has beside what clear() takes away (lost+found, the tree of a file that is
  // gone); empty where there is nothing. It can be a sign of what was there, so the folder is kept.
  std::string find_stranger() const {
    std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder_.c_str()), ::closedir);
    if (!open) return "";
    std::string first;
    while (const dirent* entry = ::readdir(open.get())) {
      std::string_view name = entry->d_name;
      std::uint64_t number = 0;
      bool records = name.ends_with(".jsonl") &&
                     base::parse_number(name.substr(0, name.size() - 6), number) &&
                     journal_name(number) == name;
      if (name == "." || name == ".." || name == "checkpoints" || name == "reserve" || records) continue;
      if (first.empty() || name < first) first = name;
    }
    return base::printable(first);
  }

  // A life was born whole, and a crash came before it had its place.
  bool is_whole_birth() const {
    std::uint64_t end = 0;
    Result<SignedNote> note = newest_note(fresh_ + "/checkpoints", end);
    std::optional<NoteSigner> key = read_key(state_ + "/journal_key.next");
    return note && key && note->verify(NoteKey::of(note->checkpoint.origin, key->public_key()));
  }

  std::uint64_t highest_lost() const {
    std::uint64_t highest = 0, number = 0;
    DIR* open = ::opendir(state_.c_str());
    if (!open) return 0;
    constexpr std::string_view kLost = "journal.lost-";
    while (dirent* entry = ::readdir(open)) {
      std::string_view name = entry->d_name;
      if (name.starts_with(kLost) && base::parse_number(name.substr(kLost.size()), number))
        highest = std::max(highest, number);
    }
    ::closedir(open);
    return highest;
  }

  Result<JournalWalk> walk(const Checkpoint& seal) {
    Result<std::vector<std::uint64_t>> files = journal_numbers(folder_);
    if (!files) return files.error();
    if (files->empty()) return fail(Fault::failed, str(seal.size, " records that were signed are missing"));
    std::uint64_t newest = files->back(), oldest = files->front();
    if (newest > 0 && seal.size > newest) {
      if (Result<JournalPlace> place = read_tree(folder_, newest)) {
        Result<JournalWalk> quick = walk_journal(folder_, std::move(*place), seal.size);
        if (quick && quick->root == seal.root && quick->root_key && quick->root_key->name() == seal.origin)
          return quick;
      }
    }
    JournalPlace from;
    if (oldest > 0) {
      Result<JournalPlace> retained = find_retained(folder_, oldest);
      if (!retained) return retained.error();
      from = std::move(*retained);
    }
    return walk_journal(folder_, std::move(from), seal.size);
  }

  // Fault::failed: it can't be gone on with, and why.
  Result<JournalLife> go_on(bool finished) {
    JournalLife life;
    Result<SignedNote> newest = newest_note(folder_ + "/checkpoints", life.checkpoints_size);
    if (!newest) return newest.error();
    const Checkpoint& seal = newest->checkpoint;
    Result<JournalWalk> walked = walk(seal);
    if (!walked) return fail(Fault::failed, walked.error().what);
    JournalWalk& walk = *walked;
    life.tree = std::move(walk.place.tree);
    if (seal.size > life.tree.size())
      return fail(Fault::failed, str(seal.size - life.tree.size(), " records that were signed are missing: ",
                                     life.tree.size(), " of ", seal.size, " are there"));
    if (walk.root != seal.root)
      return fail(Fault::failed, str("the first ", seal.size, " records are not those that were signed"));
    if (!walk.root_key || !newest->verify(*walk.root_key))
      return fail(Fault::failed, "the newest checkpoint is not signed by the journal's key");
    life.origin = seal.origin;
    if (Result<> keys = find_keys(walk, seal.size, life); !keys) return keys.error();
    std::string file = str(folder_, "/", walk.file);
    std::uint64_t torn = size_of(file) - walk.whole;
    if (torn > kMostJournalTorn)
      return fail(
          Fault::journal,
          str(file, ": the last ", torn,
              " bytes are no journal records: more than a crash tears, so nothing was changed; look at "
              "the disk, then move the file away"));
    life.dropped = static_cast<std::int64_t>(torn);
    life.records_size = walk.whole;
    life.checkpoint = std::move(*newest);
    if (walk.last) {
      life.boot = walk.last->boot;
      life.last = {walk.last->wall, walk.last->mono};
    }
    if (finished && walk.begin && walk.begin->text("why")) life.loss = *walk.begin->text("why");
    if (int error = settle(file, life); error != 0) return journal_error(error, folder_);
    return life;
  }

  Result<> find_keys(JournalWalk& walk, std::uint64_t sealed, JournalLife& life) {
    std::optional<NoteSigner> key = read_key(state_ + "/journal_key"),
                              next = read_key(state_ + "/journal_key.next");
    if (walk.rotation && sealed < walk.rotation->size) {
      if (!is_key(key, walk.old_key) || !is_key(next, walk.place.key))
        return fail(Fault::failed, "the key that signs it is missing, or another one");
      life.rotation = std::move(walk.rotation);
      life.rotation->origin = life.origin;
      life.key = walk.old_key;
    } else {
      if (!is_key(key, walk.place.key)) {
        if (!is_key(next, walk.place.key))
          return fail(Fault::failed, "the key that signs it is missing, or another one");
        if (int error = promote_next_key(disk_, state_); error != 0)
          return journal_error(error, "journal_key");
        key = std::move(next);
        next.reset();
      }
      life.key = walk.place.key;
    }
    life.signer = std::move(key);
    life.next = std::move(next);
    return {};
  }

  // What the last run left may be in the kernel's memory only: nothing is signed that is not on the disk.
  int settle(const std::string& file, JournalLife& life) {
    int error = disk_.open(file, life.records);
    if (error == 0 && life.dropped > 0) error = disk_.truncate(life.records, life.records_size);
    if (error == 0) error = disk_.sync(life.records);
    std::string notes = folder_ + "/checkpoints";
    if (error == 0) error = disk_.unlink(notes + ".new");  // a crash came before it took its place
    bool torn = size_of(notes) > life.checkpoints_size;
    if (error == 0) error = disk_.open(notes, life.checkpoints);
    if (error == 0 && torn) error = disk_.truncate(life.checkpoints, life.checkpoints_size);
    if (error == 0) error = disk_.sync(life.checkpoints);
    if (error == 0) error = disk_.sync_folder(folder_);
    return error;
  }

  // A new life, all of it written before it takes its place. `keep`: the folder that is there is kept.
  Result<JournalLife> bear(std::uint64_t number, const std::string& why, bool keep) {
    JournalLife life;
    Result<NoteSigner> key = NoteSigner::make();
    if (!key) return key.error();
    std::string id = base::hex(NoteKey::of("", key->public_key()).id());
    life.origin = str(board_name(), "/oobd/", id, "/", number);
    life.key = NoteKey::of(life.origin, key->public_key());
    std::string kept = keep ? str("journal.lost-", number - 1) : "";
    Entry entry("journal.begin");
    entry.with("format", 1).with("origin", life.origin).with("vkey", life.key->text());
    if (!why.empty()) entry.with("why", base::printable(why));
    if (!kept.empty()) entry.with("kept", kept);
    if (previous_) {
      entry.with("previous", previous_->origin)
          .with("lost_size", static_cast<std::int64_t>(previous_->size))
          .with("lost_root", base::base64(previous_->root));
    }
    std::string line = journal_line(entry, now_, 0, boot_);
    life.tree.add(base::Bytes(line).substr(0, line.size() - 1));
    Result<SignedNote> note = key->sign({life.origin, 1, life.tree.root()});
    if (!note) return note.error();
    if (int error = write_birth(*key, line, note->text(), life); error != 0)
      return journal_error(error, fresh_);
    if (keep) {
      int error = disk_.rename(folder_, state_ + "/" + kept);
      if (error == 0) error = disk_.sync_folder(state_);
      if (error != 0) return journal_error(error, folder_);
    } else if (int error = clear(folder_); error != 0) {
      return journal_error(error, folder_);
    }
    int error = put_in_place();
    if (error == 0) error = promote_next_key(disk_, state_);
    if (error != 0) return journal_error(error, folder_);
    life.records.path = str(folder_, "/", journal_name(0));
    life.checkpoints.path = folder_ + "/checkpoints";
    life.records_size = line.size();
    life.checkpoint = std::move(*note);
    life.checkpoints_size = life.checkpoint.text().size();
    life.signer = std::move(*key);
    life.boot = boot_;
    life.last = now_;
    life.loss = why;
    life.born = true;
    return life;
  }

  int write_birth(const NoteSigner& key, const std::string& line, const std::string& note,
                  JournalLife& life) {
    int error = write_next_key(disk_, state_, key);
    if (error == 0) error = clear(fresh_);
    if (error == 0) error = disk_.make_folder(fresh_);
    if (error == 0) error = disk_.open(str(fresh_, "/", journal_name(0)), life.records);
    if (error == 0) error = disk_.write(life.records, line, 0);
    if (error == 0) error = disk_.sync(life.records);
    if (error == 0) error = disk_.open(fresh_ + "/checkpoints", life.checkpoints);
    if (error == 0) error = disk_.write(life.checkpoints, note, 0);
    if (error == 0) error = disk_.sync(life.checkpoints);
    if (error == 0) error = disk_.sync_folder(fresh_);
    return error;
  }

  // Takes away what a birth that a crash ended, or a folder without a record, may have.
  int clear(const std::string& folder) {
    Result<std::vector<std::uint64_t>> files = journal_numbers(folder);
    if (!files) return 0;
    int error = 0;
    for (std::uint64_t first : *files) {
      if (error == 0) error = disk_.unlink(str(folder, "/", journal_name(first)));
    }
    for (const char* name : {"/checkpoints", "/reserve"}) {
      if (error == 0) error = disk_.unlink(folder + name);
    }
    return error;
  }

  int put_in_place() {
    int error = disk_.rename(fresh_, folder_);
    return error == 0 ? disk_.sync_folder(state_) : error;
  }

  JournalDisk& disk_;
  std::string state_, folder_, fresh_, boot_;
  JournalStamp now_;
  std::optional<Checkpoint> previous_;
};

}  // namespace

int write_next_key(JournalDisk& disk, const std::string& state, const NoteSigner& key) {
  Result<std::string> pem = key.pem();
  if (!pem) return ENOMEM;
  Secret secret{std::move(*pem)};
  std::string path = state + "/journal_key.next";
  JournalDisk::File file;
  int error = disk.unlink(path);
  if (error == 0) error = disk.open(path, file);
  if (error == 0) error = disk.write(file, secret.text, 0);
  if (error == 0) error = disk.sync(file);
  if (error == 0) error = disk.sync_folder(state);
  return error;
}

int promote_next_key(JournalDisk& disk, const std::string& state) {
  int error = disk.rename(state + "/journal_key.next", state + "/journal_key");
  return error == 0 ? disk.sync_folder(state) : error;
}

Result<JournalLife> start_journal(JournalDisk& disk, const std::string& state, const std::string& boot,
                                  const JournalStamp& now) {
  return Start(disk, state, boot, now).run();
}

}  // namespace oob::auth

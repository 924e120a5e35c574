#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>

#include "auth/journal.h"
#include "auth/journal_disk.h"
#include "tests/auth/journal_check.h"

namespace oob::auth {
namespace {

namespace fs = std::filesystem;

// Real files, and beside them what a power cut would leave of them: of a file what was synced, of a folder
// the names that were synced. Counts what changes anything; one of these fails, or is the last that happens.
class PowerDisk : public JournalDisk {
 public:
  explicit PowerDisk(std::string root) : root_(std::move(root)) {}

  int fail_at = -1, fail_with = EIO;
  int cut_at = -1;
  std::atomic<int> count{0};
  std::atomic<bool> off{false};

  // What of the last unsynced write into each file came to the disk all the same.
  enum class Unsynced { nothing, half, all, zeroes };

  int open(const std::string& path, File& file) override {
    bool made = !fs::exists(path);
    if (int error = made ? step() : 0; error != 0) return error;
    int error = JournalDisk::open(path, file);
    if (error == 0) inode_[path] = id(file);
    return error;
  }
  int write(File& file, base::Bytes bytes, std::uint64_t at) override {
    int error = step();
    if (error == 0 || fails_here()) {
      if (error != 0) bytes = bytes.substr(0, bytes.size() / 2);
      EXPECT_EQ(JournalDisk::write(file, bytes, at), 0);
    }
    return error;
  }
  int sync(File& file) override {
    int error = step();
    if (error == 0) durable_[id(file)] = read(file);
    return error;
  }
  int truncate(File& file, std::uint64_t size) override {
    int error = step();
    return error == 0 ? JournalDisk::truncate(file, size) : error;
  }
  int allocate(File& file, std::uint64_t size) override {
    int error = step();
    return error == 0 ? JournalDisk::allocate(file, size) : error;
  }
  int rename(const std::string& from, const std::string& to) override {
    int error = step();
    return error == 0 ? JournalDisk::rename(from, to) : error;
  }
  int unlink(const std::string& path) override {
    int error = fs::exists(path) ? step() : 0;
    return error == 0 ? JournalDisk::unlink(path) : error;
  }
  int make_folder(const std::string& path) override {
    int error = step();
    return error == 0 ? JournalDisk::make_folder(path) : error;
  }
  int sync_folder(const std::string& path) override {
    int error = step();
    if (error == 0) names_[inode_of(path)] = names_in(path);
    return error;
  }
  std::uint64_t room(const std::string&) override { return 1 << 30; }

  // Makes below `to` what is there after the power came back. `names`: those that were never synced came to
  // the disk all the same, as most file systems have it after some seconds.
  void restore(const std::string& to, Unsynced unsynced, bool names) {
    restore_folder(root_, inode_of(root_), to, unsynced, names);
  }

 private:
  int step() {
    if (off) return EIO;
    int now = count++;
    if (now == cut_at) off = true;
    return off ? EIO : now == fail_at ? fail_with : 0;
  }
  // A write that fails has written a part; one that the power cut ended may have as well.
  bool fails_here() const { return count - 1 == fail_at || count - 1 == cut_at; }

  static ino_t id(const File& file) {
    struct stat status;
    return ::fstat(file.fd.get(), &status) == 0 ? status.st_ino : 0;
  }
  static ino_t inode_of(const std::string& path) {
    struct stat status;
    return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
  }
  static std::string read(File& file) {
    return test::read_file("/proc/self/fd/" + std::to_string(file.fd.get()));
  }
  static std::map<std::string, ino_t> names_in(const std::string& folder) {
    std::map<std::string, ino_t> names;
    for (const auto& entry : fs::directory_iterator(folder))
      names[entry.path().filename()] = inode_of(entry.path());
    return names;
  }

  // Every file and folder that was seen, by inode, wherever it is now.
  void restore_folder(const std::string& now, ino_t folder, const std::string& to, Unsynced unsynced,
                      bool all_names) {
    fs::create_directories(to);
    fs::permissions(to, fs::perms::owner_all);
    std::map<std::string, ino_t> names =
        all_names && fs::exists(now) && inode_of(now) == folder ? names_in(now) : names_[folder];
    std::map<ino_t, std::string> where;
    for (const auto& entry : fs::recursive_directory_iterator(root_))
      where[inode_of(entry.path())] = entry.path();
    for (const auto& [name, inode] : names) {
      std::string path = where.contains(inode) ? where[inode] : "";
      if (!path.empty() && fs::is_directory(path)) {
        restore_folder(path, inode, to + "/" + name, unsynced, all_names);
        continue;
      }
      std::string bytes = durable_[inode], written = path.empty() ? bytes : test::read_file(path);
      if (written.size() > bytes.size() && written.starts_with(bytes)) {
        std::string more = written.substr(bytes.size());
        if (unsynced == Unsynced::half) bytes += more.substr(0, more.size() / 2);
        if (unsynced == Unsynced::all) bytes += more;
        if (unsynced == Unsynced::zeroes) bytes += std::string(more.size(), '\0');
      } else if (unsynced == Unsynced::all) {
        bytes = written;
      }
      if (unsynced == Unsynced::zeroes && (name.ends_with(".jsonl") || name == "checkpoints"))
        bytes += std::string(4096, '\0');
      test::write_file(to + "/" + name, bytes);
    }
  }

  std::string root_;
  std::map<std::string, ino_t> inode_;
  std::map<ino_t, std::string> durable_;
  std::map<ino_t, std::map<std::string, ino_t>> names_;
};

class JournalPower : public testing::Test {
 protected:
  static Journal::Options options() {
    Journal::Options options;
    options.reserve = 256 * 1024;
    return options;
  }
  static std::string event(int i) { return "c" + std::to_string(i); }

  // Two runs on one disk: commits, notes, seals, and a new key. Which commits were answered well.
  std::set<std::string> run(const std::string& state, const std::shared_ptr<PowerDisk>& files) {
    std::set<std::string> kept;
    for (int turn = 0; turn < 2 && !files->off; ++turn) {
      base::Loop loop;
      base::Disk disk(loop);
      auto opened = Journal::open(loop, disk, state, options(), files);
      if (!opened) continue;
      std::unique_ptr<Journal> journal = std::move(*opened);
      int waiting = 0;
      for (int i = 0; i < 20; ++i) {
        std::string name = event(turn * 100 + i);
        ++waiting;
        journal->commit(Entry(name), [&, name](base::Result<> done) {
          if (done) kept.insert(name);
          --waiting;
        });
        if (i % 7 == 3) journal->note(Entry("note"));
        if (i % 10 == 0) {
          EXPECT_TRUE(test::run_until(loop, [&] { return waiting == 0; }));
        }
        if (i % 8 == 6) {
          ++waiting;
          journal->seal([&](base::Result<Checkpoint>) { --waiting; });
        }
      }
      EXPECT_TRUE(test::run_until(loop, [&] { return waiting == 0; }));
      journal.reset();
      disk.drain();
    }
    return kept;
  }

  // Opens what is there, adds to it, and looks at all of it.
  void check(const std::string& state, const std::set<std::string>& kept, bool whole) {
    base::Loop loop;
    base::Disk disk(loop);
    auto opened = Journal::open(loop, disk, state, options());
    ASSERT_TRUE(opened) << opened.error().what;
    if (whole) {
      EXPECT_EQ((*opened)->loss(), "");
    }
    bool answered = false;
    (*opened)->commit(Entry("after"), [&](base::Result<> done) {
      EXPECT_TRUE(done);
      answered = true;
    });
    EXPECT_TRUE(test::run_until(loop, [&] { return answered; }));
    opened->reset();
    disk.drain();
    std::vector<std::string> events = check_journal(state + "/journal");
    std::set<std::string> there(events.begin(), events.end());
    for (const std::string& name : kept) EXPECT_TRUE(there.contains(name)) << name;
    EXPECT_EQ(events.back() == "after" || events.back() == "key.rotate", true);
    EXPECT_FALSE(fs::exists(state + "/journal.lost-1"));
  }
};

TEST_F(JournalPower, LosesNothingThatWasAnsweredWhenAnyOneCallFails) {
  int calls = 0;
  {
    test::TempDir folder;
    auto files = std::make_shared<PowerDisk>(folder.path());
    EXPECT_EQ(run(folder.path(), files).size(), 40u);
    calls = files->count;
    check(folder.path(), {}, true);
  }
  ASSERT_GT(calls, 40);
  for (int error : {EIO, ENOSPC}) {
    for (int at = 0; at < calls; ++at) {
      SCOPED_TRACE(base::str("call ", at, " fails with ", error));
      test::TempDir folder;
      auto files = std::make_shared<PowerDisk>(folder.path());
      files->fail_at = at;
      files->fail_with = error;
      std::set<std::string> kept = run(folder.path(), files);
      check(folder.path(), kept, true);
      if (HasFailure()) return;
    }
  }
}

TEST_F(JournalPower, GoesOnWhereverThePowerIsCut) {
  using Unsynced = PowerDisk::Unsynced;
  for (int at = 0;; ++at) {
    test::TempDir folder;
    auto files = std::make_shared<PowerDisk>(folder.path());
    files->cut_at = at;
    std::set<std::string> kept = run(folder.path(), files);
    if (!files->off) break;
    for (Unsynced unsynced : {Unsynced::nothing, Unsynced::half, Unsynced::all, Unsynced::zeroes}) {
      for (bool names : {false, true}) {
        if (names == (unsynced == Unsynced::half)) continue;
        SCOPED_TRACE(
            base::str("cut at call ", at, ", unsynced ", static_cast<int>(unsynced), ", names ", int(names)));
        test::TempDir after;
        files->restore(after / "state", unsynced, names);
        check(after / "state", kept, true);
        if (HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace oob::auth

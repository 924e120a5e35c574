#include "auth/journal.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <boost/json.hpp>
#include <cerrno>
#include <filesystem>
#include <thread>

#include "auth/journal_line.h"
#include "auth/journal_start.h"
#include "base/time.h"
#include "tests/support/support.h"

namespace oob::auth {
namespace {

using base::Fault;
using base::Result;
using testing::HasSubstr;

// Real files on a disk whose files of records can be made to fail, after some bytes if asked; counts syncs.
class FailingDisk : public JournalDisk {
 public:
  std::atomic<int> append_error{0}, sync_error{0}, truncate_error{0}, begin_error{0}, notes_error{0};
  std::atomic<std::size_t> part{0};  // bytes that still fit when append fails
  std::atomic<int> syncs{0};
  std::atomic<bool> hold{false};             // sync waits while true
  std::atomic<std::uint64_t> full_until{0};  // bytes that the reserve has to give before there is room

  int open(const std::string& path, File& file) override {
    return path.ends_with(".jsonl") && begin_error ? begin_error.load() : JournalDisk::open(path, file);
  }
  int write(File& file, base::Bytes bytes, std::uint64_t at) override {
    if (file.path.ends_with("checkpoints") && notes_error) return notes_error;
    if (!is_records(file)) return JournalDisk::write(file, bytes, at);
    if (given_ < full_until) return ENOSPC;
    if (!append_error) return JournalDisk::write(file, bytes, at);
    EXPECT_EQ(JournalDisk::write(file, bytes.substr(0, part), at), 0);
    return append_error;
  }
  int sync(File& file) override {
    if (!is_records(file)) return JournalDisk::sync(file);
    ++syncs;
    while (hold) std::this_thread::yield();
    return sync_error ? sync_error.load() : JournalDisk::sync(file);
  }
  int truncate(File& file, std::uint64_t size) override {
    struct stat status;
    if (file.path.ends_with("reserve") && ::fstat(file.fd.get(), &status) == 0)
      given_ += static_cast<std::uint64_t>(status.st_size) - size;
    return is_records(file) && truncate_error ? truncate_error.load() : JournalDisk::truncate(file, size);
  }

 private:
  static bool is_records(const File& file) { return file.path.ends_with(".jsonl"); }
  std::atomic<std::uint64_t> given_{0};
};

class JournalTest : public testing::Test {
 protected:
  static Journal::Options Options() {
    Journal::Options options;
    options.reserve = 1 << 20;
    return options;
  }
  void open() {
    journal_.reset();
    disk_.drain();
    auto opened = Journal::open(loop_, disk_, folder_.path(), Options());
    ASSERT_TRUE(opened) << opened.error().what;
    journal_ = std::move(*opened);
  }
  void open_failing() {
    auto opened = Journal::open(loop_, disk_, folder_.path(), Options(), faulty_);
    ASSERT_TRUE(opened) << opened.error().what;
    journal_ = std::move(*opened);
  }
  void close() {
    journal_.reset();
    disk_.drain();
  }
  // What commit() answers; "" is success.
  std::string commit(const std::string& event) {
    std::string answer = "none";
    journal_->commit(Entry(event), [&](Result<> done) { answer = done ? "" : done.error().what; });
    EXPECT_TRUE(test::run_until(loop_, [&] { return answer != "none"; }));
    return answer;
  }
  std::string file(const std::string& name = "000000000000.jsonl") { return folder_ / ("journal/" + name); }
  std::vector<boost::json::object> records() {
    std::vector<boost::json::object> all;
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "journal")) {
      if (entry.path().extension() == ".jsonl") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      std::string text = test::read_file(path);
      EXPECT_TRUE(text.empty() || text.ends_with('\n')) << path;
      if (text.empty()) continue;
      base::split(text.substr(0, text.size() - 1), '\n',
                  [&](std::string_view line) { all.push_back(boost::json::parse(line).as_object()); });
    }
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].at("n").to_number<std::size_t>(), i);
    return all;
  }
  // All but those of the journal itself.
  std::vector<std::string> events() {
    std::vector<std::string> names;
    for (const auto& record : records()) {
      if (record.at("ev") != "journal.begin" && record.at("ev") != "key.rotate")
        names.emplace_back(record.at("ev").as_string());
    }
    return names;
  }

  test::TempDir folder_;
  base::Loop loop_;
  base::Disk disk_{loop_};
  std::unique_ptr<Journal> journal_;
  std::shared_ptr<FailingDisk> faulty_ = std::make_shared<FailingDisk>();
};

TEST_F(JournalTest, IsOnTheDiskWhenACommitAnswers) {
  open();
  EXPECT_EQ(commit("start"), "");
  EXPECT_EQ(events(), std::vector<std::string>{"start"});
  struct stat status {};
  ASSERT_EQ(::stat((folder_ / "journal").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(journal_->trouble(), "");
  EXPECT_EQ(journal_->dropped_bytes(), 0);
}

TEST_F(JournalTest, WritesCanonicalLinesThatAnotherParserReadsBack) {
  std::string hostile = "a\"b\\c\n\t\x01\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
  open();
  base::Micros before = base::wall_now();
  journal_->note(Entry("note")
                     .with("text", hostile)
                     .with("bad", "x\xff\xc3")
                     .with("zero", 0)
                     .with("min", INT64_MIN)
                     .with("a", std::string(5000, 'a')));
  EXPECT_EQ(commit("end"), "");
  std::string line = test::read_file(file());
  line = line.substr(line.find('\n') + 1);
  line = line.substr(0, line.find('\n'));
  for (char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  boost::json::object record = boost::json::parse(line).as_object();
  EXPECT_EQ(record.at("text").as_string(), hostile);
  EXPECT_EQ(record.at("bad").as_string(), "x\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(record.at("min").as_int64(), INT64_MIN);
  EXPECT_EQ(record.at("a").as_string(), std::string(4096, 'a') + "...");
  EXPECT_EQ(record.at("ev").as_string(), "note");
  EXPECT_EQ(record.at("n").as_int64(), 1);
  EXPECT_GT(record.at("mono").as_int64(), 0);
  EXPECT_EQ(std::string(record.at("boot").as_string()), boot_id());
  auto time = base::parse_time(std::string(record.at("t").as_string()), 0);
  ASSERT_TRUE(time);
  EXPECT_GE(*time, before);
  EXPECT_LE(*time, base::wall_now());
  // Sorted keys, no spaces: what remains is fixed by the values.
  std::vector<std::string> keys;
  for (const auto& member : record) keys.emplace_back(member.key());
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_EQ(keys.size(), 10u);
  EXPECT_THAT(line, HasSubstr(R"("text":"a\"b\\c\u000a\u0009\u0001\u007f\u00e9\u20ac\ud83d\ude00")"));
  EXPECT_THAT(line, HasSubstr(R"(,"zero":0})"));
}

TEST_F(JournalTest, GoesOnAfterACrashAtEveryByteOfTheTail) {
  open();
  for (const char* event : {"one", "two"}) EXPECT_EQ(commit(event), "");
  close();
  std::string second_notes = test::read_file(folder_ / "journal/checkpoints");
  std::string second = test::read_file(file());
  std::string line = journal_line(Entry("three"), JournalStamp::now(), 3, boot_id());
  std::string key = test::read_file(folder_ / "journal_key");
  for (std::size_t size = 0; size <= line.size(); ++size) {
    test::write_file(folder_ / "journal_key", key);
    test::write_file(folder_ / "journal/checkpoints", second_notes);
    test::write_file(file(), second + line.substr(0, size));
    open();
    bool complete = size == line.size();
    EXPECT_EQ(journal_->dropped_bytes(), complete ? 0 : static_cast<std::int64_t>(size)) << size;
    EXPECT_EQ(journal_->loss(), "");
    EXPECT_EQ(commit("again"), "");
    std::vector<std::string> wanted = {"one", "two"};
    if (complete) wanted.push_back("three");
    wanted.push_back("again");
    EXPECT_EQ(events(), wanted) << size;
    close();
  }
}

TEST_F(JournalTest, CutsOffBlocksThatWereNeverFilled) {
  open();
  EXPECT_EQ(commit("one"), "");
  close();
  std::string whole = test::read_file(file());
  test::write_file(file(), whole + std::string(5000, '\0') + "ev\":\"x\"}\n" + std::string(100, '\0'));
  open();
  EXPECT_EQ(journal_->dropped_bytes(), 5109);
  EXPECT_EQ(commit("two"), "");
  EXPECT_EQ(events(), (std::vector<std::string>{"one", "two"}));
}

TEST_F(JournalTest, CutsNothingOffWhenMoreIsWrongThanACrashTears) {
  open();
  EXPECT_EQ(commit("one"), "");
  close();
  std::string whole = test::read_file(file()) + std::string(kMostJournalTorn + 1, 'x');
  test::write_file(file(), whole);
  auto opened = Journal::open(loop_, disk_, folder_.path());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, Fault::journal);
  EXPECT_THAT(opened.error().what, HasSubstr("are no journal records"));
  EXPECT_EQ(test::read_file(file()).size(), whole.size());
}

TEST_F(JournalTest, GoesOnInAnEmptyFileUnderItsName) {
  std::filesystem::create_directory(folder_ / "journal");
  ::chmod((folder_ / "journal").c_str(), 0700);
  test::write_file(file(), "");
  open();
  EXPECT_EQ(commit("one"), "");
  EXPECT_EQ(events(), std::vector<std::string>{"one"});
}

TEST_F(JournalTest, RefusesAFolderThatOthersCanEnter) {
  std::filesystem::create_directory(folder_ / "journal");
  ::chmod((folder_ / "journal").c_str(), 0755);
  EXPECT_EQ(Journal::open(loop_, disk_, folder_.path()).error().what,
            (folder_ / "journal") + ": others can get in; chmod 0700 it");
}

TEST_F(JournalTest, BeginsANewFileNamedByItsFirstRecordAt16MiB) {
  open();
  std::string text(4000, 'x');
  int waiting = 0;
  for (int i = 0; i < 4600; ++i) {
    ++waiting;
    journal_->commit(Entry("fill").with("text", text), [&](Result<> done) {
      EXPECT_TRUE(done);
      --waiting;
    });
    if (waiting > 500) {
      ASSERT_TRUE(test::run_until(loop_, [&] { return waiting == 0; }));
    }
  }
  ASSERT_TRUE(test::run_until(loop_, [&] { return waiting == 0; }));
  auto all = records();
  EXPECT_EQ(all.size(), 4601u);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "journal"))
    if (entry.path().extension() == ".jsonl") names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  ASSERT_EQ(names.size(), 2u);
  std::string second = test::read_file(file(names[1]));
  auto first = boost::json::parse(second.substr(0, second.find('\n')));
  char wanted[32];
  std::snprintf(wanted, sizeof wanted, "%012lld.jsonl", static_cast<long long>(first.at("n").as_int64()));
  EXPECT_EQ(names[1], wanted);
  open();
  EXPECT_EQ(commit("on"), "");
  EXPECT_EQ(records().size(), 4603u);  // and a new key
}

TEST_F(JournalTest, LetsCommitsThatWaitShareASync) {
  open_failing();
  EXPECT_EQ(commit("first"), "");
  faulty_->syncs = 0;
  faulty_->hold = true;
  int answered = 0;
  auto done = [&](Result<> result) {
    EXPECT_TRUE(result);
    ++answered;
  };
  journal_->commit(Entry("early"), done);
  ASSERT_TRUE(test::run_until(loop_, [&] { return faulty_->syncs == 1; }));
  for (int i = 0; i < 500; ++i) journal_->commit(Entry("late"), done);
  EXPECT_EQ(answered, 0);
  faulty_->hold = false;
  ASSERT_TRUE(test::run_until(loop_, [&] { return answered == 501; }));
  EXPECT_EQ(faulty_->syncs, 2);
  EXPECT_EQ(records().size(), 503u);
}

TEST_F(JournalTest, RefusesACommitWhenTooManyWait) {
  open_failing();
  faulty_->hold = true;
  int right = 0, refused = 0;
  bool inside = true;
  for (int i = 0; i < 1030; ++i)
    journal_->commit(Entry("many"), [&](Result<> done) {
      EXPECT_FALSE(inside) << "no answer comes from inside the call";
      if (done) {
        ++right;
      } else {
        EXPECT_EQ(done.error().fault, Fault::journal);
        EXPECT_EQ(done.error().what, "journal: too many waiting");
        ++refused;
      }
    });
  inside = false;
  ASSERT_TRUE(test::run_until(loop_, [&] { return refused == 6; }));
  faulty_->hold = false;
  ASSERT_TRUE(test::run_until(loop_, [&] { return right == 1024; }));
}

TEST_F(JournalTest, AnswersAFullDiskAndLeavesTheFileWholeWhateverPartFitted) {
  open_failing();
  EXPECT_EQ(commit("before"), "");
  for (std::size_t part : {0, 1, 40, 100000}) {
    std::string good = test::read_file(file());
    faulty_->part = part;
    faulty_->append_error = ENOSPC;
    EXPECT_EQ(commit("refused"), "journal: No space left on device");
    EXPECT_EQ(journal_->trouble(), "journal: No space left on device");
    EXPECT_EQ(test::read_file(file()), good);
    faulty_->append_error = 0;
    EXPECT_EQ(commit("after"), "");
    EXPECT_EQ(journal_->trouble(), "");
  }
  EXPECT_EQ(events(), (std::vector<std::string>{"before", "after", "after", "after", "after"}));
}

TEST_F(JournalTest, LeavesNoTraceOfACommitWhoseSyncFailed) {
  open_failing();
  EXPECT_EQ(commit("before"), "");
  faulty_->sync_error = EIO;
  EXPECT_EQ(commit("refused"), "journal: Input/output error");
  faulty_->truncate_error = EIO;  // it can't be cut off at once, so before the next write
  EXPECT_EQ(commit("refused"), "journal: Input/output error");
  faulty_->sync_error = 0;
  EXPECT_EQ(commit("refused"), "journal: Input/output error");
  faulty_->truncate_error = 0;
  EXPECT_EQ(commit("after"), "");
  EXPECT_EQ(events(), (std::vector<std::string>{"before", "after"}));
}

TEST_F(JournalTest, KeepsNotesWhileTheDiskIsFullAndTellsHowManyWereLost) {
  open_failing();
  EXPECT_EQ(commit("before"), "");
  faulty_->append_error = ENOSPC;
  EXPECT_EQ(commit("refused"), "journal: No space left on device");
  for (int i = 0; i < 300; ++i) journal_->note(Entry("kept").with("i", i));
  EXPECT_EQ(commit("refused"), "journal: No space left on device");
  for (int i = 0; i < 7; ++i) journal_->note(Entry("late"));
  faulty_->append_error = 0;
  ASSERT_TRUE(test::run_until(loop_, [&] { return journal_->trouble().empty(); }));
  EXPECT_EQ(commit("after"), "");
  auto all = records();
  ASSERT_EQ(all.size(), 2u + 256 + 1 + 1);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(all[2 + i].at("i").as_int64(), i);
  EXPECT_EQ(all[258].at("ev").as_string(), "gap");
  EXPECT_EQ(all[258].at("lost").as_int64(), 300 - 256 + 7);
  EXPECT_EQ(all[259].at("ev").as_string(), "after");
}

TEST_F(JournalTest, SyncsNotesByItselfWithinSeconds) {
  open_failing();
  faulty_->syncs = 0;
  journal_->note(Entry("note"));
  EXPECT_TRUE(test::run_until(loop_, [&] { return faulty_->syncs == 1; }));
  EXPECT_EQ(events(), std::vector<std::string>{"note"});
}

TEST_F(JournalTest, KeepsTheOrderOfNotesAndCommits) {
  open();
  for (int i = 0; i < 50; ++i) journal_->note(Entry("note"));
  EXPECT_EQ(commit("commit"), "");
  EXPECT_EQ(events().size(), 51u);
  EXPECT_EQ(events().back(), "commit");
}

TEST_F(JournalTest, WritesTheLastNotesWhenItGoesAndAnswersNobody) {
  open();
  bool answered = false;
  journal_->commit(Entry("one"), [&](Result<>) { answered = true; });
  journal_->note(Entry("two"));
  close();
  EXPECT_EQ(events(), (std::vector<std::string>{"one", "two"}));
  bool passed = false;
  loop_.post([&] { passed = true; });
  ASSERT_TRUE(test::run_until(loop_, [&] { return passed; }));
  EXPECT_FALSE(answered);
}

TEST_F(JournalTest, MayBeDestroyedFromInsideAnAnswer) {
  open();
  bool answered = false;
  journal_->commit(Entry("one"), [&](Result<>) {
    journal_.reset();
    answered = true;
  });
  journal_->commit(Entry("two"), [&](Result<>) { ADD_FAILURE(); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return answered; }));
  disk_.drain();
}

TEST(JournalLine, TellsARecordFromAnythingElse) {
  std::string line = journal_line(Entry("x").with("a", ",\"n\":9,"), {0, 1}, 42, "boot");
  std::uint64_t number = 0;
  ASSERT_TRUE(journal_number(line.substr(0, line.size() - 1), number));
  EXPECT_EQ(number, 42u);
  for (const char* wrong : {"", "{}", "{", "{\"n\":1}x", "{\"a\":\"\",\"n\":x}", "{\"a\":\"\xff\",\"n\":1}"})
    EXPECT_FALSE(journal_number(wrong, number)) << wrong;
}

TEST(JournalDeath, RefusesAKeyThatTheJournalAddsItself) {
  for (const char* key : {"n", "t", "ev", "boot", "mono", "Upper", ""})
    EXPECT_DEATH(journal_line(Entry("x").with(key, 1), {}, 0, "boot"), "journal");
}

}  // namespace
}  // namespace oob::auth

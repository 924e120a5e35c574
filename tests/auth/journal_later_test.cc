#include <gmock/gmock.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "auth/journal.h"
#include "auth/journal_disk.h"
#include "tests/auth/journal_check.h"

namespace oob::auth {
namespace {

namespace fs = std::filesystem;
using base::Fault;
using testing::HasSubstr;

// No file of it can be opened for writing while `error` is one.
class ShutDisk : public JournalDisk {
 public:
  std::atomic<int> error{0};
  int open(const std::string& path, File& file) override {
    return error ? error.load() : JournalDisk::open(path, file);
  }
};

// A start with a journal whose files can't be opened yet.
class JournalLaterTest : public testing::Test {
 protected:
  base::Result<std::unique_ptr<Journal>> try_open(bool later) {
    Journal::Options options;
    options.reserve = 0;
    options.opens_later = later;
    options.open_again_after = std::chrono::milliseconds(10);
    return Journal::open(loop_, disk_, folder_.path(), options, files_);
  }
  void open() {
    auto opened = try_open(true);
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
    journal_->commit(Entry(event), [&](base::Result<> done) { answer = done ? "" : done.error().what; });
    EXPECT_TRUE(test::run_until(loop_, [&] { return answer != "none"; }));
    return answer;
  }
  void wait_open() {
    ASSERT_TRUE(test::run_until(loop_, [&] { return journal_->is_open(); }));
  }
  std::vector<std::string> check() { return check_journal(folder_ / "journal"); }
  std::string records() const { return folder_ / "journal/000000000000.jsonl"; }

  test::TempDir folder_;
  base::Loop loop_;
  base::Disk disk_{loop_};
  base::Blocking blocking_{loop_};
  std::shared_ptr<ShutDisk> files_ = std::make_shared<ShutDisk>();
  std::unique_ptr<Journal> journal_;
};

TEST_F(JournalLaterTest, StartsWithoutItsFilesOnlyWhereThatIsWanted) {
  files_->error = EROFS;
  auto opened = try_open(false);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, Fault::journal);
  open();
  EXPECT_FALSE(journal_->is_open());
  EXPECT_THAT(journal_->trouble(), HasSubstr("Read-only file system"));
  EXPECT_EQ(commit("power.request"), journal_->trouble());
  std::string sealed, dropped;
  journal_->seal([&](base::Result<Checkpoint> done) { sealed = done ? "sealed" : done.error().what; });
  journal_->drop_oldest(blocking_, [&](base::Result<> done) { dropped = done ? "gone" : done.error().what; });
  ASSERT_TRUE(test::run_until(loop_, [&] { return !sealed.empty() && !dropped.empty(); }));
  EXPECT_EQ(sealed, journal_->trouble());
  EXPECT_EQ(dropped, journal_->trouble());
  EXPECT_FALSE(journal_->checkpoint());
  EXPECT_EQ(journal_->written(), 0u);
}

TEST_F(JournalLaterTest, WritesWhatWaitedOnceItIsOpenAndTellsWhatIsLost) {
  files_->error = ENOSPC;
  open();
  for (int i = 0; i < 300; ++i) journal_->note(Entry("n" + std::to_string(i)));
  EXPECT_NE(commit("refused"), "");
  std::string before = journal_->trouble();
  files_->error = EROFS;
  ASSERT_TRUE(test::run_until(loop_, [&] { return journal_->trouble() != before; }));
  int grown = 0;
  auto follower = journal_->on_growth([&] { ++grown; });
  files_->error = 0;
  wait_open();
  EXPECT_EQ(journal_->trouble(), "");
  EXPECT_EQ(journal_->loss(), "");
  EXPECT_EQ(commit("after"), "");
  EXPECT_FALSE(journal_->vkey().empty());
  EXPECT_TRUE(test::run_until(loop_, [&] { return grown > 0; }));
  close();
  std::vector<std::string> expected = {"journal.begin"};
  for (int i = 0; i < 256; ++i) expected.push_back("n" + std::to_string(i));
  expected.push_back("gap");
  expected.push_back("after");
  EXPECT_EQ(check(), expected);
  EXPECT_THAT(test::read_file(records()), HasSubstr(R"("lost":44,)"));
}

TEST_F(JournalLaterTest, GoesOnWithWhatIsThereWhenThatCanBeReadAgain) {
  open();
  EXPECT_EQ(commit("first"), "");
  close();
  std::string whole = test::read_file(records());
  test::write_file(records(), whole + std::string(5 << 20, 'x'));
  open();
  EXPECT_FALSE(journal_->is_open());
  EXPECT_THAT(journal_->trouble(), HasSubstr("more than a crash tears"));
  journal_->note(Entry("meanwhile"));
  EXPECT_EQ(test::read_file(records()).size(), whole.size() + (5 << 20)) << "it changed what it can't read";
  test::write_file(folder_ / "mended", whole + "torn");
  fs::rename(folder_ / "mended", records());
  wait_open();
  EXPECT_EQ(journal_->dropped_bytes(), 4);
  EXPECT_EQ(commit("after"), "");
  close();
  EXPECT_EQ(check(),
            (std::vector<std::string>{"journal.begin", "first", "meanwhile", "key.rotate", "after"}));
  EXPECT_FALSE(fs::exists(folder_ / "journal.lost-1"));
}

TEST_F(JournalLaterTest, MayEndBeforeItWasEverOpen) {
  files_->error = EROFS;
  open();
  journal_->note(Entry("lost"));
  bool answered = false;
  journal_->commit(Entry("refused"), [&](base::Result<>) { answered = true; });
  close();
  loop_.post([this] { loop_.stop(); });
  loop_.run();
  EXPECT_FALSE(answered);
  files_->error = 0;
  open();
  wait_open();
  EXPECT_EQ(commit("after"), "");
}

}  // namespace
}  // namespace oob::auth

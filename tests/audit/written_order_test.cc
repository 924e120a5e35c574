#include "audit/written_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/journal.h"
#include "tests/support/support.h"

namespace oob::audit {
namespace {

using Kind = KeptFile::Kind;
using testing::ElementsAre;

class WrittenOrderTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = auth::Journal::open(loop_, disk_, dir_.path());
    ASSERT_TRUE(opened) << opened.error().what;
    journal_ = std::move(*opened);
  }
  void tell(auth::Entry entry) {
    bool written = false;
    journal_->commit(std::move(entry), [&](base::Result<> done) { written = bool(done); });
    EXPECT_TRUE(test::run_until(loop_, [&] { return written; }));
  }
  void tell_recording(const std::string& ev, const std::string& id) {
    tell(auth::Entry("recording." + ev).with("recording", id));
  }
  void tell_mark(const std::string& device, std::int64_t to) {
    tell(auth::Entry("transcript.mark").with("device", device).with("to", to));
  }
  // The orders after a round over all that was written.
  std::vector<std::uint64_t> place() { return place(journal_->written()); }
  std::vector<std::uint64_t> place(std::uint64_t end) {
    order_.place(files_, end);
    std::vector<std::uint64_t> orders;
    for (const KeptFile& file : files_) orders.push_back(file.order);
    return orders;
  }
  static KeptFile file(Kind kind, const std::string& name, std::uint64_t from = 0) {
    KeptFile file;
    file.kind = kind;
    file.name = name;
    file.from = from;
    return file;
  }

  test::TempDir dir_;
  base::Loop loop_;
  base::Disk disk_{loop_};
  std::unique_ptr<auth::Journal> journal_;
  WrittenOrder order_{dir_ / "journal"};
  std::vector<KeptFile> files_;
};

TEST_F(WrittenOrderTest, FollowsTheJournalNotTheNames) {
  tell_recording("open", "20260101-100000-1");   // record 1
  tell_recording("close", "20260101-100000-1");  // 2
  tell_recording("open", "19700101-000100-2");   // 3
  tell_mark("edge1", 100);                       // 4
  tell_mark("edge1", 101);                       // 5
  tell_mark("edge10", 7);                        // 6
  files_ = {file(Kind::recording, "19700101-000100-2"), file(Kind::recording, "20260101-100000-1"),
            file(Kind::recording, "20250101-100000-1"), file(Kind::transcript, "edge1", 0),
            file(Kind::transcript, "edge1", 100),       file(Kind::transcript, "edge1", 200),
            file(Kind::transcript, "edge10", 0),        file(Kind::journal, "", 0)};
  EXPECT_THAT(place(), ElementsAre(4, 3, 0, 5, 6, 0, 7, 0));
  EXPECT_GT(files_[0].written, base::wall_now() - 60'000'000) << "by the journal";
  EXPECT_EQ(files_[2].written, 0) << "by nobody";
}

TEST_F(WrittenOrderTest, ReadsOnAndTakesWhatCameWithoutARecordForTheNewest) {
  tell_recording("open", "a");
  files_ = {file(Kind::recording, "a"), file(Kind::recording, "old")};
  EXPECT_THAT(place(), ElementsAre(2, 0));
  files_.push_back(file(Kind::recording, "unwritten"));
  tell_recording("close", "a");
  tell_recording("open", "not listed yet");
  EXPECT_THAT(place(), ElementsAre(3, 0, KeptFile::kNewest));
  files_.push_back(file(Kind::recording, "not listed yet"));
  EXPECT_THAT(place(), ElementsAre(3, 0, KeptFile::kNewest, 4));
  tell_recording("close", "unwritten");
  EXPECT_THAT(place(4), ElementsAre(3, 0, KeptFile::kNewest, 4)) << "not further than it is synced";
  EXPECT_THAT(place(), ElementsAre(3, 0, 5, 4));
}

TEST_F(WrittenOrderTest, KnowsNothingWithoutAJournal) {
  files_ = {file(Kind::recording, "a")};
  WrittenOrder none(dir_ / "none");
  none.place(files_, 100);
  EXPECT_EQ(files_[0].order, KeptFile::kNoOrder);
}

}  // namespace
}  // namespace oob::audit

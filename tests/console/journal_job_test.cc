#include "console/journal_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/console/visit.h"

namespace oob::console {

using test::Board;
using test::count;
using test::Visit;
using testing::HasSubstr;
using testing::Not;

namespace {

class Journalled : public Board {
 public:
  Journalled() {
    allow({auth::Action::watch, auth::Action::audit});
    for (const char* device : {"r1", "x1"})
      core.journal.note(auth::Entry("power.request")
                            .with("device", std::string(device))
                            .with("user", "root")
                            .with("session", std::int64_t{900})
                            .with("action", "cycle"));
    core.journal.note(auth::Entry("login").with("user", "root").with("connection", std::int64_t{3}));
    journalled("login");
  }
  std::string said(const std::string& user, const std::string& command, std::string* err = nullptr) {
    Visit visit(*this, user, command);
    EXPECT_EQ(visit.wait(), 0) << visit.err;
    if (err) *err = visit.err;
    return visit.out;
  }
};

}  // namespace

TEST(JournalJob, IsReadByPeople) {
  Journalled board;
  std::string err, text = board.said("root", "journal --event power.*", &err);
  EXPECT_THAT(text, HasSubstr("Z  root  power.request  r1  action=cycle session=900\n"));
  EXPECT_THAT(text, HasSubstr("x1"));
  EXPECT_EQ(err, "");
}

TEST(JournalJob, IsJsonExactlyAsItIsOnTheDisk) {
  Journalled board;
  std::string text = board.said("root", "journal --json");
  EXPECT_EQ(board.journal_text().compare(0, text.size(), text), 0);
  EXPECT_GE(count(text, "\n"), 3u);
}

TEST(JournalJob, GivesRecordsOfDevicesThatOneMayAuditAndOnesOwn) {
  Journalled board;
  // A reading is noted before it begins, and is there for the next one once it has reached the files.
  board.said("alice", "journal");
  board.whole_journal();
  std::string err, text = board.said("alice", "journal", &err);
  EXPECT_THAT(text, HasSubstr("power.request  r1"));
  EXPECT_THAT(text, Not(HasSubstr("x1")));
  EXPECT_THAT(text, Not(HasSubstr("login")));
  EXPECT_THAT(text, HasSubstr("alice  audit.read"));
  EXPECT_EQ(count(err, "[oobd:"), 1u);
}

TEST(JournalJob, ChoosesByTimeUserDeviceAndText) {
  Journalled board;
  EXPECT_EQ(count(board.said("root", "journal --device x1"), "\n"), 1u);
  EXPECT_THAT(board.said("root", "journal --grep action=cyc"), HasSubstr("r1"));
  EXPECT_EQ(board.said("root", "journal --user nobody"), "");
  EXPECT_EQ(board.said("root", "journal --until 2001-01-01"), "");
  EXPECT_THAT(board.said("root", "journal --since 1h"), HasSubstr("power.request"));
  EXPECT_EQ(board.said("root", "journal --since 2100-01-01"), "");
  EXPECT_EQ(Visit(board, "root", "journal --follow --until 1h").wait(), 64);
  EXPECT_EQ(Visit(board, "root", "journal --grep (").wait(), 64);
}

TEST(JournalJob, FollowsAndEndsWithTheRight) {
  Journalled board;
  Visit visit(board, "alice", "journal --follow --event note");
  board.core.journal.note(auth::Entry("note").with("device", "r2").with("text", "it goes on"));
  ASSERT_TRUE(visit.wait_for("it goes on"));
  board.allow({auth::Action::watch});
  EXPECT_EQ(visit.wait(), 77);
}

TEST(Checkpoint, IsASignedNoteOfAllSoFar) {
  Journalled board;
  std::string text = board.said("alice", "checkpoint");
  std::size_t size = 0;
  auto note = auth::SignedNote::parse(text, size);
  ASSERT_TRUE(note) << text;
  EXPECT_EQ(size, text.size());
  EXPECT_GE(note->checkpoint.size, 3u);
  auto key = auth::NoteKey::parse(board.core.journal.vkey());
  ASSERT_TRUE(key);
  EXPECT_TRUE(note->verify(*key));
  std::string as_json = board.said("alice", "checkpoint --json");
  EXPECT_THAT(as_json, HasSubstr(R"("origin":)"));
  EXPECT_THAT(as_json, HasSubstr(R"("vkey":)"));
}

}  // namespace oob::console

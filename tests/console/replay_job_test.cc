#include "console/replay_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/console/recordings.h"

namespace oob::console {

using test::Board;
using test::Recorded;
using test::Visit;
using testing::HasSubstr;
using testing::Not;

namespace {

constexpr const char* kId = "20261122-160311-7";

class Replayed : public Board {
 public:
  Replayed() { allow({auth::Action::watch, auth::Action::audit}); }
  Recorded recorded{kId, "bob", "r1"};
};

}  // namespace

TEST(Replay, GivesAllAtOnceWhereThereIsNoTerminal) {
  Replayed board;
  board.recorded.own(0, "hello\r\n")
      .device(1, "a\xff")
      .device(3000, "b")
      .closed(3001)
      .write(board.dir.path());
  Visit visit(board, "alice", std::string("replay ") + kId);
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out,
            "hello\r\na\xff"
            "b");
  EXPECT_TRUE(board.journalled(R"("recording":"20261122-160311-7")"));
}

TEST(Replay, KeepsTheTimesOnATerminalAndObeysKeys) {
  Replayed board;
  board.recorded.device(0, "first")
      .device(3600, "second")
      .device(7200, "third")
      .closed(7200)
      .write(board.dir.path());
  Visit visit(board, "alice", std::string("replay ") + kId, true);
  ASSERT_TRUE(visit.wait_for("first"));
  EXPECT_THAT(visit.out, Not(HasSubstr("second")));
  visit.type(" ");
  visit.type("q");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_THAT(visit.err, HasSubstr("[oobd: 20261122-160311-7 at 0:00]"));
  // No silence is longer than a moment.
  Visit brief(board, "alice", std::string("replay --idle 1ms ") + kId, true);
  EXPECT_EQ(brief.wait(), 0);
  EXPECT_THAT(brief.out, HasSubstr("firstsecondthird"));
  EXPECT_THAT(brief.err, HasSubstr("the end of"));
}

TEST(Replay, BeginsWithTheScreenAsItWas) {
  Replayed board;
  board.recorded.device(0, "gone\x1b[2J\x1b[Hmenu").device(100, "later").closed(100).write(board.dir.path());
  for (const char* how :
       {"replay --idle 1ms 20261122-160311-7@1:05", "replay --idle 1ms --from 65 20261122-160311-7"}) {
    Visit visit(board, "alice", how, true);
    EXPECT_EQ(visit.wait(), 0);
    EXPECT_THAT(visit.out, HasSubstr("menu"));
    EXPECT_THAT(visit.out, HasSubstr("later"));
    EXPECT_THAT(visit.out, Not(HasSubstr("gone")));
  }
  Visit both(board, "alice", "replay x@1 --from 2");
  EXPECT_EQ(both.wait(), 64);
}

TEST(Replay, FiltersWhatHarmsATerminalWhereThatIsWanted) {
  Replayed board;
  board.recorded.device(0, "\x1b]0;title\x07\x1b[6ntext").closed(0).write(board.dir.path());
  Visit safe(board, "alice", std::string("replay --safe ") + kId);
  safe.wait();
  EXPECT_EQ(safe.out, "text");
  Visit plain(board, "alice", std::string("replay ") + kId);
  plain.wait();
  EXPECT_EQ(plain.out, "\x1b]0;title\x07\x1b[6ntext");
}

TEST(Replay, FollowsALiveOneToItsEnd) {
  Replayed board;
  std::string path = board.recorded.device(0, "now").write(board.dir.path(), true);
  Visit visit(board, "alice", std::string("replay --follow ") + kId);
  ASSERT_TRUE(visit.wait_for("now"));
  std::size_t had = board.recorded.text.size();
  board.recorded.device(1, " later").closed(1);
  std::ofstream(path, std::ios::app) << board.recorded.text.substr(had);
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "now later");
}

TEST(Replay, ShowsWhatCanBeReadOfATornFile) {
  Replayed board;
  board.recorded.device(0, "whole");
  board.recorded.text += "no event\n";
  board.recorded.device(1, " and").device(2, "cut");
  board.recorded.text.resize(board.recorded.text.size() - 3);
  board.recorded.write(board.dir.path());
  Visit visit(board, "alice", std::string("replay ") + kId);
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "whole and");
  EXPECT_THAT(visit.err, HasSubstr("what can be read is shown"));
}

TEST(Replay, EndsWhenTheRightDoes) {
  Replayed board;
  board.recorded.device(0, "first").device(3600, "second").closed(3600).write(board.dir.path());
  Visit visit(board, "alice", std::string("replay ") + kId, true);
  ASSERT_TRUE(visit.wait_for("first"));
  board.allow({auth::Action::watch});
  EXPECT_EQ(visit.wait(), 77);
  EXPECT_THAT(visit.err, HasSubstr("you may no longer audit r1"));
}

TEST(Replay, TakesNoSpeedThatIsNone) {
  Replayed board;
  for (const char* wrong :
       {"replay x --speed 0", "replay x --speed fast", "replay x --idle 0", "replay x@1:99", "replay"})
    EXPECT_EQ(Visit(board, "alice", wrong).wait(), 64) << wrong;
}

}  // namespace oob::console

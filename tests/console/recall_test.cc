#include "console/recall.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "tests/console/second_life.h"

namespace oob::console {

using base::milliseconds;
using test::begin_again;
using test::Board;
using test::run_until;

namespace {

constexpr std::size_t kMostRecalled = 4096;
constexpr milliseconds kForADiskThatAnswers{30'000};

struct Recalled : Board {
  Console& console() { return *inventory.find("r1")->console; }
  void say(const std::string& text) { test::say_into_files(*this, "r1", text); }
  base::Result<std::string> said(Recall& recall) {
    bool over = false;
    recall.begin(console(), [&] { over = true; });
    EXPECT_TRUE(run_until(loop, [&] { return over; }));
    return recall.said(console());
  }
  Recall recall{core, kMostRecalled, kForADiskThatAnswers};
};

// Threads for what may hang, taken until it goes: what comes behind them waits until they count as stuck.
class Hang {
 public:
  explicit Hang(Board& board) {
    for (int i = 0; i < 4 * base::Blocking::kAtOnce; ++i)
      board.blocking.run(
          [all = all_] {
            std::unique_lock lock(all->mutex);
            all->ends.wait(lock, [&] { return all->over; });
          },
          [] {});
  }
  ~Hang() {
    std::lock_guard lock(all_->mutex);
    all_->over = true;
    all_->ends.notify_all();
  }

 private:
  struct All {
    std::mutex mutex;
    std::condition_variable ends;
    bool over = false;
  };
  std::shared_ptr<All> all_ = std::make_shared<All>();
};

}  // namespace

TEST(Recall, GoesOnFromWhatAnEarlierLifeHeard) {
  Recalled board;
  board.say("one\r\nroot@r1:~# rm -r");
  begin_again(board, "r1");
  EXPECT_EQ(board.console().recent(100), "");
  EXPECT_EQ(*board.said(board.recall), "one\r\nroot@r1:~# rm -r");
  board.say("f /srv");
  EXPECT_EQ(*board.recall.said(board.console()), "one\r\nroot@r1:~# rm -rf /srv");
  EXPECT_EQ(*board.said(board.recall), "one\r\nroot@r1:~# rm -rf /srv");
}

TEST(Recall, GoesOnBeforeTheTranscriptHasTakenAnything) {
  Recalled board;
  board.say("login: ");
  test::replace_console(board, "r1");
  ASSERT_FALSE(board.console().oldest_in_files());
  EXPECT_EQ(*board.said(board.recall), "login: ");
  EXPECT_EQ(*board.recall.said(board.console()), "login: ");
}

TEST(Recall, ReadsNothingWhereMemoryIsEnoughAndNoMoreThanItIsAskedFor) {
  Recalled board;
  std::string line(99, 'x'), lines;
  for (int i = 0; i < 40; ++i) lines += line + "\n";
  board.say(lines);
  begin_again(board, "r1");
  EXPECT_EQ(board.said(board.recall)->size(), 4000u);
  Recall few(board.core, 100, kForADiskThatAnswers);
  EXPECT_EQ(*board.said(few), line + "\n");
  board.say(lines.substr(0, 2500));
  EXPECT_EQ(board.said(board.recall)->size(), 2500u);
  EXPECT_EQ(board.recall.older(), "");
}

TEST(Recall, KnowsNothingOfADeviceThatIsNew) {
  Recalled board;
  EXPECT_EQ(*board.said(board.recall), "");
}

TEST(Recall, LeavesOutWhatMemoryDoesNotGoOnFrom) {
  Recalled board;
  board.say("long ago\r\n");
  begin_again(board, "r1");
  ASSERT_EQ(*board.said(board.recall), "long ago\r\n");
  board.say(std::string(5000, 'y'));  // more than memory holds
  EXPECT_EQ(board.recall.said(board.console())->find("long ago"), std::string::npos);
}

TEST(Recall, TellsThatNobodyKnowsHowTheLastLineBegins) {
  Recalled board;
  board.say("root@r1:~# rm -r");
  std::filesystem::rename(board.dir / "transcripts/r1", board.dir / "elsewhere");
  test::write_file(board.dir / "transcripts/r1", "no folder");
  begin_again(board, "r1");
  base::Result<std::string> said = board.said(board.recall);
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().fault, base::Fault::unavailable);
  EXPECT_TRUE(said.error().what.starts_with("what r1 said before can't be read: ")) << said.error().what;
  board.lines["r1"]->say("\r\nroot@r1:~# ");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.console().recent(100).size() == 13; }));
  EXPECT_EQ(*board.recall.said(board.console()), "\r\nroot@r1:~# ");
}

TEST(Recall, WaitsOnceForADiskThatHangs) {
  Recalled board;
  board.say("login: ");
  begin_again(board, "r1");
  {
    Hang hang(board);
    Recall impatient(board.core, kMostRecalled, milliseconds(10));
    EXPECT_FALSE(board.said(impatient));
    EXPECT_EQ(*board.console().hanging_reads(), 1u);
    bool over = false;
    board.recall.begin(board.console(), [&] { over = true; });
    EXPECT_TRUE(over);  // at once
    EXPECT_FALSE(board.recall.said(board.console()));
  }
  ASSERT_TRUE(run_until(board.loop, [&] { return *board.console().hanging_reads() == 0; }));
  EXPECT_EQ(*board.said(board.recall), "login: ");
}

TEST(Recall, TellsNobodyOnceItIsDropped) {
  Recalled board;
  board.say("login: ");
  begin_again(board, "r1");
  board.recall.begin(board.console(), [] { FAIL() << "it was dropped"; });
  board.recall.drop();
  EXPECT_EQ(*board.said(board.recall), "login: ");
}

}  // namespace oob::console

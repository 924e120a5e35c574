#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <condition_variable>
#include <mutex>

#include "tests/console/visit.h"

namespace oob::console {
namespace {

using test::Board;
using test::run_until;
using test::Visit;

// A board whose disk does nothing until it is let go.
struct HangingBoard : Board {
  ~HangingBoard() {
    let_go();
    disk.drain();  // it waits by what goes now
  }
  void hang() {
    disk.run([this] {
      std::unique_lock lock(mutex);
      wake.wait(lock, [this] { return go; });
    });
  }
  void let_go() {
    std::lock_guard lock(mutex);
    go = true;
    wake.notify_one();
  }
  bool has(const std::string& event) { return journal_text().find(event) != std::string::npos; }
  std::string& typed() { return lines["r1"]->typed; }

  std::mutex mutex;
  std::condition_variable wake;
  bool go = false;
};

TEST(AttachWriter, TypesNothingBeforeItIsWrittenDownWhoTypes) {
  HangingBoard board;
  board.core.refuse_without_audit = true;
  board.hang();
  Visit alice(board, "alice", "attach r1", true);
  alice.type("reboot\r");
  ASSERT_TRUE(alice.wait_for("you may type"));
  std::size_t turns = 0;
  run_until(board.loop, [&] { return ++turns > 20; });
  EXPECT_EQ(board.typed(), "");
  EXPECT_FALSE(board.has("writer.take"));
  board.let_go();
  ASSERT_TRUE(run_until(board.loop, [&] { return board.typed() == "reboot\r"; }));
  EXPECT_TRUE(board.has("writer.take"));
}

TEST(AttachWriter, WaitsForTheRecordOfAForcedAndAJoinedKeyboardToo) {
  for (const char* how : {"force", "join"}) {
    HangingBoard board;
    board.core.refuse_without_audit = true;
    Visit alice(board, "alice", "attach r1", true);
    ASSERT_TRUE(alice.wait_for("you may type"));
    ASSERT_TRUE(board.journalled("writer.take"));
    Visit other(board, "root", "attach r1", true);
    ASSERT_TRUE(other.wait_for("you are next to type"));
    board.hang();
    other.type(std::string(how) == "force" ? "\005cfX" : "\005cjX");
    ASSERT_TRUE(other.wait_for("[oobd: you may type]"));
    EXPECT_EQ(board.typed(), "") << how;
    board.let_go();
    ASSERT_TRUE(run_until(board.loop, [&] { return board.typed() == "X"; })) << how;
    EXPECT_TRUE(board.has(base::str("writer.", how)));
  }
}

TEST(AttachWriter, WaitsForAHangingDiskAWhileOnly) {
  HangingBoard board;
  board.hang();
  auto began = base::Clock::now();
  Visit alice(board, "alice", "attach r1", true);
  alice.type("ls\r");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.typed() == "ls\r"; }));
  EXPECT_GE(base::Clock::now() - began, std::chrono::seconds(2));
  // From then on nothing waits: that takes a few turns of the loop, however long each of them is.
  alice.type("id\r");
  std::size_t turns = 0;
  run_until(board.loop, [&] { return board.typed() == "ls\rid\r" || ++turns > 100; });
  EXPECT_EQ(board.typed(), "ls\rid\r");
}

TEST(AttachWriter, AScriptsInputWaitsForItAndIsAllTyped) {
  HangingBoard board;
  board.core.refuse_without_audit = true;  // the disk has ten seconds then, not two
  board.hang();
  Visit alice(board, "alice", "attach r1");
  alice.type("ls\r");
  alice.eof();
  ASSERT_TRUE(alice.wait_for("you may type"));
  EXPECT_EQ(board.typed(), "");
  board.let_go();
  EXPECT_EQ(alice.wait(), 0);
  EXPECT_EQ(board.typed(), "ls\r");
}

TEST(AttachWriter, LetsTheKeyboardGoWhereItCantBeWrittenDown) {
  HangingBoard board;
  board.core.refuse_without_audit = true;
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{}, none{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  none = before;
  none.rlim_cur = 1;
  ::setrlimit(RLIMIT_FSIZE, &none);
  Visit alice(board, "alice", "attach r1", true);
  alice.type("reboot\r");
  EXPECT_TRUE(alice.wait_for("the keyboard was let go: the audit trail can't be written: "));
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(board.typed(), "");
  EXPECT_EQ(board.inventory.find("r1")->console->writer(), "");
}

}  // namespace
}  // namespace oob::console

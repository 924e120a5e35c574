#include "console/recorded_visit.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "audit/library.h"
#include "tests/console/visit.h"

namespace oob::console {
namespace {

using audit::CastReader;
using base::str;
using test::Board;
using test::run_until;
using test::Visit;

// A board whose visits are recorded.
struct RecordingBoard : Board {
  RecordingBoard() { core.recordings = &recordings; }
  ~RecordingBoard() { core.sessions.clear(); }
  audit::Recordings recordings{loop, disk, *journal, dir / "recordings"};

  // All that the closed recordings hold, in their order.
  struct Played {
    std::string command, device, own, typed, events;
  };
  std::vector<Played> closed(std::size_t count) {
    std::vector<audit::Recording> list;
    EXPECT_TRUE(run_until(loop, [&] {
      list = *audit::list_recordings(recordings.directory(), 0);
      std::erase_if(list, [](const audit::Recording& one) { return one.live; });
      return list.size() >= count;
    }));
    std::vector<Played> all;
    for (const audit::Recording& one : list) {
      auto reader = *CastReader::open(str(recordings.directory(), "/", one.path));
      Played played;
      played.command = str(one.header.user, " ", one.header.command, " ", one.header.device);
      CastReader::Item item;
      while (*reader->next(item)) {
        if (item.event.code == 'o') (item.own ? played.own : played.device) += item.raw;
        if (item.event.code == 'i') played.typed += item.raw;
        if (item.event.code == 'e' || item.event.code == 'r') played.events += item.event.text + "\n";
      }
      all.push_back(std::move(played));
    }
    return all;
  }
};

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

TEST(RecordedVisit, HoldsWhatWasShownAndByWhom) {
  RecordingBoard board;
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("you may type"));
  // But nobody waits long for a disk that stands still.
  EXPECT_TRUE(has(board.journal_text(), "\"ev\":\"recording.open\"") ||
              has(alice.out, "NOT RECORDED: the disk does not answer"));
  board.lines["r1"]->say("login:\xff ");
  ASSERT_TRUE(alice.wait_for("login:"));
  alice.type("root\r");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == "root\r"; }));
  alice.send(base::wire::Frame::resize, base::wire::Writer().u32(132).u32(43).take());
  alice.type("\005c.");
  ASSERT_EQ(alice.wait(), 0);
  auto played = board.closed(1);
  ASSERT_EQ(played.size(), 1u);
  EXPECT_EQ(played[0].command, "alice attach r1");
  EXPECT_EQ(played[0].device, "login:\xff ");
  EXPECT_TRUE(has(played[0].own, "[oobd: r1: you may type; nobody else here;"));
  EXPECT_TRUE(has(played[0].own, "left r1"));
  EXPECT_EQ(played[0].typed, "");
  for (const char* event : {"{\"ev\":\"attach\",\"others\":\"\"}\n", "{\"ev\":\"writer\",\"how\":\"take\"}\n",
                            "{\"ev\":\"typed\",\"bytes\":5}\n", "132x43\n", "{\"ev\":\"detach\"}\n",
                            "{\"ev\":\"close\",\"status\":0}\n"})
    EXPECT_TRUE(has(played[0].events, event)) << event << " in " << played[0].events;
}

TEST(RecordedVisit, IsOneForEachConsoleOfASession) {
  RecordingBoard board;
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("r1: you may type"));
  alice.type("\005c;r2\rtyped ahead");
  ASSERT_TRUE(alice.wait_for("r2: you may type"));
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r2"]->typed == "typed ahead"; }));
  alice.type("\005c.");
  ASSERT_EQ(alice.wait(), 0);
  auto played = board.closed(2);
  ASSERT_EQ(played.size(), 2u);
  EXPECT_EQ(played[0].command, "alice attach r1");
  EXPECT_EQ(played[1].command, "alice attach r2");
  EXPECT_FALSE(has(played[0].own, "r2: you may type"));
}

TEST(RecordedVisit, HoldsWhatScriptsSeeAndSend) {
  RecordingBoard board;
  Visit watcher(board, "bob", "watch r1");
  ASSERT_TRUE(
      run_until(board.loop, [&] { return board.inventory.find("r1")->console->watcher_count() == 1; }));
  board.lines["r1"]->say("\x1b[1mbold\x1b[0m\n");
  ASSERT_TRUE(watcher.wait_for("bold\n"));
  watcher.hang_up();
  board.closed(1);
  Visit sender(board, "alice", "send r1 hello");
  ASSERT_EQ(sender.wait(), 0);
  auto played = board.closed(2);
  ASSERT_EQ(played.size(), 2u);
  EXPECT_EQ(played[0].device, "\x1b[1mbold\x1b[0m\n");  // as it came, not as it was shown
  EXPECT_EQ(played[1].command, "alice send r1");
  EXPECT_TRUE(has(played[1].events, "{\"ev\":\"typed\",\"bytes\":6}\n")) << played[1].events;
}

TEST(RecordedVisit, RecordsTypingWhereTheDeviceWantsItAndHidesPasswords) {
  RecordingBoard board;
  board.inventory.find("r1")->record_input = true;
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("what you type is recorded; "));
  board.lines["r1"]->say("Password: ");
  ASSERT_TRUE(alice.wait_for("Password: "));
  alice.type("hunter2\r");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == "hunter2\r"; }));
  alice.type("\005c.");
  ASSERT_EQ(alice.wait(), 0);
  auto played = board.closed(1);
  EXPECT_EQ(played[0].typed, "*******\r");
  EXPECT_TRUE(has(played[0].events, "{\"ev\":\"masked\",\"bytes\":7}\n"));
  EXPECT_FALSE(has(played[0].events, "\"typed\""));
}

TEST(RecordedVisit, GoesOnLoudlyWhereItCantBeWrittenDown) {
  RecordingBoard board;
  test::write_file(board.dir / "recordings", "no folder");
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("[oobd: THIS SESSION IS NOT RECORDED: "));
  ASSERT_TRUE(alice.wait_for("you may type"));
  alice.type("ls");
  EXPECT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == "ls"; }));
}

TEST(RecordedVisit, IsRefusedWithoutAuditWherePolicyWantsThat) {
  RecordingBoard board;
  board.core.refuse_without_audit = true;
  test::write_file(board.dir / "recordings", "no folder");
  for (const char* command : {"attach r1", "watch r1", "expect r1 x", "send r1 ls"}) {
    Visit alice(board, "alice", command);
    EXPECT_EQ(alice.wait(), 74) << command;
    EXPECT_TRUE(has(alice.err, "oobd: the audit trail can't be written: ")) << alice.err;
  }
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(RecordedVisit, DoesNotWaitLongForADiskThatHangs) {
  bool go = false;
  std::mutex mutex;
  std::condition_variable wake;
  RecordingBoard board;
  board.disk.run([&] {
    std::unique_lock lock(mutex);
    wake.wait(lock, [&] { return go; });
  });
  auto began = base::Clock::now();
  Visit alice(board, "alice", "attach r1", true);
  alice.type("ls");
  EXPECT_TRUE(alice.wait_for("[oobd: THIS SESSION IS NOT RECORDED: the disk does not answer]"));
  EXPECT_GE(base::Clock::now() - began, RecordedVisit::kPatience);
  EXPECT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == "ls"; }));
  std::unique_lock lock(mutex);
  go = true;
  wake.notify_one();
}

}  // namespace
}  // namespace oob::console

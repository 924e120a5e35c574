#include "console/session.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>

#include "console/watch_job.h"
#include "tests/console/visit.h"

namespace oob::console {

using test::Board;
using test::run_until;
using test::Visit;

namespace {

int status_of(Board& board, const std::string& user, const std::string& command) {
  return Visit(board, user, command).wait();
}

}  // namespace

TEST(Session, AnswersWithTheExitStatusesOfTheContract) {
  Board board;
  EXPECT_EQ(status_of(board, "alice", "list"), 0);
  EXPECT_EQ(status_of(board, "alice", "expect r1 never --timeout 20ms"), 1);
  EXPECT_EQ(status_of(board, "alice", "lsit"), 64);
  EXPECT_EQ(status_of(board, "alice", "log r1 --sinc 2h"), 64);
  EXPECT_EQ(status_of(board, "alice", "expect r1 ("), 64);
  EXPECT_EQ(status_of(board, "alice", "send r1 'unclosed"), 0);  // text is text
  EXPECT_EQ(status_of(board, "alice", "log nothing"), 66);
  EXPECT_EQ(status_of(board, "alice", "kick 4711"), 66);
  EXPECT_EQ(status_of(board, "bob", "send r1 reboot"), 77);
  EXPECT_EQ(status_of(board, "alice", "reload"), 77);
  EXPECT_EQ(status_of(board, "root", "reload"), 0);
  EXPECT_EQ(board.reloads, 1);
  EXPECT_EQ(board.lines["r1"]->typed, "'unclosed\r");
}

TEST(Session, SaysTheSameOfADeviceThatIsHiddenAndOneThatIsNot) {
  Board board;
  Visit hidden(board, "bob", "log r2"), missing(board, "bob", "log r3");
  EXPECT_EQ(hidden.wait(), 66);
  EXPECT_EQ(missing.wait(), 66);
  EXPECT_EQ(hidden.err, "oobd: no such device: r2\n");
  EXPECT_EQ(missing.err, "oobd: no such device: r3\n");
  Visit list(board, "bob", "list --json");
  EXPECT_EQ(list.wait(), 0);
  EXPECT_EQ(list.out.find("r2"), std::string::npos);
  EXPECT_NE(list.out.find("\"device\":\"r1\""), std::string::npos);
}

TEST(Session, GivesHintsForMistypedWords) {
  Board board;
  Visit command(board, "alice", "lsit"), option(board, "alice", "log r1 --sinc 2h");
  command.wait();
  option.wait();
  EXPECT_NE(command.err.find("did you mean 'list'?"), std::string::npos) << command.err;
  EXPECT_NE(option.err.find("did you mean --since?"), std::string::npos) << option.err;
}

TEST(Session, RunsCommandsFromStdinOneALineAndEndsWithTheLastStatus) {
  Board board;
  Visit visit(board, "alice", "");
  visit.type("version\n# a comment\n\nsend r1 one\nlog not");
  visit.type("hing\nsend r2 - \nsend r1 two");
  visit.eof();
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "oobd test\n");
  EXPECT_NE(visit.err.find("no such device: nothing"), std::string::npos);
  EXPECT_EQ(board.lines["r1"]->typed, "one\rtwo\r");
}

TEST(Session, AForcedCommandRunsWhateverWasAskedFor) {
  Board board;
  Session::Terms terms;
  terms.has_forced_command = true;
  terms.forced_command = "version";
  Visit visit(board, "alice", "send r1 reboot", false, terms);
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "oobd test\n");
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(Session, ANameWithADeviceOpensItsConsole) {
  Board board;
  Visit visit(board, "alice", "", true, {false, "", "r1"});
  EXPECT_TRUE(visit.wait_for("[oobd: r1: you may type"));
  Visit command(board, "alice", "list", false, {false, "", "r1"});
  EXPECT_EQ(command.wait(), 64);
}

TEST(Session, TypesOnlyWithTheKeyboardAndTellsTheOthers) {
  Board board;
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("you may type; nobody else here"));
  Visit root(board, "root", "attach r1", true);
  ASSERT_TRUE(root.wait_for("also here: alice (typing)"));
  EXPECT_TRUE(alice.wait_for("root came"));
  root.type("x");
  EXPECT_TRUE(root.wait_for("you are watching"));
  alice.type("ls\r");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == "ls\r"; }));
  root.type("\005cf");
  ASSERT_TRUE(alice.wait_for("root forced the keyboard"));
  root.type("y");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == "ls\ry"; }));
  EXPECT_EQ(status_of(board, "alice", "send r1 z"), 75);
  root.type("\005c.");
  EXPECT_EQ(root.wait(), 0);
  EXPECT_TRUE(alice.wait_for("root left"));
}

TEST(Session, WhoMayOnlyWatchCannotForce) {
  Board board;
  EXPECT_EQ(status_of(board, "bob", "attach r1 --force"), 77);
  EXPECT_EQ(status_of(board, "bob", "attach r1 --join"), 77);
  Visit bob(board, "bob", "attach r1", true);
  ASSERT_TRUE(bob.wait_for("you may watch"));
  bob.type("\005cf");
  EXPECT_TRUE(bob.wait_for("may not"));
  EXPECT_EQ(board.inventory.find("r1")->console->writer(), "");
}

TEST(Session, AStuckLineHoldsAPasteBackAndAHangupStillFreesTheKeyboard) {
  Board board;
  board.lines["r1"]->allow(10);
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("you may type"));
  std::string paste(60'000, 'p');
  for (int i = 0; i < 4; ++i) alice.type(paste);
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed.size() == 10; }));
  alice.hang_up();
  EXPECT_TRUE(run_until(board.loop, [&] { return board.inventory.find("r1")->console->writer().empty(); }));
}

TEST(Session, APasteArrivesWholeAtTheLinesSpeed) {
  Board board;
  board.lines["r1"]->allow(0);
  Visit visit(board, "alice", "send r1 -");
  std::string text;
  for (int i = 0; text.size() < 200'000; ++i) text += base::str(i, " words\n");
  visit.type(text);
  visit.eof();
  ASSERT_TRUE(run_until(board.loop, [&] {
    visit.hear();
    board.lines["r1"]->allow(700);
    return visit.closed;
  }));
  EXPECT_EQ(visit.status, 0);
  EXPECT_EQ(board.lines["r1"]->typed, text);
}

TEST(Session, WhoDoesNotReadTheAnswersCannotGoOnAsking) {
  Board board;
  Visit visit(board, "alice", "");
  constexpr std::size_t kQuestions = 3000;
  std::string text;
  // More than a socket holds.
  for (std::size_t i = 0; i < kQuestions; ++i) text += "help log" + std::string(1000, ' ') + "\n";
  visit.type(text + "version\n");
  auto all_is_taken = [&] {
    visit.push();
    return visit.unsent() == 0;
  };
  EXPECT_FALSE(run_until(board.loop, all_is_taken, base::milliseconds(300)));
  visit.eof();
  EXPECT_EQ(visit.wait(), 0);
  std::size_t answers = 0;
  for (std::size_t at = visit.out.find("log D"); at != std::string::npos;
       at = visit.out.find("log D", at + 1))
    ++answers;
  EXPECT_EQ(answers, kQuestions);
  EXPECT_NE(visit.out.find("oobd test\n"), std::string::npos);
}

TEST(Session, AKickEndsASessionAndSaysByWhom) {
  Board board;
  Visit alice(board, "alice", "attach r1", true), bob(board, "bob", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("may type"));
  ASSERT_TRUE(bob.wait_for("may watch"));
  EXPECT_EQ(status_of(board, "bob", base::str("kick ", alice.number)), 77);
  EXPECT_EQ(status_of(board, "root", base::str("kick ", alice.number)), 0);
  EXPECT_EQ(alice.wait(), 77);
  EXPECT_NE(alice.err.find("ended by root"), std::string::npos);
}

TEST(Session, ASessionThatLosesItsRightsIsTold) {
  Board board;
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("may type"));
  auth::Role watches{{"r1"}, {auth::Action::watch}};
  board.core.policy =
      std::make_unique<auth::Policy>(std::map<std::string, std::vector<std::string>>{{"alice", {"watches"}}},
                                     std::map<std::string, auth::Role>{{"watches", watches}});
  for (auto& session : board.core.sessions) session->recheck();
  ASSERT_TRUE(alice.wait_for("you may no longer type here"));
  board.core.policy = std::make_unique<auth::Policy>();
  for (auto& session : board.core.sessions) session->recheck();
  EXPECT_EQ(alice.wait(), 77);
}

TEST(Session, ABreakIsInTheJournalAndOnTheLine) {
  Board board;
  EXPECT_EQ(status_of(board, "alice", "break r1 --ms 250"), 0);
  EXPECT_EQ(board.lines["r1"]->breaks, std::vector<unsigned>{250});
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("may type"));
  alice.send(base::wire::Frame::brk, base::wire::Writer().u32(0).take());
  ASSERT_TRUE(alice.wait_for("break sent"));
  EXPECT_EQ(board.lines["r1"]->breaks.size(), 2u);
  EXPECT_NE(board.journal_text().find("\"ev\":\"break\""), std::string::npos);
}

TEST(Session, ABreakStaysWithTheConsoleItWasMeantFor) {
  Board board;
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("may type"));
  alice.type("\005cl0\005c;r2\r");
  ASSERT_TRUE(alice.wait_for("[oobd: r2: you may type"));
  alice.type("x");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r2"]->typed == "x"; }));
  EXPECT_TRUE(board.lines["r2"]->breaks.empty());
  EXPECT_TRUE(
      run_until(board.loop, [&] { return board.journal_text().find("break.dropped") != std::string::npos; }));
}

TEST(Session, WhatIsTypedAfterABreakWaitsForIt) {
  Board board;
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("may type"));
  alice.type("x");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == "x"; }));
  std::promise<void> let_go;  // the break is written down first, and the disk does not get to it
  board.disk.run([held = let_go.get_future().share()] { held.wait(); });
  alice.type("a\005cl0h");
  alice.type("i");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed.size() > 1; }));
  EXPECT_FALSE(run_until(
      board.loop, [&] { return board.lines["r1"]->typed != "xa"; }, base::milliseconds(50)));
  EXPECT_TRUE(board.lines["r1"]->breaks.empty());
  let_go.set_value();
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == "xahi"; }));
  EXPECT_EQ(board.lines["r1"]->breaks.size(), 1u);
}

TEST(Session, AReloadThatTakesARightEndsARunningSendAndExpect) {
  Board board;
  Visit send(board, "alice", "send r1 -"), expect(board, "alice", "expect r2 secret");
  send.type("one");
  ASSERT_TRUE(run_until(board.loop, [&] {
    return board.lines["r1"]->typed == "one" && board.inventory.find("r2")->console->watcher_count() == 1;
  }));
  board.core.policy = std::make_unique<auth::Policy>();
  for (auto& session : board.core.sessions) session->recheck();
  send.type("two");
  EXPECT_EQ(send.wait(), 77);
  EXPECT_EQ(expect.wait(), 77);
  EXPECT_EQ(board.lines["r1"]->typed, "one");
}

TEST(Session, WatchGivesWholeLinesAndAPromptOnceItIsQuiet) {
  Board board;
  // Where the machine stands still between the pieces, the first is a prompt: then once more.
  bool is_soon = false;
  for (int i = 0; i < 20 && !is_soon; ++i) {
    Visit visit(board, "alice", "watch r1");
    ASSERT_TRUE(
        run_until(board.loop, [&] { return board.inventory.find("r1")->console->watcher_count() == 1; }));
    auto since = base::Clock::now();
    board.lines["r1"]->say("first\r\nsec");
    ASSERT_TRUE(visit.wait_for("first\n"));
    board.lines["r1"]->say("ond\r\nlogin: ");
    ASSERT_TRUE(visit.wait_for("ond\n"));
    is_soon = base::Clock::now() - since < WatchJob::kQuiet;
    ASSERT_TRUE(visit.wait_for("login: "));
    if (is_soon) {
      EXPECT_EQ(visit.out, "first\nsecond\nlogin: \n");
    }
    visit.hang_up();
    ASSERT_TRUE(
        run_until(board.loop, [&] { return board.inventory.find("r1")->console->watcher_count() == 0; }));
  }
  EXPECT_TRUE(is_soon);
}

TEST(Session, ExpectTakesAPromptButNotALineThatIsStillComing) {
  Board board;
  Visit load(board, "alice", "expect r1 'load: [0-9]+'"), prompt(board, "alice", "expect r2 'login: $'");
  ASSERT_TRUE(run_until(board.loop, [&] {
    return board.inventory.find("r1")->console->watcher_count() == 1 &&
           board.inventory.find("r2")->console->watcher_count() == 1;
  }));
  board.lines["r1"]->say("load: 4");
  board.lines["r1"]->say("2 %\r\n");
  board.lines["r2"]->say("\r\nr2 login: ");
  EXPECT_EQ(load.wait(), 0);
  EXPECT_EQ(prompt.wait(), 0);
  EXPECT_EQ(load.out, "load: 42 %\n");
  EXPECT_EQ(prompt.out, "r2 login: \n");
}

TEST(Session, WhoeverAdministersMayForceAndNothingElse) {
  Board board;
  auth::Role role{{"r1"}, {auth::Action::watch, auth::Action::admin}};
  board.core.policy =
      std::make_unique<auth::Policy>(std::map<std::string, std::vector<std::string>>{{"alice", {"role"}}},
                                     std::map<std::string, auth::Role>{{"role", role}});
  Visit plain(board, "alice", "attach r1", true);
  ASSERT_TRUE(plain.wait_for("you may watch"));
  EXPECT_EQ(status_of(board, "alice", "send r1 x"), 77);
  Visit forced(board, "alice", "attach r1 --force", true);
  ASSERT_TRUE(forced.wait_for("you may type"));
}

TEST(Session, AttachWithoutATerminalKeepsRemarksOffItsOutputAndTellsWhatWasNotTyped) {
  Board board;
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("may type"));
  Visit script(board, "root", "attach r1");
  script.type("reboot\r");
  script.eof();
  EXPECT_EQ(script.wait(), 75);
  EXPECT_EQ(script.out, "");
  EXPECT_NE(script.err.find("[oobd: r1: watching"), std::string::npos) << script.err;
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(Session, ShowsWhatTheConsoleSaidBeforeTheDaemonStarted) {
  test::TempDir dir;
  base::Loop loop;
  base::Disk disk(loop);
  {
    Archive archive(loop, disk, dir / "transcripts");
    auto transcript = archive.open("r1");
    transcript->append("login: \r\nlast words before the power went\r\n");
    archive.flush();
    disk.drain();
  }
  disk.drain();
  std::string before = test::read_file(dir / "transcripts/r1/00000000000000000000.log");
  ASSERT_NE(before, "");
  Board board;
  test::write_file(board.dir / "transcripts/r9/00000000000000000000.log", before);
  board.add("r9");
  ASSERT_TRUE(run_until(
      board.loop, [&] { return board.inventory.find("r9")->console->oldest_in_files() == before.size(); }));
  Visit alice(board, "alice", "attach r9", true);
  EXPECT_TRUE(alice.wait_for("last words before the power went"));
}

TEST(Session, CtrlCOnATerminalEndsACommandThatDoesNotWantIt) {
  Board board;
  Visit log(board, "alice", "log r1 --follow", true);
  log.type("x\x03");
  EXPECT_EQ(log.wait(), kInterrupted);
  Visit piped(board, "alice", "log r1 --follow", false);
  piped.type("\x03");
  Visit other(board, "alice", "list", false);
  EXPECT_EQ(other.wait(), 0);
  piped.hear();
  EXPECT_FALSE(piped.closed) << "without a terminal it is a byte as any other";
  EXPECT_EQ(piped.status, -1);
}

TEST(Session, GarbageEndsTheSocketAndNothingElse) {
  Board board;
  for (const std::string& bytes : {std::string("\0\0\0\0", 4), std::string("\xff\xff\xff\xff", 4),
                                   base::wire::frame(base::wire::Frame::data, "before open"),
                                   base::wire::frame(base::wire::Frame::open, "x")}) {
    auto pair = base::socket_pair(SOCK_STREAM);
    add_session(board.core, std::move(pair->second), {}, {});
    ASSERT_TRUE(base::send_some(pair->first.get(), bytes));
    EXPECT_TRUE(run_until(board.loop, [&] { return board.core.sessions.empty(); }));
  }
}

}  // namespace oob::console

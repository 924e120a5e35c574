#include "console/run_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/console/dialogue_kit.h"

namespace oob::console {
namespace {

using base::str;
using test::FakeMachine;
using test::Visit;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct RunBoard : test::DialogueBoard {
  // A disk that stands still for a moment is waited for, and nobody is told of it.
  RunBoard() { core.refuse_without_audit = true; }
  // The visit's exit status.
  int ends(Visit& visit) {
    runs([&] {
      visit.hear();
      return visit.closed;
    });
    return visit.status;
  }
  // The journal's line of the event.
  std::string line_of(const std::string& event) {
    std::string text = journal_text();
    std::size_t at = text.find(str("\"ev\":\"", event, "\""));
    if (at == std::string::npos) return "";
    std::size_t begin = text.rfind('\n', at) + 1;
    return text.substr(begin, text.find('\n', at) - begin);
  }
};

TEST(RunJob, GivesTheOutputAloneAndLeaves) {
  RunBoard board;
  Visit alice(board, "alice", "run r1 -- show version");
  EXPECT_EQ(board.ends(alice), 0) << alice.err;
  EXPECT_EQ(alice.out, "did show version\n");
  EXPECT_EQ(alice.err, "");
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
  ASSERT_TRUE(board.journalled("run.result"));
  EXPECT_THAT(board.line_of("run"), AllOf(HasSubstr(R"("command":"show version")"),
                                          HasSubstr(R"("device":"r1")"), HasSubstr(R"("user":"alice")")));
  EXPECT_THAT(board.line_of("run.result"), AllOf(HasSubstr(R"("bytes":17)"), HasSubstr(R"("status":0)"),
                                                 HasSubstr(R"("seconds":)"), HasSubstr(R"("recording":")")));
}

TEST(RunJob, TakesTheCommandExactlyAsItWasTyped) {
  for (auto [line, command] : std::vector<std::pair<std::string, std::string>>{
           {R"(run r1 -- echo  'a b' "c" --wait)", R"(echo  'a b' "c" --wait)"},
           {"run r1 echo x -- y", "echo x -- y"},
           {"run r1 --timeout 50 --wait=2s -- --wait", "--wait"},
           {"run r1 -- -- x", "-- x"},
           {"run r1 -l", "-l"}}) {
    RunBoard board;
    Visit alice(board, "alice", line);
    EXPECT_EQ(board.ends(alice), 0) << alice.err;
    EXPECT_EQ(board.machine.commands, std::vector<std::string>{command}) << line;
  }
}

TEST(RunJob, IsRefusedWhenItIsAskedWrongly) {
  for (const char* line : {"run r1", "run r1 --", "run r1 --timeout", "run r1 --timeout x -- ls",
                           "run r1 --timeout 0 -- ls", "run r1 --wait 2d -- ls", "run r1 --tiemout 5 -- ls",
                           "run r1 --timeout 5", "run r2 -- ls", "run r1 -- a\rb"}) {
    RunBoard board;
    Visit alice(board, "alice", line);
    EXPECT_EQ(board.ends(alice), 64) << line;
    EXPECT_NE(alice.err, "") << line;
    EXPECT_EQ(board.lines["r1"]->typed, "") << line;
    EXPECT_EQ(board.line_of("run"), "") << line;
  }
  RunBoard board;
  Visit bob(board, "bob", "run r1 -- ls");
  EXPECT_EQ(board.ends(bob), 77);
}

TEST(RunJob, SaysWhatIsWrongWithTheLine) {
  for (auto [line, says] : std::vector<std::pair<std::string, std::string>>{
           {"run r1 -- 'echo a; exit 3'", "quote it once, not twice"},
           {"run r1 -- \"echo a; exit 3\"", "quote it once, not twice"},
           {"run r1", "run: '-- COMMAND' is missing; usage: run D "},
           {"run", "run: which device? Usage: run D "},
           {"run --timeout 5 r1 -- ls", "run: which device? It comes first"},
           {"send r1", "send: TEXT is missing; usage: "}}) {
    RunBoard board;
    Visit alice(board, "alice", line);
    EXPECT_EQ(board.ends(alice), 64) << line;
    EXPECT_THAT(alice.err, HasSubstr(says));
  }
}

TEST(RunJob, TypesNothingBeforeItIsWrittenDown) {
  RunBoard board;
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{}, none{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  none = before;
  none.rlim_cur = 1;
  ::setrlimit(RLIMIT_FSIZE, &none);
  Visit alice(board, "alice", "run r1 -- ls");
  EXPECT_EQ(board.ends(alice), 74) << alice.err;
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(RunJob, SaysWhoTypesAndThatItFailed) {
  RunBoard board;
  Visit root(board, "root", "attach r1", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  Visit alice(board, "alice", "run r1 -- ls");
  EXPECT_EQ(board.ends(alice), 75);
  EXPECT_EQ(alice.err, "oobd: r1: root is typing (--wait S waits for the keyboard)\n");
  ASSERT_TRUE(board.journalled("run.result"));
  EXPECT_THAT(board.line_of("run.result"), HasSubstr(R"("status":75)"));
}

TEST(RunJob, LeavesTheDeviceWhenItsVisitorGoes) {
  RunBoard board;
  Visit alice(board, "alice", "run r1 -- ls");
  ASSERT_TRUE(board.runs([&] { return board.machine.at == FakeMachine::At::shell; }));
  alice.hang_up();
  ASSERT_TRUE(board.runs([&] { return board.core.dialogues->under_way() == 0; }));
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
  ASSERT_TRUE(board.journalled("run.result"));
  EXPECT_THAT(board.line_of("run.result"), HasSubstr("whoever wanted it has gone"));
}

TEST(RunJob, EndsWithTheRightToType) {
  RunBoard board;
  Visit alice(board, "alice", "run r1 -- ls");
  ASSERT_TRUE(board.runs([&] { return board.machine.at == FakeMachine::At::shell; }));
  board.allow({auth::Action::watch});
  EXPECT_EQ(board.ends(alice), 77) << alice.err;
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
}

TEST(RunJob, IsInTheJournalAsWithoutAnswerWhenTheDaemonEnds) {
  RunBoard board;
  Visit alice(board, "alice", "run r1 -- ls");
  ASSERT_TRUE(board.runs([&] { return board.machine.at == FakeMachine::At::shell; }));
  board.core.sessions.clear();
  board.core.dialogues.reset();
  ASSERT_TRUE(board.journalled("run.result"));
  EXPECT_THAT(board.line_of("run.result"), HasSubstr("the daemon stopped before it ended"));
}

}  // namespace
}  // namespace oob::console

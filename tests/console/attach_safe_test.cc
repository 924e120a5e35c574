// `--safe` of attach, watch and log, and of roles: console/attach_job, watch_job and log_job with
// console/safe_output.
#include <gtest/gtest.h>

#include "tests/console/visit.h"

namespace oob::console {

using auth::Action;
using test::Board;
using test::run_until;
using test::Visit;

namespace {

// Sets title and clipboard, asks who is there, and shows something in red.
constexpr const char* kHostile =
    "\033]0;title\a\033]52;c;aGk=\033\\\033P$qm\033\\\033[c\005\033[31mred\033[m\033[5Cx";
constexpr const char* kHarmless = "\033[31mred\033[m\033[5Cx";

// What of `out` comes after the first `text`.
std::string after(const std::string& out, const std::string& text) {
  std::size_t at = out.find(text);
  return at == std::string::npos ? "" : out.substr(at + text.size());
}

bool harmless(const std::string& out) {
  for (const char* harm : {"\033]", "\033P", "\005", "\033[c", "title", "aGk="})
    if (out.find(harm) != std::string::npos) return false;
  return true;
}

// Until it is shown and in the files: behind a slow disk the one comes long before the other.
void say(Board& board, const std::string& text) {
  Console& console = *board.inventory.find("r1")->console;
  board.lines["r1"]->say(text);
  ASSERT_TRUE(run_until(board.loop, [&] {
    return console.recent(text.size()) == text && console.transcript().written() == console.end();
  }));
}

// alice's role is a safe one; bob's is not.
void make_safe(Board& board) {
  auth::Role safe{{"r*"}, {Action::watch, Action::write}}, free{{"r1"}, {Action::watch}};
  safe.safe = true;
  board.core.policy = std::make_unique<auth::Policy>(
      std::map<std::string, std::vector<std::string>>{{"alice", {"safe"}}, {"bob", {"free"}}},
      std::map<std::string, auth::Role>{{"safe", safe}, {"free", free}});
  for (auto& session : board.core.sessions) session->recheck();
}

}  // namespace

TEST(AttachSafe, ShowsTheScreenAndWhatIsLiveWithoutWhatDrivesATerminal) {
  Board board;
  say(board, base::str("early ", kHostile, "\r\n"));
  Visit alice(board, "alice", "attach r1 --safe", true), root(board, "root", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("safe: text, colours and cursor only"));
  ASSERT_TRUE(alice.wait_for("early"));
  ASSERT_TRUE(root.wait_for("early"));
  EXPECT_EQ(root.out.find("safe:"), std::string::npos);
  say(board, base::str("<", kHostile, ">"));
  ASSERT_TRUE(alice.wait_for(">"));
  ASSERT_TRUE(root.wait_for(">"));
  EXPECT_TRUE(harmless(alice.out)) << base::printable(alice.out, 4000);
  EXPECT_NE(alice.out.find(base::str("<", kHarmless, ">")), std::string::npos);
  EXPECT_NE(root.out.find(base::str("<", kHostile, ">")), std::string::npos);
}

TEST(AttachSafe, GoesOnWhereTheScreenEndsInTheMiddleOfASequence) {
  Board board;
  say(board, "text\033[3");
  Visit alice(board, "alice", "attach r1 --safe", true);
  ASSERT_TRUE(alice.wait_for("text"));
  say(board, "1mred\033]0;ti");
  say(board, "tle\aend");
  ASSERT_TRUE(alice.wait_for("end"));
  EXPECT_TRUE(alice.out.ends_with("text\033[31mredend")) << base::printable(alice.out, 4000);
}

TEST(AttachSafe, ReplaysSafelyBetweenThePiecesOfASequence) {
  Board board;
  Visit alice(board, "alice", "attach r1 --safe", true);
  ASSERT_TRUE(alice.wait_for("you may type"));
  say(board, base::str("row ", kHostile, "\r\nprompt\033[3"));
  ASSERT_TRUE(alice.wait_for("prompt"));
  alice.type("\005cr");
  ASSERT_TRUE(alice.wait_for("live again]"));
  say(board, "1mred");
  ASSERT_TRUE(alice.wait_for("live again]\r\n\033[31mred"));
  EXPECT_TRUE(harmless(alice.out)) << base::printable(alice.out, 4000);
  EXPECT_EQ(after(alice.out, "live again]\r\n"), "\033[31mred");
}

TEST(AttachSafe, LeavesTheTerminalInOrder) {
  Board board;
  Visit alice(board, "alice", "attach r1 --safe", true);
  ASSERT_TRUE(alice.wait_for("you may type"));
  say(board, "\033[?1049h\033[?25l\033[31medit");
  ASSERT_TRUE(alice.wait_for("edit"));
  alice.type("\005c.");
  EXPECT_EQ(alice.wait(), 0);
  EXPECT_NE(alice.out.find("edit\033[?25h\033[?1049l\033[m\r\n[oobd: left r1]"), std::string::npos)
      << base::printable(alice.out, 4000);
}

TEST(AttachSafe, LeavesTheTerminalInOrderWhenTheyGoOnToAnotherDevice) {
  Board board;
  Visit alice(board, "alice", "attach r1 --safe", true);
  ASSERT_TRUE(alice.wait_for("you may type"));
  say(board, "\033[31mred\033]0;hung");
  ASSERT_TRUE(alice.wait_for("red"));
  alice.type("\005c;r2\r");
  ASSERT_TRUE(alice.wait_for("[oobd: r2"));
  EXPECT_NE(alice.out.find("red"), std::string::npos);
  EXPECT_NE(after(alice.out, "red").find("\033[m\r\n[oobd: r2"), std::string::npos)
      << base::printable(alice.out, 4000);
  board.lines["r2"]->say("heard at once");
  EXPECT_TRUE(alice.wait_for("heard at once"));
}

TEST(AttachSafe, ARoleMakesItSo) {
  Board board;
  make_safe(board);
  Visit alice(board, "alice", "attach r1", true), bob(board, "bob", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("safe: text"));
  ASSERT_TRUE(bob.wait_for("you may watch"));
  say(board, base::str("<", kHostile, ">"));
  ASSERT_TRUE(alice.wait_for(">"));
  ASSERT_TRUE(bob.wait_for(">"));
  EXPECT_TRUE(harmless(alice.out));
  EXPECT_NE(bob.out.find(kHostile), std::string::npos);
}

TEST(AttachSafe, ARoleThatBecomesSafeCountsAtOnce) {
  Board board;
  Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("you may type"));
  make_safe(board);
  ASSERT_TRUE(alice.wait_for("[oobd: safe from now on"));
  say(board, base::str("<", kHostile, ">"));
  ASSERT_TRUE(alice.wait_for(">"));
  EXPECT_TRUE(harmless(alice.out));
}

TEST(AttachSafe, BeginsAnewAfterBytesWereSkipped) {
  Board board;
  Visit alice(board, "alice", "attach r1 --safe", true);
  ASSERT_TRUE(alice.wait_for("you may type"));
  say(board, "\033P never ends");
  // More than the scrollback, the session and its socket hold, while alice reads nothing.
  for (int i = 0; i < 64; ++i) say(board, std::string(32 * 1024, 'x'));
  say(board, "\r\nlast\r\n");
  ASSERT_TRUE(alice.wait_for("last"));
  EXPECT_NE(alice.out.find("bytes skipped]\r\nx"), std::string::npos);
}

TEST(AttachSafe, WatchIsSafeRawOrAsLines) {
  Board board;
  Visit lines(board, "alice", "watch r1"), raw(board, "alice", "watch r1 --raw"),
      safe(board, "alice", "watch r1 --safe");
  ASSERT_TRUE(
      run_until(board.loop, [&] { return board.inventory.find("r1")->console->watchers().size() == 3; }));
  say(board, base::str(kHostile, ">\n"));
  for (Visit* visit : {&lines, &raw, &safe}) ASSERT_TRUE(visit->wait_for(">\n"));
  EXPECT_EQ(lines.out, "red     x>\n");
  EXPECT_EQ(raw.out, base::str(kHostile, ">\n"));
  EXPECT_EQ(safe.out, base::str(kHarmless, ">\n"));
}

TEST(AttachSafe, LogIsSafeRawOrAsLines) {
  Board board;
  say(board, base::str(kHostile, ">\n"));
  Visit lines(board, "alice", "log r1"), raw(board, "alice", "log r1 --raw"),
      safe(board, "alice", "log r1 --safe"), both(board, "alice", "log r1 --safe --stamp");
  EXPECT_EQ(lines.wait(), 0);
  EXPECT_EQ(raw.wait(), 0);
  EXPECT_EQ(safe.wait(), 0);
  EXPECT_EQ(both.wait(), 64);
  EXPECT_EQ(lines.out, "red     x>\n");
  EXPECT_EQ(raw.out, base::str(kHostile, ">\n"));
  EXPECT_EQ(safe.out, base::str(kHarmless, ">\n"));
}

TEST(AttachSafe, ARoleMakesRawSafeOnATerminalAndExactInAPipe) {
  Board board;
  make_safe(board);
  say(board, base::str(kHostile, ">\n"));
  Visit terminal(board, "alice", "log r1 --raw", true), pipe(board, "alice", "log r1 --raw");
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_EQ(pipe.wait(), 0);
  EXPECT_EQ(terminal.out, base::str(kHarmless, ">\n"));
  EXPECT_EQ(pipe.out, base::str(kHostile, ">\n"));
  Visit watching(board, "alice", "watch r1 --raw", true), piped(board, "alice", "watch r1 --raw");
  ASSERT_TRUE(
      run_until(board.loop, [&] { return board.inventory.find("r1")->console->watchers().size() == 2; }));
  say(board, base::str(kHostile, "!\n"));
  ASSERT_TRUE(watching.wait_for("!"));
  ASSERT_TRUE(piped.wait_for("!"));
  EXPECT_EQ(watching.out, base::str(kHarmless, "!\n"));
  EXPECT_EQ(piped.out, base::str(kHostile, "!\n"));
}

TEST(AttachSafe, AMessageToAllCarriesNoControls) {
  Board board;
  Visit alice(board, "alice", "attach r1", true), root(board, "root", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("you may type"));
  ASSERT_TRUE(root.wait_for("[oobd: r1"));
  alice.type(
      "\005cbfrom \xc2\x9b"
      "5n \xe2\x80\xae alice\r");
  ASSERT_TRUE(root.wait_for("alice]"));
  EXPECT_EQ(root.out.find("\xc2\x9b"), std::string::npos);
  EXPECT_EQ(root.out.find("\xe2\x80\xae"), std::string::npos);
}

}  // namespace oob::console

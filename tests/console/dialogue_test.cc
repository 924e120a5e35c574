#include "console/dialogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tests/console/dialogue_kit.h"
#include "tests/console/second_life.h"

namespace oob::console {
namespace {

using base::Fault;
using base::Result;
using base::str;
using base::Task;
using test::DialogueBoard;
using test::FakeMachine;
using test::run_until;
using test::Visit;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Types one line and waits for what it says.
Task<Result<>> say_hello(recipe::Visit&, recipe::Talk& talk, const recipe::Recipe&) {
  talk.last_words("\x03stty echo\r");
  talk.type("hello\r");
  std::function<bool()> answered = [&talk] { return talk.heard().find("did hello") != base::Bytes::npos; };
  Result<bool> heard = co_await talk.until(answered, base::milliseconds(20'000));
  if (!heard) co_return heard.error();
  talk.last_words("");
  if (!*heard) co_return base::fail(Fault::unavailable, "no answer to hello");
  co_return Result<>();
}

// Waits for what never comes.
Task<Result<>> wait_for_ever(recipe::Visit&, recipe::Talk& talk, const recipe::Recipe&) {
  talk.last_words("\x03stty echo\r");
  talk.type("wait\r");
  std::function<bool()> never = [] { return false; };
  Result<bool> heard = co_await talk.until(never, std::chrono::hours(1));
  if (!heard) co_return heard.error();
  co_return Result<>();
}

TEST(Dialogue, LogsInWorksLeavesAndTellsEverybody) {
  DialogueBoard board;
  Visit bob(board, "bob", "attach r1 --watch", true);
  ASSERT_TRUE(bob.wait_for("nobody else here"));
  board.begin(board.order(say_hello));
  const Dialogues::Ended& end = board.wait();
  EXPECT_TRUE(end.result) << end.result.error().what;
  EXPECT_EQ(end.left_open, "");
  EXPECT_FALSE(end.recording.empty());
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
  EXPECT_EQ(board.machine.commands, std::vector<std::string>{"hello"});
  EXPECT_EQ(board.console().writer(), "");
  EXPECT_EQ(board.core.dialogues->under_way(), 0u);
  EXPECT_TRUE(bob.wait_for("[oobd: alice (snapshot) took the keyboard]"));
  EXPECT_TRUE(bob.wait_for("[oobd: alice's snapshot types here; ^Ec f takes the keyboard]"));
  EXPECT_TRUE(bob.wait_for("[oobd: alice (snapshot) left the keyboard]"));
  EXPECT_THAT(board.whole_journal(), Not(HasSubstr("console.open")));
}

TEST(Dialogue, NoSecretIsInItsRecordingAlsoWhereTypingIsRecorded) {
  for (bool input : {false, true}) {
    DialogueBoard board;
    board.inventory.find("r1")->record_input = input;
    board.begin(board.order(say_hello));
    ASSERT_TRUE(board.wait().result);
    EXPECT_THAT(board.lines["r1"]->typed, HasSubstr("tell-nobody\r"));
    ASSERT_TRUE(run_until(board.loop, [&] {
      return board.recorded().find("\"close") != std::string::npos ||
             board.recorded().find("close\\\"") != std::string::npos;
    }));
    EXPECT_THAT(board.recorded(), HasSubstr("did hello"));
    EXPECT_THAT(board.recorded(), Not(HasSubstr("tell-nobody")));
    EXPECT_EQ(board.recorded().find("{secret}") != std::string::npos, input);
    EXPECT_THAT(board.recorded(), Not(HasSubstr("***********")));
    EXPECT_THAT(board.journal_text(), Not(HasSubstr("tell-nobody")));
  }
}

TEST(Dialogue, NamesWhoTypesAndTypesNothing) {
  DialogueBoard board;
  Visit root(board, "root", "attach r1", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  board.begin(board.order(say_hello));
  const Dialogues::Ended& end = board.wait();
  ASSERT_FALSE(end.result);
  EXPECT_EQ(end.result.error().fault, Fault::busy);
  EXPECT_EQ(end.result.error().what, "r1: root is typing (--wait S waits for the keyboard)");
  EXPECT_EQ(end.left_open, "");
  EXPECT_EQ(board.lines["r1"]->typed, "");
  EXPECT_EQ(end.recording, "");
}

TEST(Dialogue, TypesNothingBehindWhatWasHalfTypedBeforeItsStart) {
  DialogueBoard board;
  board.core.recipes = DialogueBoard::book(R"(recipe box version 1
method text-twice
state login tail /login: $/ home go "{user}\r"
state shell tail /box# $/ work leave "exit\r"
begun /^box# +\S/
cmd config "show" end /^end$/
)");
  test::say_into_files(board, "r1", "\r\nbox# erase all");
  test::begin_again(board, "r1");
  board.machine.is_gone = true;
  board.begin(board.order(say_hello));
  const Dialogues::Ended& end = board.wait();
  ASSERT_FALSE(end.result);
  EXPECT_THAT(end.result.error().what, HasSubstr("somebody left a line half typed: 'box# erase all'"));
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(Dialogue, TypesByForceAloneWhereNobodyCanTellWhatWasSaidBefore) {
  DialogueBoard board;
  test::say_into_files(board, "r1", "box# erase all");
  std::filesystem::rename(board.dir / "transcripts/r1", board.dir / "elsewhere");
  test::write_file(board.dir / "transcripts/r1", "no folder");
  test::begin_again(board, "r1");
  board.machine.is_gone = true;
  board.begin(board.order(say_hello));
  ASSERT_FALSE(board.wait().result);
  EXPECT_EQ(board.ended->result.error().fault, Fault::unavailable);
  EXPECT_THAT(board.ended->result.error().what, HasSubstr("what r1 said before can't be read: "));
  EXPECT_THAT(board.ended->result.error().what, HasSubstr("cure: attach, clear it (Ctrl-C), and try again"));
  EXPECT_EQ(board.console().writer(), "");
  EXPECT_EQ(board.lines["r1"]->typed, "");
  board.ended.reset();
  auto forced = board.order(say_hello);
  forced.force = true;
  board.begin(std::move(forced));
  EXPECT_TRUE(board.runs([&] { return !board.lines["r1"]->typed.empty(); }));
}

TEST(Dialogue, WaitsForTheKeyboardAndSaysSo) {
  DialogueBoard board;
  Visit root(board, "root", "attach r1", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  auto order = board.order(say_hello);
  order.wait = std::chrono::seconds(20);
  board.begin(std::move(order));
  ASSERT_TRUE(board.runs([&] { return !board.remarks.empty(); }));
  EXPECT_THAT(board.remarks.at(0), HasSubstr("root is typing"));
  root.type("\005c.");
  EXPECT_TRUE(board.wait().result);
  EXPECT_EQ(board.machine.commands, std::vector<std::string>{"hello"});
}

TEST(Dialogue, WaitsNoLongerThanItWasTold) {
  DialogueBoard board;
  Visit root(board, "root", "attach r1", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  auto order = board.order(say_hello);
  order.wait = base::milliseconds(50);
  board.begin(std::move(order));
  const Dialogues::Ended& end = board.wait();
  ASSERT_FALSE(end.result);
  EXPECT_EQ(end.result.error().fault, Fault::busy);
  EXPECT_THAT(end.result.error().what, HasSubstr("root is typing; waited"));
  root.type("\005c.");
  ASSERT_EQ(root.wait(), 0);
  EXPECT_EQ(board.console().writer(), "");  // it is in no queue any more
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(Dialogue, TakesTheKeyboardByForceWhenToldTo) {
  DialogueBoard board;
  Visit root(board, "root", "attach r1", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  auto order = board.order(say_hello);
  order.force = true;
  board.begin(std::move(order));
  EXPECT_TRUE(board.wait().result);
  EXPECT_TRUE(root.wait_for("alice (snapshot) forced the keyboard"));
}

TEST(Dialogue, YieldsToAPersonAfterItsLastWords) {
  DialogueBoard board;
  board.begin(board.order(wait_for_ever));
  ASSERT_TRUE(board.runs([&] { return !board.machine.commands.empty(); }));
  std::size_t before = board.lines["r1"]->typed.size();
  Visit root(board, "root", "attach r1 --force", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  root.type("X");
  const Dialogues::Ended& end = board.wait();
  ASSERT_FALSE(end.result);
  EXPECT_EQ(end.result.error().fault, Fault::busy);
  EXPECT_EQ(end.result.error().what, "r1: root took the keyboard");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed.back() == 'X'; }));
  EXPECT_EQ(board.lines["r1"]->typed.substr(before), "\x03stty echo\rX");
  EXPECT_EQ(board.console().writer(), "root");
  EXPECT_NE(end.left_open, "");
  EXPECT_EQ(board.console().left_open(), "alice's snapshot: root took the keyboard");
  EXPECT_TRUE(board.journalled("\"ev\":\"console.open\""));
}

TEST(Dialogue, ItsLastWordsGoBeforeThePersonsFirstKeyOnASlowLine) {
  DialogueBoard board;
  board.begin(board.order(wait_for_ever));
  ASSERT_TRUE(board.runs([&] { return !board.machine.commands.empty(); }));
  std::size_t before = board.lines["r1"]->typed.size();
  board.lines["r1"]->allow(3);
  Visit root(board, "root", "attach r1 --force", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  root.type("XYZ");
  ASSERT_FALSE(board.wait().result);
  const std::string expected = "\x03stty echo\rXYZ";
  // The person's keys wait for the disk as well: it is written down first who types.
  ASSERT_TRUE(board.runs([&] {
    board.lines["r1"]->allow(1);
    return board.lines["r1"]->typed.size() >= before + expected.size();
  }));
  for (int i = 0; i < 9; ++i) {
    board.lines["r1"]->allow(1);
    std::size_t turns = 0;
    run_until(board.loop, [&] { return ++turns > 3; });
  }
  EXPECT_EQ(board.lines["r1"]->typed.substr(before), expected);
}

TEST(Dialogue, LeavesTheDeviceWhenItIsInterrupted) {
  DialogueBoard board;
  std::uint64_t number = board.begin(board.order(wait_for_ever));
  ASSERT_TRUE(board.runs([&] { return !board.machine.commands.empty(); }));
  board.core.dialogues->interrupt(number, base::fail(Fault::denied, "no longer"));
  const Dialogues::Ended& end = board.wait();
  ASSERT_FALSE(end.result);
  EXPECT_EQ(end.result.error().what, "no longer");
  EXPECT_EQ(end.left_open, "");
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
  board.core.dialogues->interrupt(number, base::fail(Fault::denied, "of nobody"));
}

TEST(Dialogue, LeavesTheDeviceWhenItsTimeIsOver) {
  DialogueBoard board;
  auto order = board.order(wait_for_ever);
  order.limit = base::milliseconds(3000);
  board.begin(std::move(order));
  const Dialogues::Ended& end = board.wait();
  ASSERT_FALSE(end.result);
  EXPECT_EQ(end.result.error().fault, Fault::unavailable);
  EXPECT_THAT(end.result.error().what, HasSubstr("not done within"));
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
}

TEST(Dialogue, CanBeInterruptedBeforeItHasTheKeyboard) {
  DialogueBoard board;
  Visit root(board, "root", "attach r1", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  auto order = board.order(say_hello);
  order.wait = std::chrono::seconds(20);
  std::uint64_t number = board.begin(std::move(order));
  ASSERT_TRUE(board.runs([&] { return !board.remarks.empty(); }));
  board.core.dialogues->interrupt(number, base::fail(Fault::denied, "no longer"));
  EXPECT_EQ(board.wait().result.error().what, "no longer");
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(Dialogue, TellsThatAConsoleIsLeftOpenUntilAPersonHasSeenToIt) {
  DialogueBoard board;
  Visit bob(board, "bob", "attach r1 --watch", true);
  ASSERT_TRUE(bob.wait_for("nobody else here"));
  board.begin(board.order(wait_for_ever));
  ASSERT_TRUE(board.runs([&] { return !board.machine.commands.empty(); }));
  board.machine.is_gone = true;
  board.lines["r1"]->unplug("pulled out");
  const Dialogues::Ended& end = board.wait();
  ASSERT_FALSE(end.result);
  EXPECT_EQ(end.result.error().fault, Fault::unavailable);
  EXPECT_THAT(end.result.error().what, HasSubstr("pulled out"));
  EXPECT_NE(end.left_open, "");
  EXPECT_TRUE(bob.wait_for("THE CONSOLE IS LEFT OPEN"));
  EXPECT_TRUE(board.journalled("\"ev\":\"console.open\""));
  Visit lists(board, "alice", "list r1 --json");
  ASSERT_EQ(lists.wait(), 0);
  EXPECT_THAT(lists.out, HasSubstr("\"left_open\":\"alice's snapshot: "));
  Visit table(board, "alice", "list");
  ASSERT_EQ(table.wait(), 0);
  EXPECT_THAT(table.out, HasSubstr("LEFT OPEN"));
  board.lines["r1"]->come_back();
  ASSERT_TRUE(run_until(board.loop, [&] { return board.console().state() == Console::State::up; }));
  EXPECT_NE(board.console().left_open(), "");
  for (const char* typed : {"", "exit\r"}) {
    Visit root(board, "root", "attach r1", true);
    ASSERT_TRUE(root.wait_for("you may type"));
    std::string before = board.lines["r1"]->typed;
    root.type(typed);
    ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == before + typed; }));
    EXPECT_NE(board.console().left_open(), "");
    root.type("\005c.");
    ASSERT_EQ(root.wait(), 0);
    EXPECT_EQ(board.console().left_open().empty(), *typed != 0);
  }
}

TEST(Dialogue, OneThatLeavesProperlyTakesTheAlarmBack) {
  DialogueBoard board;
  board.console().left_open("somebody");
  board.begin(board.order(say_hello));
  ASSERT_TRUE(board.wait().result);
  EXPECT_EQ(board.console().left_open(), "");
}

TEST(Dialogue, OneThatHeardNothingLeavesTheAlarmAsItIs) {
  DialogueBoard board;
  board.machine.hangs = true;
  board.console().left_open("somebody");
  auto order = board.order(say_hello);
  order.limit = base::milliseconds(1500);
  board.begin(std::move(order));
  EXPECT_FALSE(board.wait().result);
  EXPECT_EQ(board.ended->left_open, "");  // it has opened nothing itself
  EXPECT_EQ(board.console().left_open(), "somebody");
}

TEST(Dialogue, LogsOutWhatTheOneBeforeItLeftOpenAndNothingElse) {
  for (bool alarm : {true, false}) {
    DialogueBoard board;
    board.machine.at = FakeMachine::At::shell;
    if (alarm) board.console().left_open("alice's snapshot: it was cut short");
    board.begin(board.order(say_hello));
    const Dialogues::Ended& end = board.wait();
    EXPECT_TRUE(end.result) << end.result.error().what;
    EXPECT_EQ(end.left_open, "");
    EXPECT_EQ(board.machine.at, alarm ? FakeMachine::At::login : FakeMachine::At::shell);
    EXPECT_EQ(board.console().left_open(), "");
  }
}

TEST(Dialogue, SaysItsLastWordsWhenTheLineIsBack) {
  for (bool talks : {false, true}) {
    DialogueBoard board;
    board.begin(board.order(wait_for_ever));
    ASSERT_TRUE(board.runs([&] { return !board.machine.commands.empty(); }));
    board.machine.is_gone = true;
    board.lines["r1"]->unplug("pulled out");
    ASSERT_FALSE(board.wait().result);
    std::size_t before = board.lines["r1"]->typed.size();
    board.lines["r1"]->come_back();
    ASSERT_TRUE(run_until(board.loop, [&] { return board.console().state() == Console::State::up; }));
    EXPECT_EQ(board.lines["r1"]->typed.size(), before);
    if (talks) {
      // It starts: until somebody comes, it is let alone.
      board.lines["r1"]->say("U-Boot 2024.01\r\nHit any key to stop autoboot: 3");
      auto until = base::Clock::now() + Console::kBeforeWords + base::milliseconds(300);
      run_until(board.loop, [&] { return base::Clock::now() > until; });
      EXPECT_EQ(board.lines["r1"]->typed.size(), before);
      Visit root(board, "root", "attach r1", true);
      ASSERT_TRUE(root.wait_for("you may type"));
      root.type("X");
      ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed.back() == 'X'; }));
    } else {
      ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed.size() > before; }));
    }
    EXPECT_EQ(board.lines["r1"]->typed.substr(before), talks ? "\x03stty echo\rX" : "\x03stty echo\r");
  }
}

TEST(Dialogue, EndsWithItsDevice) {
  DialogueBoard board;
  board.begin(board.order(wait_for_ever));
  ASSERT_TRUE(board.runs([&] { return !board.machine.commands.empty(); }));
  board.machine.is_gone = true;
  board.inventory.remove("r1", "taken out of the configuration");
  const Dialogues::Ended& end = board.wait();
  ASSERT_FALSE(end.result);
  EXPECT_EQ(end.result.error().fault, Fault::missing);
  EXPECT_EQ(end.result.error().what, "r1: taken out of the configuration");
}

TEST(Dialogue, SaysItsLastWordsWhenTheDaemonEnds) {
  DialogueBoard board;
  board.begin(board.order(wait_for_ever));
  ASSERT_TRUE(board.runs([&] { return !board.machine.commands.empty(); }));
  std::size_t before = board.lines["r1"]->typed.size();
  board.core.dialogues.reset();
  EXPECT_EQ(board.lines["r1"]->typed.substr(before), "\x03stty echo\r");
  EXPECT_TRUE(board.journalled("\"ev\":\"console.open\""));
  EXPECT_FALSE(board.ended);
}

TEST(Dialogue, TypesNothingWhereTheLoginCantBeRead) {
  for (const char* text : {"one\ntwo\n", "", "bad\x01word\n"}) {
    DialogueBoard board;
    test::write_file(board.dir / "password", text);
    board.begin(board.order(say_hello));
    const Dialogues::Ended& end = board.wait();
    ASSERT_FALSE(end.result) << text;
    EXPECT_EQ(end.result.error().fault, Fault::config);
    EXPECT_THAT(end.result.error().what, HasSubstr(board.dir / "password"));
    EXPECT_THAT(end.result.error().what, Not(HasSubstr("word: bad")));
    EXPECT_EQ(board.lines["r1"]->typed, "");
  }
  DialogueBoard board;
  test::write_file(board.dir / "loose", "tell-nobody\n", 0644);
  board.inventory.find("r1")->login.password_file = board.dir / "loose";
  board.begin(board.order(say_hello));
  EXPECT_EQ(board.wait().result.error().fault, Fault::config);
}

TEST(Dialogue, GivesUpWhereTheDiskDoesNotGiveThePassword) {
  DialogueBoard board;
  std::promise<void> disk;
  std::shared_future<void> answers = disk.get_future().share();
  for (int i = 0; i < base::Blocking::kAtOnce + base::Blocking::kStuckAtMost; ++i)
    board.blocking.run([answers] { answers.wait(); }, [] {});
  auto line = std::make_unique<test::FakeLine>(board.loop);
  test::FakeLine& there = *line;
  auto order = board.order(say_hello);
  order.line = std::move(line);  // a console would be asked what was said before, which the disk has as well
  order.limit = base::milliseconds(20);
  std::string typed;
  board.begin(std::move(order));
  ASSERT_TRUE(board.runs([&] {
    if (!board.ended) typed = there.typed;
    return board.ended.has_value();
  }));
  ASSERT_FALSE(board.ended->result);
  EXPECT_EQ(board.ended->result.error().fault, Fault::unavailable);
  EXPECT_EQ(board.ended->result.error().what, "r1: its password can't be read: the disk does not answer");
  EXPECT_EQ(typed, "");
  disk.set_value();
}

TEST(Dialogue, IsRefusedWithoutAuditWherePolicyWantsThat) {
  DialogueBoard board;
  board.core.refuse_without_audit = true;
  test::write_file(board.dir / "recordings", "no folder");
  board.begin(board.order(say_hello));
  EXPECT_EQ(board.wait().result.error().fault, Fault::journal);
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(Dialogue, NeedsAModelThatIsKnown) {
  DialogueBoard board;
  board.inventory.find("r1")->model = "";
  board.begin(board.order(say_hello));
  EXPECT_EQ(board.wait().result.error().fault, Fault::usage);
  EXPECT_THAT(board.ended->result.error().what, HasSubstr("model = "));
  board.ended.reset();
  board.inventory.find("r1")->model = "unheard-of";
  board.begin(board.order(say_hello));
  EXPECT_EQ(board.wait().result.error().fault, Fault::config);
}

TEST(Dialogue, SaysThatTheLineIsDown) {
  DialogueBoard board;
  board.lines["r1"]->unplug("pulled out");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.console().state() == Console::State::down; }));
  board.begin(board.order(say_hello));
  const Dialogues::Ended& end = board.wait();
  EXPECT_EQ(end.result.error().fault, Fault::unavailable);
  EXPECT_EQ(end.result.error().what, "r1: line down: pulled out");
  EXPECT_EQ(end.left_open, "");
}

TEST(Dialogue, TalksOverALineOfItsOwnBesideTheConsole) {
  DialogueBoard board;
  Visit root(board, "root", "attach r1", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  auto line = std::make_unique<test::FakeLine>(board.loop);
  test::FakeLine& there = *line;
  FakeMachine machine(there);
  auto order = board.order(say_hello);
  order.line = std::move(line);
  board.begin(std::move(order));
  ASSERT_TRUE(board.runs([&] {
    if (!board.ended) machine.look();
    return board.ended.has_value();
  }));
  EXPECT_TRUE(board.ended->result) << board.ended->result.error().what;
  EXPECT_EQ(machine.commands, std::vector<std::string>{"hello"});
  EXPECT_EQ(board.lines["r1"]->typed, "");
  EXPECT_EQ(board.console().writer(), "root");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.recorded().find("did hello") != std::string::npos; }));
}

TEST(Dialogue, ALineOfItsOwnThatDoesNotOpenIsAnError) {
  DialogueBoard board;
  auto line = std::make_unique<test::FakeLine>(board.loop);
  line->refuse_open = "refused";
  auto order = board.order(say_hello);
  order.line = std::move(line);
  board.begin(std::move(order));
  EXPECT_EQ(board.wait().result.error().what, "refused");
}

TEST(Dialogue, ThereAreNotMoreThanMayBe) {
  DialogueBoard board;
  std::size_t ended = 0, busy = 0;
  for (std::size_t i = 0; i < Dialogues::kMost + 1; ++i) {
    auto order = board.order(wait_for_ever);
    auto line = std::make_unique<test::FakeLine>(board.loop);
    order.line = std::move(line);
    board.core.dialogues->begin(board.core, std::move(order), [&](const Dialogues::Ended& end) {
      ++ended;
      busy += end.result.error().fault == Fault::busy;
    });
  }
  ASSERT_TRUE(board.runs([&] { return ended > 0; }));
  EXPECT_EQ(ended, 1u);
  EXPECT_EQ(busy, 1u);
}

}  // namespace
}  // namespace oob::console

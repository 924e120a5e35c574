#include "console/guard_revert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/console/dialogue_kit.h"

namespace oob::console {
namespace {

using base::Fault;
using base::Result;
using test::DialogueBoard;
using test::FakeMachine;
using test::Visit;
using testing::HasSubstr;

// A machine behind a login prompt, and one guard's way to it.
struct RevertBoard : DialogueBoard {
  RevertBoard() {
    // As the fixture's, and it knows a line that somebody has begun.
    core.recipes = book(R"(recipe box version 1
method text-twice
state login tail /login: $/ home go "{user}\r"
state password tail /Password: $/ after login go "{secret}\r"
state shell tail /box# $/ work leave "exit\r"
begun /^box# ./
cmd config "show" end /^end$/
)");
    guard.device = "r1";
    guard.revert = "undo it";
    guard.who = {"alice", "SHA256:alice", "192.0.2.9"};
  }
  void revert() {
    interrupt = revert_over_console(
        core, guard, [this](Guards::Go asked) { go = std::move(asked); },
        [this](const Reverted& ended) { how = ended; });
  }
  bool over() {
    return runs([this] { return how.has_value(); });
  }

  Guard guard;
  Guards::Go go;
  std::optional<Reverted> how;
  std::function<void(const base::Error&)> interrupt;
};

TEST(GuardRevert, TypesTheLineOnceItMay) {
  RevertBoard board;
  board.revert();
  ASSERT_TRUE(board.runs([&] { return bool(board.go); }));
  EXPECT_FALSE(test::run_until(
      board.loop,
      [&] {
        board.machine.look();
        return !board.machine.commands.empty() || board.how;
      },
      base::milliseconds(150)));
  board.go({});
  ASSERT_TRUE(board.over());
  EXPECT_TRUE(board.how->result) << board.how->result.error().what;
  EXPECT_TRUE(board.how->typed);
  EXPECT_FALSE(board.how->silent);
  EXPECT_EQ(board.machine.commands, std::vector<std::string>{"undo it"});
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
}

TEST(GuardRevert, TypesNothingWhereItMayNot) {
  RevertBoard board;
  board.revert();
  ASSERT_TRUE(board.runs([&] { return bool(board.go); }));
  board.go(base::fail(Fault::unavailable, "the disk is full"));
  ASSERT_TRUE(board.over());
  EXPECT_EQ(board.how->result.error().what, "the disk is full");
  EXPECT_FALSE(board.how->typed);
  EXPECT_TRUE(board.machine.commands.empty());
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
}

// Nothing on that machine is a shell.
TEST(GuardRevert, HasTypedNothingWhileItOnlyStartsAShellForIt) {
  RevertBoard board;
  board.core.recipes = board.book(R"(recipe box version 1
method posix-block
state login tail /login: $/ home go "{user}\r"
state password tail /Password: $/ after login go "{secret}\r"
state shell tail /box# $/ work leave "exit\r"
file hosts /etc/hosts
)");
  board.revert();
  ASSERT_TRUE(board.runs([&] {
    if (board.go) board.go({});
    return !board.machine.commands.empty();
  }));
  EXPECT_THAT(board.machine.commands.front(), HasSubstr("/bin/sh"));
  board.interrupt(base::fail(Fault::unavailable, "somebody has taken the keyboard"));
  ASSERT_TRUE(board.over());
  EXPECT_THAT(board.how->result.error().what, HasSubstr("somebody has taken the keyboard"));
  EXPECT_FALSE(board.how->typed);
  EXPECT_FALSE(board.go);
}

TEST(GuardRevert, LeavesWhenItIsConfirmedMeanwhile) {
  RevertBoard board;
  board.revert();
  ASSERT_TRUE(board.runs([&] { return bool(board.go); }));
  board.interrupt(base::fail(Fault::busy, "the change was confirmed"));
  ASSERT_TRUE(board.over());
  board.go({});
  EXPECT_EQ(board.how->result.error().what, "the change was confirmed");
  EXPECT_FALSE(board.how->typed);
  EXPECT_TRUE(board.machine.commands.empty());
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
}

TEST(GuardRevert, TellsSilenceFromALineThatSomebodyLeftHalfTyped) {
  RevertBoard board;
  board.machine.at = FakeMachine::At::shell;
  Visit root(board, "root", "attach r1", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  root.type("\rrm -rf");
  ASSERT_TRUE(board.runs([&] {
    root.hear();
    return root.out.find("box# rm -rf") != std::string::npos;
  }));
  board.revert();
  ASSERT_TRUE(board.over());
  EXPECT_THAT(board.how->result.error().what, HasSubstr("somebody left a line half typed: 'box# rm -rf'"));
  EXPECT_FALSE(board.how->silent);
  EXPECT_FALSE(board.how->typed);
}

TEST(GuardRevert, AHalfTypedLineResetsNoChassis) {
  RevertBoard board;
  test::FakeChassis& chassis = board.power("r1");
  board.allow({auth::Action::watch, auth::Action::write, auth::Action::power});
  board.inventory.find("r1")->guard_power = true;
  board.machine.at = FakeMachine::At::shell;
  board.lines["r1"]->say("box# rm -rf");
  base::Micros now = 0;
  Guards::Terms terms = Guards::usual(board.core);
  terms.since_boot = [&now] { return now; };
  terms.again = terms.look = base::milliseconds(5);
  board.core.time = std::make_unique<auth::Timekeeper>(0, [] { return base::Micros{1'800'000'000'000'000}; });
  board.core.guards = std::make_shared<Guards>(board.core, std::move(terms));
  ASSERT_TRUE(board.core.guards->open(board.dir / "guards"));
  board.core.guards->start();
  Visit alice(board, "alice", "guard r1 30s -- undo it");
  ASSERT_EQ(alice.wait(), 0) << alice.err;
  now = 30'000'000;
  ASSERT_TRUE(board.runs([&] {
    const Guard* guard = board.core.guards->find("r1");
    return guard && guard->state == Guard::State::failed;
  }));
  EXPECT_THAT(board.core.guards->find("r1")->why,
              HasSubstr("somebody left a line half typed: 'box# rm -rf'"));
  EXPECT_TRUE(chassis.asked.empty());
  EXPECT_TRUE(board.machine.commands.empty());
  board.core.guards.reset();
}

TEST(GuardRevert, ADeviceThatSaysNothingIsSilent) {
  RevertBoard board;
  board.machine.hangs = true;
  board.revert();
  ASSERT_TRUE(test::run_until(
      board.loop,
      [&] {
        board.machine.look();
        return board.how.has_value();
      },
      base::milliseconds(60'000)));
  EXPECT_THAT(board.how->result.error().what, HasSubstr("nothing came after 5 carriage returns"));
  EXPECT_TRUE(board.how->silent);
  EXPECT_FALSE(board.how->typed);
}

}  // namespace
}  // namespace oob::console

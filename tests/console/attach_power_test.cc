// `^Ec !` on a console: console/attach_job, with the keys of console/escape.
#include <gtest/gtest.h>

#include "console/attach_job.h"
#include "tests/console/visit.h"

namespace oob::console {

using auth::Action;
using test::Board;
using test::FakeChassis;
using test::run_until;
using test::Visit;
using Asked = std::vector<std::string>;

namespace {

constexpr const char* kOffer = "power: s status, o on, f off, c cycle, r reset, t soft (Enter: nothing)";

struct Attended : Board {
  Attended() {
    allow({Action::watch, Action::write, Action::power});
    bmc = &power("r1");
    alice = std::make_unique<Visit>(*this, "alice", "attach r1", true);
    EXPECT_TRUE(alice->wait_for("you may type"));
  }
  // Whether everything typed so far has come through to the line.
  bool typed_on_line(const std::string& text) {
    return run_until(loop, [&] { return lines["r1"]->typed == text; });
  }
  FakeChassis* bmc;
  std::unique_ptr<Visit> alice;
};

}  // namespace

TEST(AttachPower, TellsTheStateAndSwitchesOnWithoutAQuestion) {
  Attended board;
  board.bmc->state = PowerState::off;
  board.alice->type("\005c!");
  ASSERT_TRUE(board.alice->wait_for(kOffer));
  board.alice->type("s");
  EXPECT_TRUE(board.alice->wait_for("[oobd: r1: power off]"));
  board.alice->type("\005c!ols\r");
  EXPECT_TRUE(board.alice->wait_for("[oobd: alice: power on: on]"));
  EXPECT_TRUE(board.typed_on_line("ls\r"));
  EXPECT_EQ(board.bmc->asked, (Asked{"power", "on 30000"}));
}

TEST(AttachPower, WantsAYesForTheRestAndTakesTheWayOfTheCommand) {
  Attended board;
  board.alice->type("\005c!c");
  ASSERT_TRUE(board.alice->wait_for("[oobd: cycle r1? type y]"));
  board.alice->type("n");
  ASSERT_TRUE(board.alice->wait_for("nothing was done"));
  EXPECT_TRUE(board.bmc->asked.empty());
  board.alice->type("\005c!fy");
  EXPECT_TRUE(board.alice->wait_for("[oobd: alice: power off: off]"));
  EXPECT_EQ(board.bmc->asked, Asked{"off 30000"});
  EXPECT_NE(board.journal_text().find("\"ev\":\"power.request\""), std::string::npos);
  EXPECT_TRUE(run_until(
      board.loop, [&] { return board.journal_text().find("\"ev\":\"power.result\"") != std::string::npos; }));
  EXPECT_TRUE(board.typed_on_line(""));
}

TEST(AttachPower, WantsTheNameOfAProtectedDevice) {
  Attended board;
  board.inventory.find("r1")->is_protected = true;
  board.alice->type("\005c!ry\r");
  ASSERT_TRUE(board.alice->wait_for("r1 is protected; type r1 to reset it: "));
  ASSERT_TRUE(board.alice->wait_for("nothing was done"));
  board.alice->type("\005c!r\003x");
  ASSERT_TRUE(board.typed_on_line("x"));
  EXPECT_TRUE(board.bmc->asked.empty());
  board.alice->type("\005c!rr1\r");
  EXPECT_TRUE(board.alice->wait_for("[oobd: alice: power reset: on]"));
}

TEST(AttachPower, OutputFlowsWhileAKeyIsAwaitedAndIsHeldWhileANameIsTyped) {
  Attended board;
  board.inventory.find("r1")->carries_oob = true;
  board.alice->type("\005c!");
  ASSERT_TRUE(board.alice->wait_for(kOffer));
  board.lines["r1"]->say("flows\r\n");
  ASSERT_TRUE(board.alice->wait_for("flows"));
  board.alice->type("f");
  ASSERT_TRUE(board.alice->wait_for("you may lock yourself out; type r1 to switch it off"));
  board.lines["r1"]->say("held\r\n");
  ASSERT_TRUE(run_until(
      board.loop, [&] { return board.inventory.find("r1")->console->recent(100).ends_with("held\r\n"); }));
  board.alice->hear();
  EXPECT_EQ(board.alice->out.find("held"), std::string::npos);
  board.alice->type("\r");
  EXPECT_TRUE(board.alice->wait_for("held"));
}

TEST(AttachPower, AnotherEscapeInsteadOfAnAnswerIsObeyed) {
  Attended board;
  board.alice->type("\005c!\005c!q\005c!c\005c.");
  EXPECT_EQ(board.alice->wait(), 0);
  EXPECT_NE(board.alice->out.find("q is none of s, o, f, c, r and t"), std::string::npos) << board.alice->out;
  EXPECT_TRUE(board.bmc->asked.empty());
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(AttachPower, SaysThatThereIsNoRightOrNoChassis) {
  Attended board;
  Visit bob(board, "bob", "attach r1", true), other(board, "alice", "attach r2", true);
  ASSERT_TRUE(bob.wait_for("you may watch"));
  bob.type("\005c!");
  EXPECT_TRUE(bob.wait_for("[oobd: bob may not power r1]"));
  ASSERT_TRUE(other.wait_for("you may type"));
  other.type("\005c!");
  EXPECT_TRUE(other.wait_for("[oobd: r2 has no chassis power configured"));
}

TEST(AttachPower, ARightLostBeforeTheAnswerIsLost) {
  Attended board;
  board.alice->type("\005c!c");
  ASSERT_TRUE(board.alice->wait_for("type y"));
  board.allow({Action::watch, Action::write});
  board.alice->type("y");
  EXPECT_TRUE(board.alice->wait_for("alice: power cycle: alice may not power r1"));
  EXPECT_TRUE(board.bmc->asked.empty());
}

TEST(AttachPower, ADeviceThatIsProtectedBeforeTheAnswerStaysAsItIs) {
  Attended board;
  board.alice->type("\005c!f");
  ASSERT_TRUE(board.alice->wait_for("[oobd: switch r1 off? type y]"));
  board.inventory.find("r1")->is_protected = true;
  board.alice->type("y");
  EXPECT_TRUE(board.alice->wait_for("[oobd: not done: now r1 is protected]"));
  EXPECT_TRUE(board.bmc->asked.empty());
  board.alice->type("\005c!fr1\r");
  EXPECT_TRUE(board.alice->wait_for("[oobd: alice: power off: off]"));
}

TEST(AttachPower, WantsTheNameOfAProtectedDeviceOfTheSameBmc) {
  Attended board;
  board.power("r2");
  board.inventory.find("r2")->is_protected = true;
  board.alice->type("\005c!fr1\r");
  ASSERT_TRUE(board.alice->wait_for("r2 is powered by the same BMC; type r2 to switch r1 off: "));
  ASSERT_TRUE(board.alice->wait_for("nothing was done"));
  EXPECT_TRUE(board.bmc->asked.empty());
  board.alice->type("\005c!fr2\r");
  EXPECT_TRUE(board.alice->wait_for("[oobd: alice: power off: off]"));
}

TEST(AttachPower, SaysWhyTheStateIsNotKnown) {
  Attended board;
  board.bmc->refusal = base::fail(base::Fault::unavailable, "chassis status: 192.0.2.1:623: wrong password");
  board.alice->type("\005c!s");
  EXPECT_TRUE(board.alice->wait_for("[oobd: r1: chassis status: 192.0.2.1:623: wrong password]"));
}

TEST(AttachPower, SaysThatTooManyActionsAreUnderWay) {
  Attended board;
  FakeChassis& other = board.power("r2", "bmc2");
  other.holds = true;
  Visitor visitor;
  visitor.who = {"alice", "SHA256:test", "192.0.2.9"};
  for (std::size_t i = 0; i < Deeds::kMost; ++i)
    board.core.deeds->begin(
        board.core, power_order(board.core, visitor, "r2", PowerAction::cycle, base::milliseconds(30'000)),
        [](const base::Result<PowerOutcome>&) {});
  board.alice->type("\005c!o");
  EXPECT_TRUE(board.alice->wait_for("[oobd: 256 actions are under way; nothing was done]"));
  EXPECT_TRUE(board.bmc->asked.empty());
}

TEST(AttachPower, TellsOnceThatTheChassisIsBusy) {
  Attended board;
  board.bmc->refusal = base::fail(base::Fault::busy, "another action is under way");
  board.alice->type("\005c!o");
  ASSERT_TRUE(board.alice->wait_for("[oobd: alice: power on: another action is under way]"));
  board.alice->type("\005c!s");
  ASSERT_TRUE(board.alice->wait_for("[oobd: r1: another action is under way]"));
  EXPECT_EQ(board.alice->out.find("[oobd: another action is under way]"), std::string::npos);
}

}  // namespace oob::console

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

struct Rack : Board {
  Rack() {
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
  Rack rack;
  rack.bmc->state = PowerState::off;
  rack.alice->type("\005c!");
  ASSERT_TRUE(rack.alice->wait_for(kOffer));
  rack.alice->type("s");
  EXPECT_TRUE(rack.alice->wait_for("[oobd: r1: power off]"));
  rack.alice->type("\005c!ols\r");
  EXPECT_TRUE(rack.alice->wait_for("[oobd: alice: power on: on]"));
  EXPECT_TRUE(rack.typed_on_line("ls\r"));
  EXPECT_EQ(rack.bmc->asked, (Asked{"power", "on 30000"}));
}

TEST(AttachPower, WantsAYesForTheRestAndTakesTheWayOfTheCommand) {
  Rack rack;
  rack.alice->type("\005c!c");
  ASSERT_TRUE(rack.alice->wait_for("[oobd: cycle r1? type y]"));
  rack.alice->type("n");
  ASSERT_TRUE(rack.alice->wait_for("nothing was done"));
  EXPECT_TRUE(rack.bmc->asked.empty());
  rack.alice->type("\005c!fy");
  EXPECT_TRUE(rack.alice->wait_for("[oobd: alice: power off: off]"));
  EXPECT_EQ(rack.bmc->asked, Asked{"off 30000"});
  EXPECT_NE(rack.journal_text().find("\"ev\":\"power.request\""), std::string::npos);
  EXPECT_TRUE(run_until(
      rack.loop, [&] { return rack.journal_text().find("\"ev\":\"power.result\"") != std::string::npos; }));
  EXPECT_TRUE(rack.typed_on_line(""));
}

TEST(AttachPower, WantsTheNameOfAProtectedDevice) {
  Rack rack;
  rack.inventory.find("r1")->is_protected = true;
  rack.alice->type("\005c!ry\r");
  ASSERT_TRUE(rack.alice->wait_for("r1 is protected; type r1 to reset it: "));
  ASSERT_TRUE(rack.alice->wait_for("nothing was done"));
  rack.alice->type("\005c!r\003x");
  ASSERT_TRUE(rack.typed_on_line("x"));
  EXPECT_TRUE(rack.bmc->asked.empty());
  rack.alice->type("\005c!rr1\r");
  EXPECT_TRUE(rack.alice->wait_for("[oobd: alice: power reset: on]"));
}

TEST(AttachPower, OutputFlowsWhileAKeyIsAwaitedAndIsHeldWhileANameIsTyped) {
  Rack rack;
  rack.inventory.find("r1")->carries_oob = true;
  rack.alice->type("\005c!");
  ASSERT_TRUE(rack.alice->wait_for(kOffer));
  rack.lines["r1"]->say("flows\r\n");
  ASSERT_TRUE(rack.alice->wait_for("flows"));
  rack.alice->type("f");
  ASSERT_TRUE(rack.alice->wait_for("you may lock yourself out; type r1 to switch it off"));
  rack.lines["r1"]->say("held\r\n");
  ASSERT_TRUE(run_until(
      rack.loop, [&] { return rack.inventory.find("r1")->console->recent(100).ends_with("held\r\n"); }));
  rack.alice->hear();
  EXPECT_EQ(rack.alice->out.find("held"), std::string::npos);
  rack.alice->type("\r");
  EXPECT_TRUE(rack.alice->wait_for("held"));
}

TEST(AttachPower, AnotherEscapeInsteadOfAnAnswerIsObeyed) {
  Rack rack;
  rack.alice->type("\005c!\005c!q\005c!c\005c.");
  EXPECT_EQ(rack.alice->wait(), 0);
  EXPECT_NE(rack.alice->out.find("q is none of s, o, f, c, r and t"), std::string::npos) << rack.alice->out;
  EXPECT_TRUE(rack.bmc->asked.empty());
  EXPECT_EQ(rack.lines["r1"]->typed, "");
}

TEST(AttachPower, SaysThatThereIsNoRightOrNoChassis) {
  Rack rack;
  Visit bob(rack, "bob", "attach r1", true), other(rack, "alice", "attach r2", true);
  ASSERT_TRUE(bob.wait_for("you may watch"));
  bob.type("\005c!");
  EXPECT_TRUE(bob.wait_for("[oobd: bob may not power r1]"));
  ASSERT_TRUE(other.wait_for("you may type"));
  other.type("\005c!");
  EXPECT_TRUE(other.wait_for("[oobd: r2 has no chassis power configured"));
}

TEST(AttachPower, ARightLostBeforeTheAnswerIsLost) {
  Rack rack;
  rack.alice->type("\005c!c");
  ASSERT_TRUE(rack.alice->wait_for("type y"));
  rack.allow({Action::watch, Action::write});
  rack.alice->type("y");
  EXPECT_TRUE(rack.alice->wait_for("alice: power cycle: alice may not power r1"));
  EXPECT_TRUE(rack.bmc->asked.empty());
}

TEST(AttachPower, ADeviceThatIsProtectedBeforeTheAnswerStaysAsItIs) {
  Rack rack;
  rack.alice->type("\005c!f");
  ASSERT_TRUE(rack.alice->wait_for("[oobd: switch r1 off? type y]"));
  rack.inventory.find("r1")->is_protected = true;
  rack.alice->type("y");
  EXPECT_TRUE(rack.alice->wait_for("[oobd: not done: now r1 is protected]"));
  EXPECT_TRUE(rack.bmc->asked.empty());
  rack.alice->type("\005c!fr1\r");
  EXPECT_TRUE(rack.alice->wait_for("[oobd: alice: power off: off]"));
}

TEST(AttachPower, WantsTheNameOfAProtectedDeviceOfTheSameBmc) {
  Rack rack;
  rack.power("r2");
  rack.inventory.find("r2")->is_protected = true;
  rack.alice->type("\005c!fr1\r");
  ASSERT_TRUE(rack.alice->wait_for("r2 is powered by the same BMC; type r2 to switch r1 off: "));
  ASSERT_TRUE(rack.alice->wait_for("nothing was done"));
  EXPECT_TRUE(rack.bmc->asked.empty());
  rack.alice->type("\005c!fr2\r");
  EXPECT_TRUE(rack.alice->wait_for("[oobd: alice: power off: off]"));
}

TEST(AttachPower, SaysWhyTheStateIsNotKnown) {
  Rack rack;
  rack.bmc->refusal = base::fail(base::Fault::unavailable, "chassis status: 192.0.2.1:623: wrong password");
  rack.alice->type("\005c!s");
  EXPECT_TRUE(rack.alice->wait_for("[oobd: r1: chassis status: 192.0.2.1:623: wrong password]"));
}

TEST(AttachPower, SaysThatTooManyActionsAreUnderWay) {
  Rack rack;
  FakeChassis& other = rack.power("r2", "bmc2");
  other.holds = true;
  Visitor visitor;
  visitor.who = {"alice", "SHA256:test", "192.0.2.9"};
  for (std::size_t i = 0; i < Deeds::kMost; ++i)
    rack.core.deeds->begin(
        rack.core, power_order(rack.core, visitor, "r2", PowerAction::cycle, base::milliseconds(30'000)),
        [](const base::Result<PowerOutcome>&) {});
  rack.alice->type("\005c!o");
  EXPECT_TRUE(rack.alice->wait_for("[oobd: 256 actions are under way; nothing was done]"));
  EXPECT_TRUE(rack.bmc->asked.empty());
}

TEST(AttachPower, TellsOnceThatTheChassisIsBusy) {
  Rack rack;
  rack.bmc->refusal = base::fail(base::Fault::busy, "another action is under way");
  rack.alice->type("\005c!o");
  ASSERT_TRUE(rack.alice->wait_for("[oobd: alice: power on: another action is under way]"));
  rack.alice->type("\005c!s");
  ASSERT_TRUE(rack.alice->wait_for("[oobd: r1: another action is under way]"));
  EXPECT_EQ(rack.alice->out.find("[oobd: another action is under way]"), std::string::npos);
}

}  // namespace oob::console

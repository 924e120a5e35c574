#include "console/power_job.h"

#include <gtest/gtest.h>

#include "tests/console/visit.h"

namespace oob::console {

using auth::Action;
using test::Board;
using test::count;
using test::FakeChassis;
using test::run_until;
using test::Visit;
using Asked = std::vector<std::string>;

namespace {

// Three devices with power, which alice may all watch and power.
struct Rack : Board {
  Rack() {
    allow({Action::watch, Action::write, Action::power});
    r1 = &power("r1", "bmc1");
    r2 = &power("r2", "bmc2");
  }
  Device& device(const std::string& name) { return *inventory.find(name); }
  FakeChassis *r1, *r2;
};

}  // namespace

TEST(Power, TellsTheStateOfOneDevice) {
  Rack rack;
  Visit visit(rack, "alice", "power r1"), json(rack, "bob", "power r1 status --json");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "r1  on\n");
  EXPECT_EQ(json.wait(), 0);
  EXPECT_EQ(json.out, "{\"device\":\"r1\",\"power\":\"on\"}\n");
}

TEST(Power, DoesAnActionOnceAndTellsHowItIsNow) {
  Rack rack;
  rack.r1->remark = "took 4 s";
  Visit visit(rack, "alice", "power r1 off --wait 2m"), json(rack, "alice", "power r2 on --json");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "r1  off: off (took 4 s)\n");
  EXPECT_EQ(rack.r1->asked, Asked{"off 120000"});
  EXPECT_EQ(json.wait(), 0);
  EXPECT_EQ(json.out, "{\"device\":\"r2\",\"power\":\"on\",\"action\":\"on\",\"result\":\"done\"}\n");
  EXPECT_EQ(rack.r2->asked, Asked{"on 30000"});
}

TEST(Power, RefusesWhatItDoesNotUnderstandAndGivesHints) {
  Rack rack;
  for (const char* command : {"power r1 cylce", "power r1 on --wait 601", "power r1 on --wait soon", "power",
                              "power r1 on --yes r2", "power r1 --wiat 3"}) {
    Visit visit(rack, "alice", command);
    EXPECT_EQ(visit.wait(), 64) << command;
  }
  Visit visit(rack, "alice", "power r1 cylce");
  visit.wait();
  EXPECT_NE(visit.err.find("no such action: cylce; did you mean 'cycle'?"), std::string::npos) << visit.err;
  EXPECT_TRUE(rack.r1->asked.empty());
}

TEST(Power, HidesDevicesAndNeedsTheRight) {
  Rack rack;
  rack.power("x1");
  Visit hidden(rack, "alice", "power x1"), none(rack, "alice", "power x*"), bob(rack, "bob", "power r1 off");
  EXPECT_EQ(hidden.wait(), 66);
  EXPECT_EQ(hidden.err, "oobd: no such device: x1\n");
  EXPECT_EQ(none.wait(), 66);
  EXPECT_EQ(none.err, "oobd: no such device: x*\n");
  EXPECT_EQ(bob.wait(), 77);
  EXPECT_EQ(bob.err, "oobd: bob may not power r1\n");
  EXPECT_TRUE(rack.journalled("\"ev\":\"denied\""));
  EXPECT_TRUE(rack.r1->asked.empty());
}

TEST(Power, SaysThatADeviceHasNone) {
  Rack rack;
  Visit one(rack, "root", "power x1"), all(rack, "root", "power '*'"), xs(rack, "root", "power 'x*'");
  EXPECT_EQ(one.wait(), 69);
  EXPECT_EQ(one.err, "oobd: x1 has no chassis power configured (power = { bmc = … })\n");
  EXPECT_EQ(all.wait(), 0);
  EXPECT_EQ(all.out, "r1  on\nr2  on\n");
  EXPECT_EQ(all.err, "oobd: 1 device has no chassis power configured\n");
  EXPECT_EQ(xs.wait(), 69);
}

TEST(Power, ADeadBmcDelaysNoOtherAndItsFaultIsTheExitStatus) {
  Rack rack;
  rack.r1->holds = true;
  Visit waiting(rack, "alice", "power '*'");
  ASSERT_TRUE(waiting.wait_for("r2  on\n"));
  EXPECT_FALSE(waiting.closed);
  rack.core.chassis_patience = base::milliseconds(50);
  Visit visit(rack, "alice", "power '*'");
  EXPECT_EQ(visit.wait(), 69);
  EXPECT_EQ(visit.out, "r2  on\nr1  error: no answer\n");
}

TEST(Power, HasAtMostSixtyFourUnderWay) {
  Rack rack;
  std::vector<FakeChassis*> many;
  for (int i = 0; i < 70; ++i) {
    std::string name = base::str("rack", i);
    rack.add(name);
    many.push_back(&rack.power(name));
    many.back()->holds = true;
  }
  auto asked = [&] {
    std::size_t sum = 0;
    for (FakeChassis* one : many) sum += one->asked.size();
    return sum;
  };
  Visit visit(rack, "alice", "power 'rack*'");
  ASSERT_TRUE(run_until(rack.loop, [&] { return asked() == PowerJob::kAtOnce; }));
  many[0]->answer();
  ASSERT_TRUE(visit.wait_for("rack0   on\n"));
  EXPECT_TRUE(run_until(rack.loop, [&] { return asked() == PowerJob::kAtOnce + 1; }));
  EXPECT_EQ(count(visit.out, "\n"), 1u);
  for (FakeChassis* one : many) one->holds = false;
  for (FakeChassis* one : many) one->answer();
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(count(visit.out, "on\n"), 70u);
}

TEST(Power, DoesWhatItMayOfAGlobAndSaysWhatItMayNot) {
  Rack rack;
  rack.core.policy = std::make_unique<auth::Policy>(
      std::map<std::string, std::vector<std::string>>{{"alice", {"all", "one"}}},
      std::map<std::string, auth::Role>{{"all", {{"*"}, {Action::watch}}},
                                        {"one", {{"r1"}, {Action::power}}}});
  Visit visit(rack, "alice", "power 'r*' cycle"), json(rack, "alice", "power 'r*' off --json");
  EXPECT_EQ(visit.wait(), 77);
  EXPECT_EQ(visit.out, "r2  cycle: error: not permitted\nr1  cycle: on\n");
  EXPECT_EQ(json.wait(), 77);
  EXPECT_EQ(json.out.substr(0, json.out.find('\n')),
            "{\"device\":\"r2\",\"power\":\"unknown\",\"action\":\"off\",\"error\":\"not permitted\"}");
  EXPECT_TRUE(rack.r2->asked.empty());
}

TEST(Power, WantsSeveralDevicesAndProtectedOnesNamed) {
  Rack rack;
  rack.device("r2").carries_oob = true;
  Visit two(rack, "alice", "power 'r*' cycle"), one(rack, "alice", "power r2 reset");
  EXPECT_EQ(two.wait(), 64);
  EXPECT_EQ(two.err,
            "oobd: power: nothing was done: 2 devices; r2 carries this board's own uplink: you may lock "
            "yourself out; --yes 'r*,r2' does it all the same\n");
  EXPECT_EQ(one.wait(), 64);
  EXPECT_EQ(one.err,
            "oobd: power: nothing was done: r2 carries this board's own uplink: you may lock yourself out; "
            "--yes r2 does it all the same\n");
  Visit glob(rack, "alice", "power 'r*' cycle --yes 'r*'");
  EXPECT_EQ(glob.wait(), 64);
  EXPECT_TRUE(rack.r1->asked.empty() && rack.r2->asked.empty());
  Visit yes(rack, "alice", "power 'r*' cycle --yes 'r*,r2'"), name(rack, "alice", "power r2 reset --yes r2");
  EXPECT_EQ(yes.wait(), 0);
  EXPECT_EQ(name.wait(), 0);
  EXPECT_EQ(rack.r1->asked, Asked{"cycle 30000"});
  EXPECT_EQ(rack.r2->asked.size(), 2u);
}

TEST(Power, AsksOnATerminalForTheName) {
  Rack rack;
  rack.device("r1").is_protected = true;
  Visit no(rack, "alice", "power r1 cycle", true), gone(rack, "alice", "power r1 cycle", true);
  ASSERT_TRUE(no.wait_for("type r1 to cycle it: "));
  EXPECT_NE(no.out.find("r1 is protected"), std::string::npos);
  no.type("r2\r");
  EXPECT_EQ(no.wait(), 1);
  EXPECT_NE(no.err.find("not done"), std::string::npos);
  ASSERT_TRUE(gone.wait_for("type r1"));
  gone.type("r1\003");
  EXPECT_EQ(gone.wait(), 1);
  EXPECT_TRUE(rack.r1->asked.empty());
  Visit yes(rack, "alice", "", true);
  ASSERT_TRUE(yes.wait_for("oobd> "));
  yes.type("power r1 cycle\r");
  ASSERT_TRUE(yes.wait_for("type r1 to cycle it: "));
  yes.type("r1\r");
  EXPECT_TRUE(yes.wait_for("r1  cycle: on\r\n"));
}

TEST(Power, ARightThatIsLostWhileTheNameIsTypedIsLost) {
  Rack rack;
  rack.device("r1").is_protected = true;
  Visit visit(rack, "alice", "power r1 cycle", true);
  ASSERT_TRUE(visit.wait_for("type r1"));
  rack.allow({Action::watch});
  visit.type("r1\r");
  EXPECT_EQ(visit.wait(), 77);
  EXPECT_TRUE(rack.r1->asked.empty());
}

TEST(Power, IsWrittenDownBeforeAndAfter) {
  Rack rack;
  rack.r1->holds = true;
  Visit visit(rack, "alice", "power r1 cycle");
  ASSERT_TRUE(run_until(rack.loop, [&] { return !rack.r1->asked.empty(); }));
  std::string before = rack.journal_text();
  EXPECT_NE(before.find("\"action\":\"cycle\",\"boot\""), std::string::npos) << before;
  EXPECT_NE(before.find("\"device\":\"r1\",\"ev\":\"power.request\""), std::string::npos) << before;
  EXPECT_EQ(before.find("power.result"), std::string::npos);
  rack.r1->answer();
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_TRUE(rack.journalled("\"ev\":\"power.result\""));
  EXPECT_NE(rack.journal_text().find("\"result\":\"done\""), std::string::npos);
  EXPECT_NE(rack.journal_text().find("\"state\":\"on\""), std::string::npos);
}

TEST(Power, GoesOnWhenItsVisitorLeavesAndIsStillJournalled) {
  Rack rack;
  rack.r1->holds = rack.r2->holds = true;
  Visit hangs_up(rack, "alice", "power r1 off"), prompt(rack, "alice", "", true);
  ASSERT_TRUE(prompt.wait_for("oobd> "));
  prompt.type("power r2 off\r");
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.r1->held() == 1 && rack.r2->held() == 1; }));
  hangs_up.hang_up();
  prompt.type("\003");
  ASSERT_TRUE(prompt.wait_for("1 action goes on, with the result in the journal"));
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.core.sessions.size() == 1; }));
  rack.r1->answer();
  rack.r2->answer();
  EXPECT_TRUE(run_until(rack.loop, [&] { return count(rack.journal_text(), "power.result") == 2; }));
  EXPECT_EQ(rack.core.deeds->under_way(), 0u);
}

TEST(Power, AnActionThatIsNeverAnsweredEndsAndIsJournalledSo) {
  Rack rack;
  rack.core.chassis_patience = base::milliseconds(50);
  rack.r1->holds = true;
  Visit visit(rack, "alice", "power r1 cycle --wait 0");
  EXPECT_EQ(visit.wait(), 69);
  EXPECT_NE(visit.err.find("r1: no answer within"), std::string::npos) << visit.err;
  EXPECT_TRUE(rack.journalled("nobody knows whether it was done"));
}

TEST(Power, AnErrorOfTheBmcIsTheResult) {
  Rack rack;
  rack.r1->refusal = base::fail(base::Fault::failed, "the BMC says: not now");
  Visit visit(rack, "alice", "power r1 reset"), status(rack, "alice", "power 'r1*'");
  EXPECT_EQ(visit.wait(), 1);
  EXPECT_EQ(visit.err, "oobd: r1: the BMC says: not now\n");
  EXPECT_EQ(status.wait(), 1);
  EXPECT_EQ(status.out, "r1  error: the BMC says: not now\n");
  EXPECT_TRUE(rack.journalled("\"result\":\"the BMC says: not now\""));
}

TEST(Power, ARemovedDeviceAndALostRightEndTheWaiting) {
  Rack rack;
  rack.r1->holds = rack.r2->holds = true;
  Visit removed(rack, "alice", "power r2 off"), lost(rack, "alice", "power r1 off"),
      status(rack, "bob", "power r1");
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.r1->held() == 2 && rack.r2->held() == 1; }));
  rack.inventory.remove("r2", "taken out of the configuration");
  rack.allow({Action::watch}, {});
  EXPECT_EQ(removed.wait(), 66);
  EXPECT_EQ(lost.wait(), 77);
  EXPECT_NE(lost.err.find("alice may not power r1; what was begun goes on"), std::string::npos) << lost.err;
  EXPECT_EQ(status.wait(), 66);
  EXPECT_EQ(status.err, "oobd: no such device: r1\n");
}

TEST(Power, ADaemonThatStopsNotesWhatItNeverLearned) {
  Rack rack;
  rack.r1->holds = true;
  Visit visit(rack, "alice", "power r1 off");
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.r1->held() == 1; }));
  rack.core.sessions.clear();
  rack.core.deeds.reset();
  EXPECT_TRUE(rack.journalled("the daemon stopped before there was an answer"));
}

TEST(Power, EverybodyOnTheConsoleIsToldAndTheLogShowsIt) {
  Rack rack;
  Visit bob(rack, "bob", "attach r1", true);
  ASSERT_TRUE(bob.wait_for("you may watch"));
  rack.lines["r1"]->say("before\r\n");
  ASSERT_TRUE(bob.wait_for("before"));
  Visit visit(rack, "alice", "power r1 cycle");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_TRUE(bob.wait_for("[oobd: alice: power cycle]"));
  EXPECT_TRUE(bob.wait_for("[oobd: alice: power cycle: on]"));
  // Marks are in the file when the batch of the disk thread is done, which nobody waits for.
  EXPECT_TRUE(rack.in_the_files("r1", "alice: cycle: on"));
  Visit log(rack, "alice", "log r1 --stamp");
  EXPECT_EQ(log.wait(), 0);
  EXPECT_NE(log.out.find("[oobd: power: alice: cycle]\n"), std::string::npos) << log.out;
  EXPECT_NE(log.out.find("[oobd: power: alice: cycle: on]\n"), std::string::npos) << log.out;
}

TEST(Power, IsDoneOnceForAllDevicesOfOneBmc) {
  Rack rack;
  rack.add("r3");
  FakeChassis& r3 = rack.power("r3", "bmc1");
  rack.r1->remark = "took 4 s";
  Visit bob(rack, "root", "attach r3", true);
  ASSERT_TRUE(bob.wait_for("you may"));
  Visit visit(rack, "alice", "power 'r*' cycle --yes 'r*'");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_NE(visit.out.find("r1  cycle: on (took 4 s)\n"), std::string::npos) << visit.out;
  EXPECT_NE(visit.out.find("r2  cycle: on\n"), std::string::npos) << visit.out;
  EXPECT_NE(visit.out.find("r3  cycle: on (took 4 s; same BMC as r1)\n"), std::string::npos) << visit.out;
  EXPECT_EQ(count(visit.out, "\n"), 3u);
  EXPECT_EQ(rack.r1->asked.size() + r3.asked.size(), 1u);
  EXPECT_EQ(rack.r2->asked.size(), 1u);
  // Whoever looks for r3 finds it.
  EXPECT_TRUE(rack.journalled("\"action\":\"cycle\",\"also\":\"r3\""));
  EXPECT_TRUE(bob.wait_for("[oobd: alice: power cycle (r1, same BMC)]"));
  EXPECT_TRUE(bob.wait_for("[oobd: alice: power cycle: on (took 4 s) (r1, same BMC)]"));

  rack.r1->refusal = base::fail(base::Fault::failed, "the BMC says: not now");
  Visit refused(rack, "alice", "power 'r*' off --yes 'r*' --json");
  EXPECT_EQ(refused.wait(), 1);
  EXPECT_NE(refused.out.find("\"error\":\"the BMC says: not now (same BMC as r1)\""), std::string::npos)
      << refused.out;
  EXPECT_TRUE(r3.asked.empty());
}

TEST(Power, CountsOneActionForAllDevicesOfOneBmc) {
  Rack rack;
  rack.add("r0");
  FakeChassis& r0 = rack.power("r0", "bmc1");
  rack.r2->holds = r0.holds = true;
  Visit visit(rack, "root", "power 'r*' off --yes 'r*'", true);
  ASSERT_TRUE(run_until(rack.loop, [&] { return r0.held() == 1 && rack.r2->held() == 1; }));
  rack.inventory.remove("r2", "taken out of the configuration");
  for (auto& session : rack.core.sessions) session->recheck();
  ASSERT_TRUE(visit.wait_for("r2  off: error: no such device: r2"));
  visit.type("\003");
  ASSERT_TRUE(visit.wait_for("1 action goes on, with the result"));
  visit.wait();
  EXPECT_TRUE(rack.r1->asked.empty());
}

TEST(Power, IsInTheListTheStatusAndTheMetrics) {
  Rack rack;
  rack.r2->state = PowerState::unknown;
  rack.r2->trouble_now = "no answer from 192.0.2.21";
  Visit list(rack, "root", "list"), json(rack, "root", "list --json"), status(rack, "root", "status"),
      metrics(rack, "root", "metrics");
  for (Visit* visit : {&list, &json, &status, &metrics}) EXPECT_EQ(visit->wait(), 0);
  EXPECT_EQ(list.out.find("DEVICE  STATE  POWER    WRITER"), 0u) << list.out;
  EXPECT_NE(list.out.find("\nr1      up     on       -"), std::string::npos) << list.out;
  EXPECT_NE(list.out.find("\nr2      up     unknown  -"), std::string::npos) << list.out;
  EXPECT_NE(list.out.find("\nx1      up     -        -"), std::string::npos) << list.out;
  EXPECT_NE(json.out.find("\"power\":\"on\""), std::string::npos);
  EXPECT_NE(json.out.find("\"power\":\"unknown\""), std::string::npos);
  EXPECT_NE(json.out.find("\"power\":null"), std::string::npos);
  EXPECT_NE(status.out.find("BMCs         1 of 2 up\n             bmc2: no answer from 192.0.2.21\n"),
            std::string::npos)
      << status.out;
  EXPECT_NE(metrics.out.find("oobd_bmc_up{device=\"r1\"} 1\noobd_bmc_up{device=\"r2\"} 0\n"),
            std::string::npos)
      << metrics.out;
  EXPECT_EQ(count(metrics.out, "oobd_power_on{"), 1u);
}

}  // namespace oob::console

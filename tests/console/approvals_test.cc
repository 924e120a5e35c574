#include "console/approvals.h"

#include <gtest/gtest.h>

#include "tests/console/visit.h"

namespace oob::console {

using auth::Action;
using base::str;
using test::Board;
using test::FakeChassis;
using test::run_until;
using test::Visit;
using Asked = std::vector<std::string>;

namespace {

// alice and bob power r* only together; root alone.
struct Pair : Board {
  Pair() {
    pair_up({Action::watch, Action::power});
    r1 = &power("r1", "bmc1");
    r2 = &power("r2", "bmc2");
  }
  void pair_up(std::set<Action> bob) {
    auth::Role two{{"r*"}, {Action::watch, Action::power}}, other = two,
                                                            all{{"*"}, {Action::watch, Action::power}};
    two.two_person = other.two_person = true;
    other.may = std::move(bob);
    core.policy = std::make_unique<auth::Policy>(
        std::map<std::string, std::vector<std::string>>{
            {"alice", {"two"}}, {"bob", {"other"}}, {"root", {"all"}}},
        std::map<std::string, auth::Role>{{"two", two}, {"other", other}, {"all", all}});
    for (auto& session : core.sessions) session->recheck();
  }
  std::string says(const std::string& user, const std::string& command, int status) {
    Visit visit(*this, user, command);
    EXPECT_EQ(visit.wait(), status) << user << ": " << command << "\n" << visit.out << visit.err;
    return visit.out + visit.err;
  }
  FakeChassis *r1, *r2;
};

}  // namespace

TEST(Approvals, AnActionWaitsForASecondPersonAndIsThenDone) {
  Pair pair;
  Visit watcher(pair, "bob", "attach r1 --watch"), alice(pair, "alice", "power r1 cycle");
  ASSERT_TRUE(alice.wait_for(
      "power r1 cycle waits for a second person: another one says 'approve 1' (within 5 min)"));
  EXPECT_TRUE(watcher.wait_for("alice: power r1 cycle waits for a second person: 'approve 1'"));
  EXPECT_TRUE(pair.r1->asked.empty());
  EXPECT_NE(pair.says("bob", "approve", 0).find("1   alice  power r1 cycle  "), std::string::npos);
  EXPECT_EQ(pair.says("alice", "approve 1", 77), "oobd: a second person has to approve, not alice\n");
  EXPECT_EQ(pair.says("bob", "approve 2", 66), "oobd: no such request: 2 ('approve' lists what waits)\n");
  EXPECT_EQ(pair.says("bob", "approve 1", 0), "approved: power r1 cycle, for alice\n");
  EXPECT_EQ(alice.wait(), 0);
  EXPECT_EQ(alice.out, "r1  cycle: on\n");
  EXPECT_EQ(pair.r1->asked, Asked{"cycle 30000"});
  ASSERT_TRUE(pair.journalled("power.result"));
  std::string journal = pair.journal_text();
  std::size_t at = 0;
  for (const char* event : {"approval.request", "approval.given", "power.request", "power.result"}) {
    std::size_t next = journal.find(str("\"ev\":\"", event), at);
    ASSERT_NE(next, std::string::npos) << event << "\n" << journal;
    at = next;
  }
  EXPECT_NE(journal.find("\"approved_by\":\"bob\""), std::string::npos);
  EXPECT_EQ(pair.says("bob", "approve 1", 66).substr(0, 24), "oobd: no such request: 1");
}

TEST(Approvals, WhoMayAloneIsNotHeldUp) {
  Pair pair;
  EXPECT_EQ(pair.says("root", "power r1 off", 0), "r1  off: off\n");
  EXPECT_EQ(pair.says("alice", "power r1", 0), "r1  off\n");
  EXPECT_EQ(pair.journal_text().find("approval."), std::string::npos);
}

TEST(Approvals, OneCoversAllThatAGlobStandsFor) {
  Pair pair;
  Visit alice(pair, "alice", "power 'r*' off --yes 'r*'");
  ASSERT_TRUE(alice.wait_for("approve 1"));
  pair.says("bob", "approve 1", 0);
  EXPECT_EQ(alice.wait(), 0);
  EXPECT_EQ(pair.r1->asked, Asked{"off 30000"});
  EXPECT_EQ(pair.r2->asked, Asked{"off 30000"});
}

TEST(Approvals, EveryDeedThatNeedsPowerWaits) {
  Pair pair;
  pair.r1->log = {LogEvent{.id = 1, .sensor = "Fan", .type = "Fan", .text = "low", .raw = "00"}};
  struct Row {
    const char *command, *asked;
  };
  unsigned id = 0;
  for (Row row :
       {Row{"boot r1 pxe", "boot pxe"}, {"identify r1", "identify on"}, {"sel r1 --clear", "clear 1"}}) {
    pair.r1->asked.clear();
    Visit alice(pair, "alice", row.command);
    ASSERT_TRUE(alice.wait_for(str("approve ", ++id))) << row.command;
    EXPECT_TRUE(pair.r1->asked.empty()) << row.command;
    pair.says("bob", str("approve ", id), 0);
    EXPECT_EQ(alice.wait(), 0) << row.command << alice.err;
    EXPECT_EQ(pair.r1->asked.back(), row.asked);
  }
}

TEST(Approvals, TheKeyOnAConsoleWaitsAsWell) {
  Pair pair;
  Visit alice(pair, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("r1"));
  alice.type("\005c!o");
  ASSERT_TRUE(alice.wait_for("approve 1"));
  EXPECT_TRUE(pair.r1->asked.empty());
  pair.says("bob", "approve 1", 0);
  EXPECT_TRUE(run_until(pair.loop, [&] { return pair.r1->asked == Asked{"on 30000"}; }));
}

TEST(Approvals, LapseWithADenial) {
  Pair pair;
  pair.core.approvals->patience = base::milliseconds(20);
  EXPECT_NE(pair.says("alice", "power r1 cycle", 77).find("nobody approved within"), std::string::npos);
  EXPECT_NE(pair.says("alice", "identify r1", 77).find("nobody approved within"), std::string::npos);
  EXPECT_TRUE(pair.r1->asked.empty());
  EXPECT_TRUE(pair.journalled("\"ev\":\"approval.lapsed\""));
  pair.says("bob", "approve 1", 66);
}

TEST(Approvals, AreWithdrawnByCtrlCAndByHangingUp) {
  Pair pair;
  Visit keys(pair, "alice", "power r1 on", true), gone(pair, "alice", "power r1 on"),
      light(pair, "alice", "identify r1", true);
  for (Visit* visit : {&keys, &gone, &light}) ASSERT_TRUE(visit->wait_for("waits for a second person"));
  keys.type("\003");
  light.type("\003");
  gone.hang_up();
  EXPECT_EQ(keys.wait(), 130);
  EXPECT_EQ(light.wait(), 130);
  EXPECT_NE(light.err.find("withdrawn; nothing was done"), std::string::npos);
  ASSERT_TRUE(run_until(pair.loop, [&] {
    return !pair.core.approvals->waits(1) && !pair.core.approvals->waits(2) && !pair.core.approvals->waits(3);
  }));
  EXPECT_TRUE(pair.journalled("\"ev\":\"approval.withdrawn\""));
  pair.says("bob", "approve 2", 66);
  EXPECT_TRUE(pair.r1->asked.empty());
}

// The asker's own console is told as well: what is written to a socket whose peer has gone ends the session,
// and with it the request, in the middle of the telling.
TEST(Approvals, AreWithdrawnWhenTheAskerIsFoundGoneWhileItIsTold) {
  Pair pair;
  Visit gone(pair, "alice", "attach r1", true), watcher(pair, "bob", "attach r2 --watch");
  ASSERT_TRUE(gone.wait_for("r1"));
  ASSERT_TRUE(watcher.wait_for("r2"));
  Visitor alice;
  alice.who = {"alice", "SHA256:alice", "192.0.2.9"};
  bool written = false, told = false, done = false;
  // What is committed while the first is being written is answered together: the socket is closed right
  // before the request is told, and nothing else of the loop comes between.
  pair.core.journal.commit(auth::Entry("first"), [&](const base::Result<>&) { written = true; });
  pair.core.journal.commit(auth::Entry("second"), [&](const base::Result<>&) { gone.hang_up(); });
  std::uint64_t id = pair.core.approvals->seek(pair.core,
                                               {.who = alice.who,
                                                .session = gone.number,
                                                .entry = event_of(alice, ""),
                                                .intent = {"power", "on", "r*", {"r1", "r2"}},
                                                .waits = [&](const std::string&) { told = true; }},
                                               [&](const base::Result<ApprovalPtr>&) { done = true; });
  ASSERT_TRUE(run_until(pair.loop, [&] { return written && !pair.core.approvals->waits(id); }));
  EXPECT_TRUE(watcher.wait_for("power r* on (r1 r2) is withdrawn; nothing was done"));
  EXPECT_EQ(watcher.out.find("waits for a second person"), std::string::npos) << watcher.out;
  EXPECT_EQ(watcher.err.find("waits for a second person"), std::string::npos) << watcher.err;
  EXPECT_FALSE(told || done);
  EXPECT_TRUE(pair.journalled("\"ev\":\"approval.withdrawn\""));
}

TEST(Approvals, ARightThatIsLostMeanwhileStopsIt) {
  Pair pair;
  Visit alice(pair, "alice", "power r1 cycle");
  ASSERT_TRUE(alice.wait_for("approve 1"));
  pair.pair_up({Action::watch});
  EXPECT_EQ(pair.says("bob", "approve 1", 77), "oobd: bob may not power r1\n");
  pair.allow({Action::watch});
  EXPECT_EQ(alice.wait(), 77);
  EXPECT_TRUE(pair.r1->asked.empty());
  EXPECT_FALSE(pair.core.approvals->waits(1));
}

TEST(Approvals, AreBounded) {
  Pair pair;
  std::size_t busy = 0;
  Visitor alice;
  alice.who = {"alice", "SHA256:alice", "192.0.2.9"};
  for (std::size_t i = 0; i < Approvals::kMostOfOne + 1; ++i)
    pair.core.approvals->seek(pair.core,
                              {.who = alice.who,
                               .session = 7,
                               .entry = event_of(alice, ""),
                               .intent = {"power", "on", "r1", {"r1"}}},
                              [&](const base::Result<ApprovalPtr>& given) {
                                busy += !given && given.error().fault == base::Fault::busy;
                              });
  EXPECT_TRUE(run_until(pair.loop, [&] { return busy == 1; }));
}

TEST(Deeds, RefusesWhatTakesTwoWithAnApprovalOfSomethingElse) {
  Pair pair;
  ApprovalPtr approval;
  Visitor alice, bob;
  alice.who = {"alice", "SHA256:alice", "192.0.2.9"};
  bob.who = {"bob", "SHA256:bob", "192.0.2.9"};
  std::uint64_t id = pair.core.approvals->seek(
      pair.core,
      {.who = alice.who, .session = 1, .entry = event_of(alice, ""), .intent = {"power", "on", "r1", {"r1"}}},
      [&](const base::Result<ApprovalPtr>& given) { approval = *given; });
  bool told = false;
  ASSERT_TRUE(run_until(pair.loop, [&] {
    if (!told)
      pair.core.approvals->approve(pair.core, bob, id, [&](const base::Result<std::string>& text) {
        told = told || text.has_value();
      });
    return approval != nullptr;
  }));
  for (auto [device, action] : {std::pair{"r1", PowerAction::off}, {"r2", PowerAction::on}}) {
    Deeds::Order order = power_order(pair.core, alice, device, action, base::milliseconds(1000));
    order.approval = approval;
    std::optional<base::Result<PowerOutcome>> result;
    pair.core.deeds->begin(pair.core, std::move(order),
                           [&](const base::Result<PowerOutcome>& outcome) { result = outcome; });
    ASSERT_TRUE(run_until(pair.loop, [&] { return result.has_value(); }));
    EXPECT_EQ(result->error().fault, base::Fault::denied);
  }
  EXPECT_TRUE(pair.r1->asked.empty() && pair.r2->asked.empty());
}

}  // namespace oob::console

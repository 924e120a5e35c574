#include "tests/ipmi/sol_kit.h"

namespace oob::ipmi {
namespace {

TEST_F(SolTest, TakesOverWhatIsInUseAndSaysSo) {
  first[kActivate] = {FakeLink::Reply{0x80, ""}};
  open_well();
  EXPECT_EQ(remarks,
            (std::vector<std::string>{"Serial over LAN was in use by another session; it was taken over"}));
  EXPECT_EQ(asked(kDeactivate), 1);
}

TEST_F(SolTest, DoesNotFightForWhatStaysInUse) {
  bmc[kActivate] = FakeLink::Reply{0x80, ""};
  link.come_up();
  EXPECT_EQ(open(), "fake: Serial over LAN is in use by another session");
  EXPECT_EQ(asked(kDeactivate), 1);
  EXPECT_NE(open().find("was taken by another session; trying again in "), std::string::npos);
  EXPECT_EQ(asked(kDeactivate), 1);
}

TEST_F(SolTest, TakesItsOwnLostActivationForItsOwn) {
  first[kActivate] = {std::nullopt, FakeLink::Reply{0x80, ""}};
  open_well();
  EXPECT_EQ(asked(kActivate), 3);
  EXPECT_EQ(asked(kDeactivate), 1);
  EXPECT_TRUE(remarks.empty());
}

TEST_F(SolTest, TakesWhatALostSessionLeftForItsOwn) {
  open_well();
  link.go_down("no answer");
  EXPECT_EQ(wait_and_read(), "error: no answer");
  sol->close();
  first[kActivate] = {FakeLink::Reply{0x80, ""}};
  open_well();
  EXPECT_EQ(asked(kDeactivate), 1);
  EXPECT_TRUE(remarks.empty());
}

TEST_F(SolTest, KnowsWhatItLeftInAFormerSession) {
  open_well();
  link.go_down("no answer");
  EXPECT_EQ(wait_and_read(), "error: no answer");
  sol->close();
  link.session_id = 0x55667788;  // and the owner is the former one
  first[kActivate] = {FakeLink::Reply{0x80, ""}};
  open_well();
  EXPECT_EQ(asked(kDeactivate), 1);
  EXPECT_TRUE(remarks.empty());
}

TEST_F(SolTest, KnowsWhatItAskedForInAFormerSession) {
  link.come_up();
  first[kActivate] = {std::nullopt, std::nullopt, FakeLink::Reply{0x80, ""}};
  EXPECT_EQ(open(), "fake: no answer");
  link.session_id = 0x55667788;
  EXPECT_EQ(open(), "");
  EXPECT_EQ(asked(kDeactivate), 1);
  EXPECT_TRUE(remarks.empty());
}

TEST_F(SolTest, SaysSoWhereItCanNotKnowWhoseItWas) {
  for (auto untold :
       {FakeLink::Reply{0, std::string(12, '\0')}, FakeLink::Reply{0xcc, ""}, FakeLink::Reply{0, "abc"}}) {
    remarks.clear();
    make();
    bmc[kInfo] = untold;
    first[kActivate] = {std::nullopt, FakeLink::Reply{0x80, ""}};
    int before = asked(kDeactivate);
    open_well();
    EXPECT_EQ(asked(kDeactivate), before + 1);
    EXPECT_EQ(remarks, std::vector<std::string>{kStillActive});
    sol->close();
    turns(5);
  }
}

TEST_F(SolTest, SaysWhomItTakesOverFromAfterALostSession) {
  open_well();
  link.go_down("no answer");
  EXPECT_EQ(wait_and_read(), "error: no answer");
  sol->close();
  set_owner(0x99);
  first[kActivate] = {FakeLink::Reply{0x80, ""}};
  open_well();
  EXPECT_EQ(asked(kDeactivate), 1);
  EXPECT_EQ(remarks, std::vector<std::string>{kTakenOver});
}

TEST_F(SolTest, DoesNotTakeForItsOwnWhatItNeverAskedFor) {
  link.come_up();
  link.unsent = 2;
  EXPECT_EQ(open(), "fake: was not sent");
  link.unsent = 1;
  first[kActivate] = {FakeLink::Reply{0x80, ""}};
  EXPECT_EQ(open(), "");
  EXPECT_EQ(remarks, std::vector<std::string>{kTakenOver});

  // The session goes before there is an activation.
  settings.retries = 3;
  make();
  remarks.clear();
  int activations = asked(kActivate);
  auto answer = link.answer;
  link.answer = [&](const Request& request) {
    if (request.command == kGet) link.go_down("cable out");
    return answer(request);
  };
  EXPECT_EQ(open(), "cable out");
  link.answer = answer;
  ASSERT_EQ(asked(kActivate), activations);
  first[kActivate] = {FakeLink::Reply{0x80, ""}};
  open_well();
  EXPECT_EQ(remarks, std::vector<std::string>{kTakenOver});
}

TEST_F(SolTest, LetsAThiefHaveItForLongerAndLonger) {
  times.first_hold_off = milliseconds(250);
  make();
  open_well();
  auto answer = link.answer;
  link.answer = [&, answer](const Request& request) {
    if (request.command == kDeactivate)
      bmc[kActivate]->completion = 0;  // the thief lets go when it is told to
    return answer(request);
  };
  for (milliseconds hold_off : {milliseconds(250), milliseconds(500), milliseconds(1000)}) {
    int deactivated = asked(kDeactivate);
    bmc[kActivate]->completion = 0x80;
    auto since = base::Clock::now();
    link.sol_says(bytes({0, 0, 0, 0x10}));
    EXPECT_EQ(lost(), "error: fake: the BMC ended Serial over LAN");
    sol->close();
    std::string outcome = open();
    // It may have passed already when the machine is busy.
    if (base::Clock::now() - since < hold_off) {
      EXPECT_EQ(outcome.substr(0, outcome.find(" in ")),
                "fake: Serial over LAN was taken by another session; trying again");
      EXPECT_EQ(asked(kDeactivate), deactivated);
    }
    while (!outcome.empty() && base::Clock::now() - since < std::chrono::seconds(60)) outcome = open();
    EXPECT_EQ(outcome, "");
    EXPECT_GE(base::Clock::now() - since, hold_off);
    EXPECT_EQ(asked(kDeactivate), deactivated + 1);
  }
  EXPECT_EQ(remarks.size(), 3u);
}

TEST_F(SolTest, LetsAThiefHaveItThoughAnActivationWasNotAnswered) {
  open_well();
  link.sol_says(bytes({0, 0, 0, 0x10}));
  EXPECT_EQ(lost(), "error: fake: the BMC ended Serial over LAN");
  sol->close();
  set_owner(0);
  first[kActivate] = {std::nullopt, FakeLink::Reply{0x80, ""}};
  EXPECT_NE(open().find("was taken by another session; trying again in "), std::string::npos);
  EXPECT_EQ(asked(kDeactivate), 0);
}

TEST_F(SolTest, ActivatesAnewAtOnceWhereTheBmcTakesNoInput) {
  open_and_get_no_answer();
  EXPECT_EQ(asked(kDeactivate), 0);
  first[kActivate] = {FakeLink::Reply{0x80, ""}};
  EXPECT_EQ(open(), "");
  EXPECT_EQ(asked(kDeactivate), 1);
  EXPECT_TRUE(remarks.empty());
}

TEST_F(SolTest, LetsAThiefHaveItThatWasFoundWhenTheBmcTookNoInput) {
  open_and_get_no_answer();
  set_owner(0x99);
  bmc[kActivate]->completion = 0x80;
  EXPECT_NE(open().find("was taken by another session; trying again in "), std::string::npos);
  EXPECT_NE(open().find("was taken by another session; trying again in "), std::string::npos);
  EXPECT_EQ(asked(kDeactivate), 0);
  EXPECT_TRUE(remarks.empty());
}

TEST_F(SolTest, OpensAgainAtOnceWhereNobodyElseTookIt) {
  open_well();
  link.sol_says(bytes({1, 0, 0, 0x10}) + "bye");
  EXPECT_EQ(wait_and_read(), "bye");
  EXPECT_EQ(wait_and_read(), "error: fake: the BMC ended Serial over LAN");
  sol->close();
  EXPECT_EQ(open(), "");
}

TEST_F(SolTest, NoticesThatAnotherSessionHasIt) {
  open_well();
  ASSERT_TRUE(run_until(loop, [&] { return asked(kInfo) >= 2; }));
  bmc[kInfo]->data = bytes({0x99, 0, 0, 0, 1});
  EXPECT_EQ(lost(), "error: fake: Serial over LAN was taken by another session");
}

TEST_F(SolTest, NoticesThatItWasDeactivated) {
  open_well();
  ASSERT_TRUE(run_until(loop, [&] { return asked(kInfo) >= 1; }));
  bmc[kStatus]->data = bytes({1, 0, 0});
  EXPECT_EQ(lost(), "error: fake: Serial over LAN was deactivated by somebody");
}

TEST_F(SolTest, BelievesNoBmcThatNeverTellsTheTruth) {
  bmc[kInfo]->data = bytes({0, 0, 0, 0, 1});  // as ipmi_sim says
  open_well();
  ASSERT_TRUE(run_until(loop, [&] { return asked(kInfo) >= 3; }));
  bmc[kInfo] = FakeLink::Reply{0xcc, ""};
  ASSERT_TRUE(run_until(loop, [&] { return asked(kStatus) >= 8; }));
  EXPECT_LE(asked(kInfo), 8);
  EXPECT_EQ(read(), "again");
  sol->close();

  bmc[kInfo] = FakeLink::Reply{0, bytes({0x55, 0, 0, 0, 1})};  // another id than ours, from the first
  ASSERT_EQ(open(), "");
  int before = asked(kInfo);
  ASSERT_TRUE(run_until(loop, [&] { return asked(kInfo) >= before + 3; }));
  EXPECT_EQ(read(), "again");
}

TEST_F(SolTest, StopsAskingABmcThatDoesNotKnow) {
  for (FakeLink::Reply reply : {FakeLink::Reply{0xcc, ""}, FakeLink::Reply{0, bytes({1, 0, 0})}}) {
    bmc[kStatus] = reply;
    open_well();
    int before = asked(kStatus);
    auto end = base::Clock::now() + milliseconds(50);
    run_until(loop, [&] { return base::Clock::now() > end; });
    EXPECT_LE(asked(kStatus), before + 1);
    EXPECT_EQ(read(), "again");
    sol->close();
  }
}

// --- the end

}  // namespace
}  // namespace oob::ipmi

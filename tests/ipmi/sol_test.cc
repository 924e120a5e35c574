#include "tests/ipmi/sol_kit.h"

namespace oob::ipmi {
namespace {

TEST_F(SolTest, SaysWhyThereIsNoSessionAtOnceAndOpensWhenThereIs) {
  link.go_down("192.0.2.21:623: no answer");
  EXPECT_EQ(open(), "192.0.2.21:623: no answer");
  EXPECT_EQ(asked(kActivate), 0);
  bool back = false;
  sol->wait_return([&] { back = true; });
  link.come_up();
  EXPECT_TRUE(run_until(loop, [&] { return back; }));
  EXPECT_EQ(open(), "");
  EXPECT_EQ(sol->describe(), "sol fake");
}

TEST_F(SolTest, WaitsForASessionThatIsBeingOpened) {
  link.is_opening = true;
  std::optional<std::string> outcome;
  sol->open([&](const base::Result<>& result) { outcome = result ? "" : result.error().what; });
  turns(10);
  EXPECT_FALSE(outcome);
  EXPECT_EQ(asked(kActivate), 0);
  link.come_up();
  ASSERT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
  EXPECT_EQ(*outcome, "");
  EXPECT_EQ(asked(kActivate), 1);
}

TEST_F(SolTest, SaysWhyTheSessionItWaitedForCouldNotBeOpened) {
  link.is_opening = true;
  std::optional<std::string> outcome;
  sol->open([&](const base::Result<>& result) { outcome = result ? "" : result.error().what; });
  link.go_down("192.0.2.21:623: wrong password for user 'oob'");
  ASSERT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
  EXPECT_EQ(*outcome, "192.0.2.21:623: wrong password for user 'oob'");
  EXPECT_EQ(asked(kActivate), 0);
}

TEST_F(SolTest, ActivatesEncryptedAndAuthenticatedOnce) {
  open_well();
  EXPECT_EQ(link.asked[0].request.data, bytes({1, 1, 0xc0, 0, 0, 0}));
  EXPECT_EQ(link.asked[0].how, Link::Send::once);
  EXPECT_EQ(asked(kActivate), 1);
  EXPECT_EQ(asked(kDeactivate), 0);
}

TEST_F(SolTest, PassesBytesBothWays) {
  open_well();
  link.sol_says(bytes({1, 0, 0, 0}) + "login: ");
  EXPECT_EQ(wait_and_read(), "login: ");
  EXPECT_EQ(link.sol_sent.back(), bytes({0, 1, 7, 0}));
  EXPECT_EQ(read(), "again");
  EXPECT_EQ(*sol->write("root\r"), 5u);
  EXPECT_EQ(link.sol_sent.back(), bytes({1, 0, 0, 0}) + "root\r");
  EXPECT_TRUE(sol->send_break(0));
  link.sol_says(bytes({0, 1, 5, 0}));
  EXPECT_TRUE(run_until(loop, [&] { return link.sol_sent.back() == bytes({2, 0, 0, 0x10}); }));
}

TEST_F(SolTest, RepeatsWhatIsNotAnswered) {
  open_well();
  sol->write("x");
  EXPECT_TRUE(run_until(loop, [&] { return link.sol_sent.size() == 2; }));
  EXPECT_EQ(link.sol_sent[0], link.sol_sent[1]);
}

TEST_F(SolTest, TellsWhenThereIsRoomToWriteAgain) {
  open_well();
  EXPECT_EQ(*sol->write(std::string(5000, 'x')), SolStream::kMostOut);
  EXPECT_EQ(sol->write("x").error().fault, Fault::again);
  bool room = false;
  sol->wait_writable([&] { room = true; });
  for (unsigned i = 0; !room && i < 200; ++i) {
    std::size_t sent = link.sol_sent.size();
    link.sol_says(bytes({0, int(i % 15 + 1), 28, 0}));
    ASSERT_TRUE(run_until(loop, [&] { return room || link.sol_sent.size() > sent; }));
  }
  EXPECT_TRUE(room);
  EXPECT_GT(*sol->write("x"), 0u);
}

TEST_F(SolTest, GivesMarksAtTheirPlace) {
  open_well();
  link.sol_says(bytes({1, 0, 0, 0}) + "before");
  link.sol_says(bytes({5, 0, 0, 0}) + "after");
  ASSERT_TRUE(run_until(loop, [&] { return link.sol_sent.size() == 2; }));
  EXPECT_FALSE(sol->next_mark());
  EXPECT_EQ(read(), "before");
  EXPECT_EQ(read(), "again");
  auto mark = sol->next_mark();
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->kind, "lost");
  EXPECT_EQ(read(), "after");
}

// --- what BMCs answer to an activation

TEST_F(SolTest, SaysWhatIsWrongAndWhatCuresIt) {
  const std::vector<std::pair<int, std::string>> rows{
      {0x81, "fake: Serial over LAN is disabled in the BMC (ipmitool sol set enabled true"},
      {0x82, "fake: the BMC's limit of SOL sessions is reached"},
      {0x83, "fake: the BMC refuses Serial over LAN with encryption"},
      {0x84, "fake: the BMC refuses Serial over LAN without encryption"},
      {0xc1, "fake: the BMC has no Serial over LAN"},
      {0xcc, "fake: the BMC has no Serial over LAN"},
      {0xd4, "fake: the user may not use Serial over LAN: raise the privilege level"},
      {0xc0, "fake: Activate Payload: "},
  };
  link.come_up();
  for (const auto& [code, text] : rows) {
    bmc[kActivate] = FakeLink::Reply{static_cast<std::uint8_t>(code), ""};
    EXPECT_EQ(open().substr(0, text.size()), text);
  }
  EXPECT_EQ(asked(kDeactivate), 0);
  bmc[kActivate] = FakeLink::Reply{};  // without sizes
  EXPECT_EQ(open(), "");
}

TEST_F(SolTest, DefersSerialAlertsForABmcThatRefusesWithoutAReason) {
  const std::string plain = bytes({1, 1, 0xc0, 0, 0, 0}), deferred = bytes({1, 1, 0xc6, 0, 0, 0});
  auto wanted = [&] {
    std::vector<std::string> all;
    for (const auto& ask : link.asked)
      if (ask.request.command == kActivate) all.push_back(ask.request.data);
    link.asked.clear();
    return all;
  };
  link.come_up();
  for (std::uint8_t code : {0xcc, 0xd5, 0xff}) {
    bmc[kActivate]->completion = code;
    EXPECT_NE(open().find("fake: "), std::string::npos);
    EXPECT_EQ(wanted(), (std::vector<std::string>{plain, deferred}));
  }
  bmc[kActivate]->completion = 0;
  first[kActivate] = {FakeLink::Reply{0xcc, ""}};
  EXPECT_EQ(open(), "");
  EXPECT_EQ(wanted(), (std::vector<std::string>{plain, deferred}));
  sol->close();
  EXPECT_EQ(open(), "");
  EXPECT_EQ(wanted(), std::vector<std::string>{deferred}) << "what worked";
}

TEST_F(SolTest, AsksForMorePrivilegeAndOpensWithIt) {
  link.come_up();
  link.more_privilege = 1;
  first[kActivate] = {FakeLink::Reply{0xd4, ""}};
  EXPECT_NE(open().find("needs a higher privilege level"), std::string::npos);
  bool back = false;
  sol->wait_return([&] { back = true; });
  link.come_up();
  ASSERT_TRUE(run_until(loop, [&] { return back; }));
  EXPECT_EQ(open(), "");
}

TEST_F(SolTest, EndsItsWaitForABmcThatDoesNotAnswer) {
  times.open_limit = milliseconds(20);
  make();
  link.come_up();
  bmc[kActivate] = FakeLink::Reply{0x80, ""};
  times.takeover_pause = milliseconds(60'000);
  make();
  EXPECT_EQ(open(), "fake: no answer to Activate Payload");
}

TEST_F(SolTest, FailsWhenTheSessionIsLostWhileItOpens) {
  link.come_up();
  times.takeover_pause = milliseconds(60'000);
  make();
  bmc[kActivate] = FakeLink::Reply{0x80, ""};
  std::string outcome;
  sol->open([&](const base::Result<>& result) { outcome = result ? "" : result.error().what; });
  ASSERT_TRUE(run_until(loop, [&] { return asked(kDeactivate) == 1; }));
  link.go_down("cable out");
  EXPECT_TRUE(run_until(loop, [&] { return outcome == "cable out"; }));
}

// --- parameters

TEST_F(SolTest, WritesOnlyParametersThatDiffer) {
  settings.accumulate = 60;  // as it is
  settings.retries = 3;
  settings.baud = 9600;
  make();
  open_well();
  EXPECT_EQ(asked(kSet), 2);
  EXPECT_EQ(parameters[3], bytes({12, 96}));
  EXPECT_EQ(parameters[4], bytes({3, 20}));
  EXPECT_EQ(parameters[6], bytes({6}));
  EXPECT_TRUE(remarks.empty());
}

TEST_F(SolTest, AsksForNoParameterThatIsLeftOpen) {
  settings.threshold = 50;
  make();
  open_well();
  EXPECT_EQ(asked(kGet), 1);
  EXPECT_EQ(link.asked[0].request.data, bytes({0x0e, 3, 0, 0}));
  EXPECT_EQ(parameters[3], bytes({12, 50}));
}

TEST_F(SolTest, OpensAllTheSameWhereAParameterCanNotBeSet) {
  settings.retries = 3;
  settings.retry_interval = 100;
  make();
  refuse_set = 0xd4;
  open_well();
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_EQ(remarks[0].substr(0, 18), "SOL: the retries: ");
  sol->close();
  parameters[4] = "";  // too short now
  ASSERT_EQ(open(), "");
  EXPECT_EQ(remarks.back(), "SOL: the retries: the answer is too short");
}

// --- losing it

TEST_F(SolTest, GivesWhatItHasBeforeItSaysThatTheSessionIsLost) {
  open_well();
  link.sol_says(bytes({1, 0, 0, 0}) + "last words");
  ASSERT_TRUE(run_until(loop, [&] { return !link.sol_sent.empty(); }));
  link.go_down("192.0.2.21:623: no answer");
  ASSERT_TRUE(run_until(loop, [&] { return !sol->write("x"); }));
  EXPECT_EQ(sol->write("x").error().what, "192.0.2.21:623: no answer");
  EXPECT_EQ(read(), "last words");
  EXPECT_EQ(read(), "error: 192.0.2.21:623: no answer");
  EXPECT_EQ(asked(kDeactivate), 0);
}

TEST_F(SolTest, DeactivatesWhenItIsClosedAndCallsNobodyAfterIt) {
  open_well();
  bool called = false;
  sol->wait_readable([&] { called = true; });
  sol->wait_writable([&] { called = true; });  // there is room: it is on its way
  link.sol_says(bytes({1, 0, 0, 0}) + "x");
  sol->close();
  sol->close();
  EXPECT_EQ(asked(kDeactivate), 1);
  EXPECT_EQ(link.asked.back().how, Link::Send::parting);
  auto end = base::Clock::now() + milliseconds(30);
  run_until(loop, [&] { return base::Clock::now() > end; });
  EXPECT_FALSE(called);
  ASSERT_EQ(open(), "");
}

TEST_F(SolTest, DeactivatesWhatItWasAboutToActivate) {
  link.come_up();
  sol->open([](const base::Result<>&) { FAIL(); });
  sol->close();
  EXPECT_EQ(asked(kDeactivate), 1);
  EXPECT_EQ(open(), "");
}

TEST_F(SolTest, GoesAtAnyMoment) {
  settings.retries = 3;
  for (int step = 0; step < 40; ++step) {
    for (int kind = 0; kind < 3; ++kind) {
      parameters[4] = bytes({7, 20});
      first[kActivate] = {};
      if (kind == 1) first[kActivate] = {FakeLink::Reply{0x80, ""}};
      if (kind == 2) first[kActivate] = {std::nullopt, FakeLink::Reply{0x80, ""}};
      make();
      link.come_up();
      bool gone = false;
      sol->open([&](const base::Result<>& result) {
        EXPECT_FALSE(gone);
        if (!result) return;
        sol->wait_readable([&] { EXPECT_FALSE(gone); });
        sol->write("typed");
        sol->send_break(0);
        link.sol_says(bytes({1, 1, 5, 0}) + "heard");
      });
      turns(step);
      sol.reset();
      gone = true;
      link.sol_says(bytes({1, 1, 5, 0}) + "too late");
      turns(5);
    }
  }
}

}  // namespace
}  // namespace oob::ipmi

#include "ipmi/sol.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/ipmi/fake_link.h"
#include "tests/support/support.h"

namespace oob::ipmi {

using base::Fault;
using base::milliseconds;
using test::FakeLink;
using test::run_until;

namespace {

constexpr std::uint8_t kActivate = 0x48, kDeactivate = 0x49, kStatus = 0x4a, kInfo = 0x4b, kSet = 0x21,
                       kGet = 0x22;

std::string bytes(std::initializer_list<int> values) {
  std::string all;
  for (int value : values) all += static_cast<char>(value);
  return all;
}

// Some of its requests fail before they go out.
struct CrowdedLink : FakeLink {
  explicit CrowdedLink(base::Loop& loop) : FakeLink(loop), loop(loop) {}
  void ask(Request request, Send how, std::function<void(base::Result<Response>)> done) override {
    if (request.command != kActivate || unsent == 0)
      return FakeLink::ask(std::move(request), how, std::move(done));
    --unsent;
    loop.post([done = std::move(done)] { done(base::fail(Fault::again, "fake: was not sent")); });
  }
  base::Loop& loop;
  unsigned unsent = 0;  // activations
};

struct SolTest : testing::Test {
  SolTest() {
    // A BMC where all is well; its port is byte-swapped.
    bmc[kActivate] = {0, bytes({0, 0, 0, 0, 32, 0, 32, 0, 0x02, 0x6f, 0xff, 0xff})};
    bmc[kDeactivate] = {};
    bmc[kStatus] = {0, bytes({1, 1, 0})};
    bmc[kInfo] = {0, bytes({0x44, 0x33, 0x22, 0x11, 1, 0, 0, 0, 0, 0, 0, 0})};
    link.answer = [this](const Request& request) -> std::optional<FakeLink::Reply> {
      if (auto& queue = first[request.command]; !queue.empty()) {
        auto reply = queue.front();
        queue.erase(queue.begin());
        return reply;
      }
      if (request.command == kGet) return FakeLink::Reply{0, bytes({0x11}) + parameters[request.data[1]]};
      if (request.command == kSet) {
        parameters[request.data[1]] = request.data.substr(2);
        return FakeLink::Reply{refuse_set, ""};
      }
      return bmc[request.command];
    };
    times.takeover_pause = milliseconds(1);
    times.takeover_jitter = milliseconds(1);
    times.ask_every = milliseconds(5);
    make();
  }
  void make() {
    sol.reset();
    sol = std::make_unique<Sol>(
        loop, link, settings, [this](const std::string& what) { remarks.push_back(what); }, times);
  }
  // Opens it and answers how that went: empty when well.
  std::string open() {
    std::optional<std::string> outcome;
    sol->open([&](const base::Result<>& result) {
      outcome = result ? "" : result.error().what;
      if (!result) {
        EXPECT_EQ(result.error().fault, Fault::unavailable);
      }
    });
    EXPECT_FALSE(outcome) << "called back from inside";
    EXPECT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
    return outcome.value_or("never");
  }
  void open_well() {
    link.come_up();
    ASSERT_EQ(open(), "");
  }
  void turns(int count) {
    std::function<void()> next = [&] {
      if (--count <= 0) return loop.stop();
      loop.post(next);
    };
    loop.post(next);
    loop.run();
  }
  // How often it was asked so far.
  int asked(std::uint8_t command) const {
    int count = 0;
    for (const auto& ask : link.asked) count += ask.request.command == command;
    return count;
  }
  std::string read() {
    char to[1000];
    auto size = sol->read(to, sizeof to);
    if (!size) return size.error().fault == Fault::again ? "again" : "error: " + size.error().what;
    return std::string(to, *size);
  }
  // What read() says once there is something.
  std::string wait_and_read() {
    bool ready = false;
    sol->wait_readable([&] { ready = true; });
    EXPECT_FALSE(ready) << "called back from inside";
    return run_until(loop, [&] { return ready; }) ? read() : "nothing came";
  }
  std::string lost() {
    while (sol->next_mark()) {
    }
    return wait_and_read();
  }

  // Who has the SOL, as the BMC says; 0: it does not say.
  void set_owner(std::uint32_t owner) {
    bmc[kInfo] = FakeLink::Reply{0, ""};
    put32(bmc[kInfo]->data, owner);
    bmc[kInfo]->data.append(8, '\0');
  }
  // Opens it, then the BMC answers to no input any more.
  void open_and_get_no_answer() {
    times.most_tries = 1;
    times.ask_every = milliseconds(60'000);
    make();
    open_well();
    turns(10);  // it was told whose it is
    ASSERT_EQ(asked(kInfo), 1);
    sol->write("x");
    ASSERT_EQ(lost(), kNoAnswer);
    sol->close();
  }
  static constexpr const char* kNoAnswer =
      "error: fake: the BMC takes no input, it answers no packet (another session may have Serial over LAN)";
  static constexpr const char* kTakenOver =
      "Serial over LAN was in use by another session; it was taken over";
  static constexpr const char* kStillActive =
      "Serial over LAN was still active, perhaps since this line had it before; it was activated anew";

  base::Loop loop;
  CrowdedLink link{loop};
  std::map<std::uint8_t, std::optional<FakeLink::Reply>> bmc;
  std::map<std::uint8_t, std::vector<std::optional<FakeLink::Reply>>> first;  // answered before those
  std::map<char, std::string> parameters{{3, bytes({12, 96})}, {4, bytes({7, 20})}, {6, bytes({10})}};
  std::uint8_t refuse_set = 0;
  SolSettings settings;
  Sol::Times times;
  std::vector<std::string> remarks;
  std::unique_ptr<Sol> sol;
};

}  // namespace

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

TEST_F(SolTest, LetsAThiefHaveItForLongerAndLonger) {
  times.first_hold_off = milliseconds(40);
  make();
  open_well();
  auto answer = link.answer;
  link.answer = [&, answer](const Request& request) {
    if (request.command == kDeactivate)
      bmc[kActivate]->completion = 0;  // the thief lets go when it is told to
    return answer(request);
  };
  for (milliseconds hold_off : {milliseconds(40), milliseconds(80), milliseconds(160)}) {
    int deactivated = asked(kDeactivate);
    bmc[kActivate]->completion = 0x80;
    link.sol_says(bytes({0, 0, 0, 0x10}));
    EXPECT_EQ(lost(), "error: fake: the BMC ended Serial over LAN");
    auto since = base::Clock::now();
    sol->close();
    std::string outcome = open();
    EXPECT_EQ(outcome, "fake: Serial over LAN was taken by another session; trying again in 1 s");
    EXPECT_EQ(asked(kDeactivate), deactivated);
    while (!outcome.empty() && base::Clock::now() - since < std::chrono::seconds(10)) outcome = open();
    EXPECT_EQ(outcome, "");
    EXPECT_GE(base::Clock::now() - since, hold_off - milliseconds(5));
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

}  // namespace oob::ipmi

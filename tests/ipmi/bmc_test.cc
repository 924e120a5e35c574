#include "ipmi/bmc.h"

#include <gmock/gmock.h>

#include "tests/ipmi/station_kit.h"

namespace oob::ipmi {
namespace {

using BmcSession = Rack;

TEST_F(BmcSession, OpensWithTheBestSuiteAndTheLeastPrivilege) {
  FarEnd& far = far_end();
  NearEnd& near = near_end(far);
  EXPECT_EQ(near.bmc.trouble(), "not tried yet");
  EXPECT_EQ(opened(near), "bmc.up suite 17, operator");
  EXPECT_TRUE(near.bmc.up());
  EXPECT_EQ(near.bmc.trouble(), "");
  EXPECT_EQ(near.bmc.suite(), 17);
  EXPECT_EQ(near.bmc.privilege(), Privilege::op);
  EXPECT_EQ(answer(near, device_id()), kDeviceId);
  EXPECT_EQ(far.bmc.seen.open_sessions, 1u);
  EXPECT_EQ(far.bmc.seen.sessions, 1u);
}

TEST_F(BmcSession, OpensWithTheSuiteThatItIsTold) {
  FarEnd& far = far_end();
  for (int suite : {17, 3}) {
    BmcSettings settings = this->settings(far);
    settings.cipher_suite = suite;
    NearEnd& near = near_end(settings);
    EXPECT_EQ(opened(near), base::str("bmc.up suite ", suite, ", operator"));
    EXPECT_EQ(answer(near, device_id()), kDeviceId);
    EXPECT_EQ(test::read_file(settings.memory), "") << "what is told need not be remembered";
  }
}

TEST_F(BmcSession, FallsBackToSuite3AndRemembersIt) {
  for (std::uint8_t status : {0x04, 0x05, 0x0a, 0x10, 0x11}) {
    FarEnd& far = far_end();
    far.bmc.faults.open_session.refuse = 1;
    far.bmc.faults.open_session.status = status;
    BmcSettings settings = this->settings(far);
    EXPECT_EQ(opened(near_end(settings)), "bmc.up suite 3, operator") << int{status};
    EXPECT_EQ(far.bmc.seen.open_sessions, 2u);
    ASSERT_TRUE(until([&] { return !test::read_file(settings.memory).empty(); }));
    EXPECT_EQ(test::read_file(settings.memory), base::str("3 ", settings.host, "\n"));
    EXPECT_EQ(opened(near_end(settings)), "bmc.up suite 3, operator") << "the next one tries it at once";
    EXPECT_EQ(far.bmc.seen.open_sessions, 3u);
  }
}

TEST_F(BmcSession, DoesNotGiveUpSuite17OnceItWorked) {
  FarEnd& far = far_end();
  BmcSettings settings = this->settings(far);
  EXPECT_EQ(opened(near_end(settings)), "bmc.up suite 17, operator");
  ASSERT_TRUE(until([&] { return !test::read_file(settings.memory).empty(); }));
  test::BmcOptions options;
  options.suites = {3};
  FarEnd& other = far_end(options);
  settings.host = base::str("127.0.0.1:", other.wire.port());
  test::write_file(settings.memory, base::str("17 ", settings.host, "\n"));
  EXPECT_EQ(opened(near_end(settings)),
            "bmc.failed ADDR: refuses cipher suite 17, which it did before: Open Session: no cipher suite "
            "match with the proposed security algorithms (if that is meant, say cipher_suite = 3)");
  EXPECT_EQ(other.bmc.seen.open_sessions, 1u);
  EXPECT_EQ(other.bmc.seen.rakp1, 0u);
}

TEST_F(BmcSession, RefusesABmcThatChangesTheSuite) {
  std::vector<NearEnd*> nears;
  std::vector<FarEnd*> fars;
  std::vector<std::string> texts;
  auto one = [&](const char* text) -> test::Faults& {
    FarEnd& far = far_end();
    BmcSettings settings = this->settings(far);
    settings.cipher_suite = 17;
    far.bmc.faults.accept_suite_0 = true;
    fars.push_back(&far);
    nears.push_back(&near_end(settings));
    texts.push_back(base::str("bmc.failed ADDR: asked for cipher suite 17, the BMC ", text, ": refused"));
    return far.bmc.faults;
  };
  one("changed it (algorithms 1, 1, 1)").offer_suite(3);
  one("answered with a session that is not protected (algorithms 0, 0, 0)").offer_suite(0);
  one("answered with a session that is not protected (algorithms 0, 4, 1)").offer_authentication = 0;
  one("answered with a session that is not protected (algorithms 3, 0, 1)").offer_integrity = 0;
  one("answered with a session that is not protected (algorithms 3, 4, 0)").offer_confidentiality = 0;
  for (std::size_t i = 0; i < nears.size(); ++i) {
    EXPECT_EQ(opened(*nears[i]), texts[i]);
    EXPECT_EQ(fars[i]->bmc.seen.open_sessions, 2u);
    EXPECT_EQ(fars[i]->bmc.seen.rakp1, 0u) << "no user name, no hash is given away";
    EXPECT_EQ(fars[i]->bmc.seen.rakp3, 0u);
  }
}

TEST_F(BmcSession, TriesAWrongPasswordTwiceAndThenIsSilentUntilItIsTold) {
  FarEnd& far = far_end();
  BmcSettings settings = this->settings(far);
  settings.password_file = key_file("wrong");
  NearEnd& wrong = near_end(settings);
  FarEnd& liar = far_end();
  liar.bmc.faults.wrong_rakp2_code = test::kAlways;
  NearEnd& lied = near_end(liar);
  for (NearEnd* near : {&wrong, &lied})
    EXPECT_EQ(opened(*near), "bmc.failed ADDR: wrong password for user 'oob'");
  auto silent = [&] {
    for (FarEnd* each : {&far, &liar}) {
      EXPECT_EQ(each->bmc.seen.open_sessions, 2u);
      EXPECT_EQ(each->bmc.seen.rakp3, 0u) << "a hash of ours is only for those who know the password";
      EXPECT_EQ(each->bmc.seen.packets, 4u);
    }
  };
  silent();
  for (NearEnd* near : {&wrong, &lied})
    EXPECT_EQ(answer(*near, device_id()), "Fault 69: ADDR: wrong password for user 'oob'");
  watch(milliseconds(1500));
  silent();
  liar.bmc.faults.wrong_rakp2_code = 0;
  lied.bmc.retry();
  EXPECT_TRUE(until([&] { return lied.bmc.up(); }));
}

TEST_F(BmcSession, GetsOverOneDamagedRakp2) {
  FarEnd& far = far_end();
  far.bmc.faults.wrong_rakp2_code = 1;
  EXPECT_EQ(opened(near_end(far)), "bmc.up suite 17, operator");
  EXPECT_EQ(far.bmc.seen.open_sessions, 2u);
  EXPECT_EQ(far.bmc.seen.rakp3, 1u);
}

TEST_F(BmcSession, GetsOverOneDamagedAnswerToOpenSession) {
  FarEnd& far = far_end();
  far.wire.hook = [first = true](bool to_bmc, std::string datagram) mutable {
    if (!to_bmc && std::exchange(first, false)) datagram[16 + 16] ^= 0x02;  // the authentication algorithm
    return std::optional<std::string>(datagram);
  };
  EXPECT_EQ(opened(near_end(far)), "bmc.up suite 17, operator");
  EXPECT_EQ(far.bmc.seen.open_sessions, 2u);
  EXPECT_EQ(far.bmc.seen.rakp1, 1u);
}

TEST_F(BmcSession, KnowsAWrongKgFromAWrongPassword) {
  struct Case {
    std::string theirs, ours, told;
  };
  for (const Case& each :
       {Case{"", "", "bmc.up suite 17, operator"},
        Case{"two-key-login", "two-key-login", "bmc.up suite 17, operator"},
        Case{"two-key-login", "", "bmc.failed ADDR: the BMC wants a Kg key: kg_file names it"},
        Case{"two-key-login", "other", "bmc.failed ADDR: wrong Kg key (kg_file)"},
        Case{"", "other", "bmc.failed ADDR: wrong Kg key (kg_file)"}}) {
    test::BmcOptions options;
    options.kg = each.theirs;
    FarEnd& far = far_end(options);
    BmcSettings settings = this->settings(far);
    if (!each.ours.empty()) settings.kg_file = key_file(each.ours);
    EXPECT_EQ(opened(near_end(settings)), each.told);
  }
  FarEnd& far = far_end();
  far.bmc.faults.wrong_rakp4_code = test::kAlways;
  EXPECT_EQ(opened(near_end(far)), "bmc.failed ADDR: the BMC wants a Kg key: kg_file names it");
  EXPECT_EQ(far.bmc.seen.open_sessions, 2u);
}

TEST_F(BmcSession, TellsOfAnUnknownUserWithoutTryingForEver) {
  FarEnd& far = far_end();
  BmcSettings settings = this->settings(far);
  settings.user = "no\x1b[31mbody";
  EXPECT_EQ(opened(near_end(settings)),
            "bmc.failed ADDR: RAKP 2: unauthorized name: no user 'no\\x1b[31mbody'");
  EXPECT_EQ(far.bmc.seen.open_sessions, 2u);
}

// 13.20, table 13-15: 0Ah is what a BMC says to a role above the user's limit.
TEST_F(BmcSession, TakesTheLowerPrivilegeThatTheBmcAllows) {
  FarEnd& far = far_end();
  BmcSettings settings = this->settings(far);
  settings.user = "user";
  settings.password_file = key_file("userpw");
  NearEnd& near = near_end(settings);
  EXPECT_EQ(opened(near), "bmc.up suite 17, user");
  EXPECT_EQ(answer(near, chassis_status()).substr(0, 3), "00 ");

  for (std::uint8_t status : {0x09, 0x0a}) {
    FarEnd& other = far_end();
    other.bmc.faults.rakp1.refuse = 2;
    other.bmc.faults.rakp1.status = status;
    EXPECT_EQ(opened(near_end(other)), "bmc.up suite 17, user") << int{status};
    // Said once it is not believed: nothing has signed it.
    FarEnd& once = far_end();
    once.bmc.faults.rakp1.refuse = 1;
    once.bmc.faults.rakp1.status = status;
    EXPECT_EQ(opened(near_end(once)), "bmc.up suite 17, operator") << int{status};
  }
  for (std::uint8_t completion : {0x80, 0x81}) {
    FarEnd& other = far_end();
    other.bmc.faults.refuse(0x06, 0x3b, completion, 2);
    EXPECT_EQ(opened(near_end(other)), "bmc.up suite 17, user") << int{completion};
    EXPECT_EQ(other.bmc.seen.sessions, 1u) << "the first one was closed";
  }
}

TEST_F(BmcSession, TellsOfAPrivilegeThatWasAskedForAndRefused) {
  FarEnd& far = far_end();
  BmcSettings settings = this->settings(far);
  settings.user = "oper";
  settings.password_file = key_file("operpw");
  settings.privilege = Privilege::admin;
  EXPECT_EQ(opened(near_end(settings)),
            "bmc.failed ADDR: RAKP 2: unauthorized role or privilege level requested: privilege "
            "'administrator' for user 'oper'");
  FarEnd& late = far_end();
  late.bmc.faults.refuse(0x06, 0x3b, 0x81, test::kAlways);
  settings.host = base::str("127.0.0.1:", late.wire.port());
  settings.privilege = Privilege::op;
  EXPECT_EQ(opened(near_end(settings)),
            "bmc.failed ADDR: privilege 'operator' for user 'oper': more than it may have");
  EXPECT_TRUE(until([&] { return late.bmc.seen.sessions == 0; }));
  EXPECT_EQ(late.bmc.seen.sessions_expired, 0u) << "the session is closed";
}

TEST_F(BmcSession, WaitsForASlotInAFullSessionTable) {
  test::BmcOptions options;
  options.sessions = 1;
  FarEnd& far = far_end(options);
  NearEnd& first = near_end(far);
  EXPECT_EQ(opened(first), "bmc.up suite 17, operator");
  NearEnd& second = near_end(far);
  EXPECT_EQ(opened(second),
            "bmc.failed ADDR: all its sessions are taken: Open Session: insufficient resources to create a "
            "session");
  destroy(first);
  ASSERT_TRUE(until([&] { return far.bmc.seen.sessions == 0; }));
  EXPECT_EQ(answer(second, device_id()), kDeviceId) << "who asks hurries the next try";
  EXPECT_EQ(far.bmc.seen.sessions_most, 1u);
}

TEST_F(BmcSession, OpensAgainWithMoreRightsWhenTheyAreNeeded) {
  FarEnd& far = far_end();
  NearEnd& near = near_end(far);
  opened(near);
  EXPECT_TRUE(near.bmc.ask_for_more_privilege());
  EXPECT_TRUE(until([&] { return near.last() == "bmc.up suite 17, administrator"; }));
  EXPECT_FALSE(near.bmc.ask_for_more_privilege());
  EXPECT_EQ(far.bmc.seen.sessions_closed, 1u);
  EXPECT_EQ(far.bmc.seen.sessions, 1u);

  BmcSettings settings = this->settings(far);
  settings.user = "oper";
  settings.password_file = key_file("operpw");
  NearEnd& oper = near_end(settings);
  opened(oper);
  EXPECT_TRUE(oper.bmc.ask_for_more_privilege());
  EXPECT_TRUE(until([&] { return oper.events.size() == 3; }));
  EXPECT_EQ(oper.last(), "bmc.up suite 17, operator") << "there is no more to be had";
  EXPECT_FALSE(oper.bmc.ask_for_more_privilege());
}

TEST_F(BmcSession, LeavesTheBmcTidyWhenItGoes) {
  FarEnd& far = far_end();
  NearEnd& near = near_end(far);
  opened(near);
  auto reader = std::make_unique<Reader>(loop_, near.bmc);
  EXPECT_EQ(reader->opened(), "");
  EXPECT_TRUE(far.bmc.sol_active());
  reader.reset();
  destroy(near);
  EXPECT_TRUE(until([&] { return far.bmc.seen.sessions == 0; }));
  EXPECT_EQ(far.bmc.seen.sol.deactivations, 1u);
  EXPECT_EQ(far.bmc.seen.sessions_closed, 1u);
}

TEST_F(BmcSession, ClosesASessionThatWasAlmostUp) {
  FarEnd& far = far_end();
  far.bmc.faults.ignore(0x06, 0x3b);
  NearEnd& near = near_end(far);
  near.bmc.start();
  ASSERT_TRUE(until([&] { return far.bmc.seen.command(0x06, 0x3b) == 1; }));
  EXPECT_EQ(far.bmc.seen.sessions, 1u);
  destroy(near);
  EXPECT_TRUE(until([&] { return far.bmc.seen.sessions == 0; }));
  EXPECT_EQ(far.bmc.seen.sessions_closed, 1u);
}

TEST_F(BmcSession, GoesRoundTheRequestNumbers) {
  FarEnd& far = far_end();
  NearEnd& near = near_end(far);
  opened(near);
  unsigned answered = 0;
  std::vector<std::string> wrong;
  std::function<void()> next = [&] {
    bool status = answered % 2;
    near.bmc.ask(status ? chassis_status() : device_id(), Link::Send::again,
                 [&, status](const Result<Response>& answer) {
                   bool right =
                       answer && answer->completion == 0 && answer->data.size() == (status ? 4u : 15u);
                   if (!right) wrong.push_back(answer ? base::hex(answer->data) : answer.error().what);
                   if (++answered < 200) next();
                 });
  };
  next();
  EXPECT_TRUE(until([&] { return answered == 200; }));
  EXPECT_THAT(wrong, testing::IsEmpty());
  EXPECT_EQ(far.bmc.seen.command(0x06, 0x01) + far.bmc.seen.command(0x00, 0x01), 200u) << "none twice";
}

TEST_F(BmcSession, SaysBusyToTheSixtyFifthThatWaits) {
  FarEnd& far = far_end();
  NearEnd& near = near_end(far);
  opened(near);
  std::vector<std::shared_ptr<Asked>> all;
  for (unsigned i = 0; i < Requests::kMostWaiting + 1; ++i) all.push_back(ask(near, device_id()));
  ASSERT_TRUE(until(
      [&] { return std::all_of(all.begin(), all.end(), [](auto& each) { return !each->text.empty(); }); }));
  EXPECT_EQ(all.back()->text, "Fault 75: too many requests wait for this BMC");
  all.pop_back();
  for (auto& each : all) EXPECT_EQ(each->text, kDeviceId);
}

TEST_F(BmcSession, NoticesAClosedPortAtOnce) {
  test::BmcOptions options;
  options.address = own_address();  // where nobody else opens that port again
  FarEnd& far = far_end(options);
  BmcSettings direct = settings(far);
  direct.host = base::str(options.address, ":", far.bmc.port());
  NearEnd& near = near_end(direct);
  opened(near);
  destroy(far);
  EXPECT_EQ(opened(near_end(direct)), "bmc.failed ADDR: nothing listens there (port closed)");
  auto asked = ask(near, device_id());
  ASSERT_TRUE(until([&] { return near.events.size() >= 2; }));
  EXPECT_EQ(near.events[1], "bmc.down ADDR: nothing listens there any more (port closed)");
  EXPECT_TRUE(until([&] { return !asked->text.empty(); }));
  EXPECT_EQ(asked->text, "Fault 69: ADDR: nothing listens there any more (port closed)");
}

TEST_F(BmcSession, TellsWhatIsWrongWithItsFiles) {
  FarEnd& far = far_end();
  BmcSettings settings = this->settings(far);
  settings.password_file = folder_ / "missing";
  EXPECT_EQ(opened(near_end(settings)),
            base::str("bmc.failed ", settings.password_file, ": No such file or directory"));
  EXPECT_EQ(far.bmc.seen.packets, 0u);
}

}  // namespace
}  // namespace oob::ipmi

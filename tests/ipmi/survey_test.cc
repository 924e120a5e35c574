#include "ipmi/survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/bmc/bmc.h"
#include "tests/bmc/udp_proxy.h"
#include "tests/support/support.h"

namespace oob::ipmi {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SuiteRecords, AreTakenApart) {
  // Table 22-18: C0h, id, algorithms; C1h, id, three bytes of an OEM's number, algorithms.
  EXPECT_THAT(suites_in(std::string("\xc0\x03\x01\x41\x81\xc0\x11\x03\x44\x81", 10)), ElementsAre(3, 17));
  EXPECT_THAT(suites_in(std::string("\xc1\x80\x01\x02\x03\x01\x41\xc0\x11\x03\x44\x81", 12)),
              ElementsAre(17));
  EXPECT_THAT(suites_in(""), IsEmpty());
  EXPECT_THAT(suites_in("\x55\xc0\x03"), IsEmpty());
  EXPECT_THAT(suites_in("\xc0"), IsEmpty());
}

TEST(ChannelCapabilities, TellOfKgOnlyInTheirExtendedForm) {
  // Table 22-15 without the completion code: channel, types (bit 7: extended), status (bit 5: Kg), extended.
  const std::string set("\x01\x80\x24\x02\0\0\0\0", 8), unset("\x01\x80\x04\x02\0\0\0\0", 8),
      plain("\x01\x04\x04\0\0\0\0\0", 8);
  EXPECT_EQ(kg_in(set), true);
  EXPECT_EQ(kg_in(unset), false);
  EXPECT_EQ(kg_in(plain), std::nullopt);
  for (std::size_t size = 0; size < 3; ++size) EXPECT_EQ(kg_in(set.substr(0, size)), std::nullopt);
}

// An answer of the BMC to Get Channel Cipher Suites outside of sessions.
bool is_suite_list(const std::string& datagram) {
  base::Result<Bytes> message = decode_v15(datagram);
  base::Result<Response> response =
      message ? decode_message(*message, Checksums::checked) : base::Result<Response>(message.error());
  return response && response->command == 0x54;
}

// One with this data, of one byte for the channel and records.
std::string suite_answer(std::uint8_t sequence, const std::string& data) {
  std::string message("\x81\x1c\0\x20", 4);  // to us, netfn 07h, checksum, from the BMC
  message += static_cast<char>(sequence << 2);
  message += std::string("\x54\0", 2) + data;
  auto sum = [&](std::size_t from, std::size_t to) {
    unsigned total = 0;
    for (std::size_t i = from; i < to; ++i) total += get8(message, i);
    return static_cast<char>(0x100 - (total & 0xff));
  };
  message[2] = sum(0, 2);
  message += sum(3, message.size());
  return encode_v15(message);
}

struct SurveyTest : testing::Test {
  explicit SurveyTest(test::BmcOptions options = {}) : bmc(loop, std::move(options)) {
    test::write_file(folder / "password", "secret\n");
  }
  // Once `bmc` is as it shall be.
  BmcSettings settings() {
    if (bmc.port() == 0 || wire.port() == 0) {
      EXPECT_TRUE(bmc.open());
      EXPECT_TRUE(wire.open("127.0.0.1", 0, bmc.address(), bmc.port()));
    }
    BmcSettings settings;
    settings.name = "b";
    settings.host = base::str("127.0.0.1:", wire.port());
    settings.user = user;
    settings.password_file = folder / "password";
    return settings;
  }
  BmcReport look() { return look(settings()); }
  BmcReport look(const BmcSettings& settings) {
    std::optional<BmcReport> report;
    Survey survey(loop, blocking, gate, settings, [&](const BmcReport& found) { report = found; });
    survey.start();
    EXPECT_TRUE(test::run_until(
        loop, [&] { return report.has_value(); }, base::milliseconds(60'000)));
    return report.value_or(BmcReport());
  }
  base::Loop loop;
  base::Blocking blocking{loop};
  HandshakeGate gate{loop};
  test::TempDir folder;
  test::Bmc bmc;
  test::UdpProxy wire{loop};
  std::string user = "oob";
};

TEST_F(SurveyTest, TellsWhatAGoodBmcOffers) {
  BmcReport report = look();
  EXPECT_EQ(report.session_trouble, "");
  EXPECT_EQ(report.suite, 17);
  EXPECT_EQ(report.privilege, Privilege::op);
  ASSERT_TRUE(report.suites);
  EXPECT_THAT(*report.suites, ElementsAre(3, 17));
  EXPECT_FALSE(report.suite_0_open);
  EXPECT_TRUE(report.strangers_tried);
  EXPECT_FALSE(report.anonymous_open);
  EXPECT_EQ(report.kg_set, false);
  EXPECT_EQ(report.sol_enabled, true);
}

TEST_F(SurveyTest, FindsSuite0AndTheAnonymousUser) {
  bmc.faults.accept_suite_0 = true;
  bmc.faults.accept_anonymous = true;
  BmcReport report = look();
  EXPECT_TRUE(report.suite_0_open);
  EXPECT_TRUE(report.anonymous_open);
}

TEST_F(SurveyTest, LooksOnWhereNothingOfIpmi15IsAnswered) {
  bmc.faults.no_ipmi_15 = true;
  BmcReport report = look();
  EXPECT_EQ(report.session_trouble, "");
  EXPECT_FALSE(report.suites);
  EXPECT_FALSE(report.kg_set);
  EXPECT_EQ(report.suite, 17);
}

TEST_F(SurveyTest, TellsOfAUserWithTooFewRights) {
  user = "user";
  test::write_file(folder / "password", "userpw\n");
  BmcReport report = look();
  EXPECT_EQ(report.session_trouble, "");
  EXPECT_EQ(report.privilege, Privilege::user);
}

TEST_F(SurveyTest, TellsOfAWrongPasswordAndOfNobodyThere) {
  test::write_file(folder / "password", "wrong\n");
  EXPECT_THAT(look().session_trouble, testing::HasSubstr("wrong password"));
  bmc.faults.deaf = true;
  BmcReport report = look();
  EXPECT_FALSE(report.answers);
  EXPECT_THAT(report.session_trouble, testing::HasSubstr("no answer"));
}

TEST_F(SurveyTest, TellsWhetherTheMoreThatSolWantsCanBeHad) {
  // SOL for administrators; the user "oob" may be one, "oper" may not.
  std::string event;
  Bmc admin(
      loop, blocking, gate,
      [&] {
        BmcSettings all = settings();
        all.privilege = Privilege::admin;
        return all;
      }(),
      [&](const char* what, const std::string&) { event = what; });
  admin.start();
  std::optional<int> completion;
  Request set;
  set.netfn = NetFn::transport;
  set.command = 0x21;
  set.data = std::string("\x0e\x02\x84", 3);
  admin.ask(set, Link::Send::again,
            [&](const Result<Response>& answer) { completion = answer ? answer->completion : -1; });
  ASSERT_TRUE(test::run_until(loop, [&] { return completion.has_value(); }));
  ASSERT_EQ(completion, 0);
  BmcReport report = look();
  EXPECT_EQ(report.sol_privilege, Privilege::admin);
  EXPECT_EQ(report.privilege, Privilege::op);
  EXPECT_EQ(report.highest, Privilege::admin);
  user = "oper";
  test::write_file(folder / "password", "operpw\n");
  report = look();
  EXPECT_EQ(report.session_trouble, "");
  EXPECT_EQ(report.privilege, Privilege::op);
  EXPECT_EQ(report.highest, Privilege::op);
}

struct SurveyOfABmcWithKg : SurveyTest {
  SurveyOfABmcWithKg()
      : SurveyTest([] {
          test::BmcOptions options;
          options.kg = "kg-as-text";
          return options;
        }()) {}
};

TEST_F(SurveyOfABmcWithKg, TellsThatItIsSet) {
  BmcSettings all = settings();
  all.kg_file = folder / "kg";
  test::write_file(all.kg_file, "kg-as-text\n");
  BmcReport report = look(all);
  EXPECT_EQ(report.session_trouble, "");
  EXPECT_EQ(report.kg_set, true);
}

struct SurveyOfABmcWithOneSession : SurveyTest {
  SurveyOfABmcWithOneSession()
      : SurveyTest([] {
          test::BmcOptions options;
          options.sessions = 1;
          options.session_timeout = options.handshake_timeout = base::milliseconds(600'000);
          return options;
        }()) {}
};

TEST_F(SurveyOfABmcWithOneSession, LeavesNoneHalfOpen) {
  bmc.faults.accept_suite_0 = true;
  bmc.faults.accept_anonymous = true;
  BmcReport report = look();
  EXPECT_EQ(report.session_trouble, "");
  EXPECT_TRUE(report.suite_0_open);
  EXPECT_TRUE(report.anonymous_open);
  EXPECT_EQ(bmc.seen.wrong_passwords, 0u);
  EXPECT_TRUE(test::run_until(loop, [&] { return bmc.seen.handshakes.now == 0 && bmc.seen.sessions == 0; }));
}

TEST_F(SurveyOfABmcWithOneSession, LeavesNoneHalfOpenThatAnAnonymousUserIsRefusedIn) {
  // RAKP 2 signed with a password that is not empty, as by a BMC whose user 1 has one.
  bmc.faults.accept_anonymous = true;
  wire.hook = [this](bool to_bmc, std::string datagram) -> std::optional<std::string> {
    base::Result<Packet> packet = decode_packet(datagram, 0);
    bool open = packet && packet->type == PayloadType::open_session_request;
    if (to_bmc && open && bmc.seen.sessions_closed > 0) bmc.faults.wrong_rakp2_code = test::kAlways;
    return datagram;
  };
  BmcReport report = look();
  EXPECT_EQ(report.session_trouble, "");
  EXPECT_FALSE(report.anonymous_open);
  EXPECT_EQ(bmc.seen.console_refused, 2u);
  EXPECT_TRUE(test::run_until(loop, [&] { return bmc.seen.handshakes.now == 0; }));
}

TEST_F(SurveyTest, PassesAnswersToOtherQuestionsOver) {
  bmc.faults.old_rq_seq = test::kAlways;
  wire.hook = [this](bool to_bmc, std::string datagram) -> std::optional<std::string> {
    // Only outside of sessions.
    bmc.faults.old_rq_seq = to_bmc && decode_v15(datagram) ? test::kAlways : 0;
    return datagram;
  };
  BmcReport report = look();
  EXPECT_EQ(report.session_trouble, "");
  EXPECT_FALSE(report.kg_set);
  EXPECT_FALSE(report.suites);
}

TEST_F(SurveyTest, EndsAListThatRepeatsItself) {
  unsigned asked = 0;
  wire.hook = [&](bool to_bmc, std::string datagram) -> std::optional<std::string> {
    if (to_bmc || !is_suite_list(datagram)) return datagram;
    ++asked;
    Response response = *decode_message(*decode_v15(datagram), Checksums::checked);
    // The same 16 bytes for each index: 3 three times, and a C0h.
    std::string list("\x01\xc0\x03\x01\x41\x81\xc0\x03\x01\x41\x81\xc0\x03\x01\x41\x81\xc0", 17);
    return suite_answer(response.sequence, list);
  };
  BmcReport report = look();
  ASSERT_TRUE(report.suites);
  EXPECT_THAT(*report.suites, ElementsAre(3));
  EXPECT_FALSE(report.suites_cut);
  EXPECT_EQ(asked, 2u);
}

TEST_F(SurveyTest, WaitsForItsTurnWithoutCountingTheTime) {
  HandshakeGate narrow(loop, 1);
  auto other = narrow.enter([] {});
  std::optional<BmcReport> report;
  Survey survey(loop, blocking, narrow, settings(), [&](const BmcReport& found) { report = found; });
  survey.start();
  auto end = base::Clock::now() + base::milliseconds(300);
  test::run_until(loop, [&] { return base::Clock::now() >= end; });
  EXPECT_FALSE(report);
  EXPECT_EQ(bmc.seen.packets, 0u);
  auto begun = base::Clock::now();
  other.reset();
  ASSERT_TRUE(test::run_until(loop, [&] { return report.has_value(); }));
  EXPECT_LE(report->time_to_session, base::Clock::now() - begun);
  EXPECT_EQ(report->session_trouble, "");
}

TEST_F(SurveyTest, AsksNothingMoreOnceItHasAnswered) {
  bmc.faults.open_session.refuse = test::kAlways;  // a session would be tried again after a second
  bmc.faults.open_session.status = 0x11;
  std::optional<BmcReport> report;
  Survey survey(loop, blocking, gate, settings(), [&](const BmcReport& found) { report = found; });
  survey.start();
  ASSERT_TRUE(test::run_until(loop, [&] { return report.has_value(); }));
  EXPECT_THAT(report->session_trouble, testing::HasSubstr("is refused"));
  unsigned packets = bmc.seen.packets;
  auto end = base::Clock::now() + base::milliseconds(2000);
  test::run_until(loop, [&] { return base::Clock::now() >= end; });
  EXPECT_EQ(bmc.seen.packets, packets);
}

}  // namespace
}  // namespace oob::ipmi

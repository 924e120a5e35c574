#include "ipmi/survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/bmc/bmc.h"
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

struct SurveyTest : testing::Test {
  SurveyTest() {
    test::write_file(folder / "password", "secret\n");
    EXPECT_TRUE(bmc.open());
  }
  BmcReport look() {
    BmcSettings settings;
    settings.name = "b";
    settings.host = base::str("127.0.0.1:", bmc.port());
    settings.user = user;
    settings.password_file = folder / "password";
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
  test::Bmc bmc{loop, {}};
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

}  // namespace
}  // namespace oob::ipmi

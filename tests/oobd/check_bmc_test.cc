#include "oobd/check_bmc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oob {
namespace {

using testing::HasSubstr;
using testing::Not;

ipmi::BmcReport good() {
  ipmi::BmcReport report;
  report.answers = true;
  report.suites = std::vector<int>{3, 17};
  report.kg_set = false;
  report.suite = 17;
  report.strangers_tried = true;
  report.privilege = report.highest = ipmi::Privilege::op;
  report.time_to_session = base::milliseconds(12);
  report.sol_enabled = true;
  report.sol_baud = 115200;
  return report;
}

TEST(CheckBmc, SaysWhatIsWell) {
  EXPECT_EQ(report_text("relay1", good(), true, true, true),
            "relay1:\n"
            "  session     in 12 ms, cipher suite 17, privilege operator\n"
            "  suites      3, 17\n"
            "  strangers   neither suite 0 nor an anonymous user\n"
            "  Kg          not set\n"
            "  SOL         enabled, 115200 baud\n");
}

TEST(CheckBmc, SaysInRedWhatIsOpenToStrangers) {
  ipmi::BmcReport report = good();
  report.suite_0_open = report.anonymous_open = true;
  std::string red = report_text("relay1", report, true, true, true);
  EXPECT_THAT(red, HasSubstr("\x1b[1;31mOPEN: anybody gets in without a password"));
  EXPECT_THAT(red, HasSubstr("\x1b[1;31mOPEN: the user without a name"));
  std::string plain = report_text("relay1", report, true, true, false);
  EXPECT_THAT(plain, HasSubstr("suite 0     OPEN"));
  EXPECT_THAT(plain, Not(HasSubstr("\x1b")));
}

TEST(CheckBmc, SaysWhatIsMissingForPowerAndSol) {
  ipmi::BmcReport report = good();
  report.privilege = ipmi::Privilege::user;
  report.sol_enabled = false;
  std::string text = report_text("relay1", report, true, true, false);
  EXPECT_THAT(text, HasSubstr("power       NO: the user's privilege is user, power needs operator"));
  EXPECT_THAT(text, HasSubstr("SOL         DISABLED"));
  text = report_text("relay1", report, false, false, false);
  EXPECT_THAT(text, Not(HasSubstr("power  ")));
  EXPECT_THAT(text, Not(HasSubstr("SOL")));
}

TEST(CheckBmc, SaysWhenSolWantsMorePrivilegeThanTheUserMayHave) {
  ipmi::BmcReport report = good();
  report.sol_privilege = ipmi::Privilege::admin;
  EXPECT_THAT(report_text("relay1", report, true, true, true),
              HasSubstr("SOL         \x1b[1;31mNO: the user's privilege is operator, its SOL takes "
                        "administrator and more\x1b[0m\n"));
  EXPECT_EQ(verdict(report, true, true), 69);
  EXPECT_EQ(verdict(report, true, false), 0);
  report.highest = ipmi::Privilege::admin;
  EXPECT_THAT(report_text("relay1", report, true, true, false),
              HasSubstr("SOL         enabled, 115200 baud\n"
                        "              for users with privilege administrator and more\n"));
  EXPECT_EQ(verdict(report, true, true), 0);
}

TEST(CheckBmc, SaysWhatWasNotReadOrTried) {
  ipmi::BmcReport report = good();
  report.suites_cut = true;
  report.strangers_tried = false;
  std::string text = report_text("relay1", report, true, true, false);
  EXPECT_THAT(text, HasSubstr("suites      3, 17, and more than could be read in time\n"));
  EXPECT_THAT(text, HasSubstr("strangers   not tried\n"));
}

TEST(CheckBmc, EndsWith69WhereABmcIsOfNoUseForWhatItIsConfiguredFor) {
  ipmi::BmcReport report = good();
  EXPECT_EQ(verdict(report, true, true), 0);
  report.sol_enabled.reset();
  EXPECT_EQ(verdict(report, true, true), 0);
  report.sol_enabled = false;
  EXPECT_EQ(verdict(report, true, true), 69);
  EXPECT_EQ(verdict(report, true, false), 0);
  report = good();
  report.privilege = report.highest = ipmi::Privilege::user;
  EXPECT_EQ(verdict(report, true, true), 69);
  EXPECT_EQ(verdict(report, false, true), 0);
  report = good();
  report.session_trouble = "no answer";
  EXPECT_EQ(verdict(report, false, false), 69);
}

TEST(CheckBmc, EndsWith1WhereOneIsOpenToStrangersWhateverElseIsWrong) {
  ipmi::BmcReport report = good();
  report.session_trouble = "wrong password";
  report.suite_0_open = true;
  EXPECT_EQ(verdict(report, true, true), 1);
  report.suite_0_open = false;
  report.anonymous_open = true;
  EXPECT_EQ(verdict(report, true, true), 1);
  EXPECT_EQ(worse(1, 69), 1);
  EXPECT_EQ(worse(69, 1), 1);
  EXPECT_EQ(worse(0, 69), 69);
  EXPECT_EQ(worse(69, 0), 69);
  EXPECT_EQ(worse(0, 0), 0);
}

TEST(CheckBmc, DoesNotShowBytesOfABmc) {
  ipmi::BmcReport report;
  report.session_trouble = "RAKP 2: \x1b]0;x\x07";
  EXPECT_THAT(report_text("relay1", report, true, true, false), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace oob

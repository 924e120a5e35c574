#include "audit/syslog_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/audit/syslog_collector.h"

namespace oob::audit {
namespace {

using std::chrono::milliseconds;
using test::Collector;
using test::TestCa;
using testing::HasSubstr;

class SyslogLinkTest : public testing::Test {
 protected:
  SyslogSettings settings(const std::string& server) {
    test::write_file(dir_ / "ca.pem", ca_.certificate());
    return {server, dir_ / "ca.pem", "logs.example.net", "", ""};
  }
  void connect(const SyslogSettings& settings) {
    base::Result<SyslogTrust> trust = SyslogTrust::load(settings);
    ASSERT_TRUE(trust) << trust.error().what;
    SyslogLink::Calls calls;
    calls.up = [this] { up_ = true; };
    calls.delivered = [this](std::uint64_t bytes) { delivered_ = bytes; };
    calls.room = [] {};
    calls.down = [this](const base::Error& error) { why_ = error.what; };
    link_ = std::make_unique<SyslogLink>(loop_, *trust, limits_, std::move(calls));
  }
  // Why there is no connection to a server with this certificate.
  std::string why(const TestCa::Made& made, Collector::Manners manners = {}) {
    Collector collector(dir_, made, std::move(manners));
    connect(settings(collector.address()));
    EXPECT_TRUE(test::run_until(loop_, [&] { return !why_.empty(); }));
    EXPECT_TRUE(why_.starts_with(collector.address() + ": ")) << why_;
    link_.reset();
    return why_;
  }

  test::TempDir dir_;
  TestCa ca_;
  base::Loop loop_;
  SyslogLink::Limits limits_;
  std::unique_ptr<SyslogLink> link_;
  bool up_ = false;
  std::uint64_t delivered_ = 0;
  std::string why_;
};

TEST_F(SyslogLinkTest, KnowsWhenTheOtherSideHasRead) {
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  limits_.settled = limits_.unanswered = milliseconds(600'000);  // so that only an answer can tell
  limits_.ask = milliseconds(10);
  connect(settings(collector.address()));
  ASSERT_TRUE(test::run_until(loop_, [&] { return up_; })) << why_;
  for (std::uint64_t n = 1; n <= 100; ++n) {  // a KeyUpdate is no rarity, nor are a hundred of them
    link_->send("5 hello");
    ASSERT_TRUE(test::run_until(loop_, [&] { return delivered_ == 7 * n; })) << why_;
    ASSERT_EQ(collector.all().size(), 7 * n);
  }
  EXPECT_EQ(why_, "");
}

TEST_F(SyslogLinkTest, SendsMuchThroughASmallSocket) {
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  limits_.unanswered = milliseconds(600'000);  // it answers once it has read all
  connect(settings(collector.address()));
  ASSERT_TRUE(test::run_until(loop_, [&] { return up_; })) << why_;
  std::string much(8 << 20, 'x');
  link_->send(much);
  ASSERT_TRUE(test::run_until(loop_, [&] { return delivered_ == much.size(); })) << why_;
  EXPECT_EQ(collector.all(), much);
}

TEST_F(SyslogLinkTest, BelievesTheKernelOfWhoeverSpeaksTls12) {
  Collector::Manners manners;
  manners.most_version = TLS1_2_VERSION;
  Collector collector(dir_, ca_.issue("logs.example.net"), manners);
  limits_.settled = milliseconds(50);
  connect(settings(collector.address()));
  ASSERT_TRUE(test::run_until(loop_, [&] { return up_; })) << why_;
  link_->send("5 hello");
  ASSERT_TRUE(test::run_until(loop_, [&] { return delivered_ == 7; })) << why_;
}

TEST_F(SyslogLinkTest, BelievesTheKernelOfWhoeverLeavesItUnanswered) {
  Collector::Manners manners;
  manners.answers = false;
  Collector collector(dir_, ca_.issue("logs.example.net"), manners);
  limits_.settled = limits_.unanswered = milliseconds(50);
  connect(settings(collector.address()));
  ASSERT_TRUE(test::run_until(loop_, [&] { return up_; })) << why_;
  link_->send("5 hello");
  ASSERT_TRUE(test::run_until(loop_, [&] { return delivered_ == 7; })) << why_;
  link_->send("5 hello");
  ASSERT_TRUE(test::run_until(loop_, [&] { return delivered_ == 14; })) << why_;
}

TEST_F(SyslogLinkTest, DoesNotTakeForDeliveredWhatNobodyReads) {
  Collector::Manners manners;
  manners.reads_nothing = true;
  limits_.stalled = milliseconds(400);
  Collector collector(dir_, ca_.issue("logs.example.net"), manners);
  connect(settings(collector.address()));
  ASSERT_TRUE(test::run_until(loop_, [&] { return up_; })) << why_;
  link_->send("5 hello");
  ASSERT_TRUE(test::run_until(loop_, [&] { return !why_.empty(); }));
  EXPECT_THAT(why_, HasSubstr("stalled"));
  EXPECT_EQ(delivered_, 0u);
}

TEST_F(SyslogLinkTest, FindsOutThatNothingIsTakenAnyMore) {
  Collector::Manners manners;
  manners.reads_nothing = true;
  limits_.stalled = milliseconds(400);
  Collector collector(dir_, ca_.issue("logs.example.net"), manners);
  connect(settings(collector.address()));
  ASSERT_TRUE(test::run_until(loop_, [&] { return up_; })) << why_;
  link_->send(std::string(64 << 20, 'x'));  // more than any kernel takes
  ASSERT_TRUE(test::run_until(loop_, [&] { return !why_.empty(); }));
  EXPECT_THAT(why_, HasSubstr("stalled"));
}

TEST_F(SyslogLinkTest, RefusesACertificateWithAnotherName) {
  EXPECT_THAT(why(ca_.issue("other.example.net")),
              HasSubstr("the certificate of other.example.net is not for logs.example.net"));
  EXPECT_FALSE(up_);
}

TEST_F(SyslogLinkTest, RefusesACertificateThatHasExpired) {
  EXPECT_THAT(why(ca_.issue("logs.example.net", -7200, -3600)),
              HasSubstr("the certificate of logs.example.net has expired: it was valid until 20"));
  EXPECT_FALSE(up_);
}

TEST_F(SyslogLinkTest, RefusesACertificateThatIsNotYetValidAndTellsTheClock) {
  std::string text = why(ca_.issue("logs.example.net", 3600, 7200));
  EXPECT_THAT(text, HasSubstr("is not valid before 20"));
  EXPECT_THAT(text, HasSubstr("the clock here says 20"));
}

TEST_F(SyslogLinkTest, RefusesACertificateOfAnotherCa) {
  TestCa other("Another CA");
  EXPECT_THAT(why(other.issue("logs.example.net")), HasSubstr("is signed by no CA in " + dir_ / "ca.pem"));
  EXPECT_FALSE(up_);
}

TEST_F(SyslogLinkTest, SpeaksNoTlsOlderThan12) {
  Collector::Manners manners;
  manners.least_version = manners.most_version = TLS1_1_VERSION;
  EXPECT_THAT(why(ca_.issue("logs.example.net"), manners), HasSubstr("TLS handshake: "));
  EXPECT_FALSE(up_);
}

TEST_F(SyslogLinkTest, ShowsItsOwnCertificateWhereOneIsAskedFor) {
  SyslogSettings with = settings("");
  Collector::Manners manners;
  manners.client_ca = with.ca;
  TestCa::Made board = ca_.issue("board1");
  test::write_file(dir_ / "board.pem", board.certificate);
  test::write_file(dir_ / "board.key", board.key);
  Collector collector(dir_, ca_.issue("logs.example.net"), manners);
  with.server = collector.address();
  with.certificate = dir_ / "board.pem";
  with.key = dir_ / "board.key";
  connect(with);
  ASSERT_TRUE(test::run_until(loop_, [&] { return up_; })) << why_;
  link_->send("5 hello");
  ASSERT_TRUE(test::run_until(loop_, [&] { return delivered_ == 7; })) << why_;
}

TEST_F(SyslogLinkTest, SaysThatTheServerWantsACertificate) {
  Collector::Manners manners;
  manners.client_ca = settings("").ca;
  EXPECT_THAT(why(ca_.issue("logs.example.net"), manners), HasSubstr("the server refuses: "));
}

TEST_F(SyslogLinkTest, DoesNotWaitForEverForAHandshake) {
  Collector::Manners manners;
  manners.speaks_tls = false;
  limits_.handshake = milliseconds(200);
  EXPECT_THAT(why(ca_.issue("logs.example.net"), manners), HasSubstr("handshake does not come to its end"));
}

TEST_F(SyslogLinkTest, LeavesACollectorThatTalksOnAndOn) {
  Collector::Manners manners;
  manners.talks = true;
  EXPECT_THAT(why(ca_.issue("logs.example.net"), manners), HasSubstr("more than a collector has to say"));
}

TEST_F(SyslogLinkTest, SaysWhyNobodyAnswers) {
  test::HeldPort nobody;
  connect(settings(nobody.address()));
  ASSERT_TRUE(test::run_until(loop_, [&] { return !why_.empty(); }));
  EXPECT_EQ(why_, nobody.address() + ": connect: Connection refused");
}

TEST_F(SyslogLinkTest, NamesAFileThatItCantUse) {
  SyslogSettings wrong = settings("127.0.0.1:6514");
  wrong.ca = dir_ / "none.pem";
  base::Result<SyslogTrust> trust = SyslogTrust::load(wrong);
  ASSERT_FALSE(trust);
  EXPECT_EQ(trust.error().fault, base::Fault::config);
  EXPECT_THAT(trust.error().what, HasSubstr("ca " + dir_ / "none.pem"));
  wrong = settings("127.0.0.1:6514");
  wrong.certificate = wrong.key = dir_ / "ca.pem";
  trust = SyslogTrust::load(wrong);
  ASSERT_FALSE(trust);
  EXPECT_THAT(trust.error().what, HasSubstr("key " + dir_ / "ca.pem"));
}

}  // namespace
}  // namespace oob::audit

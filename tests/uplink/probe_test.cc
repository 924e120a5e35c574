#include "uplink/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/support/no_descriptors.h"
#include "tests/support/support.h"
#include "tests/uplink/two_namespaces.h"

namespace oob::uplink {
namespace {

using base::Result;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;

// Asks, and waits for what comes of it: "answered", or why not.
std::string ask(const std::string& text, const std::string& interface,
                milliseconds limit = milliseconds(30'000), base::Fault* fault = nullptr) {
  base::Loop loop;
  Result<Target> target = Target::parse(text);
  EXPECT_TRUE(target);
  std::optional<Result<base::Micros>> answer;
  Probe probe(loop, *target, interface, limit, [&](Result<base::Micros> trip) { answer = std::move(trip); });
  EXPECT_FALSE(answer) << "told from within the constructor";
  EXPECT_TRUE(test::run_until(loop, [&] { return answer.has_value(); }));
  if (fault && answer && !*answer) *fault = answer->error().fault;
  if (!answer) return "nothing was told";
  EXPECT_TRUE(!*answer || **answer > 0);
  return *answer ? "answered" : answer->error().what;
}

class ProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string missing = test::TwoNamespaces::missing(); !missing.empty()) GTEST_SKIP() << missing;
    lab_.emplace();
  }
  // Whether groups may send echoes without privilege here.
  void allow_echoes(const char* range) {
    std::ofstream file("/proc/sys/net/ipv4/ping_group_range");
    file << range << std::flush;
    ASSERT_TRUE(file);
  }
  std::optional<test::TwoNamespaces> lab_;
};

TEST_F(ProbeTest, IsAnsweredByWhoeverServesThePort) {
  for (const std::string& target : {lab_->tcp(), lab_->tcp6()})
    for (const char* interface : {"oob0", "lte0", ""})
      EXPECT_EQ(ask(target, interface), "answered") << target;
}

TEST_F(ProbeTest, TakesARefusalForAnAnswer) {
  for (const char* target : {"tcp:10.9.9.9:1", "tcp:[2001:db8:9::9]:1", "tcp:127.0.0.1:1"})
    EXPECT_EQ(ask(target, target[4] == '1' && target[5] == '2' ? "lo" : "lte0"), "answered") << target;
}

TEST_F(ProbeTest, IsAnsweredByAnEchoWithPrivilegeAndWithout) {
  for (const char* range : {"1 0", "0 2147483647"}) {  // a raw socket; a ping socket
    allow_echoes(range);
    for (const char* target : {"icmp:10.9.9.9", "icmp:2001:db8:9::9"})
      for (const char* interface : {"oob0", "lte0"})
        EXPECT_EQ(ask(target, interface), "answered") << target << range;
  }
}

TEST_F(ProbeTest, GoesByItsInterfaceWhateverTheRoutingTableSays) {
  lab_->swallow(1);
  for (const std::string& target : {lab_->tcp(), lab_->tcp6(), std::string("icmp:10.9.9.9")}) {
    EXPECT_EQ(ask(target, "lte0"), "answered") << target;
    for (const char* dead : {"oob0", ""})
      EXPECT_EQ(ask(target, dead, milliseconds(300)), "no answer within 300 ms") << target;
  }
}

TEST_F(ProbeTest, SaysWhyItCouldNotBeAsked) {
  auto not_sent = [](const std::string& target, const std::string& interface) {
    base::Fault fault{};
    std::string why = ask(target, interface, milliseconds(100), &fault);
    EXPECT_EQ(fault, base::Fault::missing) << target << interface << why;
    return why;
  };
  EXPECT_EQ(not_sent("tcp:10.9.9.9:1", "wwan7"), "interface wwan7: not there now");
  lab_->run("ip -6 route del default dev lte0");
  for (const std::string& six : {lab_->tcp6(), std::string("icmp:2001:db8:9::9")})
    EXPECT_EQ(not_sent(six, "lte0"), "connect: Network is unreachable");
  lab_->run("ip addr flush dev lte0");
  for (const std::string& four : {lab_->tcp(), std::string("icmp:10.9.9.9")}) {
    EXPECT_EQ(not_sent(four, "lte0"), "interface lte0: no address");
    lab_->run("ip link set oob0 up");
    lab_->outside("ip link set far1 down");
    ASSERT_TRUE(test::comes_to_carry("oob0", false));
    base::Fault fault{};  // the other end is dead, which is no trouble of this board
    EXPECT_EQ(ask(four, "oob0", milliseconds(100), &fault), "interface oob0: no carrier");
    EXPECT_EQ(fault, base::Fault::unavailable);
    lab_->run("ip link set oob0 down");
    EXPECT_EQ(not_sent(four, "oob0"), "interface oob0: switched off");
    EXPECT_EQ(not_sent(four, ""), "connect: Network is unreachable");
  }
}

TEST_F(ProbeTest, TakesWhatARouterSaysForAnAnswerThatIsMissing) {
  lab_->outside("echo 1 > /proc/sys/net/ipv4/ip_forward; ip route add unreachable 10.8.8.8/32");
  base::Fault fault{};
  EXPECT_EQ(ask("tcp:10.8.8.8:1", "lte0", milliseconds(30'000), &fault), "connect: No route to host");
  EXPECT_EQ(fault, base::Fault::unavailable);
}

TEST_F(ProbeTest, WithoutPrivilegeSaysWhatCuresThat) {
  constexpr uid_t kNobody = 65534;
  allow_echoes("1 0");
  ASSERT_EQ(::seteuid(kNobody), 0);
  base::Fault fault{};
  std::string four = ask("icmp:10.9.9.9", "lte0", milliseconds(30'000), &fault);
  std::string six = ask("icmp:2001:db8:9::9", "lte0");
  std::string tcp = ask(lab_->tcp(), "lte0");  // which needs none
  EXPECT_EQ(::seteuid(0), 0);
  EXPECT_EQ(fault, base::Fault::denied);
  for (const std::string& why : {four, six})
    EXPECT_THAT(why, AllOf(HasSubstr("sysctl -w net.ipv4.ping_group_range=\""), HasSubstr("CAP_NET_RAW")));
  EXPECT_EQ(tcp, "answered");
}

TEST_F(ProbeTest, SaysThatItIsOurOwnShortageWhereItIs) {
  if (!test::kMayLackDescriptors) GTEST_SKIP() << "a sanitizer needs descriptors of its own";
  base::Loop loop;
  base::Timer timer(loop);  // which gives the loop what it needs itself
  bool begun = false;
  timer.after(milliseconds(0), [&] { begun = true; });
  ASSERT_TRUE(test::run_until(loop, [&] { return begun; }));
  for (const std::string& text : {lab_->tcp(), std::string("icmp:10.9.9.9")}) {
    Result<Target> target = Target::parse(text);
    ASSERT_TRUE(target);
    std::optional<Result<base::Micros>> answer;
    test::NoDescriptors none;
    Probe probe(loop, *target, "lte0", milliseconds(30'000), [&](const auto& trip) { answer = trip; });
    ASSERT_TRUE(test::run_until(loop, [&] { return answer.has_value(); }));
    ASSERT_FALSE(*answer);
    EXPECT_EQ(answer->error().fault, base::Fault::busy);
    EXPECT_EQ(answer->error().what, "socket: Too many open files");
  }
}

TEST_F(ProbeTest, SaysThatItIsOurOwnFilterWhereItIs) {
  if (::access("/usr/sbin/nft", X_OK) < 0) GTEST_SKIP() << "there is no nft(8)";
  lab_->run(
      "nft 'add table inet t; add chain inet t out { type filter hook output priority 0; policy drop; }'");
  base::Fault fault{};
  EXPECT_EQ(ask("icmp:10.9.9.9", "lte0", milliseconds(30'000), &fault), "echo: Operation not permitted");
  EXPECT_EQ(fault, base::Fault::busy);
}

TEST_F(ProbeTest, DroppedTellsNothing) {
  base::Loop loop;
  Result<Target> target = Target::parse(lab_->tcp());
  ASSERT_TRUE(target);
  bool told = false, later = false;
  base::Timer timer(loop);
  {
    Probe probe(loop, *target, "lte0", milliseconds(50), [&](const auto&) { told = true; });
    Probe failed(loop, *target, "wwan7", milliseconds(50), [&](const auto&) { told = true; });
  }
  timer.after(milliseconds(150), [&] { later = true; });
  EXPECT_TRUE(test::run_until(loop, [&] { return later; }));
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace oob::uplink

#include "uplink/uplinks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/support/no_descriptors.h"
#include "tests/support/support.h"
#include "tests/uplink/two_namespaces.h"

namespace oob::uplink {
namespace {

using base::str;
using oob::test::run_until;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class UplinksTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string missing = test::TwoNamespaces::missing(); !missing.empty()) GTEST_SKIP() << missing;
    lab_.emplace();
    limits_.look = seconds(60);  // what changes is told by the system
    limits_.probe = milliseconds(50);
    limits_.answer = seconds(5);  // of what answers, however slow all is
    limits_.up_after = milliseconds(200);
  }
  void notice_silence() { limits_.answer = milliseconds(300); }
  void begin(const std::map<std::string, Settings>& settings) {
    uplinks_.emplace(loop_, limits_);
    changes_ = uplinks_->on_change([this](const Uplinks::Change& change) {
      told_.push_back(str(change.name, " ", name_of(change.now)));
    });
    interfaces_ = uplinks_->on_interfaces([this] { ++looks_; });
    way_ = uplinks_->on_way_out([this](const std::string& interface) { ways_.push_back(interface); });
    uplinks_->adopt(settings);
  }
  Figures figures(const std::string& name) {
    for (const Figures& each : uplinks_->figures())
      if (each.name == name) return each;
    return {};
  }
  bool comes_to(const std::function<bool()>& condition, milliseconds limit = milliseconds(60'000)) {
    return run_until(loop_, condition, limit);
  }
  // The same; how long it took, less how long this process stood still meanwhile.
  milliseconds time_to(const std::function<bool()>& condition) {
    constexpr milliseconds kTick(100), kLate(50);
    const auto begin = base::Clock::now();
    auto last = begin;
    base::Clock::duration still{0};
    base::Timer timer(loop_);
    std::function<void()> tick = [&] {
      auto now = base::Clock::now();
      if (now - last > kTick + kLate) still += now - last - kTick;
      last = now;
      timer.after(kTick, tick);
    };
    timer.after(kTick, tick);
    EXPECT_TRUE(comes_to(condition));
    return std::chrono::duration_cast<milliseconds>(base::Clock::now() - begin - still);
  }
  bool is(const std::string& name, Health health) { return figures(name).health == health; }
  bool both_up() {
    return comes_to([&] { return uplinks_->is_up("fixed") && uplinks_->is_up("lte"); });
  }
  std::map<std::string, Settings> both(bool metered = false) {
    return {{"fixed", {"oob0", {lab_->tcp(), "icmp:10.9.9.9", lab_->tcp6(), "icmp:2001:db8:9::9"}, false}},
            {"lte", {"lte0", {lab_->tcp()}, metered}}};
  }

  std::optional<test::TwoNamespaces> lab_;
  base::Loop loop_;
  Uplinks::Limits limits_;
  std::vector<std::string> told_, ways_;
  int looks_ = 0;
  std::optional<Uplinks> uplinks_;
  Uplinks::Handle changes_, interfaces_, way_;
};

TEST_F(UplinksTest, FindsWhatWorksAndGoesByTheFirst) {
  begin(both());
  EXPECT_EQ(uplinks_->way_out(), "");
  EXPECT_EQ(figures("fixed").why, "not probed yet");
  EXPECT_FALSE(figures("fixed").addresses.empty());  // for who goes by it before the first look
  ASSERT_TRUE(both_up());
  EXPECT_EQ(uplinks_->way_out(), "oob0");
  Figures fixed = figures("fixed");
  EXPECT_TRUE(fixed.is_way_out);
  EXPECT_EQ(fixed.why, "");
  EXPECT_EQ(fixed.since, 0);
  EXPECT_GE(fixed.answered, 4U);
  EXPECT_GT(fixed.round_trip, 0);
  EXPECT_THAT(fixed.addresses, Contains("10.1.0.2"));
  EXPECT_THAT(fixed.addresses, Contains("2001:db8:1::2"));
  EXPECT_TRUE(uplinks_->leads_out("oob0"));
  EXPECT_FALSE(uplinks_->leads_out("eth7"));
  EXPECT_TRUE(told_.empty()) << told_.front();
}

// The terms of the daemon itself.
TEST_F(UplinksTest, LeavesADeadWayOutWithinTenSecondsThoughItsInterfaceIsUp) {
  limits_ = Uplinks::Limits();
  auto settings = both(true);  // the harder case: what is metered waits until the other one is down
  begin(settings);
  ASSERT_TRUE(both_up());
  ASSERT_EQ(uplinks_->way_out(), "oob0");
  lab_->swallow(1);
  milliseconds took = time_to([&] { return uplinks_->way_out() == "lte0"; });
  EXPECT_LT(took, milliseconds(9'500));
  EXPECT_TRUE(is("fixed", Health::down));
  EXPECT_THAT(figures("fixed").why, HasSubstr("4 of 4 probes unanswered (tcp:10.9.9.9:"));
  base::Micros before = base::wall_now();
  Figures fixed = figures("fixed");
  EXPECT_LT(fixed.lasting, 9'500'000);
  EXPECT_GE(fixed.since + fixed.lasting, before - 1'000'000);
  EXPECT_LE(fixed.since + fixed.lasting, base::wall_now() + 1'000'000);
  EXPECT_FALSE(uplinks_->leads_out("oob0"));
  EXPECT_THAT(told_, ElementsAre("fixed degraded", "fixed down"));
}

TEST_F(UplinksTest, ReturnsAtTheFirstAnswerWhereNothingElseWorks) {
  notice_silence();
  limits_.up_after = seconds(60);
  begin({{"fixed", both()["fixed"]}});
  ASSERT_TRUE(comes_to([&] { return uplinks_->is_up("fixed"); }));
  lab_->swallow(1);
  ASSERT_TRUE(comes_to([&] { return is("fixed", Health::down); }));
  EXPECT_EQ(uplinks_->way_out(), "");
  lab_->answer(1);
  EXPECT_TRUE(comes_to([&] { return is("fixed", Health::degraded); }));
  EXPECT_EQ(uplinks_->way_out(), "oob0");
  EXPECT_THAT(ways_, ElementsAre("oob0", "", "oob0"));
}

TEST_F(UplinksTest, LeavesAnInterfaceThatIsGoneAtOnceAndStaysWithTheNextWhileThatIsAsGood) {
  begin(both());
  ASSERT_TRUE(both_up());
  lab_->run("ip link set oob0 down");
  EXPECT_TRUE(comes_to([&] { return uplinks_->way_out() == "lte0"; }, seconds(30)));
  EXPECT_TRUE(
      comes_to([&] { return figures("fixed").why == "its interface is switched off or has no carrier"; },
               seconds(30)));
  lab_->run(
      "ip link set oob0 up; ip -6 addr add 2001:db8:1::2/64 dev oob0 nodad; ip route add default via "
      "10.1.0.1 "
      "metric 100; ip -6 route add default via 2001:db8:1::1 dev oob0 metric 100");
  EXPECT_TRUE(comes_to([&] { return uplinks_->is_up("fixed"); }));
  EXPECT_EQ(uplinks_->way_out(), "lte0");
  EXPECT_THAT(ways_, ElementsAre("oob0", "lte0"));
}

TEST_F(UplinksTest, TakesUpAnInterfaceThatIsMadeAnew) {
  lab_->run("ip link del lte0");
  begin(both());
  ASSERT_TRUE(comes_to([&] { return uplinks_->is_up("fixed"); }));
  EXPECT_EQ(figures("lte").why, "there is no such interface now");
  EXPECT_TRUE(is("lte", Health::down));
  EXPECT_THAT(told_, ElementsAre("lte down"));
  int before = looks_;
  for (int i = 0; i < 2; ++i) {
    lab_->add("lte0", 2);
    EXPECT_TRUE(comes_to([&] { return uplinks_->is_up("lte"); })) << figures("lte").why;
    lab_->run("ip link del lte0");
    EXPECT_TRUE(comes_to([&] { return is("lte", Health::down); }, seconds(30)));
  }
  EXPECT_GT(looks_, before);
}

TEST_F(UplinksTest, ProbesAMeteredOneSeldomUntilItIsNeeded) {
  notice_silence();
  limits_.metered = seconds(600);
  begin(both(true));
  ASSERT_TRUE(both_up());
  // While the other one was not yet up, it may have been asked again.
  ASSERT_TRUE(comes_to([&] { return figures("fixed").probes >= 20; }));
  std::uint64_t seldom = figures("lte").probes;
  EXPECT_LE(seldom, 3U);
  ASSERT_TRUE(comes_to([&] { return figures("fixed").probes >= 60; }));
  EXPECT_EQ(figures("lte").probes, seldom);
  lab_->swallow(1);
  ASSERT_TRUE(comes_to([&] { return uplinks_->way_out() == "lte0"; }));
  EXPECT_TRUE(comes_to([&] { return figures("lte").probes >= 10; }));
  EXPECT_EQ(uplinks_->way_out(), "lte0");
  lab_->answer(1);
  EXPECT_TRUE(comes_to([&] { return uplinks_->way_out() == "oob0"; }));
}

// lte died while nobody asked; sat works, if not well.
TEST_F(UplinksTest, GoesByWhatWorksBeforeAMeteredOneThatWasNotAskedLately) {
  lab_->add("sat0", 3);
  notice_silence();
  limits_.probe = seconds(1);  // so that what was asked lately stays that for a while
  limits_.metered = seconds(600);
  auto settings = both(true);
  settings["sat"] = {"sat0", {lab_->tcp(), "icmp:10.9.9.8"}, true};
  begin(settings);
  ASSERT_TRUE(both_up());
  ASSERT_TRUE(comes_to([&] { return figures("sat").answered > 0 && is("sat", Health::degraded); }));
  std::uint64_t probes = figures("fixed").probes;
  ASSERT_TRUE(comes_to([&] { return figures("fixed").probes >= probes + 12; })) << "lte is left alone by now";
  lab_->swallow(2);
  ASSERT_TRUE(comes_to([&] { return figures("fixed").probes >= probes + 28; }));
  ASSERT_TRUE(uplinks_->is_up("lte")) << "nobody asked";
  probes = figures("sat").probes;  // two a round: one is just over, so there is time until it is not lately
  ASSERT_TRUE(comes_to([&] { return figures("sat").probes > probes && figures("sat").probes % 2 == 0; }));
  lab_->run("ip link set oob0 down");
  ASSERT_TRUE(comes_to([&] { return is("lte", Health::down); }));
  EXPECT_THAT(ways_, ElementsAre("oob0", "sat0"));
}

TEST_F(UplinksTest, IsNoWorseForAShortageOfOurOwn) {
  if (!test::kMayLackDescriptors) GTEST_SKIP() << "a sanitizer needs descriptors of its own";
  begin(both());
  ASSERT_TRUE(both_up());
  {
    test::NoDescriptors none;
    EXPECT_TRUE(comes_to([&] { return !figures("fixed").hindrance.empty(); }));
    EXPECT_FALSE(comes_to([&] { return !uplinks_->is_up("fixed"); }, seconds(1)))
        << "which is some twenty rounds";
  }
  EXPECT_THAT(figures("fixed").hindrance, HasSubstr("Too many open files"));
  EXPECT_TRUE(comes_to([&] { return figures("fixed").hindrance.empty(); }));
  EXPECT_TRUE(told_.empty()) << told_.front();
}

TEST_F(UplinksTest, GoesByADegradedOneBeforeAMeteredOne) {
  notice_silence();
  auto settings = both(true);
  settings["fixed"].probe.push_back("icmp:10.9.9.8");  // nobody's
  begin(settings);
  ASSERT_TRUE(comes_to([&] { return is("fixed", Health::degraded) && uplinks_->is_up("lte"); }));
  ASSERT_TRUE(comes_to([&] { return figures("fixed").answered > 0; }));
  EXPECT_TRUE(comes_to([&] { return uplinks_->way_out() == "oob0"; }));
  EXPECT_THAT(figures("fixed").why, HasSubstr("1 of 5 probes unanswered (icmp:10.9.9.8: "));
}

TEST_F(UplinksTest, AdoptsOtherSettingsAndKeepsWhatIsTheSame) {
  begin(both());
  ASSERT_TRUE(both_up());
  std::uint64_t answered = figures("fixed").answered;
  auto settings = both();
  settings["lte"].probe.clear();
  settings["third"] = {"lo", {}, true};
  uplinks_->adopt(settings);
  EXPECT_GE(figures("fixed").answered, answered);
  EXPECT_TRUE(uplinks_->is_up("fixed"));
  EXPECT_TRUE(comes_to([&] { return uplinks_->is_up("lte") && uplinks_->is_up("third"); }));
  EXPECT_EQ(figures("lte").probes, 0U);
  uplinks_->adopt({{"third", {"lo", {}, true}}});
  EXPECT_TRUE(comes_to([&] { return uplinks_->way_out() == "lo"; }));
  EXPECT_EQ(uplinks_->figures().size(), 1U);
  uplinks_->adopt({});
  EXPECT_EQ(uplinks_->way_out(), "");
  EXPECT_THAT(ways_, ElementsAre("oob0", "lo", ""));
}

TEST_F(UplinksTest, AHandleThatIsDroppedIsToldNothing) {
  begin({{"fixed", {"oob0", {}, false}}});
  ASSERT_TRUE(comes_to([&] { return uplinks_->way_out() == "oob0"; }));
  changes_.reset();
  way_.reset();
  lab_->run("ip link set oob0 down");
  ASSERT_TRUE(comes_to([&] { return is("fixed", Health::down); }));
  EXPECT_TRUE(told_.empty());
  EXPECT_THAT(ways_, ElementsAre("oob0"));
}

}  // namespace
}  // namespace oob::uplink

#include "uplink/judge.h"

#include <gtest/gtest.h>

namespace oob::uplink {
namespace {

using std::chrono::seconds;

constexpr const char* kNoCarrier = "its interface is switched off or has no carrier";
constexpr Judge::Time kStart{};
const Round kAll{2, 2, 0, ""}, kSome{2, 1, 0, "tcp:192.0.2.1:443: no answer within 2000 ms"},
    kNone{2, 0, 0, "tcp:192.0.2.1:443: no answer within 2000 ms"}, kNotAllowed{0, 0, 2, "icmp: no"},
    kPartlyNotAllowed{1, 1, 1, "icmp: no"}, kNotAsked{0, 0, 0, "", 2}, kOneAsked{1, 1, 0, "", 1};

// One thing that is seen at a second, and what the health is then.
struct Seen {
  int second;
  enum class What {
    interface,
    no_interface,
    all,
    some,
    none,
    not_allowed,
    partly,
    not_asked,
    one_asked
  } what;
  Health health;
};
using What = Seen::What;

struct Story {
  const char* name;
  bool probed;
  std::vector<Seen> seen;
};

void PrintTo(const Story& story, std::ostream* out) { *out << story.name; }

class JudgeTest : public testing::TestWithParam<Story> {};

TEST_P(JudgeTest, TellsTheHealth) {
  Judge judge({.down_after = 3, .up_after = seconds(10), .probed = GetParam().probed});
  for (const Seen& seen : GetParam().seen) {
    Judge::Time now = kStart + seconds(seen.second);
    switch (seen.what) {
      case What::interface:
        judge.interface("", now);
        break;
      case What::no_interface:
        judge.interface(kNoCarrier, now);
        break;
      case What::all:
        judge.round(kAll, now);
        break;
      case What::some:
        judge.round(kSome, now);
        break;
      case What::none:
        judge.round(kNone, now);
        break;
      case What::not_allowed:
        judge.round(kNotAllowed, now);
        break;
      case What::not_asked:
        judge.round(kNotAsked, now);
        break;
      case What::one_asked:
        judge.round(kOneAsked, now);
        break;
      case What::partly:
        judge.round(kPartlyNotAllowed, now);
        break;
    }
    EXPECT_EQ(judge.health(), seen.health) << "at second " << seen.second << ": " << judge.why();
    EXPECT_EQ(judge.why().empty(), judge.health() == Health::up) << "at second " << seen.second;
  }
}

constexpr Health up = Health::up, degraded = Health::degraded, down = Health::down;

INSTANTIATE_TEST_SUITE_P(
    Stories, JudgeTest,
    testing::Values(
        Story{"FoundUpWithoutProbes", false, {{0, What::interface, up}, {60, What::interface, up}}},
        Story{"FoundDown", false, {{0, What::no_interface, down}}},
        Story{"FoundUpByItsFirstRound", true, {{0, What::interface, degraded}, {1, What::all, up}}},
        Story{"FoundDegraded", true, {{0, What::interface, degraded}, {1, What::some, degraded}}},
        Story{"FoundSilent",
              true,
              {{0, What::interface, degraded},
               {2, What::none, degraded},
               {4, What::none, degraded},
               {6, What::none, down}}},
        Story{"DownAfterThreeSilentRounds",
              true,
              {{0, What::interface, degraded},
               {1, What::all, up},
               {3, What::none, degraded},
               {5, What::none, degraded},
               {7, What::none, down},
               {9, What::none, down}}},
        Story{"AnAnswerStartsTheCountAnew",
              true,
              {{0, What::interface, degraded},
               {1, What::all, up},
               {3, What::none, degraded},
               {5, What::none, degraded},
               {7, What::some, degraded},
               {9, What::none, degraded},
               {11, What::none, degraded},
               {13, What::none, down}}},
        Story{"SomeSilentIsDegradedForAsLongAsItLasts",
              true,
              {{0, What::interface, degraded},
               {1, What::all, up},
               {3, What::some, degraded},
               {30, What::some, degraded},
               {31, What::all, degraded},
               {40, What::all, degraded},
               {41, What::all, up}}},
        Story{"WellForTenSecondsMeansWithoutAnyFault",
              true,
              {{0, What::interface, degraded},
               {1, What::all, up},
               {3, What::some, degraded},
               {5, What::all, degraded},
               {14, What::some, degraded},
               {16, What::all, degraded},
               {25, What::all, degraded},
               {26, What::all, up}}},
        Story{"DownTurnsDegradedAtTheFirstAnswer",
              true,
              {{0, What::interface, degraded},
               {1, What::none, degraded},
               {2, What::none, degraded},
               {3, What::none, down},
               {5, What::some, degraded},
               {7, What::all, degraded},
               {17, What::all, up}}},
        Story{"DownAtOnceWithoutItsInterface",
              true,
              {{0, What::interface, degraded},
               {1, What::all, up},
               {2, What::no_interface, down},
               {3, What::all, down},
               {4, What::interface, down},
               {5, What::all, degraded},
               {15, What::all, up}}},
        Story{"WithoutProbesTheInterfaceDoes",
              false,
              {{0, What::interface, up},
               {1, What::no_interface, down},
               {2, What::interface, degraded},
               {11, What::interface, degraded},
               {12, What::interface, up}}},
        Story{"AnInterfaceThatComesAndGoesIsDown",
              false,
              {{0, What::interface, up},
               {1, What::no_interface, down},
               {2, What::interface, degraded},
               {3, What::no_interface, down},
               {4, What::interface, down},
               {5, What::no_interface, down},
               {6, What::interface, down},
               {15, What::interface, down},
               {16, What::interface, degraded},
               {26, What::interface, up}}},
        Story{"AnswersBehindSuchAnInterfaceWaitToo",
              true,
              {{0, What::interface, degraded},
               {1, What::all, up},
               {2, What::no_interface, down},
               {3, What::interface, down},
               {4, What::all, degraded},
               {5, What::no_interface, down},
               {6, What::interface, down},
               {7, What::all, down},
               {8, What::some, down},
               {16, What::some, degraded}}},
        Story{"OurOwnShortageLeavesItAsItIs",
              true,
              {{0, What::interface, degraded},
               {1, What::not_asked, degraded},
               {2, What::one_asked, degraded},
               {3, What::all, up},
               {5, What::not_asked, up},
               {7, What::not_asked, up},
               {9, What::not_asked, up},
               {11, What::one_asked, up},
               {13, What::none, degraded},
               {15, What::not_asked, degraded},
               {17, What::none, degraded},
               {19, What::none, down},
               {21, What::not_asked, down},
               {23, What::one_asked, degraded}}},
        Story{"ProbesThatMayNotBeSentSayNothingAgainstIt",
              true,
              {{0, What::interface, degraded},
               {1, What::not_allowed, degraded},
               {9, What::not_allowed, degraded},
               {11, What::partly, degraded},
               {13, What::all, degraded},
               {23, What::all, up}}}),
    [](const auto& info) { return info.param.name; });

TEST(Judge, NeverFlapsFasterThanItsTerms) {
  Judge judge({.down_after = 3, .up_after = seconds(10), .probed = true});
  judge.interface("", kStart);
  unsigned seed = 1;
  int last_up_end = -100;
  Health before = judge.health();
  for (int second = 1; second < 20'000; ++second) {
    seed = seed * 1'103'515'245 + 12'345;
    judge.round((seed >> 16) % 8 == 0 ? kNone : kAll, kStart + seconds(second));
    if (before == Health::up && judge.health() != Health::up) last_up_end = second;
    if (before != Health::up && judge.health() == Health::up) {
      EXPECT_GE(second - last_up_end, 10) << second;
    }
    before = judge.health();
  }
}

TEST(Judge, SaysWhatIsWrong) {
  Judge judge({.down_after = 3, .up_after = seconds(10), .probed = true});
  EXPECT_FALSE(judge.is_found());
  EXPECT_EQ(judge.why(), "not probed yet");
  judge.interface("", kStart);
  judge.round(kAll, kStart);
  EXPECT_TRUE(judge.is_found());
  judge.round(kSome, kStart + seconds(2));
  EXPECT_EQ(judge.why(), "1 of 2 probes unanswered (tcp:192.0.2.1:443: no answer within 2000 ms)");
  judge.round(kAll, kStart + seconds(4));
  EXPECT_EQ(judge.why(), "well again, but not yet for 10 s");
  judge.round(kPartlyNotAllowed, kStart + seconds(6));
  EXPECT_EQ(judge.why(), "1 of 2 probes can't be sent (icmp: no)");
  judge.round(kNotAllowed, kStart + seconds(8));
  EXPECT_EQ(judge.why(), "no probe can be sent (icmp: no)");
  judge.interface(kNoCarrier, kStart + seconds(9));
  EXPECT_EQ(judge.why(), kNoCarrier);
  judge.interface("", kStart + seconds(10));
  EXPECT_EQ(judge.why(), "its interface is back, and no probe is answered yet");
}

}  // namespace
}  // namespace oob::uplink

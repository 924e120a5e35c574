#include "ssh/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"

namespace oob::ssh {
namespace {

using base::str;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Answer = Admission::Answer;
using Stage = Admission::Stage;

// Does what its owner does, without sockets.
struct Gate {
  explicit Gate(base::wire::Setup setup = {}) { admission.set_up(setup); }

  Answer come(const std::string& source, Stage stage = Stage::silent) {
    Admission::Verdict verdict = admission.arrive(source, now);
    if (verdict.instead) end(verdict.instead);
    if (verdict.answer == Answer::enter || verdict.answer == Answer::wait) {
      stages[++last] = stage;
      if (verdict.answer == Answer::enter) {
        admission.enter(last, source, now);
      } else {
        admission.wait(last, source, now);
      }
    }
    return verdict.answer;
  }
  void end(std::uint64_t id, Offence offence = Offence::nothing_tried) {
    ended.push_back(id);
    stages.erase(id);
    admission.leave(id, offence, now);
  }
  void log_in(const std::string& source) {
    EXPECT_EQ(come(source, Stage::keyed), Answer::enter);
    admission.logged_in(last);
    end(last, Offence::none);
  }
  std::uint64_t next() {
    std::uint64_t who = 0;
    Admission::Verdict verdict = admission.next(now, who);
    if (verdict.instead) end(verdict.instead);
    return verdict.answer == Answer::enter ? who : 0;
  }

  std::map<std::uint64_t, Stage> stages;
  Admission admission{[this](std::uint64_t id) { return stages.at(id); }};
  Admission::Time now{std::chrono::hours(1000)};
  std::uint64_t last = 0;
  std::vector<std::uint64_t> ended;
};

std::string stranger(int number) {
  return str("10.", number / 65'536, ".", number / 256 % 256, ".", number % 256);
}

TEST(Admission, HasAFewPlacesForEachSource) {
  Gate gate;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::wait);
  EXPECT_EQ(gate.come("192.0.2.2"), Answer::enter);
  EXPECT_EQ(gate.next(), 0u);
  gate.end(1);
  EXPECT_EQ(gate.next(), 4u);
}

TEST(Admission, LetsNobodyWaitWithoutABound) {
  Gate gate;
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.1", Stage::keyed);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(gate.come("192.0.2.1", Stage::heard), Answer::wait);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::too_many_of_one);
  EXPECT_EQ(gate.admission.figures(gate.now).waiting, 32u);
  EXPECT_EQ(gate.admission.figures(gate.now).too_many, 1u);
}

TEST(Admission, PutsWhoSpeaksBeforeWhoIsSilent) {
  Gate gate;
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.1", Stage::keyed);
  gate.come("192.0.2.1", Stage::heard);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(gate.come("192.0.2.1", Stage::silent), Answer::wait);
  EXPECT_EQ(gate.admission.figures(gate.now).waiting, 32u);
  gate.end(1);
  EXPECT_EQ(gate.next(), 4u);
}

TEST(Admission, GivesThePlaceOfASilentOneToANewcomerOfItsSource) {
  Gate gate;
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.1", i == 0 ? Stage::heard : Stage::silent);
  gate.now += Admission::kSilent;
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{2});
}

TEST(Admission, TakesNoPlaceFromWhoMayStillBeOnTheWay) {
  Gate gate;
  for (Stage stage : {Stage::silent, Stage::heard, Stage::keyed}) gate.come("192.0.2.1", stage);
  gate.now += Admission::kSilent - milliseconds(1);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::wait);
  gate.stages[1] = Stage::heard;
  gate.now += seconds(1);
  EXPECT_EQ(gate.next(), 0u);
  gate.stages[1] = gate.stages[2] = Stage::keyed;
  gate.now += Admission::kHeard;
  EXPECT_EQ(gate.next(), 0u);
  gate.now += Admission::kKeyed;
  EXPECT_EQ(gate.next(), 4u);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{1});
}

TEST(Admission, AFloodOfSilentOnesKeepsNobodyOutForLongerThanASecond) {
  Gate gate;
  for (int i = 0; i < 1000; ++i) gate.come(stranger(i));
  EXPECT_EQ(gate.admission.figures(gate.now).unauthenticated, 80u);  // the rest is for good sources
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::too_many);
  gate.now += seconds(1);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{1});
}

TEST(Admission, PrefersToEndTheConnectionsOfWhoHasMost) {
  Gate gate;
  for (int i = 0; i < 77; ++i) gate.come(stranger(i));
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.66");
  gate.now += seconds(1);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{78});
}

TEST(Admission, KeepsPlacesForGoodSources) {
  Gate gate;
  gate.log_in("192.0.2.1");
  for (int i = 0; i < 1000; ++i) gate.come(stranger(i), Stage::keyed);
  EXPECT_EQ(gate.admission.figures(gate.now).unauthenticated, 80u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter) << i;
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::wait);
}

TEST(Admission, AStrangerNeverTakesThePlaceOfAGoodSource) {
  base::wire::Setup setup;
  setup.most_unauthenticated = 5;
  setup.good_sources = {"192.0.2.1", "192.0.2.2"};
  Gate gate(setup);
  gate.come("192.0.2.1");
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.2");
  EXPECT_EQ(gate.come("10.0.0.1", Stage::keyed), Answer::enter);
  gate.now += seconds(5);
  EXPECT_EQ(gate.come("10.0.0.2"), Answer::too_many);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{2}) << "who has most of those that are silent";
}

TEST(Admission, KeepsOutWhoFailsAgainAndAgain) {
  Gate gate;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(gate.come("192.0.2.1"), Answer::enter);
    gate.end(gate.last, Offence::refused);
  }
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::penalised);
  EXPECT_EQ(gate.come("192.0.2.2"), Answer::enter);
  auto figures = gate.admission.figures(gate.now);
  EXPECT_EQ(figures.failed, 3u);
  EXPECT_EQ(figures.kept_out, 1u);
  EXPECT_EQ(figures.penalised, 1u);
  gate.now += seconds(16);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
}

TEST(Admission, NeverKeepsOutAGoodSource) {
  Gate gate;
  gate.log_in("192.0.2.1");
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(gate.come("192.0.2.1"), Answer::enter);
    gate.end(gate.last, Offence::garbage);
  }
  EXPECT_EQ(gate.admission.figures(gate.now).penalised, 0u);
}

TEST(Admission, ForgivesASourceWhereALoginSucceeds) {
  Gate gate;
  for (int i = 0; i < 2; ++i) {
    gate.come("192.0.2.1");
    gate.end(gate.last, Offence::refused);
  }
  gate.log_in("192.0.2.1");
  EXPECT_FALSE(gate.admission.changes(gate.now));
}

TEST(Admission, KeepsNobodyOutWherePenaltiesAreOff) {
  base::wire::Setup setup;
  setup.penalties = false;
  Gate gate(setup);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(gate.come("192.0.2.1"), Answer::enter);
    gate.end(gate.last, Offence::garbage);
  }
}

TEST(Admission, LearnsNewLimitsAndGoodSourcesOnTheWay) {
  Gate gate;
  for (int i = 0; i < 20; ++i) {
    gate.come("192.0.2.1");
    gate.end(gate.last, Offence::garbage);
  }
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::penalised);
  base::wire::Setup setup;
  setup.most_per_source = 1;
  setup.good_sources = {"192.0.2.1"};
  gate.admission.set_up(setup);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);  // a place more than others
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::wait);
  EXPECT_EQ(gate.come("192.0.2.2"), Answer::enter);
  EXPECT_EQ(gate.come("192.0.2.2"), Answer::wait);
}

TEST(Admission, RemembersTheGoodSourcesUsedLast) {
  Gate gate;
  for (int i = 0; i < 4200; ++i) {
    gate.log_in(stranger(i));
    if (i % 100 == 0) gate.log_in("192.0.2.1");
  }
  EXPECT_TRUE(gate.admission.is_good("192.0.2.1"));
  EXPECT_TRUE(gate.admission.is_good(stranger(4199)));
  EXPECT_FALSE(gate.admission.is_good(stranger(0)));
}

TEST(Admission, CountsNobodyTwice) {
  base::wire::Setup setup;
  setup.most_connections = 2;
  Gate gate(setup);
  gate.come("192.0.2.1", Stage::keyed);
  gate.admission.logged_in(1);
  gate.come("192.0.2.1", Stage::keyed);
  gate.admission.logged_in(2);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::full);
  EXPECT_EQ(gate.admission.figures(gate.now).connections, 2u);
  EXPECT_EQ(gate.admission.figures(gate.now).unauthenticated, 0u);
  gate.end(1, Offence::none);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  gate.end(2, Offence::none);
  gate.end(3);
  EXPECT_EQ(gate.admission.figures(gate.now).connections, 0u);
}

TEST(Admission, NamesWhoHasWaitedForLongerThanTheGraceTime) {
  Gate gate;
  for (int i = 0; i < 4; ++i) gate.come("192.0.2.1", Stage::keyed);
  EXPECT_TRUE(gate.admission.tired(gate.now + seconds(30)).empty());
  EXPECT_EQ(gate.admission.tired(gate.now + seconds(31)), std::vector<std::uint64_t>{4});
}

}  // namespace
}  // namespace oob::ssh

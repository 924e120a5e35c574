#include "oobd/snapshot_clock.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/console/shelf.h"

namespace oob {

using base::Micros;
using test::run_until;
using test::Shelf;

namespace {

constexpr Micros kSecond = 1'000'000, kHour = 3600 * kSecond, kDay = 24 * kHour;

// r1 and r2 have a login, x1 has none. The wall clock is the test's.
struct Rack : Shelf {
  Rack() {
    for (const char* name : {"r1", "r2"}) inventory.find(name)->login.user = "root";
    options.wall = [this] { return wall; };
    options.chance = [] { return 0.0; };
    options.settle = base::milliseconds(0);
    options.look = base::milliseconds(20);
    options.again = base::milliseconds(30);
  }
  SnapshotClock& clock(Micros every, Micros spread) {
    return made.emplace(core, SnapshotConfig{every, spread, ""}, options);
  }
  std::size_t asked(const std::string& device) const {
    std::size_t count = 0;
    for (const auto& wish : puller->asked) count += wish.device == device;
    return count;
  }
  // Long enough for a clock that wants something to have asked for it.
  void wait_some_looks() {
    bool over = false;
    base::Timer timer(loop);
    timer.after(base::milliseconds(100), [&] { over = true; });
    run_until(loop, [&] { return over; });
  }

  Micros wall = base::wall_now();
  SnapshotClock::Options options;
  std::optional<SnapshotClock> made;
};

}  // namespace

TEST(SnapshotTurns, AreAtTheSamePlaceForEverAndSpread) {
  std::set<Micros> places;
  for (int i = 0; i < 100; ++i) {
    Micros place = place_within(base::str("edge", i), kHour);
    EXPECT_GE(place, 0);
    EXPECT_LT(place, kHour);
    EXPECT_EQ(place, place_within(base::str("edge", i), kHour));
    places.insert(place / (kHour / 10));
  }
  EXPECT_EQ(places.size(), 10u);
  EXPECT_EQ(place_within("edge1", 0), 0);
}

TEST(SnapshotTurns, FollowEachOtherFromTheEpochOn) {
  EXPECT_EQ(turn_before(kDay + 5, kDay, 0), kDay);
  EXPECT_EQ(turn_before(kDay, kDay, 0), kDay);
  EXPECT_EQ(turn_before(kDay - 1, kDay, 0), 0);
  EXPECT_EQ(turn_before(kDay + kHour - 1, kDay, kHour), kHour);
  EXPECT_EQ(turn_before(kHour - 1, kDay, kHour), kHour - kDay);
}

TEST(SnapshotClock, PullsWhatItCanLogInToAndNothingElse) {
  Rack rack;
  rack.clock(kDay, 0);
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.asked("r1") == 1 && rack.asked("r2") == 1; }));
  const console::Visitor& who = rack.puller->asked[0].visitor;
  EXPECT_EQ(who.who.user, "oobd");
  EXPECT_EQ(who.who.key, "schedule");
  EXPECT_TRUE(rack.journalled("\"ev\":\"snapshot.stored\""));
  EXPECT_TRUE(rack.journalled("\"user\":\"oobd\""));
  rack.wait_some_looks();
  EXPECT_EQ(rack.puller->asked.size(), 2u);
  // A try by hand that failed shows nothing of the kind.
  rack.history.failed("x1", "the device asks for a user, and none is configured");
  rack.wait_some_looks();
  EXPECT_EQ(rack.asked("x1"), 0u);
  // One that somebody has shown to be found open is worth a try.
  rack.history.set_stored("x1", 1);
  EXPECT_TRUE(run_until(rack.loop, [&] { return rack.asked("x1") == 1; }));
}

TEST(SnapshotClock, DoesNothingUntilItIsToldTo) {
  Rack rack;
  SnapshotClock& clock = rack.clock(0, 0);
  rack.wait_some_looks();
  EXPECT_TRUE(rack.puller->asked.empty());
  clock.adopt({kDay, 0, ""});
  EXPECT_TRUE(run_until(rack.loop, [&] { return rack.puller->asked.size() == 2; }));
}

TEST(SnapshotClock, ARestartPullsNothingThatWasProvedSinceItsTurn) {
  Rack rack;
  Micros midnight = turn_before(rack.wall, kDay, 0);
  rack.wall = midnight + kDay / 2;
  rack.history.set_checked("r1", midnight + kSecond);
  rack.history.set_checked("r2", midnight - kSecond);
  rack.history.set_stored("x1", rack.wall + kDay);  // by a clock that was wrong
  rack.clock(kDay, 0);
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.asked("r2") == 1 && rack.asked("x1") == 1; }));
  rack.wait_some_looks();
  EXPECT_EQ(rack.asked("r1"), 0u);
}

TEST(SnapshotClock, MissedTurnsAreSpreadToo) {
  Rack rack;
  rack.wall = turn_before(rack.wall, kDay, place_within("r1", kDay)) + kHour;
  rack.clock(kDay, kDay);
  rack.wait_some_looks();
  EXPECT_TRUE(rack.puller->asked.empty());
}

TEST(SnapshotClock, TriesAgainMoreAndMoreSeldom) {
  Rack rack;
  rack.puller->fails["r1"] = base::fail(base::Fault::unavailable, "no answer");
  rack.puller->fails["r2"] = base::fail(base::Fault::busy, "bob types");
  rack.clock(kDay, 0);
  auto begun = base::Clock::now();
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.asked("r1") >= 4 && rack.asked("r2") >= 4; }));
  EXPECT_GE(base::Clock::now() - begun, base::milliseconds(30 + 60 + 120));
  rack.puller->fails.clear();
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.history.stored.size() == 2; }));
  rack.wait_some_looks();
  EXPECT_EQ(rack.history.stored.size(), 2u);
}

TEST(SnapshotClock, PullsNothingWhileTheDiskIsNearlyFull) {
  Rack rack;
  rack.core.disk.number = 2;
  rack.clock(kDay, 0);
  rack.wait_some_looks();
  EXPECT_TRUE(rack.puller->asked.empty());
  rack.core.disk.number = 0;
  EXPECT_TRUE(run_until(rack.loop, [&] { return rack.puller->asked.size() == 2; }));
}

TEST(SnapshotClock, HasTwoUnderWayAtMost) {
  Rack rack;
  rack.inventory.find("x1")->login.user = "root";
  rack.puller->holds = true;
  rack.clock(kDay, 0);
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.puller->held() >= SnapshotClock::kAtOnce; }));
  rack.wait_some_looks();
  EXPECT_EQ(rack.puller->held(), SnapshotClock::kAtOnce);
  rack.puller->holds = false;
  for (const char* name : {"r1", "r2", "x1"}) rack.puller->let_go(name);
  EXPECT_TRUE(run_until(rack.loop, [&] { return rack.history.stored.size() == 3; }));
}

TEST(SnapshotClock, GoesByItsOwnRunWhileTheClockWasNeverSet) {
  Rack rack;
  rack.wall = 5 * kSecond;
  rack.history.set_checked("r1", base::wall_now());  // in an earlier run
  rack.clock(200'000, 0);
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.asked("r1") >= 3; }));
}

TEST(SnapshotClock, ForgetsDevicesThatAreGone) {
  Rack rack;
  rack.puller->holds = true;
  rack.clock(kDay, 0);
  ASSERT_TRUE(run_until(rack.loop, [&] { return rack.puller->held() == 2; }));
  rack.inventory.remove("r1", "taken out of the configuration");
  rack.puller->let_go("r1");
  rack.puller->let_go("r2");
  EXPECT_TRUE(run_until(rack.loop, [&] { return rack.core.snapshots->under_way() == 0; }));
  rack.wait_some_looks();
  EXPECT_EQ(rack.asked("r1"), 1u);
}

}  // namespace oob

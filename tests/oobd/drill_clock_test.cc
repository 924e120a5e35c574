#include "oobd/drill_clock.h"

#include <gtest/gtest.h>

#include "oobd/config.h"
#include "tests/console/visit.h"
#include "tests/oobd/config_folder.h"

namespace oob {

using base::Micros;
using base::milliseconds;
using test::Board;
using test::count;
using test::run_until;

namespace {

constexpr Micros kDrillDay = 86'400'000'000;
constexpr Micros kDrillLate = 300'000'000;  // records have the real time: whatever passes of it in a test

// Consoles that say nothing, which a drill finds out soon. The wall clock is the test's.
struct Drilled : Board {
  Drilled() {
    options.wall = [this] {
      ++looks;
      return wall;
    };
    options.settle = milliseconds(0);
    options.look = milliseconds(20);
    options.again = milliseconds(0);
    start();
  }
  ~Drilled() {
    clock.reset();
    core.drills.reset();
  }
  void start(milliseconds answer = milliseconds(10)) {
    clock.reset();
    console::Drill::Limits limits;
    limits.probe = {milliseconds(10), milliseconds(50), answer, milliseconds(5)};
    core.drills = std::make_shared<console::Drills>(disk, dir / "drill", limits);
    (void)core.drills->open();
  }
  DrillClock& run(Micros every) { return clock.emplace(core, every, options); }
  std::size_t drills() { return count(journal_text() + "#", "\"ev\":\"drill.failed\""); }
  // Whether there come to be so many of them, and no more in some looks of the clock.
  bool comes_to(std::size_t number) {
    if (!run_until(loop, [&] { return drills() >= number && !core.drills->under_way(); })) return false;
    pass(milliseconds(150));
    run_until(loop, [&] { return !core.drills->under_way(); });
    return drills() == number;
  }
  // The same where the test's clock is ahead of that of the records, so that drills go on and on.
  bool reaches(std::size_t number) {
    return run_until(loop, [&] { return drills() >= number; });
  }
  // Somebody's drill of one console, which goes on until it is given up.
  std::uint64_t begin_by_hand() {
    console::Drill::Order order;
    order.visitor.who = auth::Policy::schedule();
    order.scheduled = true;
    order.devices = {"r1"};
    order.board = false;
    return core.drills->begin(
        core, std::move(order), [](const console::DrillCheck&) {},
        [](const base::Result<console::DrillTally>&) {});
  }
  void pass(milliseconds time) {
    bool over = false;
    base::Timer timer(loop);
    timer.after(time, [&] { over = true; });
    run_until(loop, [&] { return over; });
  }
  Micros wall = base::wall_now();
  std::size_t looks = 0;  // at that clock
  DrillClock::Options options;
  std::optional<DrillClock> clock;
};

}  // namespace

TEST(DrillClock, DrillsAllDevicesAsTheScheduleAndThenNotForAWhile) {
  Drilled board;
  board.run(kDrillDay);
  EXPECT_TRUE(board.comes_to(1));
  EXPECT_NE(
      board.journal_text().find("\"devices\":\"r1, r2, x1\",\"ev\":\"drill.begin\",\"key\":\"schedule\""),
      std::string::npos)
      << board.journal_text();
  Micros next = board.clock->next() - board.wall;
  EXPECT_GT(next, kDrillDay - 60'000'000);
  EXPECT_LE(next, kDrillDay + 60'000'000);
  board.wall += kDrillDay + kDrillLate;
  EXPECT_TRUE(board.reaches(2));
}

TEST(DrillClock, IsNotPutOffByRestarts) {
  Drilled board;
  board.run(kDrillDay);
  ASSERT_TRUE(board.comes_to(1));
  ASSERT_TRUE(run_until(board.loop, [&] { return !test::read_file(board.dir / "drill").empty(); }));
  board.wall += kDrillDay / 2;
  board.start();
  board.run(kDrillDay);
  EXPECT_TRUE(board.comes_to(1)) << "half of the time is over";
  board.wall += kDrillDay / 2 + kDrillLate;
  board.start();
  board.run(kDrillDay);
  EXPECT_TRUE(board.reaches(2));
}

TEST(DrillClock, LeavesTheFirstMinuteAlone) {
  Drilled board;
  board.options.settle = milliseconds(60'000);
  board.run(kDrillDay);
  EXPECT_TRUE(board.comes_to(0));
  EXPECT_GT(board.clock->next(), board.wall + 50'000'000);
  EXPECT_GT(board.core.drills->next(), board.wall + 50'000'000) << "status tells it";
}

TEST(DrillClock, DoesNothingWithoutEveryAndBeginsWhenAReloadBringsIt) {
  Drilled board;
  board.run(0);
  EXPECT_EQ(board.clock->next(), 0);
  EXPECT_TRUE(board.comes_to(0));
  board.clock->adopt(kDrillDay);
  EXPECT_TRUE(board.comes_to(1));
  board.clock->adopt(0);
  board.wall += 2 * kDrillDay;
  EXPECT_TRUE(board.comes_to(1));
}

TEST(DrillClock, CountsFromTheStartWhileTheClockWasNeverSet) {
  Drilled board;
  board.wall = 3'000'000;  // 1970
  board.run(kDrillDay);
  EXPECT_TRUE(board.comes_to(0));
  EXPECT_GT(board.clock->next(), kDrillDay / 2);
  board.wall = base::wall_now();
  EXPECT_TRUE(board.comes_to(1)) << "now it is known that there was none yet";
}

TEST(DrillClock, DoesNotBelieveInADrillThatIsYetToCome) {
  Drilled board;
  test::write_file(board.dir / "drill", "oobd drill 1\n2100-01-01T00:00:00Z 3 0 0 oobd\nend\n");
  board.start();
  ASSERT_TRUE(board.core.drills->last());
  board.run(kDrillDay);
  EXPECT_TRUE(board.comes_to(1));
}

TEST(DrillClock, WaitsInPeaceForTheEndOfSomebodyElses) {
  Drilled board;
  board.start(milliseconds(60'000));
  board.options.look = milliseconds(60'000);
  std::uint64_t other = board.begin_by_hand();
  ASSERT_NE(other, 0u);
  board.run(kDrillDay);
  board.pass(milliseconds(100));
  EXPECT_LE(board.looks, 3u) << "it is due all the time";
  ASSERT_TRUE(board.core.drills->under_way());
  board.core.drills->give_up(other, "enough");
  ASSERT_TRUE(run_until(board.loop, [&] { return !board.core.drills->under_way(); }));
  board.pass(milliseconds(20));
  EXPECT_FALSE(board.core.drills->under_way()) << "the consoles have some peace first";
}

TEST(DrillClock, DrillsWhenSomebodyElsesIsOver) {
  Drilled board;
  std::uint64_t other = board.begin_by_hand();
  ASSERT_NE(other, 0u);
  board.run(kDrillDay);
  EXPECT_TRUE(board.reaches(2)) << "that was of one device alone: " << board.journal_text();
}

TEST(DrillConfig, TakesATimeOrNothing) {
  constexpr char server[] = "[server]\nlisten = [\"127.0.0.1:0\"]\nstate = \"state\"\n";
  test::ConfigFolder folder;
  auto every = [&](const std::string& table) {
    ConfigOutcome outcome = folder.read(server + table);
    return outcome.config ? outcome.config->drill.every : -1;
  };
  EXPECT_EQ(every(""), 0);
  EXPECT_EQ(every("[drill]\n"), -1) << "a table that says nothing is a mistake";
  EXPECT_EQ(every("[drill]\nevery = \"0\"\n"), 0);
  EXPECT_EQ(every("[drill]\nevery = \"7d\"\n"), 7 * kDrillDay);
  EXPECT_EQ(every("[drill]\nevery = \"53w\"\n"), -1);
}

}  // namespace oob

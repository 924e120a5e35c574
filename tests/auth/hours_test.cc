#include "auth/hours.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/support.h"

namespace oob::auth {
namespace {

// The board's time zone for a test: one with summer time, from 2026-03-29 to 2026-10-25.
struct Berlin {
  Berlin() { set("CET-1CEST,M3.5.0,M10.5.0/3"); }
  ~Berlin() { set("UTC0"); }
  static void set(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
};

base::Micros at(const char* time) { return base::parse_time(time, 0).value(); }
bool has(const char* hours, const char* time) { return Hours::parse(hours).value().has(at(time)); }

constexpr const char* kGood[] = {"Mon-Fri 08:00-18:00",     "Sat 10:00-14:00", "Mon,Wed 22:00-02:00",
                                 "Fri-Mon,Wed 00:00-24:00", "08:00-18:00",     "Sun-Sat 23:59-00:00"};

TEST(Hours, HoldFromTheBeginningToJustBeforeTheEnd) {
  Berlin::set("UTC0");
  EXPECT_FALSE(has("Mon-Fri 08:00-18:00", "2026-11-23T07:59:59.999999Z"));  // a Monday
  EXPECT_TRUE(has("Mon-Fri 08:00-18:00", "2026-11-23T08:00:00Z"));
  EXPECT_TRUE(has("Mon-Fri 08:00-18:00", "2026-11-27T17:59:59.999999Z"));
  EXPECT_FALSE(has("Mon-Fri 08:00-18:00", "2026-11-27T18:00:00Z"));
  EXPECT_FALSE(has("Mon-Fri 08:00-18:00", "2026-11-28T12:00:00Z"));
  EXPECT_TRUE(has("08:00-18:00", "2026-11-28T12:00:00Z"));
  EXPECT_TRUE(has("Sat 00:00-24:00", "2026-11-28T23:59:59Z"));
  EXPECT_FALSE(has("Sat 00:00-24:00", "2026-11-29T00:00:00Z"));
}

TEST(Hours, GoOverMidnightWithTheDayTheyBeganOn) {
  Berlin::set("UTC0");
  const char* night = "Mon,Sat 22:00-02:00";
  EXPECT_TRUE(has(night, "2026-11-23T22:00:00Z"));
  EXPECT_TRUE(has(night, "2026-11-24T01:59:59Z"));
  EXPECT_FALSE(has(night, "2026-11-24T02:00:00Z"));
  EXPECT_FALSE(has(night, "2026-11-24T22:00:00Z"));
  EXPECT_FALSE(has(night, "2026-11-23T01:00:00Z"));
  EXPECT_TRUE(has(night, "2026-11-29T01:00:00Z"));  // Sunday, over the end of the week
}

TEST(Hours, GoOnOverTheEndOfTheWeek) {
  Berlin::set("UTC0");
  for (const char* day : {"2026-11-27", "2026-11-28", "2026-11-29", "2026-11-30"})
    EXPECT_TRUE(has("Fri-Mon 00:00-24:00", day)) << day;
  for (const char* day : {"2026-11-24", "2026-11-25", "2026-11-26"})
    EXPECT_FALSE(has("Fri-Mon 00:00-24:00", day)) << day;
}

TEST(Hours, FollowTheLocalTimeThroughSummerTime) {
  Berlin berlin;
  EXPECT_TRUE(has("08:00-18:00", "2026-07-01T06:00:00Z"));
  EXPECT_FALSE(has("08:00-18:00", "2026-12-01T06:00:00Z"));
  EXPECT_TRUE(has("08:00-18:00", "2026-12-01T07:00:00Z"));
  // 02:00 to 03:00 does not exist on 2026-03-29, and comes twice on 2026-10-25.
  EXPECT_FALSE(has("02:00-03:00", "2026-03-29T00:59:59Z") || has("02:00-03:00", "2026-03-29T01:00:00Z"));
  EXPECT_TRUE(has("02:00-03:00", "2026-10-25T00:30:00Z") && has("02:00-03:00", "2026-10-25T01:30:00Z"));
  EXPECT_FALSE(has("02:00-03:00", "2026-10-25T02:00:00Z"));
}

TEST(Hours, AreRefusedWithTheReason) {
  auto why = [](const char* text) { return Hours::parse(text).error().what; };
  EXPECT_EQ(why("Mo 08:00-18:00").substr(0, 76),
            "'Mo 08:00-18:00' names days other than Mon, Tue, Wed, Thu, Fri, Sat and Sun;");
  EXPECT_NE(why("8:00-18:00").find("has no times from 00:00 to 24:00"), std::string::npos);
  EXPECT_NE(why("08:00-08:00").find("ends when it begins"), std::string::npos);
  for (const char* text : {"", " ", "Mon", "Mon ", "Mon-  08:00-18:00", "Mon  08:00-18:00", "24:00-08:00",
                           "08:60-18:00", "08:00-24:01", "-8:00-18:00", "08:00-18:00 ", "Mon, 08:00-18:00"})
    EXPECT_FALSE(Hours::parse(text)) << text;
}

TEST(Hours, TakeNothingThatIsCutOrFlipped) {
  for (const std::string whole : kGood) {
    ASSERT_TRUE(Hours::parse(whole)) << whole;
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_FALSE(Hours::parse(whole.substr(0, size))) << whole.substr(0, size);
    for (std::size_t place = 0; place < whole.size(); ++place) {
      std::string flipped = whole;
      flipped[place] = static_cast<char>(flipped[place] ^ 0x80);
      EXPECT_FALSE(Hours::parse(flipped)) << flipped;
    }
  }
}

TEST(Timekeeper, NeverTakesTheNewestTimeBack) {
  base::Micros clock = at("2026-11-23T08:00:00Z");
  Timekeeper keeper(0, [&] { return clock; });
  EXPECT_EQ(keeper.now().latest, clock);
  clock += 3'600'000'000;
  base::Micros newest = clock;
  EXPECT_EQ(keeper.now().latest, newest);
  clock -= Timekeeper::kSlack;
  EXPECT_EQ(keeper.now().latest, newest);
  EXPECT_EQ(keeper.now().wall, clock);
  EXPECT_FALSE(keeper.now().behind);
  clock -= 1;
  EXPECT_TRUE(keeper.now().behind);
}

TEST(Timekeeper, DoesNotBelieveAClockThatWasNeverSetOrIsBehindAnEarlierRun) {
  base::Micros clock = 5'000'000;
  EXPECT_TRUE(Timekeeper(0, [&] { return clock; }).now().behind);
  clock = at("2026-11-23T08:00:00Z");
  EXPECT_FALSE(Timekeeper(0, [&] { return clock; }).now().behind);
  base::Micros seen = at("2026-11-24T08:00:00Z");
  Timekeeper keeper(seen, [&] { return clock; });
  EXPECT_TRUE(keeper.now().behind);
  EXPECT_EQ(keeper.now().latest, seen);
  clock = seen + 1;
  EXPECT_FALSE(keeper.now().behind);
}

TEST(LastWritten, IsTheTimeOfTheNewestFile) {
  test::TempDir dir;
  EXPECT_EQ(last_written(dir / "none"), 0);
  EXPECT_EQ(last_written(dir.path()), 0);
  base::Micros before = base::wall_now();
  test::write_file(dir / "000000000000.jsonl", "x");
  EXPECT_GE(last_written(dir.path()), before / 1'000'000 * 1'000'000 - 1'000'000);
  EXPECT_LE(last_written(dir.path()), base::wall_now());
}

}  // namespace
}  // namespace oob::auth

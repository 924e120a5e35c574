#include "base/time.h"

#include <gtest/gtest.h>

namespace oob::base {
namespace {

std::string point(const char* text) {
  Result<Micros> time = parse_time(text, 0);
  return time ? rfc3339(*time) : "";
}

TEST(Time, ReadsRfc3339AsPeopleWriteIt) {
  EXPECT_EQ(point("2026-11-22T16:03:11Z"), "2026-11-22T16:03:11.000000Z");
  EXPECT_EQ(point("2026-11-22t16:03:11.5z"), "2026-11-22T16:03:11.500000Z");
  EXPECT_EQ(point("2026-11-22 16:03:11.123456789Z"), "2026-11-22T16:03:11.123456Z");
  EXPECT_EQ(point("2026-11-22T16:03"), "2026-11-22T16:03:00.000000Z");
  EXPECT_EQ(point("2026-11-22"), "2026-11-22T00:00:00.000000Z");
  EXPECT_EQ(point("2026-11-22T16:03:11+01:30"), "2026-11-22T14:33:11.000000Z");
  EXPECT_EQ(point("2026-11-22T16:03:11-01:30"), "2026-11-22T17:33:11.000000Z");
  EXPECT_EQ(point("2024-02-29"), "2024-02-29T00:00:00.000000Z");
  EXPECT_EQ(point("1969-12-31T23:59:59.999999Z"), "1969-12-31T23:59:59.999999Z");
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const char* wrong : {"",
                            "x",
                            "2026-02-30",
                            "2026-13-01",
                            "2026-00-01",
                            "2026-1-1",
                            "2026-11-22T24:00:00Z",
                            "2026-11-22T16:60:00Z",
                            "2026-11-22T16:03:11.Z",
                            "2026-11-22T16:03:11+1:30",
                            "2026-11-22T16:03:11Zx",
                            "2026-11-22T",
                            "2026-11-22T-1:00:00Z",
                            "2026-11-22T-0:00:00Z",
                            "yesterday",
                            "3dd",
                            "d",
                            "-3d",
                            "1.5.5h",
                            "."})
    EXPECT_EQ(point(wrong), "") << wrong;
  // Cut anywhere: a number alone is a span in seconds, and some cuts are times with less said.
  std::string whole = "2026-11-22T16:03:11.5+01:00";
  for (std::size_t size : {5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 17, 18, 20, 22, 23, 24, 25, 26})
    EXPECT_EQ(point(whole.substr(0, size).c_str()), "") << whole.substr(0, size);
  for (std::size_t size : {10, 16, 19, 21, 27}) EXPECT_NE(point(whole.substr(0, size).c_str()), "") << size;
  EXPECT_EQ(parse_time("so\x1bon", 0).error().what,
            "'so\\x1bon' is neither a time such as 2026-11-22T16:03:11Z nor a span such as 10m, 2h or 3d");
}

TEST(Time, CountsSpansBackFromNow) {
  constexpr Micros kNow = 1'000'000'000'000'000;
  EXPECT_EQ(*parse_time("90s", kNow), kNow - 90'000'000);
  EXPECT_EQ(*parse_time("10m", kNow), kNow - 600'000'000);
  EXPECT_EQ(*parse_time("1w", kNow), kNow - 7 * 86'400'000'000);
}

TEST(Span, IsReadWithItsUnit) {
  EXPECT_EQ(*parse_span("500ms"), 500'000);
  EXPECT_EQ(*parse_span("0.5"), 500'000);
  EXPECT_EQ(*parse_span("30"), 30'000'000);
  EXPECT_EQ(*parse_span("2h"), 7'200'000'000);
  EXPECT_EQ(*parse_span("3d"), 259'200'000'000);
  for (const char* wrong :
       {"", "s", "-1s", "1y", "1 s", "1e3", "99999999999999999999", "9999999999w", "0x10", "1..2"})
    EXPECT_FALSE(parse_span(wrong)) << wrong;
}

TEST(Span, IsShownForPeople) {
  EXPECT_EQ(human_span(-5), "0 s");
  EXPECT_EQ(human_span(3'000'000), "3 s");
  EXPECT_EQ(human_span(12 * 60'000'000ll), "12 min");
  EXPECT_EQ(human_span(5 * 3600'000'000ll), "5 h");
  EXPECT_EQ(human_span(9 * 86400'000'000ll), "9 d");
}

TEST(Rfc3339, IsCutToThePrecisionAskedFor) {
  constexpr Micros kTime = 1'123'456;
  EXPECT_EQ(rfc3339(kTime, Precision::seconds), "1970-01-01T00:00:01Z");
  EXPECT_EQ(rfc3339(kTime, Precision::millis), "1970-01-01T00:00:01.123Z");
  EXPECT_EQ(rfc3339(kTime), "1970-01-01T00:00:01.123456Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace oob::base

#include "notice/rate.h"

#include <gtest/gtest.h>

namespace oob::notice {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(Rate, LetsABurstThroughAndThenSaysWhen) {
  Rate::Time now{};
  Rate rate(30, now);
  for (int i = 0; i < 10; ++i) {
    EXPECT_GT(rate.left(now), 0u);
    rate.take(now);
  }
  EXPECT_EQ(rate.left(now), 0u);
  Rate::Time then = rate.next(now);
  EXPECT_EQ(then - now, std::chrono::minutes(3));
  EXPECT_EQ(rate.left(then - milliseconds(1)), 0u);
  EXPECT_EQ(rate.left(then), 1u);
  EXPECT_EQ(rate.left(then + hours(9)), 10u);
}

TEST(Rate, KeepsAThirdOfABurstForWhatMattersMost) {
  auto reserve = [](std::uint32_t most) { return Rate(most, Rate::Time{}).reserve(); };
  EXPECT_EQ(reserve(1), 0u);
  EXPECT_EQ(reserve(2), 0u);
  EXPECT_EQ(reserve(3), 1u);
  EXPECT_EQ(reserve(6), 1u);
  EXPECT_EQ(reserve(30), 4u);
  for (std::uint32_t most = 1; most < 100; ++most)
    EXPECT_LT(reserve(most), Rate(most, Rate::Time{}).holds()) << "others are told as well";
}

// Whoever sends each as soon as it may sends no more than `most` in any hour.
TEST(Rate, LetsNoHourHaveMoreThanWasAllowed) {
  for (std::uint32_t most : {1u, 2u, 3u, 7u, 30u, 600u}) {
    Rate::Time now{};
    Rate rate(most, now);
    std::vector<Rate::Time> sent;
    while (now < Rate::Time{} + hours(4)) {
      if (rate.left(now) == 0) {
        now = rate.next(now);
        continue;
      }
      rate.take(now);
      sent.push_back(now);
    }
    for (std::size_t i = 0; i + most < sent.size(); ++i)
      EXPECT_GE(sent[i + most] - sent[i], hours(1) - milliseconds(1)) << most << " at " << i;
    EXPECT_GE(sent.size(), std::size_t{most});
  }
}

}  // namespace
}  // namespace oob::notice

#include "console/scrollback.h"

#include <gtest/gtest.h>

namespace oob::console {

TEST(Scrollback, HoldsNothingAndNoMemoryAtFirst) {
  Scrollback scrollback(8);
  EXPECT_EQ(scrollback.begin(), 0u);
  EXPECT_EQ(scrollback.end(), 0u);
  EXPECT_EQ(scrollback.at(0), "");
  EXPECT_EQ(scrollback.tail(100), "");
}

TEST(Scrollback, KeepsTheLastBytesUnderTheirAbsoluteOffsets) {
  Scrollback scrollback(8);
  std::string all;
  for (int i = 0; i < 100; ++i) {
    std::string piece(static_cast<std::size_t>(i % 11), static_cast<char>('a' + i % 26));
    all += piece;
    scrollback.append(piece);
    ASSERT_EQ(scrollback.end(), all.size());
    ASSERT_EQ(scrollback.begin(), all.size() - std::min<std::size_t>(8, all.size()));
    ASSERT_EQ(scrollback.tail(8), all.substr(static_cast<std::size_t>(scrollback.begin())));
    for (Offset from = scrollback.begin(); from < scrollback.end(); ++from) {
      base::Bytes run = scrollback.at(from);
      ASSERT_FALSE(run.empty());
      ASSERT_EQ(run, base::Bytes(all).substr(static_cast<std::size_t>(from), run.size()));
    }
    ASSERT_EQ(scrollback.at(scrollback.end()), "");
  }
}

TEST(Scrollback, TakesMoreThanItHoldsInOneGo) {
  Scrollback scrollback(4);
  scrollback.append("ab");
  scrollback.append("0123456789");
  EXPECT_EQ(scrollback.end(), 12u);
  EXPECT_EQ(scrollback.begin(), 8u);
  EXPECT_EQ(scrollback.tail(4), "6789");
}

TEST(Scrollback, KeepsTheNewestBytesAndTheirOffsetsWhenItGrowsOrShrinks) {
  Scrollback scrollback(4);
  scrollback.append("0123456789");
  scrollback.set_capacity(16);
  EXPECT_EQ(scrollback.begin(), 6u);
  scrollback.append("abc");
  EXPECT_EQ(scrollback.tail(16), "6789abc");
  scrollback.set_capacity(2);
  EXPECT_EQ(scrollback.begin(), 11u);
  EXPECT_EQ(scrollback.end(), 13u);
  EXPECT_EQ(scrollback.tail(16), "bc");
}

}  // namespace oob::console

#include "recipe/block.h"

#include <gtest/gtest.h>

#include "recipe/gunzip.h"

namespace oob::recipe {

TEST(Blocks, AreHalvedWhenLostAndDoubledWithEveryFourthThatComes) {
  Blocks blocks(100000);
  auto range = blocks.next();
  ASSERT_TRUE(range);
  EXPECT_EQ(*range, (Blocks::Range{0, 32}));
  blocks.lost(*range);
  range = blocks.next();
  EXPECT_EQ(*range, (Blocks::Range{0, 16}));
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(blocks.got(*range, std::string(range->count * Blocks::kUnit, 'x')));
    range = blocks.next();
  }
  range = blocks.next();
  EXPECT_EQ(range->count, 32u);
  for (int i = 0; i < 8; ++i) {
    blocks.lost(*range);
    range = blocks.next();
  }
  EXPECT_EQ(range->count, 1u);
  EXPECT_EQ(blocks.lost_in_a_row(), 8u);
}

TEST(Blocks, AreWholeInAnyOrder) {
  std::string bytes;
  for (int i = 0; i < 7001; ++i) bytes += static_cast<char>(i * 7);
  Blocks blocks(bytes.size());
  std::vector<Blocks::Range> asked;
  while (auto range = blocks.next()) asked.push_back(*range);
  for (auto range = asked.rbegin(); range != asked.rend(); ++range) {
    std::string part = bytes.substr(range->first * Blocks::kUnit, range->count * Blocks::kUnit);
    EXPECT_FALSE(blocks.got(*range, part + "x"));
    EXPECT_FALSE(blocks.complete());
    EXPECT_TRUE(blocks.got(*range, part));
  }
  ASSERT_TRUE(blocks.complete());
  EXPECT_EQ(blocks.bytes_there(), bytes.size());
  EXPECT_EQ(blocks.take(), bytes);
}

TEST(Blocks, OfNothingAreWholeAtOnce) {
  Blocks blocks(0);
  EXPECT_TRUE(blocks.complete());
  EXPECT_FALSE(blocks.next());
}

TEST(Gunzip, TakesAWholeFileAndNothingElse) {
  // printf oob | gzip -9nc
  const std::string packed("\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcb\xcf\x4f\x02\0\x13\x22\x13\xfd\x03\0\0\0", 23);
  auto whole = gunzip(packed, 3);
  ASSERT_TRUE(whole) << whole.error().what;
  EXPECT_EQ(*whole, "oob");
  EXPECT_EQ(gunzip(packed, 2).error().what, "it has more than 2 bytes");
  for (std::size_t size = 0; size < packed.size(); ++size) EXPECT_FALSE(gunzip(packed.substr(0, size), 100));
  EXPECT_FALSE(gunzip(packed + "x", 100));
}

}  // namespace oob::recipe

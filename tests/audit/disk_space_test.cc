#include "audit/disk_space.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/support.h"

namespace oob::audit {
namespace {

constexpr std::uint64_t kMebi = 1024 * 1024;

DiskSpace at(unsigned percent) { return {percent * kMebi, (100 - percent) * kMebi}; }

TEST(DiskSpace, CountsAsDfDoes) {
  EXPECT_EQ((DiskSpace{0, 100}.percent()), 0u);
  EXPECT_EQ((DiskSpace{1, 999}.percent()), 1u);  // rounded up
  EXPECT_EQ((DiskSpace{80, 20}.percent()), 80u);
  EXPECT_EQ((DiskSpace{8001, 1999}.percent()), 81u);
  EXPECT_EQ((DiskSpace{100, 0}.percent()), 100u);
  EXPECT_EQ((DiskSpace{0, 0}.percent()), 100u);
  EXPECT_EQ((DiskSpace{std::uint64_t{900} << 50, std::uint64_t{100} << 50}.percent()), 90u);
}

TEST(DiskSpace, TellsHowMuchMustGoForAPercentage) {
  EXPECT_EQ((DiskSpace{95, 5}.above(88)), 7u);
  EXPECT_EQ((DiskSpace{88, 12}.above(88)), 0u);
  EXPECT_EQ((DiskSpace{10, 90}.above(88)), 0u);
  for (std::uint64_t used : {900, 917, 955, 999}) {
    DiskSpace full{used, 1000 - used};
    std::uint64_t gone = full.above(88);
    EXPECT_LE((DiskSpace{full.used - gone, full.available + gone}.percent()), 88u) << used;
  }
}

TEST(DiskSpace, AsksTheFileSystem) {
  test::TempDir folder;
  base::Result<DiskSpace> space = disk_space(folder.path());
  ASSERT_TRUE(space);
  EXPECT_GT(space->used + space->available, 0u);
  base::Result<DiskSpace> none = disk_space(folder / "gone");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what, folder / "gone" + ": No such file or directory");
}

TEST(DiskGauge, EntersALevelAtItsLimit) {
  const std::map<unsigned, DiskLevel> levels = {
      {0, DiskLevel::fine},      {79, DiskLevel::fine},     {80, DiskLevel::warn},
      {89, DiskLevel::warn},     {90, DiskLevel::shed},     {94, DiskLevel::shed},
      {95, DiskLevel::critical}, {99, DiskLevel::critical}, {100, DiskLevel::full}};
  for (auto [percent, level] : levels) {
    DiskGauge gauge({80, 90, 95});
    EXPECT_EQ(gauge.look(at(percent), false), level) << percent;
  }
}

TEST(DiskGauge, LeavesALevelTwoPointsBelow) {
  DiskGauge gauge({80, 90, 95});
  EXPECT_EQ(gauge.look(at(96), false), DiskLevel::critical);
  EXPECT_EQ(gauge.look(at(94), false), DiskLevel::critical);
  EXPECT_EQ(gauge.look(at(93), false), DiskLevel::shed);
  EXPECT_EQ(gauge.look(at(94), false), DiskLevel::shed);  // not back without reaching its limit
  EXPECT_EQ(gauge.look(at(89), false), DiskLevel::shed);
  EXPECT_EQ(gauge.look(at(88), false), DiskLevel::warn);
  EXPECT_EQ(gauge.look(at(79), false), DiskLevel::warn);
  EXPECT_EQ(gauge.look(at(78), false), DiskLevel::fine);
  EXPECT_EQ(gauge.look(at(79), false), DiskLevel::fine);
}

TEST(DiskGauge, FallsByAllLevelsAtOnce) {
  DiskGauge gauge({80, 90, 95});
  gauge.look(at(100), false);
  EXPECT_EQ(gauge.look(at(30), false), DiskLevel::fine);
}

TEST(DiskGauge, IsFullWithoutSpaceWithoutInodesOrWithTheReserveInUse) {
  DiskGauge gauge({80, 90, 95});
  EXPECT_EQ(gauge.look({90, 10 * kMebi, false}, false), DiskLevel::full);
  EXPECT_EQ(gauge.look(at(20), false), DiskLevel::fine);
  EXPECT_EQ(gauge.look(at(20), true), DiskLevel::full);
  EXPECT_EQ(gauge.look({kMebi, DiskGauge::kNoSpace - 1}, false), DiskLevel::full);
  EXPECT_EQ(gauge.look({100 * kMebi, DiskGauge::kSpaceAgain - 1}, false), DiskLevel::full);
  EXPECT_EQ(gauge.look({100 * kMebi, DiskGauge::kSpaceAgain}, false), DiskLevel::critical);
}

TEST(DiskGauge, TakesNewLimits) {
  DiskGauge gauge({80, 90, 95});
  EXPECT_EQ(gauge.look(at(60), false), DiskLevel::fine);
  gauge.set({50, 55, 70});
  EXPECT_EQ(gauge.look(at(60), false), DiskLevel::shed);
  EXPECT_EQ(name_of(gauge.level()), "shed");
}

}  // namespace
}  // namespace oob::audit

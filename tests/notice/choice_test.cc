#include "notice/choice.h"

#include <gtest/gtest.h>

namespace oob::notice {
namespace {

TEST(Choice, TakesEventsByNameAndByGlob) {
  Choice choice{{"line.*", "disk.level"}, {}};
  EXPECT_TRUE(choice.takes("line.down", "edge1"));
  EXPECT_TRUE(choice.takes("disk.level", ""));
  EXPECT_FALSE(choice.takes("power.change", "edge1"));
}

TEST(Choice, LooksAtDevicesOnlyWhereAnEventIsAboutOne) {
  Choice choice{{"*"}, {"edge*"}};
  EXPECT_TRUE(choice.takes("line.down", "edge1"));
  EXPECT_FALSE(choice.takes("line.down", "core1"));
  EXPECT_TRUE(choice.takes("disk.level", ""));
}

TEST(Choice, NeverTakesWhatNoticesSayOfThemselves) {
  for (const char* glob : {"*", "notify.*", "notify.failed", "n*"})
    EXPECT_FALSE(Choice({{glob}, {}}).takes("notify.failed", "")) << glob;
}

}  // namespace
}  // namespace oob::notice

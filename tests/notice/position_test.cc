#include "notice/position.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/support.h"

namespace oob::notice {
namespace {

// As after a reload that takes a [notify] out, and one that puts it in again.
TEST(Position, LeavesNothingOfOneThatIsForgottenToTheNextOfItsName) {
  test::TempDir dir;
  auto first = std::make_shared<Position>(dir.path(), "sms", nullptr);
  ASSERT_TRUE(first->write({"board1", 7}));
  first->forget();
  ASSERT_TRUE(first->write({"board1", 8}));
  EXPECT_TRUE(test::read_file(dir / "notify/sms.position").ends_with("board1 7\n"));
  auto second = std::make_shared<Position>(dir.path(), "sms", first);
  base::Result<std::optional<Place>> found = second->read();
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_FALSE(*found);
  ASSERT_TRUE(second->write({"board1", 9}));
  first->remove();  // late
  found = second->read();
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(*found, (Place{"board1", 9}));
  second->forget();
  second->remove();
  EXPECT_FALSE(std::filesystem::exists(dir / "notify/sms.position"));
}

}  // namespace
}  // namespace oob::notice

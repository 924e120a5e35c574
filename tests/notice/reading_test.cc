#include "notice/reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "auth/journal_line.h"
#include "tests/support/support.h"

namespace oob::notice {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::string down_record(std::uint64_t n) {
  return auth::journal_line(auth::Entry("line.down").with("device", "edge1"), {1'700'000'000'123'456, 5}, n,
                            "boot");
}

TEST(Reading, PassesOverWhatCannotBeReadUpToTheNextFileAndSaysSo) {
  test::TempDir dir;
  ASSERT_EQ(::mkdir((dir / "journal").c_str(), 0700), 0);
  test::write_file(dir / "journal/000000000000.jsonl",
                   down_record(0) + down_record(1) + down_record(2).substr(0, 20));
  test::write_file(dir / "journal/000000000005.jsonl", down_record(5) + down_record(6));
  Reading reading(dir.path(), "board1", Choice{{"*"}, {}});
  auto piece = reading.read({"origin", 0}, "origin", 7);
  ASSERT_TRUE(piece) << piece.error().what;
  EXPECT_THAT(piece->found, SizeIs(2));
  const Place torn = piece->next;
  EXPECT_EQ(torn, (Place{"origin", 2}));
  for (bool beyond : {false, true}) {
    auto none = reading.read(torn, "origin", beyond ? 5 : 7, beyond);
    ASSERT_FALSE(none) << "by what is written there is nothing behind it";
    EXPECT_THAT(none.error().what, HasSubstr("its last line is torn"));
  }
  piece = reading.read(torn, "origin", 7, true);
  ASSERT_TRUE(piece) << piece.error().what;
  EXPECT_THAT(piece->lost, HasSubstr("records 2 to 5 can't be read, and are told to nobody: "));
  EXPECT_THAT(piece->lost, HasSubstr("its last line is torn"));
  EXPECT_EQ(piece->next, (Place{"origin", 5}));
  piece = reading.read(piece->next, "origin", 7, true);
  ASSERT_TRUE(piece) << piece.error().what;
  EXPECT_THAT(piece->found, SizeIs(2));
  EXPECT_EQ(piece->lost, "");
}

// Records behind `end` are not on the disk yet. Where that fails, others are written in their place.
TEST(Reading, KeepsNothingOfWhatItHasReadBeyondTheEnd) {
  test::TempDir dir;
  ASSERT_EQ(::mkdir((dir / "journal").c_str(), 0700), 0);
  const std::string file = dir / "journal/000000000000.jsonl";
  auto record = [](const char* ev, std::uint64_t n) {
    return auth::journal_line(auth::Entry(ev), {1'700'000'000'123'456, 5}, n, "boot");
  };
  test::write_file(file, record("begin", 0) + record("never_on_the_disk", 1));
  Reading reading(dir.path(), "board1", Choice{{"*"}, {}});
  auto piece = reading.read({"origin", 0}, "origin", 1);
  ASSERT_TRUE(piece) << piece.error().what;
  EXPECT_THAT(piece->found, SizeIs(1));
  test::write_file(file, record("begin", 0) + record("first", 1) + record("second", 2));
  piece = reading.read(piece->next, "origin", 3);
  ASSERT_TRUE(piece) << piece.error().what;
  ASSERT_THAT(piece->found, SizeIs(2));
  EXPECT_EQ(piece->found[0].notice.event, "first");
  EXPECT_EQ(piece->found[1].notice.event, "second");
}

}  // namespace
}  // namespace oob::notice

#include "audit/syslog_spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "auth/journal_line.h"
#include "tests/support/support.h"

namespace oob::audit {
namespace {

std::string spooled_record(std::uint64_t n) {
  return auth::journal_line(auth::Entry("stop"), {1'700'000'000'123'456, 5}, n, "boot");
}

TEST(SyslogSpool, PassesOverWhatCannotBeReadUpToTheNextFileAndSaysSo) {
  test::TempDir dir;
  ASSERT_EQ(::mkdir((dir / "journal").c_str(), 0700), 0);
  test::write_file(dir / "journal/000000000000.jsonl", spooled_record(0) + spooled_record(1).substr(0, 20));
  test::write_file(dir / "journal/000000000005.jsonl", spooled_record(5) + spooled_record(6));
  SyslogSpool spool(dir.path(), "board1");
  auto piece = spool.read({"origin", 0}, "origin", 7);
  ASSERT_TRUE(piece) << piece.error().what;
  EXPECT_EQ(piece->messages.size(), 1u);
  const SyslogPlace torn = piece->next;
  EXPECT_EQ(torn.n, 1u);
  EXPECT_FALSE(spool.read(torn, "origin", 7));
  EXPECT_FALSE(spool.read(torn, "origin", 5, true)) << "by what is written there is nothing behind it";
  piece = spool.read(torn, "origin", 7, true);
  ASSERT_TRUE(piece) << piece.error().what;
  ASSERT_TRUE(piece->lost);
  EXPECT_EQ(piece->lost->from, 1u);
  EXPECT_EQ(piece->lost->to, 5u);
  EXPECT_THAT(piece->lost->why, testing::HasSubstr("its last line is torn"));
  piece = spool.read(piece->next, "origin", 7, true);
  ASSERT_TRUE(piece) << piece.error().what;
  EXPECT_EQ(piece->messages.size(), 2u);
  EXPECT_FALSE(piece->lost);
  // Who begins somewhat before its place, as after each connect, waits for that no second time.
  piece = spool.read({"origin", 0}, "origin", 7);
  ASSERT_TRUE(piece) << piece.error().what;
  piece = spool.read(piece->next, "origin", 7);
  ASSERT_TRUE(piece) << piece.error().what;
  ASSERT_TRUE(piece->lost);
  EXPECT_EQ(piece->next.n, 5u);
}

// Records behind `end` are not on the disk yet. Where that fails, others are written in their place.
TEST(SyslogSpool, KeepsNothingOfWhatItHasReadBeyondTheEnd) {
  test::TempDir dir;
  ASSERT_EQ(::mkdir((dir / "journal").c_str(), 0700), 0);
  const std::string file = dir / "journal/000000000000.jsonl";
  auto record = [](const char* ev, std::uint64_t n) {
    return auth::journal_line(auth::Entry(ev), {1'700'000'000'123'456, 5}, n, "boot");
  };
  test::write_file(file, record("begin", 0) + record("never_on_the_disk", 1));
  SyslogSpool spool(dir.path(), "board1");
  auto piece = spool.read({"origin", 0}, "origin", 1);
  ASSERT_TRUE(piece) << piece.error().what;
  EXPECT_EQ(piece->messages.size(), 1u);
  test::write_file(file, record("begin", 0) + record("first", 1) + record("second", 2));
  piece = spool.read(piece->next, "origin", 3);
  ASSERT_TRUE(piece) << piece.error().what;
  EXPECT_THAT(piece->frames, testing::AllOf(testing::HasSubstr("first"), testing::HasSubstr("second")));
}

}  // namespace
}  // namespace oob::audit

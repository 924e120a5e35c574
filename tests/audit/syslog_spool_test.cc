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
}

}  // namespace
}  // namespace oob::audit

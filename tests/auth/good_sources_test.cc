#include "auth/good_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/support.h"

namespace oob::auth {
namespace {

using base::str;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr base::Micros kDay = 1'795'392'000'000'000;  // 2026-11-23

struct Kept {
  test::TempDir dir;
  base::Loop loop;
  base::Blocking blocking{loop};
  GoodSources good{loop, blocking, dir / "good_sources"};
};

TEST(GoodSources, KeepsTheLastSourceOfEachKey) {
  Kept kept;
  kept.good.note("alice", "SHA256:a", "192.0.2.1", kDay);
  kept.good.note("bob", "SHA256:b", "2001:db8::/64", kDay + 1);
  kept.good.note("alice", "SHA256:a", "192.0.2.2", kDay + 2);
  kept.good.note("alice", "SHA256:laptop", "192.0.2.2", kDay + 3);
  EXPECT_THAT(kept.good.sources(), ElementsAre("192.0.2.2", "2001:db8::/64"));
}

TEST(GoodSources, AreThereAgainAfterARestart) {
  Kept kept;
  ASSERT_TRUE(kept.good.load());  // no file yet
  kept.good.note("alice", "SHA256:a", "192.0.2.1", kDay);
  kept.good.note("bob", "SHA256:b", "2001:db8::/64", kDay + 1);
  std::string path = kept.dir / "good_sources";
  EXPECT_TRUE(test::run_until(kept.loop, [&] { return ::access(path.c_str(), F_OK) == 0; }));
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(test::read_file(path),
            "oobd good sources 1\n"
            "2026-11-23T00:00:00Z 2001:db8::/64 SHA256:b bob\n"
            "2026-11-23T00:00:00Z 192.0.2.1 SHA256:a alice\n");
  GoodSources again(kept.loop, kept.blocking, path);
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.text(), kept.good.text());
}

TEST(GoodSources, WritesAtACleanStopWhatWasNotWritten) {
  Kept kept;
  kept.good.note("alice", "SHA256:a", "192.0.2.1", kDay);
  kept.good.flush();
  EXPECT_THAT(test::read_file(kept.dir / "good_sources"), HasSubstr("192.0.2.1 SHA256:a alice"));
}

TEST(GoodSources, PassesOverWhatIsDamaged) {
  Kept kept;
  test::write_file(kept.dir / "good_sources",
                   "oobd good sources 1\n"
                   "2026-11-23T00:00:00Z 192.0.2.1 SHA256:a alice\n"
                   "2026-11-23T00:00:00Z 192.0.2.300 SHA256:a bob\n"
                   "2026-11-23T00:00:00Z 2001:db8::1/64 SHA256:a bob\n"
                   "garbage\n"
                   "when 192.0.2.1 SHA256:a bob\n"
                   "2026-11-23T00:00:00Z 192.0.2.2 SHA256:c carol\n"
                   "2026-11-23T00:00:00Z 192.0.2.3 SHA2");
  ::chmod((kept.dir / "good_sources").c_str(), 0600);
  auto loaded = kept.good.load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().what, str(kept.dir / "good_sources", ": 5 damaged lines passed over"));
  EXPECT_THAT(kept.good.sources(), ElementsAre("192.0.2.1", "192.0.2.2"));
}

TEST(GoodSources, AreReadWholeCutAtEveryPlaceAndWithBytesFlipped) {
  Kept kept;
  for (int i = 0; i < 5; ++i) kept.good.note("alice", str("SHA256:", i), str("192.0.2.", i), kDay);
  const std::string text = kept.good.text();
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Kept other;
    other.good.parse(text.substr(0, cut));
    EXPECT_LE(other.good.sources().size(), 5u);
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    Kept other;
    std::string flipped = text;
    flipped[at] ^= 0x21;
    other.good.parse(flipped);
    std::string kept_text = other.good.text();
    EXPECT_EQ(other.good.parse(kept_text), 0u) << "what it writes, it reads: " << kept_text;
  }
}

TEST(GoodSources, HaveABound) {
  Kept kept;
  for (std::size_t i = 0; i < GoodSources::kMost + 5; ++i)
    kept.good.note(str("user", i / 8), str("SHA256:", i), str("10.0.", i / 256, ".", i % 256), kDay);
  auto sources = kept.good.sources();
  EXPECT_EQ(sources.size(), GoodSources::kMost);
  EXPECT_EQ(sources.back(), "10.0.0.5");
}

TEST(GoodSources, OfAUserWhoHasANewKeyEachTimePushNobodyElseOut) {
  Kept kept;
  kept.good.note("alice", "SHA256:a", "192.0.2.1", kDay);
  for (int i = 0; i < 5000; ++i)
    kept.good.note("ci", str("SHA256:", i), str("10.0.", i / 256, ".", i % 256), kDay + i);
  auto sources = kept.good.sources();
  EXPECT_EQ(sources.size(), GoodSources::kMostOfUser + 1);
  EXPECT_EQ(sources.front(), "10.0.19.135") << "its newest";
  EXPECT_EQ(sources.back(), "192.0.2.1");
}

TEST(GoodSources, ForgetUsersThatAreGone) {
  Kept kept;
  kept.good.note("alice", "SHA256:a", "192.0.2.1", kDay);
  kept.good.note("bob", "SHA256:b", "192.0.2.2", kDay);
  kept.good.keep_users([](const std::string& user) { return user == "alice"; });
  EXPECT_THAT(kept.good.sources(), ElementsAre("192.0.2.1"));
}

TEST(GoodSources, TakeNoWordThatWouldBreakALine) {
  Kept kept;
  kept.good.note("al ice", "SHA256:a", "192.0.2.1", kDay);
  kept.good.note("alice\n", "SHA256:a", "192.0.2.1", kDay);
  kept.good.note("alice", "SHA256:a", "?", kDay);
  EXPECT_THAT(kept.good.sources(), ElementsAre());
}

}  // namespace
}  // namespace oob::auth

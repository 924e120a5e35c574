#include "console/watches_told.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/support.h"

namespace oob::console {
namespace {

const WatchesTold::All kToldOfTwo = {
    {"beyond", {"lan0 tcp:192.0.2.1:9", WatchState::up, 1'700'000'000'000'000}},
    {"upstream1", {"edge1 bird up\"1", WatchState::lost, 5}}};

TEST(WatchesTold, AreReadAsTheyWereWritten) {
  EXPECT_EQ(read_watches_told(watches_told_text(kToldOfTwo)), kToldOfTwo);
  EXPECT_EQ(read_watches_told(watches_told_text({})), WatchesTold::All{});
}

TEST(WatchesTold, PassOverLinesThatAreDamaged) {
  const std::string whole = watches_told_text(kToldOfTwo);
  for (std::size_t cut = 0; cut <= whole.size(); ++cut)
    for (const auto& [name, told] : read_watches_told(whole.substr(0, cut)))
      EXPECT_EQ(told, kToldOfTwo.at(name)) << cut;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      EXPECT_LE(read_watches_told(flipped).size(), 3U);
    }
  EXPECT_EQ(read_watches_told("{\"watch\":\"x\",\"what\":\"y\",\"state\":\"lost\",\"since\":-1}\n").size(),
            0U);
  EXPECT_EQ(read_watches_told("{\"watch\":\"x\",\"what\":\"y\",\"state\":\"gone\",\"since\":1}\n").size(),
            0U);
}

TEST(WatchesTold, KeepAllThatWasToldToTheLast) {
  test::TempDir dir;
  std::string file = dir / "watches";
  base::Loop loop;
  {
    base::Disk disk(loop);
    WatchesTold told(disk, file);
    ASSERT_TRUE(told.open()) << "there is no file yet";
    for (const auto& [name, each] : kToldOfTwo) told.tell(name, each);
    told.tell("gone", {"lan0", WatchState::up, 1});
    told.forget("gone");
  }
  base::Disk disk(loop);
  WatchesTold later(disk, file);
  ASSERT_TRUE(later.open());
  EXPECT_EQ(later.all(), kToldOfTwo);
  struct stat is {};
  ASSERT_EQ(::stat(file.c_str(), &is), 0);
  EXPECT_EQ(is.st_mode & 0777, 0600U);
}

}  // namespace
}  // namespace oob::console

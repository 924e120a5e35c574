#include "ipmi/sdr_repository.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/ipmi/fake_records.h"
#include "tests/support/support.h"

namespace oob {
namespace {

using base::Result;
using ipmi::SdrCache;
using ipmi::SdrRepository;

struct RepositoryWorld {
  base::Loop loop;
  base::Blocking blocking{loop};
  test::TempDir folder;
  test::FakeLink link{loop};
  test::FakeRecords bmc;
  std::string cache = folder / "relay1.sdr";
  std::unique_ptr<SdrRepository> repository;

  RepositoryWorld() {
    link.answer = [this](const ipmi::Request& request) { return bmc(request); };
    link.come_up();
    restart();
  }
  // As after a restart of the program: nothing in memory.
  void restart() {
    repository.reset();
    repository = std::make_unique<SdrRepository>(loop, blocking, link, cache);
    bmc.pieces = 0;
  }
  Result<SdrRepository::Records> get() {
    std::optional<Result<SdrRepository::Records>> got;
    repository->get([&](Result<SdrRepository::Records> records) { got = std::move(records); });
    EXPECT_TRUE(test::run_until(loop, [&] { return got.has_value(); }));
    return got ? *got : base::fail(base::Fault::internal, "no answer");
  }
  void wait_for_file() {
    EXPECT_TRUE(test::run_until(loop, [&] { return !test::read_file(cache).empty(); }));
  }
  std::string error() {
    auto got = get();
    return got ? "read" : got.error().what;
  }
};

std::size_t size(const Result<SdrRepository::Records>& got) { return got ? (*got)->all().size() : 0; }

TEST(SdrRepository, ReadsTheWholeChain) {
  RepositoryWorld world;
  auto got = world.get();
  ASSERT_EQ(size(got), 11u);
  EXPECT_EQ((*got)->broken(), 0u);
  EXPECT_EQ((*got)->all()[10].name, "PS1 Status");
}

TEST(SdrRepository, AsksForLessWhereTheBmcGivesLess) {
  for (std::size_t most : {31, 16, 15, 7, 4}) {
    RepositoryWorld world;
    world.bmc.most_bytes = most;
    EXPECT_EQ(size(world.get()), 11u) << most;
  }
  RepositoryWorld world;
  world.bmc.most_bytes = 3;
  EXPECT_EQ(world.error(), "fake: sensor records: 0000h: " + ipmi::completion_text(0xca));
}

TEST(SdrRepository, BeginsARecordAgainWhenTheReservationIsLost) {
  RepositoryWorld world;
  world.bmc.lose_reservations = 5;
  EXPECT_EQ(size(world.get()), 11u);
  RepositoryWorld unlucky;
  unlucky.bmc.lose_reservations = 1000;
  EXPECT_EQ(unlucky.error(), "fake: sensor records: the reservation was lost 16 times");
}

TEST(SdrRepository, EndsChainsThatDoNotEnd) {
  RepositoryWorld world;
  world.bmc.next[11] = 5;
  EXPECT_EQ(world.error(), "fake: sensor records: record chain loops at 0005h");
  world.bmc.next[11] = 11;
  EXPECT_EQ(world.error(), "fake: sensor records: record chain loops at 000Bh");
  world.bmc.next[11] = 0;
  EXPECT_EQ(world.error(), "fake: sensor records: record chain loops at 0000h");

  RepositoryWorld endless;
  endless.bmc.records.assign(5000, std::string("\x01\0\x51\xc0\0", 5));
  EXPECT_EQ(endless.error(), "fake: sensor records: more than 4096 records or 256 KiB");
  RepositoryWorld fat;
  std::string record("\x01\0\x51\xc0\xf0", 5);
  fat.bmc.records.assign(2000, record + std::string(0xf0, 'x'));
  EXPECT_EQ(fat.error(), "fake: sensor records: more than 4096 records or 256 KiB");
}

TEST(SdrRepository, DoesWithoutARecordThatCannotBeRead) {
  RepositoryWorld world;
  world.bmc.refused[3] = 0xff;
  world.bmc.refused[4] = 0xcb;
  auto got = world.get();
  EXPECT_EQ(size(got), 9u);
  // The next start tries again.
  world.restart();
  world.bmc.refused.clear();
  EXPECT_EQ(size(world.get()), 11u);
}

TEST(SdrRepository, TakesRecordsThatAreShorterThanTheySay) {
  RepositoryWorld world;
  world.bmc.records[2].resize(30);
  auto got = world.get();
  EXPECT_EQ(size(got), 10u);
  EXPECT_EQ((*got)->broken(), 1u);
}

TEST(SdrRepository, ReadsDeviceRecordsWhereThereIsNoRepository) {
  RepositoryWorld world;
  world.bmc.device_only = true;
  EXPECT_EQ(size(world.get()), 11u);
}

TEST(SdrRepository, ReadsOnceUnlessTheTimeStampsChange) {
  RepositoryWorld world;
  EXPECT_EQ(size(world.get()), 11u);
  world.bmc.pieces = 0;
  EXPECT_EQ(size(world.get()), 11u);
  EXPECT_EQ(world.bmc.pieces, 0);
  world.bmc.records.pop_back();
  ++world.bmc.erase;
  EXPECT_EQ(size(world.get()), 10u);
}

TEST(SdrRepository, KeepsTheRecordsInAFileForTheNextStart) {
  RepositoryWorld world;
  EXPECT_EQ(size(world.get()), 11u);
  world.wait_for_file();
  struct stat info {};
  ASSERT_EQ(::stat(world.cache.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  world.restart();
  EXPECT_EQ(size(world.get()), 11u);
  EXPECT_EQ(world.bmc.pieces, 0);
  world.restart();
  ++world.bmc.addition;
  EXPECT_EQ(size(world.get()), 11u);
  EXPECT_GT(world.bmc.pieces, 0);
}

TEST(SdrRepository, ReadsAnewWhenTheFileIsBroken) {
  RepositoryWorld world;
  EXPECT_EQ(size(world.get()), 11u);
  world.wait_for_file();
  std::string whole = test::read_file(world.cache);
  std::string changed = whole;
  changed[100] ^= 1;
  for (const std::string& file : {changed, whole.substr(0, 200), std::string("foreign"), std::string()}) {
    test::write_file(world.cache, file);
    world.restart();
    EXPECT_EQ(size(world.get()), 11u);
    EXPECT_GT(world.bmc.pieces, 0);
    EXPECT_TRUE(test::run_until(world.loop, [&] { return test::read_file(world.cache) == whole; }));
  }
}

TEST(SdrRepository, DoesNotTrustAFileOfABmcWithoutAClock) {
  for (std::uint32_t none : {0u, 0xffffffffu}) {
    RepositoryWorld world;
    world.bmc.addition = world.bmc.erase = none;
    EXPECT_EQ(size(world.get()), 11u);
    world.bmc.pieces = 0;
    EXPECT_EQ(size(world.get()), 11u);
    EXPECT_EQ(world.bmc.pieces, 0);  // but in memory
    // Until it may have started anew.
    ++world.link.session_id;
    world.bmc.records[0].swap(world.bmc.records[1]);
    EXPECT_EQ(size(world.get()), 11u);
    EXPECT_GT(world.bmc.pieces, 0);
    world.restart();
    EXPECT_EQ(size(world.get()), 11u);
    EXPECT_GT(world.bmc.pieces, 0);
    EXPECT_EQ(test::read_file(world.cache), "");
  }
}

TEST(SdrRepository, FailsWithTheLinkAndReadsAgainLater) {
  RepositoryWorld world;
  world.link.go_down("fake: no answer");
  EXPECT_EQ(world.error(), "sensor records: fake: no answer");
  world.link.come_up();
  EXPECT_EQ(size(world.get()), 11u);
}

TEST(SdrRepository, ServesAllWhoAskWithOneReading) {
  RepositoryWorld world;
  int served = 0;
  for (int i = 0; i < 3; ++i)
    world.repository->get([&](Result<SdrRepository::Records> got) { served += size(got) == 11 ? 1 : 100; });
  EXPECT_EQ(served, 0);
  EXPECT_TRUE(test::run_until(world.loop, [&] { return served >= 3; }));
  EXPECT_EQ(served, 3);
  EXPECT_EQ(world.bmc.pieces, 11 * 3);  // the header, 32 bytes, the rest
}

TEST(SdrCache, ComesBackAsItWasWritten) {
  SdrCache cache{{"device", 1, 2, 3}, {"one", "", std::string("\0\xff", 2)}};
  auto read = SdrCache::decode(cache.encode());
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->stamp == cache.stamp);
  EXPECT_EQ(read->records, cache.records);
}

TEST(SdrCache, RefusesEveryCutAndEveryChangedByte) {
  std::string whole = SdrCache{{"device", 1, 2, 3}, {"one", "two"}}.encode();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) EXPECT_FALSE(SdrCache::decode(whole.substr(0, cut)));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] ^= 0x10;
    EXPECT_FALSE(SdrCache::decode(changed)) << at;
  }
  EXPECT_FALSE(SdrCache::decode(whole + "x"));
}

TEST(SdrCache, LeavesTheOldFileWhereTheNewOneCannotBeWritten) {
  test::TempDir folder;
  auto written = ipmi::write_sdr_cache(folder / "none/relay1.sdr", {});
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().what.find("No such file or directory"), std::string::npos);
  EXPECT_FALSE(ipmi::read_sdr_cache(folder / "none/relay1.sdr"));
}

}  // namespace
}  // namespace oob

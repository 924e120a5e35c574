// Somebody who can write the folder moves `main`.
#include "snapshot/kept.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/snapshot/pulled.h"

namespace oob::snapshot {
namespace {

using base::Fault;
using base::str;
using test::git;
using test::pulled;
using Kind = console::History::Stored::Kind;

struct Moved : testing::Test {
  test::TempDir dir;
  std::string repository = dir / "snapshots.git";
  std::unique_ptr<Depot> depot = open();

  std::unique_ptr<Depot> open() {
    return std::make_unique<Depot>(dir.path(), "oob.example.net", [](std::string_view) {});
  }
  console::History::Stored store(const std::string& device, const std::string& bytes) {
    auto stored = depot->store(pulled(device, {{"config.xml", bytes}}), recipe::Book({}));
    EXPECT_TRUE(stored) << stored.error().what;
    return stored ? *stored : console::History::Stored{};
  }
  // Another commit on `from`, with another file and a meta.json whose sums are right; its revision.
  std::string forge(const std::string& from, const std::string& bytes) {
    std::string meta = git(repository, str("show ", from, ":edge1/meta.json"));
    std::string old = base::hex(base::sha256(git(repository, str("show ", from, ":edge1/config.xml"))));
    meta.replace(meta.find(old), old.size(), base::hex(base::sha256(bytes)));
    std::string work = dir / "work";
    git(dir.path(), "clone -q snapshots.git work");
    git(work, str("checkout -q ", from));
    test::write_file(work + "/edge1/config.xml", bytes);
    test::write_file(work + "/edge1/meta.json", meta);
    git(work, "-c user.name=mallory -c user.email=m@x commit -qam forged");
    EXPECT_EQ(git(work, "push -qf origin HEAD:refs/heads/main"), "");
    std::filesystem::remove_all(work);
    std::string tip = git(repository, "rev-parse main");
    tip.pop_back();
    return tip;
  }
};

TEST_F(Moved, IsReadWithoutTouchingAnything) {
  EXPECT_EQ(read_kept(dir.path()).error().fault, Fault::missing);
  EXPECT_FALSE(std::filesystem::exists(repository));
  std::string first = store("edge1", "1\n").revision;
  std::string second = store("edge2", "2\n").revision, third = store("edge1", "3\n").revision;
  test::write_file(repository + "/refs/heads/main.lock", "");
  auto kept = read_kept(dir.path());
  ASSERT_TRUE(kept) << kept.error().what;
  EXPECT_TRUE(std::filesystem::exists(repository + "/refs/heads/main.lock"));
  ASSERT_EQ(kept->revisions.size(), 3u);
  EXPECT_EQ(kept->revisions[0].commit, third);
  EXPECT_EQ(kept->revisions[1].device, "edge2");
  ASSERT_EQ(kept->devices.size(), 2u);
  std::map<std::string, std::string> sums{{"config.xml", base::hex(base::sha256("3\n"))}};
  EXPECT_EQ(kept->devices["edge1"].sums, sums);
  std::string blob = git(repository, "rev-parse main:edge1/config.xml");
  std::filesystem::remove(str(repository, "/objects/", blob.substr(0, 2), "/", blob.substr(2, 38)));
  EXPECT_NE(read_kept(dir.path())->devices["edge1"].fault, "");
  EXPECT_EQ(read_kept(dir.path())->devices["edge2"].fault, "");
}

TEST_F(Moved, IsNoticedAndToldOnce) {
  std::string first = store("edge1", "1\n").revision, second = store("edge1", "2\n").revision;
  EXPECT_FALSE(depot->moved());
  std::string forged = forge(second, "forged\n");
  EXPECT_EQ(*depot->file("edge1", "", "config.xml"), "forged\n") << "what a clone has is shown";
  auto told = depot->moved();
  ASSERT_TRUE(told);
  EXPECT_NE(told->find(str("from ", second, " to ", forged)), std::string::npos) << *told;
  EXPECT_NE(told->find(str("update-ref refs/heads/main ", second)), std::string::npos) << *told;
  EXPECT_FALSE(depot->moved());
  auto kept = read_kept(dir.path());
  EXPECT_EQ(kept->devices["edge1"].sums["config.xml"], base::hex(base::sha256("forged\n")));
  auto again = store("edge1", "2\n");
  EXPECT_EQ(again.kind, Kind::stored) << "what the device has is not what is there";
  EXPECT_FALSE(depot->moved());
}

TEST_F(Moved, IsNoticedBeforeSomethingIsStoredAlsoWhereItWasSetBack) {
  std::string first = store("edge1", "1\n").revision, second = store("edge1", "2\n").revision;
  git(repository, "update-ref refs/heads/main " + first);
  auto stored = store("edge1", "2\n");
  EXPECT_EQ(stored.kind, Kind::stored);
  EXPECT_TRUE(depot->moved());
  EXPECT_EQ(git(repository, "rev-parse main~1"), first + "\n");
  EXPECT_EQ(git(repository, "fsck --strict --full --no-dangling"), "");
}

TEST_F(Moved, AFolderThatIsMovedAwayIsBegunAnewAndIsToldOfWithoutARestart) {
  std::string first = store("edge1", "1\n").revision;
  std::filesystem::rename(repository, dir / "away");
  EXPECT_EQ(depot->files("edge1", "").error().fault, base::Fault::missing);
  auto told = depot->moved();
  ASSERT_TRUE(told);
  EXPECT_NE(told->find(str("moved it away; its main was ", first)), std::string::npos) << *told;
  EXPECT_EQ(store("edge1", "1\n").kind, Kind::stored);
  EXPECT_EQ(git(repository, "fsck --strict --full --no-dangling"), "");
  EXPECT_FALSE(depot->moved());
}

TEST_F(Moved, AFolderThatIsPutInItsPlaceIsWhatCounts) {
  std::string first = store("edge1", "1\n").revision;
  std::filesystem::copy(repository, dir / "copy", std::filesystem::copy_options::recursive);
  store("edge1", "2\n");
  std::filesystem::rename(repository, dir / "away");
  std::filesystem::rename(dir / "copy", repository);
  EXPECT_EQ(*depot->file("edge1", "", "config.xml"), "1\n");
  EXPECT_TRUE(depot->moved());
  auto stored = store("edge1", "2\n");
  EXPECT_EQ(stored.kind, Kind::stored);
  EXPECT_EQ(git(repository, "rev-parse main~1"), first + "\n");
  EXPECT_EQ(git(repository, "fsck --strict --full --no-dangling"), "");
}

}  // namespace
}  // namespace oob::snapshot

// Repositories with some devices alone.
#include "snapshot/views.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "tests/snapshot/kept.h"

namespace oob::snapshot {
namespace {

using base::Fault;
using test::count;
using test::git;

TEST_F(Kept, AViewHasNothingOfOthers) {
  std::string other = store("edge2", {{"a", "not for you\n"}})->revision;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store("edge1", {{"a", base::str(i, "\n")}}));
    ASSERT_TRUE(store("edge2", {{"a", base::str("not for you ", i, "\n")}}));
  }
  std::string view = view_of({"edge1"});
  EXPECT_EQ(git(view, "fsck --strict --full"), "");
  EXPECT_EQ(git(view, "rev-list --count main"), "3\n");
  EXPECT_EQ(git(view, "ls-tree --name-only main"), ".gitattributes\nedge1\n");
  EXPECT_EQ(git(view, "show main:edge1/a"), "2\n");
  EXPECT_EQ(git(view, "cat-file -e " + other).substr(0, 7), "FAILED ");
  std::size_t foreign = 0;
  for (const char* what : {"main:edge2", "main:edge2/a", "main", "main:"}) {
    std::string id = git(repository, base::str("rev-parse ", what)).substr(0, 40);
    foreign += git(view, "cat-file -e " + id).starts_with("FAILED ");
  }
  EXPECT_EQ(foreign, 4u);
  std::string before = git(view, "rev-parse main");
  ASSERT_TRUE(store("edge2", {{"a", "not for you either\n"}}));
  EXPECT_EQ(view_of({"edge1", "nobody"}), view);
  EXPECT_EQ(git(view, "rev-parse main"), before);
  ASSERT_TRUE(store("edge1", {{"a", "new\n"}}));
  EXPECT_EQ(view_of({"edge1"}), view);
  EXPECT_EQ(git(view, "show main:edge1/a"), "new\n");
  std::string grown = git(view, "rev-parse main");
  ASSERT_EQ(::system(("rm -r '" + view + "'").c_str()), 0);
  EXPECT_EQ(view_of({"edge1"}), view);
  EXPECT_EQ(git(view, "rev-parse main"), grown) << "made again, it is the same";
  test::write_file(view + "/HEAD", "damaged");
  EXPECT_EQ(view_of({"edge1"}), view);
  EXPECT_EQ(git(view, "rev-parse main"), grown);
  EXPECT_EQ(view_of({"edge1", "edge2"}), repository);
}

TEST_F(Kept, ARevisionIsKnownByItsNameInAViewAsWell) {
  std::vector<std::string> names;
  for (int i = 0; i < 2; ++i) {
    names.push_back(store("edge1", {{"a", base::str(i, "\n")}})->revision);
    ASSERT_TRUE(store("edge2", {{"a", base::str("not for you ", i, "\n")}}));
  }
  std::string view = view_of({"edge1"});
  for (std::size_t i : {0u, 1u}) {
    std::string mine = git(view, base::str("rev-parse main~", 1 - i)).substr(0, 40);
    EXPECT_NE(mine, names[i]) << "it says what it is made from";
    EXPECT_EQ(git(view, base::str("log -1 --format='%(trailers:key=Revision,valueonly)' ", mine)),
              names[i] + "\n\n");
    EXPECT_EQ(*depot->file("edge1", mine.substr(0, 7), "a"), base::str(i, "\n"));
    EXPECT_EQ(depot->file("edge2", mine, "a").error().fault, Fault::missing);
  }
  EXPECT_EQ(depot->files("edge1", "0123456").error().fault, Fault::missing);
  std::string before = git(view, "rev-parse main");
  // As an earlier version left it: each commit is made anew, and they are the same ones.
  test::write_file(view + "/oobd-upto", std::string(40, 'a') + " " + std::string(40, 'b') + "\n");
  EXPECT_EQ(view_of({"edge1"}), view);
  EXPECT_EQ(git(view, "rev-parse main"), before);
  std::filesystem::remove_all(view);
  EXPECT_EQ(git(view_of({"edge1"}), "rev-parse main"), before);
}

TEST_F(Kept, AViewThatDoesNotGoOnIsMadeAnew) {
  ASSERT_TRUE(store("edge1", {{"a", "1\n"}}));
  ASSERT_TRUE(store("edge2", {{"a", "1\n"}}));
  std::string view = view_of({"edge1"});
  test::write_file(view + "/oobd-upto", std::string(40, 'a') + " " + std::string(40, 'b') + " 2\n");
  EXPECT_EQ(view_of({"edge1"}), view);
  EXPECT_EQ(git(view, "show main:edge1/a"), "1\n");
}

TEST_F(Kept, AGoodViewStaysWhenItCantBeBroughtUpToDate) {
  ASSERT_TRUE(store("edge1", {{"a", "1\n"}}));
  ASSERT_TRUE(store("edge2", {{"a", "1\n"}}));
  std::string view = view_of({"edge1"});
  test::write_file(view + "/witness", "it is the same folder");
  ASSERT_TRUE(store("edge1", {{"a", std::string(20'000, 'x') + "2\n"}}));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit full{64, before.rlim_max};
  auto old = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &full);
  auto refused = depot->view({"edge1"});
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old);
  EXPECT_FALSE(refused);
  EXPECT_EQ(test::read_file(view + "/witness"), "it is the same folder");
  EXPECT_EQ(git(view, "show main:edge1/a"), "1\n");
  EXPECT_EQ(view_of({"edge1"}), view);
  EXPECT_EQ(git(view, "rev-list --count main"), "2\n");
}

TEST_F(Kept, ThereAreThirtyTwoViewsAtMostAndThoseInUseStay) {
  for (int i = 0; i < 34; ++i) ASSERT_TRUE(store(base::str("d", i), {{"a", "x"}}));
  auto read = depot->view({"d0"});  // and it is being read all the time
  ASSERT_TRUE(read);
  for (int i = 1; i < 34; ++i) ASSERT_TRUE(depot->view({base::str("d", i)}));
  auto views = [&] {
    std::size_t count = 0;
    for (const auto& each : std::filesystem::directory_iterator(dir / "snapshots.views"))
      count += each.path().extension() == ".git";
    return count;
  };
  EXPECT_EQ(views(), Views::kMost);
  EXPECT_EQ(git(read->path, "show main:d0/a"), "x");
  read->kept.reset();
  ASSERT_TRUE(depot->view({"d0", "d1"}));
  EXPECT_EQ(views(), Views::kMost);
  EXPECT_FALSE(std::filesystem::exists(read->path));
}

TEST_F(Kept, ANewViewIsRefusedWhereTheDiskIsNearlyFull) {
  ASSERT_TRUE(store("edge1", {{"a", "1\n"}}));
  ASSERT_TRUE(store("edge2", {{"a", "1\n"}}));
  audit::DiskSpace space{0, 1000 << 20, true};
  depot = std::make_unique<Depot>(
      dir.path(), "oobd", [](std::string_view) {}, Ledger::kMost, [&](const std::string&) { return space; });
  std::string view = view_of({"edge1"});
  space = {955 << 20, 45 << 20, true};
  auto refused = depot->view({"edge2"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::unavailable);
  EXPECT_EQ(count(refused.error().what, "the disk is too full for another copy of the history (45 MiB"), 1u)
      << refused.error().what;
  EXPECT_EQ(view_of({"edge1"}), view) << "what is there goes on";
  space = {900 << 20, 100 << 20, false};
  EXPECT_FALSE(depot->view({"edge2"})) << "no more files can be made";
}

TEST_F(Kept, WhoeverMaySeeAllIsJudgedByAllThatEverWas) {
  ASSERT_TRUE(store("old", {{"a", "not for you\n"}}));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store("edge1", {{"a", base::str(i, "\n")}}));
  depot = std::make_unique<Depot>(
      dir.path(), "oobd", [](std::string_view) {}, 3);  // it knows the last three
  std::string view = view_of({"edge1"});
  EXPECT_NE(view, repository);
  EXPECT_EQ(git(view, "ls-tree --name-only main"), ".gitattributes\nedge1\n");
  EXPECT_EQ(git(view, "rev-list --count main"), "3\n");
  EXPECT_NE(view_of({"edge1", "old"}), repository);
  depot = open();
  EXPECT_EQ(view_of({"edge1", "old"}), repository);
  EXPECT_NE(view_of({"edge1"}), repository);
}

}  // namespace
}  // namespace oob::snapshot

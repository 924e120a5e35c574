#include "snapshot/depot.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <re2/re2.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>

#include "tests/snapshot/kept.h"

namespace oob::snapshot {
namespace {

using base::Fault;
using test::count;
using test::git;
using test::pulled;
using test::TempDir;
using Kind = console::History::Stored::Kind;

std::string all_bytes() {
  std::string bytes = "one\r\ntwo\nthree\r";
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

TEST_F(Kept, BytesAreExactForTheStockGit) {
  test::Files files{{"config.xml", "<pfsense>\r\n</pfsense>\n"}, {"etc/all.bin", all_bytes()}};
  auto stored = store("edge1", files);
  ASSERT_TRUE(stored) << stored.error().what;
  EXPECT_EQ(stored->kind, Kind::stored);
  ASSERT_EQ(stored->files.size(), 2u);
  EXPECT_EQ(stored->files[1].sha256, base::hex(base::sha256(all_bytes())));
  EXPECT_EQ(fsck(), "");
  for (const auto& [name, bytes] : files) EXPECT_EQ(git(repository, "show main:edge1/" + name), bytes);
  ASSERT_EQ(git(dir.path(), "clone -q snapshots.git copy"), "");
  for (const auto& [name, bytes] : files) EXPECT_EQ(test::read_file(dir / ("copy/edge1/" + name)), bytes);
  EXPECT_EQ(test::read_file(dir / "copy/.gitattributes"), "* -text\n");
  struct stat found {};
  ASSERT_EQ(::stat(repository.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0700u);
}

TEST_F(Kept, ACommitTellsWhoAndWhatAndTheJournalsCheckpoint) {
  ASSERT_TRUE(store("edge1", {{"config.xml", "a\nb\nc\n"}}));
  ASSERT_TRUE(store("edge1", {{"config.xml", "a\nB\nc\nd\n"}}));
  EXPECT_EQ(git(repository, "log -1 --format='%an %ae %cn %s'"),
            "alice alice@oob.example.net alice edge1: config.xml +2 -1\n");
  EXPECT_EQ(git(repository, "log -1 --format='%(trailers)'"),
            "Checkpoint: 18231 qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n"
            "Session: 20261123T070000Z-1\nGrade: device\nMethod: posix-block\n\n");
  EXPECT_EQ(git(repository, "rev-list --count main"), "2\n");
}

TEST_F(Kept, UnchangedBytesMakeNoCommit) {
  auto first = store("edge1", {{"a", "1\n"}});
  auto again = store("edge1", {{"a", "1\n"}});
  ASSERT_TRUE(first && again);
  EXPECT_EQ(again->kind, Kind::unchanged);
  EXPECT_EQ(again->revision, first->revision);
  EXPECT_EQ(again->files.size(), 1u);
  EXPECT_EQ(git(repository, "rev-list --count main"), "1\n");
}

TEST_F(Kept, HalfAConfigurationGoesIntoQuarantineUntilSomebodyAcceptsIt) {
  std::string whole(2000, 'x'), half(999, 'x');
  auto good = store("edge1", {{"a", whole}});
  auto cut = store("edge1", {{"a", half}});
  ASSERT_TRUE(good && cut);
  EXPECT_EQ(cut->kind, Kind::quarantined);
  std::string at = cut->revision.substr(0, 8);
  EXPECT_EQ(cut->why, base::str("a has 999 bytes and had 2000; if that is right: snapshot edge1 --accept; "
                                "it is kept: show edge1 --at ",
                                at, ", diff edge1 @0 ", at));
  EXPECT_EQ(count(git(repository, "log -1 --format=%B " + at), "it is kept"), 0u);
  EXPECT_EQ(git(repository, "rev-parse main"), good->revision + "\n");
  EXPECT_EQ(count(git(repository, "for-each-ref refs/quarantine/edge1"), cut->revision), 1u);
  auto looked = depot->file("edge1", cut->revision.substr(0, 10), "a");
  ASSERT_TRUE(looked);
  EXPECT_EQ(*looked, half);
  auto same_again = store("edge1", {{"a", half}});
  EXPECT_EQ(same_again->revision, cut->revision);
  auto listed = depot->revisions("edge1", 10);
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_NE((*listed)[0].quarantined, (*listed)[1].quarantined);
  auto accepted = store("edge1", {{"a", half}}, true);
  EXPECT_EQ(accepted->kind, Kind::stored);
  EXPECT_EQ(*depot->file("edge1", "", "a"), half);
  EXPECT_EQ(fsck(), "");
}

TEST_F(Kept, AFileThatIsGoneOrEmptyIsAskedAbout) {
  ASSERT_TRUE(store("edge1", {{"a", "1\n"}, {"b", "2\n"}, {"c", "3\n"}}));
  auto gone = store("edge1", {{"a", "1\n"}, {"b", ""}});
  EXPECT_EQ(gone->why.substr(0, gone->why.find("; it is kept")),
            "b is empty and had 2 bytes, c is gone; if that is right: snapshot edge1 --accept");
  console::History::Snapshot optional = pulled("edge1", {{"a", "1\n"}, {"b", "2\n"}});
  optional.pulled.absent = {"c"};
  auto stored = depot->store(optional, kNoRecipes);
  ASSERT_EQ(stored->kind, Kind::stored);
  ASSERT_EQ(stored->changes.size(), 1u);
  EXPECT_EQ(stored->changes[0].kind, console::History::Change::Kind::removed);
  EXPECT_EQ(count(git(repository, "ls-tree main:edge1"), "\tc"), 0u);
}

TEST_F(Kept, AFileThatTheConfigurationFetchesMayGoAndNoOther) {
  ASSERT_TRUE(store("edge1", {{"a", "1\n"}, {"opt/vpn/c1.conf", "2\n"}}));
  console::History::Snapshot without = pulled("edge1", {{"a", "1\n"}});
  without.fetch = {"/opt/other/*", "/opt/vpn/*.conf"};
  auto stored = depot->store(without, kNoRecipes);
  ASSERT_EQ(stored->kind, Kind::stored) << stored->why;
  console::History::Snapshot nothing_else = pulled("edge1", {{"b", "1\n"}});
  nothing_else.fetch = without.fetch;
  EXPECT_EQ(depot->store(nothing_else, kNoRecipes)->kind, Kind::quarantined);
}

TEST_F(Kept, NobodyAcceptsWhatIsUnproved) {
  console::History::Snapshot wrong = pulled("edge1", {{"a", "1\n"}});
  wrong.accept = true;
  wrong.pulled.files[0].bytes = "2\n";
  auto stored = depot->store(wrong, kNoRecipes);
  EXPECT_EQ(stored->kind, Kind::quarantined);
  EXPECT_EQ(count(stored->why, "its SHA-256 differs"), 1u);
  for (auto [parse, bytes] : {std::pair{"xml", "<a><b></a>"}, {"json", "{\"a\": 1"}}) {
    wrong = pulled("edge1", {{"a", bytes}});
    wrong.accept = true;
    wrong.pulled.files[0].parse = parse;
    stored = depot->store(wrong, kNoRecipes);
    EXPECT_EQ(stored->kind, Kind::quarantined);
    EXPECT_EQ(count(stored->why, "a is no whole"), 1u) << stored->why;
    EXPECT_EQ(count(stored->why, "--accept does not change that"), 1u) << stored->why;
  }
  EXPECT_EQ(depot->files("edge1", "").error().fault, Fault::missing);
}

TEST_F(Kept, AFileWithoutItsEndIsKeptInQuarantine) {
  auto whole = store("edge1", {{"config.xml", "<a>\n<b/>\n</a>\n"}});
  console::History::Snapshot cut = pulled("edge1", {{"config.xml", "<a>\n<b/>\n"}});
  cut.pulled.files[0].cut = true;
  auto aside = depot->store(cut, kNoRecipes);
  ASSERT_TRUE(whole && aside) << aside.error().what;
  EXPECT_EQ(aside->kind, Kind::quarantined);
  EXPECT_EQ(count(aside->why, "config.xml does not end as the recipe says"), 1u) << aside->why;
  EXPECT_EQ(count(aside->why, "show edge1 --at " + aside->revision.substr(0, 8)), 1u) << aside->why;
  EXPECT_EQ(count(aside->why, "--accept"), 0u) << aside->why;
  EXPECT_EQ(*depot->file("edge1", aside->revision.substr(0, 8), "config.xml"), "<a>\n<b/>\n");
  console::History::Diff wish{"edge1", "@0", aside->revision.substr(0, 8), true};
  EXPECT_EQ(count(*depot->diff(wish, kNoRecipes), "\n-</a>\n"), 1u);
  EXPECT_EQ(git(repository, "rev-parse main"), whole->revision + "\n");
  cut.accept = true;
  auto again = depot->store(cut, kNoRecipes);
  EXPECT_EQ(again->revision, aside->revision);
  EXPECT_EQ(count(again->why, "--accept does not change that"), 1u) << again->why;
}

TEST_F(Kept, QuarantineKeepsTheSixteenNewest) {
  ASSERT_TRUE(store("edge1", {{"a", std::string(5000, 'x')}}));
  std::string last;
  for (int i = 0; i < 20; ++i) last = store("edge1", {{"a", base::str("cut ", i)}})->revision;
  std::string references = git(repository, "for-each-ref refs/quarantine");
  EXPECT_EQ(count(references, "\n"), Depot::kMostQuarantined);
  EXPECT_EQ(count(references, last), 1u);
  EXPECT_EQ(fsck(), "");
}

TEST_F(Kept, NamesThatMeanSomethingElseAreRefused) {
  for (const char* name :
       {"", "/etc/passwd", "../x", "a//b", "a/../b", ".git/config", "x/.GIT/hooks", "meta.json", "META.JSON",
        ".gitattributes", "etc/.gitmodules", "a\nb", "a\x80", "a\\b", "."}) {
    auto stored = store("edge1", {{name, "x"}});
    EXPECT_FALSE(stored) << name;
  }
  EXPECT_FALSE(store("edge1", {{"a", "x"}, {"a/b", "x"}}));
  EXPECT_FALSE(store("edge1", {{"a", "x"}, {"a", "y"}}));
  EXPECT_FALSE(store("../edge1", {{"a", "x"}}));
  EXPECT_FALSE(store("edge1", {}));
  EXPECT_TRUE(store("edge1", {{"etc/.gitignore", "x"}, {"a b/ä", "y"}, {"a-b", "z"}}));
  EXPECT_EQ(fsck(), "");
}

TEST_F(Kept, RevisionsAreNamedByPlaceAndByTheirFirstDigits) {
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) {
    names.push_back(store("edge1", {{"a", base::str(i, "\n")}})->revision);
    ASSERT_TRUE(store("edge2", {{"a", base::str("other ", i, "\n")}}));
  }
  depot = open();  // and all of it is found again
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(*depot->file("edge1", base::str("@", 4 - i), "a"), base::str(i, "\n"));
    EXPECT_EQ(*depot->file("edge1", names[i].substr(0, 12), "a"), base::str(i, "\n"));
    EXPECT_EQ(depot->file("edge2", names[i], "a").error().fault, Fault::missing);
  }
  for (const char* none : {"@5", "@", "@x", "@-1", "abc", "zzzz", "main", "HEAD"})
    EXPECT_EQ(depot->files("edge1", none).error().fault, Fault::missing) << none;
  EXPECT_EQ(depot->file("edge1", "", "b").error().fault, Fault::missing);
  auto listed = depot->revisions("edge1", 3);
  ASSERT_EQ(listed->size(), 3u);
  EXPECT_EQ((*listed)[0].revision, names[4]);
  EXPECT_EQ((*listed)[0].grade, "device");
  ASSERT_EQ((*listed)[0].changes.size(), 1u);
  EXPECT_EQ((*listed)[0].changes[0].lines_added, 1u);
}

recipe::Pattern pattern(const std::string& text) { return {text, std::make_shared<const re2::RE2>(text)}; }

TEST_F(Kept, ADiffMasksSecretsAndLeavesOutWhatOscillates) {
  recipe::Recipe recipe;
  recipe.hidden.push_back(
      {"*.xml", recipe::Hidden::Kind::oscillating, pattern("(?s)\\s*<revision>.*?</revision>"), {}});
  recipe.hidden.push_back({"*.xml", recipe::Hidden::Kind::secret, std::nullopt, {"password"}});
  recipe.hidden.push_back({"*.conf", recipe::Hidden::Kind::secret, pattern("(?m)^secret (\\S+)$"), {}});
  recipe::Book book = test::book_of(recipe);
  auto xml = [](const char* password, int at, const char* host) {
    return base::str("<c>\n <revision>", at, "</revision>\n <password>", password, "</password>\n <host>",
                     host, "</host>\n</c>\n");
  };
  auto put = [&](const std::string& a, const std::string& b) {
    return depot->store(pulled("edge1", {{"a.conf", b}, {"c.xml", a}}), book);
  };
  ASSERT_TRUE(put(xml("hunter2", 1, "x"), "secret s3cr3t\nport 1\n"));
  EXPECT_EQ(depot->diff({"edge1", "", "", false}, book).error().fault, Fault::missing);
  ASSERT_TRUE(put(xml("hunter2", 2, "x"), "secret s3cr3t\nport 1\n"));
  EXPECT_EQ(*depot->diff({"edge1", "", "", false}, book), "");
  EXPECT_EQ(count(*depot->diff({"edge1", "", "", true}, book), "<revision>2"), 1u);
  ASSERT_TRUE(put(xml("hunter3", 3, "y"), "secret s3cr3t\nport 2\n"));
  std::string diff = *depot->diff({"edge1", "", "", false}, book);
  EXPECT_EQ(count(diff, "--- a/edge1/c.xml\n+++ b/edge1/c.xml\n@@ "), 1u) << diff;
  EXPECT_EQ(count(diff, "<password>[secret "), 2u) << diff;
  EXPECT_EQ(count(diff, "\n secret [secret "), 1u) << diff;
  EXPECT_EQ(count(diff, "+ <host>y</host>\n"), 1u);
  for (const char* hidden : {"hunter", "s3cr3t", "revision"}) EXPECT_EQ(count(diff, hidden), 0u) << diff;
  std::string shown = *depot->masked("edge1", "", "a.conf", "secret s3cr3t\nport 2\n", book);
  EXPECT_EQ(shown.size(), std::string("secret [secret 01234567]\nport 2\n").size()) << shown;
  EXPECT_EQ(depot->diff({"edge1", "", "", false}, kNoRecipes).error().fault, Fault::config);
}

TEST_F(Kept, AnOldRevisionIsMaskedByItsOwnRecipe) {
  recipe::Recipe old, now;
  old.name = "old";
  old.hidden.push_back({"*", recipe::Hidden::Kind::secret, pattern("(?m)^secret (\\S+)$"), {}});
  now.name = "pfsense";
  recipe::Book book({{"old", std::make_shared<const recipe::Recipe>(old)},
                     {"pfsense", std::make_shared<const recipe::Recipe>(now)}});
  console::History::Snapshot first = pulled("edge1", {{"a", "secret hunter2\n"}});
  first.recipe = "old 1";
  auto was = depot->store(first, book);
  ASSERT_TRUE(was);
  ASSERT_TRUE(depot->store(pulled("edge1", {{"a", "secret hunter3\n"}}), book));
  std::string bytes = *depot->file("edge1", was->revision, "a");
  for (const std::string& revision : {was->revision, std::string("@1")})
    EXPECT_EQ(count(*depot->masked("edge1", revision, "a", bytes, book), "hunter"), 0u) << revision;
  EXPECT_EQ(*depot->masked("edge1", "", "a", bytes, book), bytes);
  console::History::Snapshot aside = pulled("edge9", {{"a", "secret hunter4\n"}});
  aside.recipe = "old 1";
  aside.pulled.files[0].sha256 = std::string(64, '0');
  auto confined = depot->store(aside, book);
  ASSERT_EQ(confined->kind, Kind::quarantined);
  auto shown = depot->masked("edge9", confined->revision, "a", "secret hunter4\n", book);
  ASSERT_TRUE(shown) << shown.error().what;
  EXPECT_EQ(count(*shown, "hunter"), 0u);
}

TEST_F(Kept, UnchangedIsJudgedByTheSha256AsWell) {
  ASSERT_TRUE(store("edge1", {{"a", "1\n"}}));
  ASSERT_EQ(git(dir.path(), "clone -q snapshots.git work"), "");
  std::string meta = test::read_file(dir / "work/edge1/meta.json");
  std::string sum = base::hex(base::sha256("1\n"));
  meta.replace(meta.find(sum), sum.size(), std::string(64, 'e'));
  test::write_file(dir / "work/edge1/meta.json", meta);
  ASSERT_EQ(git(dir / "work", "-c user.name=x -c user.email=x@y commit -qam damage"), "");
  ASSERT_EQ(git(dir / "work", "push -q origin HEAD:main"), "");
  depot = open();
  EXPECT_FALSE(depot->file("edge1", "", "a"));
  auto again = store("edge1", {{"a", "1\n"}});
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->kind, Kind::stored) << "what is told of the bytes was not right";
  EXPECT_EQ(*depot->file("edge1", "", "a"), "1\n");
  EXPECT_EQ(store("edge1", {{"a", "1\n"}})->kind, Kind::unchanged);
  EXPECT_EQ(git(repository, "log -1 --format=%s"), "edge1: 0 files +0 -0\n");
  EXPECT_EQ(fsck(), "");
}

TEST_F(Kept, AStrangeFolderInItsPlaceIsLeftAlone) {
  ASSERT_EQ(git(dir.path(), "init -q --bare snapshots.git"), "");
  auto stored = store("edge1", {{"a", "x"}});
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().fault, Fault::failed);
  EXPECT_EQ(count(stored.error().what, "not a history of snapshots"), 1u) << stored.error().what;
  EXPECT_EQ(git(repository, "for-each-ref"), "");
  ASSERT_EQ(::system(("rm -r '" + repository + "'").c_str()), 0);
  EXPECT_TRUE(store("edge1", {{"a", "x"}})) << "it is tried again";
}

TEST_F(Kept, LocksOfAKilledWriterAreRemoved) {
  ASSERT_TRUE(store("edge1", {{"a", "1\n"}}));
  depot.reset();
  for (const char* left : {"HEAD.lock", "config.lock", "refs/heads/main.lock", "packed-refs.lock"})
    test::write_file(repository + "/" + left, "");
  depot = open();
  auto stored = store("edge1", {{"a", "2\n"}});
  EXPECT_TRUE(stored) << stored.error().what;
  EXPECT_EQ(fsck(), "");
}

TEST_F(Kept, NothingIsHalfStoredWhenTheDiskIsFull) {
  auto first = store("edge1", {{"a", "1\n"}});
  std::string large;
  for (unsigned i = 0; i < 40'000; ++i) large += base::hex(base::sha256(base::str(i))).substr(0, 9);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit full{16 * 1024, before.rlim_max};
  auto old = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &full);
  auto stored = store("edge1", {{"a", "2\n"}, {"b", large}});
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old);
  ASSERT_FALSE(stored);
  EXPECT_EQ(count(stored.error().what, "File too large"), 1u) << stored.error().what;
  EXPECT_EQ(git(repository, "rev-parse main"), first->revision + "\n");
  EXPECT_EQ(fsck(), "");
  EXPECT_TRUE(store("edge1", {{"a", "2\n"}, {"b", large}}));
  EXPECT_EQ(fsck(), "");
}

std::string bytes_of(int number) { return base::str(number, std::string(700, 'x'), "\n"); }

// Stores revision `number` and tells what was said of it: a line "REVISION DEVICE NUMBER".
bool put(Depot& depot, int number, std::string& told) {
  std::string device = number % 2 ? "edge1" : "edge2";
  auto stored = depot.store(pulled(device, {{"a", bytes_of(number)}}), kNoRecipes);
  if (stored) told += base::str(stored->revision, " ", device, " ", number, "\n");
  return static_cast<bool>(stored);
}

constexpr int kBefore = 56;  // revisions: so many that a few more are packed

// A state with a small pack, a view, and as many loose objects as may be.
std::string make_state(const std::string& state) {
  std::string told;
  Depot depot(state, "oobd", [](std::string_view) {});
  for (int i = 0; i < kBefore; ++i) {
    EXPECT_TRUE(put(depot, i, told));
    if (i != 6) continue;
    EXPECT_TRUE(depot.view({"edge1"}));
    auto repository = Repository::open(state + "/snapshots.git");
    EXPECT_TRUE(pack(*repository, [](std::string_view) {}));
  }
  return told;
}

// Does all that changes a disk; what it was told is kept goes into `to`.
void scenario(const std::string& state, int to, const Step& step) {
  Depot depot(state, "oobd", step);
  for (int i = 0; i < 4; ++i) {
    std::string told;
    if (!put(depot, kBefore + i, told)) ::_exit(1);
    if (::write(to, told.data(), told.size()) != static_cast<ssize_t>(told.size())) ::_exit(1);
    if (i == 1 && !depot.store(pulled("edge1", {{"a", "cut"}}), kNoRecipes)) ::_exit(1);
    if (i == 1 && (!depot.tidy() || !depot.view({"edge1"}) || !depot.view({"edge2"}))) ::_exit(1);
  }
}

// Asks the stock git for each that was told of, and for its bytes.
void expect_kept(const std::string& repository, const std::string& folder, const std::string& told) {
  std::string wishes, expected;
  base::split(told, '\n', [&](std::string_view line) {
    std::istringstream words{std::string(line)};
    std::string revision, device;
    int number = 0;
    if (!(words >> revision >> device >> number)) return;
    wishes += base::str(revision, ":", device, "/a\n");
    expected += base::str("blob\n", bytes_of(number), "\n");
  });
  test::write_file(folder + "/wishes", wishes);
  std::string found = git(repository, "cat-file --batch='%(objecttype)' < '" + folder + "/wishes'");
  ASSERT_TRUE(found == expected) << "what was stored is not there: " << found.substr(0, 200);
}

// Folders are made in memory while it lives, where there is such a place: for tests that ask thousands of
// times that something be on the disk, and only ever end a process.
class InMemory {
 public:
  InMemory() {
    if (const char* was = std::getenv("TMPDIR")) was_ = was;
    if (::access("/dev/shm", W_OK | X_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 1);
  }
  ~InMemory() {
    if (was_)
      ::setenv("TMPDIR", was_->c_str(), 1);
    else
      ::unsetenv("TMPDIR");
  }
  InMemory(const InMemory&) = delete;
  InMemory& operator=(const InMemory&) = delete;

 private:
  std::optional<std::string> was_;
};

TEST(Depot, LosesNothingWhereverItIsKilled) {
  InMemory folders;
  TempDir before, counted;
  auto copy = [&](const TempDir& to) {
    std::filesystem::copy(before.path(), to.path(), std::filesystem::copy_options::recursive);
  };
  std::string told_before = make_state(before.path());
  copy(counted);
  std::map<std::string, int> steps;
  base::Fd nobody(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  scenario(counted.path(), nobody.get(), [&](std::string_view step) { ++steps[std::string(step)]; });
  for (const char* name :
       {"open", "blob", "meta", "folder", "root", "commit", "ref", "stored", "quarantine", "pack.write",
        "pack.drop", "loose.drop", "view.open", "view.pack", "view.ref", "view.upto"})
    ASSERT_GT(steps[name], 0) << name;
  // Before the first of each kind and before one in the middle.
  std::set<std::pair<std::string, int>> kills;
  for (const auto& [name, times] : steps)
    for (int which : {0, times / 2}) kills.emplace(name, which);
  for (const auto& [name, which] : kills) {
    SCOPED_TRACE(base::str("killed before ", name, " ", which));
    TempDir dir;
    copy(dir);
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    base::Fd heard(ends[0]), to(ends[1]);
    pid_t child = ::fork();
    if (child == 0) {
      int seen = 0;
      scenario(dir.path(), to.get(), [&](std::string_view step) {
        if (step == name && seen++ == which) ::_exit(9);
      });
      ::_exit(0);
    }
    to.reset();
    std::string told = told_before;
    char piece[4096];
    for (ssize_t got; (got = ::read(heard.get(), piece, sizeof piece)) > 0;)
      told.append(piece, static_cast<std::size_t>(got));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(WEXITSTATUS(status), 9);

    std::string repository = dir / "snapshots.git";
    expect_kept(repository, dir.path(), told);
    Depot depot(dir.path(), "oobd", [](std::string_view) {});
    auto known = depot.known();
    ASSERT_TRUE(known) << known.error().what;
    ASSERT_TRUE(put(depot, kBefore + 101, told));
    auto view = depot.view({"edge1"});
    ASSERT_TRUE(view) << view.error().what;
    ASSERT_EQ(git(repository, "fsck --strict --full --no-dangling"), "");
    ASSERT_EQ(git(view->path, "fsck --strict --full --no-dangling"), "");
    ASSERT_EQ(git(view->path, "show main:edge1/a"), bytes_of(kBefore + 101));
    expect_kept(repository, dir.path(), told);
  }
}

TEST_F(Kept, PackingLeavesEveryObject) {
  std::set<std::string> before;
  for (int i = 0; i < 200; ++i) {
    std::string device = base::str("d", i % 3);
    ASSERT_TRUE(store(device, {{"a", base::str("line\n", i, "\n")}}));
    if (i % 50 == 0) {
      ASSERT_TRUE(store(device, {{"a", ""}}));
    }
    ASSERT_TRUE(depot->tidy());
  }
  EXPECT_LT(count_loose(*Repository::open(repository)), kLooseAtMost + 10);
  EXPECT_LT(count_packs(*Repository::open(repository)), 8u);
  EXPECT_EQ(fsck(), "");
  EXPECT_EQ(git(repository, "rev-list --count main"), "200\n");
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(depot->file("d1", base::str("@", i), "a")) << i;
  depot = open();
  EXPECT_EQ(depot->known()->size(), 3u);
}

}  // namespace
}  // namespace oob::snapshot

#include "console/upload_pack.h"

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "base/landlock.h"
#include "base/sha256.h"
#include "console/upload_pack_job.h"
#include "tests/console/one_revision.h"
#include "tests/console/visit.h"

namespace oob::console {

using test::Board;
using test::OneRevision;
using test::run_until;
using test::Visit;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

namespace {

// Runs a command of /bin/sh in a folder; its work is the test's setting, not what is tested.
void prepare(const std::string& folder, const std::string& command) {
  std::string whole =
      base::str("cd '", folder,
                "' && unset GIT_DIR GIT_TRACE && export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 "
                "GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
                "GIT_COMMITTER_EMAIL=a@b && { ",
                command, "; } >/dev/null 2>&1");
  ASSERT_EQ(std::system(whole.c_str()), 0) << command;
}

// A board whose history is a repository of one commit with a file of `size` random bytes, and a hidden ref.
class KeptHistory : public Board {
 public:
  explicit KeptHistory(std::size_t size = 1000) {
    core.history = &history;
    for (const char* name : {"r1", "r2", "x1"}) history.add(name, "config.xml", "c");
    allow({auth::Action::watch, auth::Action::snapshot});
    history.repository = dir / "view.git";
    prepare(dir.path(),
            base::str("git init -q --bare view.git && git init -q work && cd work && head -c ", size,
                      " /dev/urandom > file && git add file && git commit -qm one && "
                      "git push -q ../view.git HEAD:refs/heads/main "
                      "HEAD:refs/quarantine/r1 && git --git-dir=../view.git symbolic-ref HEAD "
                      "refs/heads/main"));
  }
  OneRevision history{loop};
};

std::string pkt_line(const std::string& text) {
  char length[8];
  std::snprintf(length, sizeof length, "%04zx", text.size() + 4);
  return length + text;
}

// The commit that is advertised first.
std::string tip_of(const std::string& advertisement) { return advertisement.substr(4, 40); }
std::string wish_for(const std::string& tip) {
  return pkt_line(base::str("want ", tip, " ofs-delta\n")) + "0000" + pkt_line("done\n");
}

// How many children this process has, zombies too.
int children_now() {
  int count = 0;
  for (const auto& each : std::filesystem::directory_iterator("/proc")) {
    std::string stat = test::read_file(each.path().string() + "/stat");
    std::size_t name = stat.rfind(") ");
    if (name == std::string::npos) continue;
    if (std::atoi(stat.c_str() + name + 4) == ::getpid()) ++count;
  }
  return count;
}

}  // namespace

TEST(Clone, GivesWhatOneMaySnapshotWrittenDownFirst) {
  KeptHistory board;
  Visit visit(board, "alice", "git-upload-pack '/snapshots'");
  ASSERT_TRUE(visit.wait_for("refs/heads/main")) << visit.err;
  EXPECT_THAT(board.history.viewed, ElementsAre("r1", "r2"));
  EXPECT_THAT(board.journal_text(), HasSubstr(R"("count":2,"devices":"r1 r2","ev":"clone")"));
  EXPECT_THAT(board.journal_text(), HasSubstr(base::str(R"("sums":")", base::hex(base::sha256("r1\nr2\n")))));
  EXPECT_FALSE(board.history.held.expired()) << "it stays while it is read";
  EXPECT_THAT(visit.out, Not(HasSubstr("quarantine")));
  EXPECT_THAT(visit.out, Not(HasSubstr(" filter")));
  std::string tip = tip_of(visit.out);
  visit.type(wish_for(tip));
  EXPECT_EQ(visit.wait(), 0) << visit.err;
  EXPECT_THAT(visit.out, HasSubstr("PACK"));
  EXPECT_EQ(visit.err, "");
  EXPECT_EQ(children_now(), 0);
}

TEST(Clone, NamesEveryDeviceOfWhichSomethingIsGiven) {
  KeptHistory board;
  board.history.failed("r3", "it does not answer");  // and never did
  std::string lines;
  for (int i = 100; i < 900; ++i) board.history.add(base::str("r-", i), "config.xml", "c");
  for (const auto& [device, latest] : board.history.latest())
    if (device != "x1" && device != "r3") lines += device + "\n";
  Visit visit(board, "alice", "git-upload-pack /snapshots");
  ASSERT_TRUE(visit.wait_for("refs/heads/main")) << visit.err;
  std::string journal = board.journal_text();
  EXPECT_THAT(journal, HasSubstr(R"("count":802,)"));
  EXPECT_THAT(journal, HasSubstr(R"(...","ev":"clone")")) << "the names are cut";
  EXPECT_THAT(journal, HasSubstr(base::str(R"("sums":")", base::hex(base::sha256(lines)))));
  visit.type("0000");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_TRUE(run_until(board.loop, [&] { return board.history.held.expired(); }));
}

TEST(Clone, IsAskedForBySeveralNames) {
  KeptHistory board;
  for (const char* name : {"/snapshots", "snapshots", "'/snapshots.git'", "snapshots.git", "'/snapshots/'"}) {
    Visit visit(board, "alice", base::str("git-upload-pack ", name));
    ASSERT_TRUE(visit.wait_for("refs/heads/main")) << name << visit.err;
    visit.type("0000");
    EXPECT_EQ(visit.wait(), 0) << name;
  }
}

TEST(Clone, IsOfNothingElse) {
  KeptHistory board;
  for (const char* name : {"/", "/etc", "/snapshots/../state", "/snapshots.git.git", "--help"}) {
    Visit visit(board, "alice", base::str("git-upload-pack ", name));
    EXPECT_EQ(visit.wait(), 66) << name;
    EXPECT_THAT(visit.err, HasSubstr("no such repository: ")) << name;
  }
  Visit two(board, "alice", "git-upload-pack --strict /snapshots");
  EXPECT_EQ(two.wait(), 64);
  Visit without(board, "bob", "git-upload-pack /snapshots");
  EXPECT_EQ(without.wait(), 77);
  board.core.history = nullptr;
  Visit none(board, "alice", "git-upload-pack /snapshots");
  EXPECT_EQ(none.wait(), 66);
}

TEST(Clone, TellsOtherProgramsWhatToDoInstead) {
  KeptHistory board;
  struct {
    const char *command, *says;
    int status;
  } all[] = {{"git-receive-pack '/snapshots'", "read only", 77},
             {"git-upload-archive '/snapshots'", "git clone", 64},
             {"scp -f /snapshots/r1/config.xml", "'scp -s'", 64},
             {"scp -t /snapshots", "sftp", 64},
             {"rsync --server --sender -l . /snapshots", "sftp", 64}};
  for (const auto& each : all) {
    Visit visit(board, "alice", each.command);
    EXPECT_EQ(visit.wait(), each.status) << each.command;
    EXPECT_THAT(visit.err, HasSubstr(each.says)) << each.command;
    EXPECT_EQ(visit.out, "");
  }
}

TEST(Clone, RunsInAnEmptyEnvironmentAndLeavesTheRepositoryAsItIs) {
  KeptHistory board;
  ::setenv("GIT_TRACE", "1", 1);
  ::setenv("GIT_DIR", "/nonexistent", 1);
  prepare(board.dir.path(), "chmod -R a-w view.git && find view.git | sort > before");
  Visit visit(board, "alice", "git-upload-pack /snapshots");
  EXPECT_TRUE(visit.wait_for("refs/heads/main")) << visit.err;
  visit.type(wish_for(tip_of(visit.out)));
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.err, "");
  prepare(board.dir.path(), "find view.git | sort > after && cmp before after");
  ::unsetenv("GIT_TRACE");
  ::unsetenv("GIT_DIR");
  prepare(board.dir.path(), "chmod -R u+w view.git");
}

TEST(Clone, ReadsNothingBesideItsRepository) {
  if (base::landlock_abi() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  KeptHistory board;
  prepare(board.dir.path(),
          "git clone -q --bare --shared view.git leads.git && test -s leads.git/objects/info/alternates");
  board.history.repository = board.dir / "leads.git";
  Visit visit(board, "alice", "git-upload-pack /snapshots");
  ASSERT_TRUE(visit.wait_for("refs/heads/main")) << visit.err;
  visit.type(wish_for(tip_of(visit.out)));
  EXPECT_EQ(visit.wait(), 128) << "its objects lie elsewhere";
  EXPECT_THAT(visit.out, Not(HasSubstr("PACK")));
  EXPECT_TRUE(run_until(board.loop, [] { return children_now() == 0; }));
}

TEST(Clone, SaysWhatKeepsGitFromStarting) {
  Board board;
  UploadPack pack(board.loop, board.blocking);
  base::Result<> started = pack.start(board.dir / "nothing", board.dir.path(), {});
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().what, HasSubstr("No such file or directory"));
  EXPECT_EQ(children_now(), 0);
}

TEST(Clone, ShowsWhatGitSays) {
  KeptHistory board;
  board.history.repository = board.dir / "nothing";
  Visit visit(board, "alice", "git-upload-pack /snapshots");
  EXPECT_EQ(visit.wait(), 128);
  EXPECT_THAT(visit.err, HasSubstr("git: fatal: "));
}

TEST(Clone, EndsWithItsVisitor) {
  KeptHistory board(4 << 20);
  Visit visit(board, "alice", "git-upload-pack /snapshots");
  ASSERT_TRUE(visit.wait_for("refs/heads/main"));
  EXPECT_EQ(children_now(), 1);
  visit.hang_up();
  EXPECT_TRUE(run_until(board.loop, [] { return children_now() == 0; }));
}

TEST(Clone, WaitsForAClientThatDoesNotRead) {
  KeptHistory board(1 << 20);
  Visit visit(board, "alice", "git-upload-pack /snapshots"), other(board, "alice", "list");
  ASSERT_TRUE(visit.wait_for("refs/heads/main"));
  visit.type(wish_for(tip_of(visit.out)));
  EXPECT_EQ(other.wait(), 0);
  visit.out.clear();
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_GT(visit.out.size(), 1u << 20);
}

TEST(Clone, IsDoneByFourAtOnce) {
  KeptHistory board;
  std::vector<std::unique_ptr<Visit>> visits;
  for (std::size_t i = 0; i < UploadPackJob::kMostAtOnce; ++i) {
    visits.push_back(std::make_unique<Visit>(board, "alice", "git-upload-pack /snapshots"));
    ASSERT_TRUE(visits.back()->wait_for("refs/heads/main"));
  }
  Visit more(board, "alice", "git-upload-pack /snapshots");
  EXPECT_EQ(more.wait(), 75);
  visits.pop_back();
  EXPECT_TRUE(run_until(board.loop, [&] { return board.core.sessions.size() == visits.size(); }));
  Visit now(board, "alice", "git-upload-pack /snapshots");
  EXPECT_TRUE(now.wait_for("refs/heads/main"));
  visits.clear();
  now.hang_up();
  EXPECT_TRUE(run_until(board.loop, [] { return children_now() == 0; }));
}

TEST(Clone, EndsWhenARightDoes) {
  KeptHistory board;
  Visit visit(board, "alice", "git-upload-pack /snapshots");
  ASSERT_TRUE(visit.wait_for("refs/heads/main"));
  board.allow({auth::Action::watch});
  EXPECT_EQ(visit.wait(), 77);
  EXPECT_TRUE(run_until(board.loop, [] { return children_now() == 0; }));
}

}  // namespace oob::console

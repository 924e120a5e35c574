#include "oobd/disk_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>

#include "console/reports.h"
#include "tests/console/visit.h"

namespace oob {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::uint64_t kMebi = 1024 * 1024;

// A guard over a disk whose figures the test says. What is in the state folder is real.
class Guarded {
 public:
  explicit Guarded(AuditConfig config = {}) : config(config) {
    guard.emplace(board.core, config,
                  DiskGuard::Options{.pause_recordings = [this](bool paused) { this->paused = paused; },
                                     .space = [this]() -> base::Result<audit::DiskSpace> {
                                       ++looks;
                                       if (blind)
                                         return base::fail(base::Fault::internal,
                                                           "state: Input/output error");
                                       unsigned percent = this->percent;
                                       return audit::DiskSpace{percent * kMebi, (100 - percent) * kMebi};
                                     },
                                     .reserve = [this]() -> std::uint64_t { return reserve; }});
    look_at(10);
  }
  // Whether the guard has seen so full a disk.
  void look_at(unsigned so_full) {
    percent = so_full;
    int before = looks;
    guard->look();
    EXPECT_TRUE(
        test::run_until(board.loop, [&] { return looks > before && board.core.disk.percent == so_full; }));
  }
  std::string add_recording(const std::string& id, std::size_t bytes) {
    std::string folder = board.dir / "recordings/2026/01/01";
    fs::create_directories(folder);
    std::string path = folder + "/" + id + ".cast";
    test::write_file(path, std::string(bytes, 'x'));
    return path;
  }
  const console::DiskState& disk() const { return board.core.disk; }

  test::Board board;
  std::atomic<unsigned> percent{10};
  std::atomic<int> looks{0};
  std::atomic<bool> blind{false};
  std::atomic<std::uint64_t> reserve{0};
  bool paused = false;
  AuditConfig config;
  std::optional<DiskGuard> guard;
};

TEST(DiskGuard, SaysHowFullTheDiskIsAndThatItHasRoomAgain) {
  Guarded guarded;
  EXPECT_EQ(guarded.disk().warning, "");
  guarded.look_at(81);
  EXPECT_EQ(guarded.disk().warning,
            "THE DISK IS 81 % FULL: from 90 % on the oldest recordings and transcripts are removed");
  EXPECT_TRUE(guarded.board.journalled(R"("ev":"disk.level","from":"fine")"));
  EXPECT_TRUE(guarded.board.journalled(R"("percent":81,)"));
  guarded.look_at(79);
  EXPECT_EQ(guarded.disk().level, "warn");
  guarded.look_at(78);
  EXPECT_EQ(guarded.disk().warning, "");
  EXPECT_TRUE(guarded.board.journalled(R"("ev":"disk.level","from":"warn")"));
}

TEST(DiskGuard, TellsWhoComesInOnATerminalAndWhoOpensAConsoleButNoScript) {
  Guarded guarded;
  guarded.look_at(81);
  test::Visit person(guarded.board, "alice", "list", true), script(guarded.board, "alice", "list"),
      console(guarded.board, "alice", "attach r1");
  EXPECT_EQ(person.wait(), 0);
  EXPECT_THAT(person.err, HasSubstr("[oobd: THE DISK IS 81 % FULL: "));
  EXPECT_EQ(script.wait(), 0);
  EXPECT_EQ(script.err, "");
  EXPECT_TRUE(console.wait_for("[oobd: THE DISK IS 81 % FULL: "));
}

TEST(DiskGuard, TellsThoseWhoAreOnAConsole) {
  Guarded guarded;
  test::Visit watcher(guarded.board, "bob", "attach r1");
  ASSERT_TRUE(watcher.wait_for("r1"));
  guarded.look_at(96);
  EXPECT_TRUE(watcher.wait_for("THE DISK IS 96 % FULL: "));
  guarded.look_at(50);
  EXPECT_TRUE(watcher.wait_for("the disk has room again: 50 % full"));
}

TEST(DiskGuard, PausesTheRecordingOfOutputWhileTheDiskIsCritical) {
  Guarded guarded;
  guarded.look_at(94);
  EXPECT_FALSE(guarded.paused);
  guarded.look_at(95);
  EXPECT_TRUE(guarded.paused);
  guarded.look_at(94);
  EXPECT_TRUE(guarded.paused);
  guarded.look_at(93);
  EXPECT_FALSE(guarded.paused);
}

TEST(DiskGuard, RemovesTheOldestAboveTheFloorWhenTheDiskIsNearlyFull) {
  AuditConfig config;
  config.recordings.floor = 5000;
  config.recordings.keep = 0;  // these are old, and the first round by age may still be under way
  Guarded guarded(config);
  std::string one = guarded.add_recording("20260101-100000-1", 5000),
              two = guarded.add_recording("20260101-100000-2", 5000),
              three = guarded.add_recording("20260101-100000-3", 5000),
              held = guarded.add_recording("20260101-100000-0", 5000);
  fs::create_directories(guarded.board.dir / "recordings/holds");
  test::write_file(guarded.board.dir / "recordings/holds/20260101-100000-0", "");
  guarded.look_at(89);
  guarded.look_at(91);
  EXPECT_TRUE(test::run_until(guarded.board.loop, [&] { return guarded.disk().recordings == 2; }));
  EXPECT_FALSE(fs::exists(one));
  EXPECT_FALSE(fs::exists(two));
  EXPECT_TRUE(fs::exists(three));
  EXPECT_TRUE(fs::exists(held));
  EXPECT_EQ(test::count(guarded.board.journal_text(), R"("why":"disk")"), 2u);
  EXPECT_TRUE(test::run_until(guarded.board.loop, [&] { return !guarded.disk().trouble.empty(); }));
  EXPECT_THAT(guarded.disk().trouble, HasSubstr("nothing more may be removed"));
  EXPECT_EQ(guarded.disk().holds, 1u);
  guarded.look_at(50);
  EXPECT_EQ(guarded.disk().trouble, "");
}

TEST(DiskGuard, LetsEverybodyInOnAFullDiskButSaysSo) {
  Guarded guarded;
  guarded.look_at(100);
  EXPECT_EQ(guarded.disk().refusal, "");
  test::Visit person(guarded.board, "alice", "attach r1", true);
  EXPECT_TRUE(
      person.wait_for("[oobd: THE DISK IS FULL (100 %): what is done and said here is not recorded]"));
  person.type("ls\r");
  EXPECT_TRUE(
      test::run_until(guarded.board.loop, [&] { return guarded.board.lines["r1"]->typed == "ls\r"; }));
}

TEST(DiskGuard, RefusesSessionsAndKeystrokesOnAFullDiskWhereThatIsWanted) {
  AuditConfig config;
  config.refuse = true;
  Guarded guarded(config);
  test::Visit there(guarded.board, "alice", "attach r1", true), prompt(guarded.board, "alice", "", true);
  ASSERT_TRUE(there.wait_for("you may type"));
  guarded.look_at(100);
  test::Visit person(guarded.board, "alice", "list");
  EXPECT_EQ(person.wait(), 74);
  EXPECT_THAT(person.err, HasSubstr("oobd: THE DISK IS FULL"));
  EXPECT_THAT(person.err, HasSubstr("Cure: make room on the board below " + guarded.board.dir.path()));
  EXPECT_EQ(person.out, "");
  there.type("rm -rf /\r");
  EXPECT_TRUE(there.wait_for("no keystroke is taken"));
  prompt.type("send r1 hello\r");
  EXPECT_TRUE(prompt.wait_for("no keystroke is taken"));
  guarded.board.lines["r1"]->say("still shown");
  EXPECT_TRUE(there.wait_for("still shown"));
  EXPECT_EQ(guarded.board.lines["r1"]->typed, "");
  guarded.look_at(50);
  there.type("ls\r");
  EXPECT_TRUE(
      test::run_until(guarded.board.loop, [&] { return guarded.board.lines["r1"]->typed == "ls\r"; }));
  test::Visit again(guarded.board, "alice", "list");
  EXPECT_EQ(again.wait(), 0);
}

TEST(DiskGuard, IsFullWhileTheJournalsReserveIsGone) {
  AuditConfig config;
  config.reserve = 90 * kMebi;
  Guarded guarded(config);
  guarded.reserve = 90 * kMebi;
  guarded.look_at(20);
  EXPECT_EQ(guarded.disk().reserve, 90 * kMebi);
  EXPECT_EQ(guarded.disk().level, "fine");
  guarded.reserve = 89 * kMebi;
  guarded.look_at(21);
  EXPECT_EQ(guarded.disk().level, "full");
  EXPECT_EQ(guarded.disk().warning, "THE JOURNAL LIVES FROM ITS RESERVE: the disk is 21 % full");
  guarded.look_at(5);  // room enough to fill it up again
  EXPECT_EQ(guarded.disk().level, "fine");
  guarded.reserve = 90 * kMebi;
  guarded.look_at(20);
  EXPECT_EQ(guarded.disk().level, "fine");
}

TEST(DiskGuard, SaysWhyItCanNotLook) {
  Guarded guarded;
  guarded.blind = true;
  guarded.guard->look();
  EXPECT_TRUE(test::run_until(guarded.board.loop, [&] { return !guarded.disk().trouble.empty(); }));
  EXPECT_EQ(guarded.disk().trouble, "the disk can't be looked at: state: Input/output error");
  guarded.blind = false;
  guarded.look_at(20);
  EXPECT_EQ(guarded.disk().trouble, "");
}

TEST(DiskGuard, TakesNewLimitsAtAReload) {
  Guarded guarded;
  guarded.look_at(60);
  EXPECT_EQ(guarded.disk().level, "fine");
  guarded.config.disk_warn = 50;
  guarded.guard->adopt(guarded.config);
  EXPECT_TRUE(test::run_until(guarded.board.loop, [&] { return guarded.disk().level == "warn"; }));
}

TEST(DiskGuard, IsInStatusAndMetrics) {
  Guarded guarded;
  guarded.look_at(91);
  console::Visitor root;
  root.who = auth::Policy::local(0);
  EXPECT_THAT(console::status_report(guarded.board.core, root, false),
              HasSubstr("THE DISK IS 91 % FULL: the oldest recordings and transcripts are removed"));
  EXPECT_THAT(console::status_report(guarded.board.core, root, true),
              HasSubstr(R"("level":"shed","percent":91)"));
  std::string metrics = console::metrics_report(guarded.board.core, root);
  EXPECT_THAT(metrics, HasSubstr("\noobd_disk_used_ratio 0.910000\n"));
  EXPECT_THAT(metrics, HasSubstr("\noobd_disk_level 2\n"));
  EXPECT_THAT(metrics, HasSubstr("\noobd_removed_files_total{kind=\"recording\"} 0\n"));
}

}  // namespace
}  // namespace oob

#include "serial/path_watch.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>

#include "tests/support/support.h"

namespace oob::serial {
namespace {

namespace files = std::filesystem;

struct PathWatchTest : testing::Test {
  base::Loop loop;
  PathWatch watch{loop};
  test::TempDir dir;
  std::string path = dir / "port";
  int calls = 0;
  std::function<void()> count = [this] { ++calls; };

  // Long enough for two looks.
  void idle() {
    bool over = false;
    base::Timer timer(loop);
    timer.after(2 * PathWatch::kEvery + base::milliseconds(100), [&] { over = true; });
    test::run_until(loop, [&] { return over; });
  }
};

TEST_F(PathWatchTest, CallsOnceWhenAPathAppears) {
  PathWatch::Wait wait(watch, path, look_at(path), count);
  idle();
  EXPECT_EQ(calls, 0);
  test::write_file(path, "");
  EXPECT_TRUE(test::run_until(loop, [&] { return calls == 1; }));
  files::remove(path);
  idle();
  test::write_file(path, "");
  idle();
  EXPECT_EQ(calls, 1);
}

TEST_F(PathWatchTest, KeepsStillWhileAPathStaysWhatItWas) {
  test::write_file(path, "");
  PathWatch::Wait wait(watch, path, look_at(path), count);
  idle();
  EXPECT_EQ(calls, 0);
}

TEST_F(PathWatchTest, NoticesALinkThatLeadsElsewhere) {
  test::write_file(dir / "ttyUSB0", "");
  test::write_file(dir / "ttyUSB1", "");
  files::create_symlink("ttyUSB0", path);
  PathWatch::Wait wait(watch, path, look_at(path), count);
  idle();
  EXPECT_EQ(calls, 0);
  files::remove(path);
  files::create_symlink("ttyUSB1", path);
  EXPECT_TRUE(test::run_until(loop, [&] { return calls == 1; }));
}

TEST_F(PathWatchTest, NoticesThatPermissionsWereGranted) {
  test::write_file(path, "", 0000);
  PathWatch::Wait wait(watch, path, look_at(path), count);
  idle();
  ::chmod(path.c_str(), 0660);
  EXPECT_TRUE(test::run_until(loop, [&] { return calls == 1; }));
}

TEST_F(PathWatchTest, NoticesWhatHappenedBeforeItWasAsked) {
  PathIdentity seen = look_at(path);
  test::write_file(path, "");
  PathWatch::Wait wait(watch, path, seen, count);
  EXPECT_TRUE(test::run_until(loop, [&] { return calls == 1; }));
}

TEST_F(PathWatchTest, DropsAWaitThatIsDestroyed) {
  auto wait = std::make_unique<PathWatch::Wait>(watch, path, look_at(path), count);
  wait.reset();
  test::write_file(path, "");
  idle();
  EXPECT_EQ(calls, 0);
}

TEST_F(PathWatchTest, MayBeChangedFromInsideItsCalls) {
  std::unique_ptr<PathWatch::Wait> first, second, third;
  // Whichever is called first drops the other and itself, and begins a third.
  auto begin_third = [&] {
    count();
    first.reset();
    second.reset();
    third = std::make_unique<PathWatch::Wait>(watch, dir / "other", PathIdentity{}, count);
  };
  first = std::make_unique<PathWatch::Wait>(watch, path, PathIdentity{}, begin_third);
  second = std::make_unique<PathWatch::Wait>(watch, path, PathIdentity{}, begin_third);
  test::write_file(path, "");
  EXPECT_TRUE(test::run_until(loop, [&] { return calls == 1; }));
  test::write_file(dir / "other", "");
  EXPECT_TRUE(test::run_until(loop, [&] { return calls == 2; }));
}

}  // namespace
}  // namespace oob::serial

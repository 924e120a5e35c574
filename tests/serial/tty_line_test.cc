#include "serial/tty_line.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "serial/lines.h"
#include "serial/speed.h"
#include "tests/serial/line_kit.h"

namespace oob::serial {
namespace {

namespace files = std::filesystem;

struct TtyLineTest : testing::Test {
  base::Loop loop;
  base::Blocking blocking{loop};
  PathWatch paths{loop};

  std::unique_ptr<TtyLine> tty(TtySettings settings) {
    return std::make_unique<TtyLine>(loop, blocking, paths, std::move(settings));
  }
  bool settles(const std::function<bool()>& condition) { return test::run_until(loop, condition); }
};

TEST_F(TtyLineTest, CarriesBytesBothWaysUnchanged) {
  test::Pty pty;
  auto line = tty({.path = pty.path});
  ASSERT_TRUE(test::open_line(loop, *line));
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  pty.say(all);
  EXPECT_EQ(test::hear(loop, *line, 256), all);
  ASSERT_TRUE(test::say(loop, *line, all));
  EXPECT_EQ(pty.hear(256), all);
  EXPECT_EQ(line->describe(), pty.path + " 115200 8N1");
}

TEST_F(TtyLineTest, BringsAMebibyteThroughASlowPty) {
  test::Pty pty;
  auto line = tty({.path = pty.path});
  ASSERT_TRUE(test::open_line(loop, *line));
  std::string sent(1 << 20, '\0'), got;
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 >> 3);
  auto drain = [&] {
    char buffer[4096];
    for (ssize_t size; (size = ::read(pty.gear.get(), buffer, sizeof buffer)) > 0;)
      got.append(buffer, static_cast<std::size_t>(size));
  };
  ASSERT_TRUE(test::say(loop, *line, sent, drain));
  got += pty.hear(sent.size() - got.size());
  EXPECT_TRUE(got == sent);
}

TEST_F(TtyLineTest, SetsThePtyRawAtAnySpeed) {
  test::Pty pty;
  termios cooked{};
  ::tcgetattr(pty.keep.get(), &cooked);
  cooked.c_lflag |= ICANON | ECHO;
  ::tcsetattr(pty.keep.get(), TCSANOW, &cooked);
  for (unsigned baud : {9600U, 250000U, 1500000U}) {
    auto line = tty({.path = pty.path, .baud = baud, .format = "8N2", .flow = "xonxoff"});
    ASSERT_TRUE(test::open_line(loop, *line));
    EXPECT_EQ(speed(pty.gear.get()), baud);
    termios now{};
    ::tcgetattr(pty.gear.get(), &now);
    EXPECT_FALSE(now.c_lflag & (ICANON | ECHO | ISIG));
    EXPECT_FALSE(now.c_oflag & OPOST);
    EXPECT_TRUE(now.c_iflag & IXON);
    EXPECT_TRUE(now.c_cflag & CSTOPB);
    EXPECT_EQ(line->describe(), pty.path + " " + std::to_string(baud) + " 8N2 xonxoff");
  }
}

TEST_F(TtyLineTest, SaysWhyItDoesNotOpen) {
  test::TempDir dir;
  test::write_file(dir / "file", "");
  auto missing = tty({.path = dir / "none"});
  EXPECT_EQ(test::open_line(loop, *missing).error().what, (dir / "none") + ": No such file or directory");
  auto file = tty({.path = dir / "file"});
  EXPECT_EQ(test::open_line(loop, *file).error().what, (dir / "file") + ": not a tty");
  files::create_symlink("file", dir / "link");
  auto link = tty({.path = dir / "link"});
  EXPECT_EQ(test::open_line(loop, *link).error().what,
            (dir / "link") + " (" + files::canonical(dir / "file").string() + "): not a tty");
}

TEST_F(TtyLineTest, KeepsTheTtyForItselfAndFreesItOnClose) {
  test::Pty pty;
  auto first = tty({.path = pty.path}), second = tty({.path = pty.path});
  ASSERT_TRUE(test::open_line(loop, *first));
  base::Result<> busy = test::open_line(loop, *second);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().what, pty.path + ": in use by another program");
  EXPECT_EQ(busy.error().fault, base::Fault::unavailable);
  first->close();
  EXPECT_TRUE(test::open_line(loop, *second)) << "the lock goes with close(), not some time later";
}

TEST_F(TtyLineTest, LeavesTheSettingsOfAnotherProgramsTtyAlone) {
  test::Pty pty;
  ASSERT_TRUE(set_speed(pty.keep.get(), 1200));
  ASSERT_EQ(::flock(pty.keep.get(), LOCK_EX), 0);
  auto line = tty({.path = pty.path});
  EXPECT_FALSE(test::open_line(loop, *line));
  EXPECT_EQ(speed(pty.gear.get()), 1200U);
}

TEST_F(TtyLineTest, TellsThatItWasUnplugged) {
  test::Pty pty;
  auto line = tty({.path = pty.path});
  ASSERT_TRUE(test::open_line(loop, *line));
  bool told = false;
  line->wait_readable([&] { told = true; });
  pty.gear.reset();
  ASSERT_TRUE(settles([&] { return told; }));
  char buffer[16];
  EXPECT_EQ(line->read(buffer, sizeof buffer).error().what, "unplugged");
  EXPECT_EQ(line->write("x").error().what, "unplugged");
}

TEST_F(TtyLineTest, ComesBackUnderAnotherNumberBehindItsLink) {
  test::TempDir dir;
  std::string path = dir / "pci-0000:00:14.0-usb-0:2:1.0-port0";
  auto first = std::make_unique<test::Pty>();
  std::string first_path = first->path;
  files::create_symlink(first->path, path);
  auto line = tty({.path = path});
  ASSERT_TRUE(test::open_line(loop, *line));
  first->gear.reset();
  files::remove(path);
  EXPECT_EQ(test::loss(loop, *line), "unplugged");
  line->close();
  bool returned = false;
  line->wait_return([&] { returned = true; });
  test::Pty second;
  ASSERT_NE(second.path, first_path);
  files::create_symlink(second.path, path);
  ASSERT_TRUE(settles([&] { return returned; }));
  ASSERT_TRUE(test::open_line(loop, *line));
  second.say("back");
  EXPECT_EQ(test::hear(loop, *line, 4), "back");
}

TEST_F(TtyLineTest, AnswersNothingAfterCloseAndLeavesNoDescriptor) {
  test::Pty pty;
  auto line = tty({.path = pty.path});
  ASSERT_TRUE(test::open_line(loop, *line));
  line->close();
  ASSERT_TRUE(test::open_line(loop, *line));
  line->close();
  line->close();
  int called = 0;
  for (int i = 0; i < 20; ++i) line->open([&](base::Result<>) { ++called; });
  line.reset();
  std::vector<std::unique_ptr<TtyLine>> lines;
  for (int i = 0; i < 20; ++i) {
    lines.push_back(tty({.path = pty.path}));
    lines.back()->open([&](base::Result<>) { ++called; });
  }
  lines.clear();
  auto links_to_pty = [&] {
    int links = 0;
    for (const auto& entry : files::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      if (files::read_symlink(entry.path(), gone) == pty.path) ++links;
    }
    return links;
  };
  EXPECT_TRUE(settles([&] { return links_to_pty() == 1; })) << "only the test's own";
  EXPECT_EQ(called, 0);
}

TEST_F(TtyLineTest, SendsABreakAndHoldsWhatIsTypedMeanwhile) {
  test::Pty pty;
  auto line = tty({.path = pty.path});
  ASSERT_TRUE(test::open_line(loop, *line));
  auto begun = base::Clock::now();
  ASSERT_TRUE(line->send_break(200));
  base::Result<> second = line->send_break(200);
  EXPECT_EQ(second.error().fault, base::Fault::busy);
  EXPECT_EQ(line->write("x").error().fault, base::Fault::again);
  ASSERT_TRUE(test::say(loop, *line, "after"));
  EXPECT_GE(base::Clock::now() - begun, base::milliseconds(200));
  EXPECT_EQ(pty.hear(5), "after");
  EXPECT_TRUE(line->send_break(0));
  line->close();
  ASSERT_TRUE(test::open_line(loop, *line));
  EXPECT_TRUE(test::say(loop, *line, "fresh"));
}

// A driver that hangs in open() until it is let go.
struct Gate {
  std::atomic<bool> open = false;
  std::atomic<int> waiting = 0;
  void release() {
    open = true;
    open.notify_all();
  }
  TtyLine::Open hang() {
    return [this](const TtySettings& settings) {
      ++waiting;
      open.wait(false);
      auto tty = open_tty(settings);
      --waiting;
      return tty;
    };
  }
};

TEST_F(TtyLineTest, IsNotDelayedBy256LinesWhoseDriversHang) {
  Gate gate;
  std::vector<std::unique_ptr<TtyLine>> dead;
  int answers = 0;
  for (int i = 0; i < 256; ++i) {
    dead.push_back(
        std::make_unique<TtyLine>(loop, blocking, paths, TtySettings{.path = "/dev/none"}, gate.hang()));
    dead.back()->open([&](base::Result<>) { ++answers; });
  }
  test::Pty pty;
  auto good = tty({.path = pty.path});
  auto begun = base::Clock::now();
  EXPECT_TRUE(test::open_line(loop, *good));
  auto took = std::chrono::duration_cast<base::milliseconds>(base::Clock::now() - begun);
  RecordProperty("ms", static_cast<int>(took.count()));
  EXPECT_LT(took, TtyLine::kOpenLimit) << "or the others have given up";
  EXPECT_EQ(answers, 0);
  gate.release();
  EXPECT_TRUE(settles([&] { return answers == 256 && gate.waiting == 0; }));
}

TEST_F(TtyLineTest, IsNotDelayedBy256LinesThatAreNotThere) {
  std::vector<std::unique_ptr<TtyLine>> dead;
  int answers = 0, failed = 0;
  for (int i = 0; i < 256; ++i) {
    dead.push_back(tty({.path = "/dev/none" + std::to_string(i)}));
    dead.back()->open([&](base::Result<> result) { ++answers, failed += !result; });
  }
  test::Pty pty;
  auto good = tty({.path = pty.path});
  auto begun = base::Clock::now();
  ASSERT_TRUE(test::open_line(loop, *good));
  EXPECT_LT(base::Clock::now() - begun, TtyLine::kOpenLimit);
  EXPECT_TRUE(settles([&] { return answers == 256; }));
  EXPECT_EQ(failed, 256);
}

TEST_F(TtyLineTest, OpensAgainOnlyAfterAFormerOpenCameBack) {
  Gate gate;
  test::Pty pty;
  TtyLine line(loop, blocking, paths, {.path = pty.path}, gate.hang());
  bool dropped = false;
  line.open([&](base::Result<>) { dropped = true; });
  ASSERT_TRUE(settles([&] { return gate.waiting == 1; }));
  line.close();
  std::optional<base::Result<>> outcome;
  line.open([&](base::Result<> result) { outcome = result; });
  test::run_until(
      loop, [] { return false; }, base::milliseconds(100));
  EXPECT_EQ(gate.waiting, 1);
  EXPECT_FALSE(outcome);
  gate.release();
  ASSERT_TRUE(settles([&] { return outcome.has_value(); }));
  EXPECT_TRUE(*outcome);
  EXPECT_FALSE(dropped);
}

TEST_F(TtyLineTest, MayBeDestroyedWhileItsDriverHangs) {
  Gate gate;
  test::Pty pty;
  auto line = std::make_unique<TtyLine>(loop, blocking, paths, TtySettings{.path = pty.path}, gate.hang());
  bool called = false;
  line->open([&](base::Result<>) { called = true; });
  ASSERT_TRUE(settles([&] { return gate.waiting == 1; }));
  line.reset();
  std::size_t before = test::open_descriptors();
  gate.release();
  ASSERT_TRUE(settles([&] { return gate.waiting == 0; }));
  EXPECT_TRUE(settles([&] { return test::open_descriptors() <= before; }));
  // A descriptor goes a moment before its lock does.
  ASSERT_TRUE(settles([&] { return ::flock(pty.keep.get(), LOCK_EX | LOCK_NB) == 0; }));
  ASSERT_EQ(::flock(pty.keep.get(), LOCK_UN), 0);
  auto next = tty({.path = pty.path});
  EXPECT_TRUE(test::open_line(loop, *next));
  EXPECT_FALSE(called);
}

TEST_F(TtyLineTest, GivesUpOnADriverThatHangsForLong) {
  Gate gate;
  TtyLine line(loop, blocking, paths, {.path = "/dev/none"}, gate.hang());
  base::Result<> outcome = test::open_line(loop, line);
  EXPECT_EQ(outcome.error().what, "/dev/none: its driver hangs");
  gate.release();
  EXPECT_TRUE(settles([&] { return gate.waiting == 0; }));
}

}  // namespace
}  // namespace oob::serial

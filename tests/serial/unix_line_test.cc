#include "serial/unix_line.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>

#include "base/unix_socket.h"
#include "tests/serial/line_kit.h"

namespace oob::serial {
namespace {

struct UnixLineTest : testing::Test {
  base::Loop loop;
  PathWatch paths{loop};
  test::TempDir dir;
  std::string path = dir / "vm.sock";
  UnixLine line{loop, paths, path};

  base::Fd accept(const base::Fd& listener) {
    base::Fd visitor;
    test::run_until(loop, [&] {
      visitor.reset(::accept(listener.get(), nullptr, nullptr));
      return static_cast<bool>(visitor);
    });
    return visitor;
  }
};

TEST_F(UnixLineTest, CarriesBytesBothWays) {
  base::Fd listener = *base::listen_unix(path);
  ASSERT_TRUE(test::open_line(loop, line));
  base::Fd vm = accept(listener);
  ASSERT_TRUE(test::say(loop, line, std::string("root\r\0\xff", 7)));
  EXPECT_EQ(test::take(loop, vm.get(), 7), std::string("root\r\0\xff", 7));
  ASSERT_EQ(::send(vm.get(), "login:", 6, 0), 6);
  EXPECT_EQ(test::hear(loop, line, 6), "login:");
  EXPECT_EQ(line.describe(), "unix " + path);
}

TEST_F(UnixLineTest, SaysWhyItDoesNotOpen) {
  EXPECT_EQ(test::open_line(loop, line).error().what, path + ": No such file or directory");
  { base::Fd listener = *base::listen_unix(path); }
  base::Result<> refused = test::open_line(loop, line);
  EXPECT_EQ(refused.error().what, path + ": Connection refused");
  EXPECT_EQ(refused.error().fault, base::Fault::unavailable);
}

TEST_F(UnixLineTest, SaysThatAListenerWithTooManyVisitorsIsFull) {
  base::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  base::Fd first = *base::connect_unix(path);
  base::Result<> full = test::open_line(loop, line);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().what, path + ": the listener takes no more connections");
  EXPECT_EQ(full.error().fault, base::Fault::unavailable);
}

TEST_F(UnixLineTest, TellsThatTheOtherSideClosedAndComesBackAtOnce) {
  base::Fd listener = *base::listen_unix(path);
  ASSERT_TRUE(test::open_line(loop, line));
  accept(listener).reset();
  EXPECT_EQ(test::loss(loop, line), "closed by the other side");
  listener.reset();
  line.close();
  bool returned = false;
  line.wait_return([&] { returned = true; });
  // Kept under another name: the new one has another inode then, however soon it comes.
  ASSERT_EQ(::rename(path.c_str(), (path + ".old").c_str()), 0);
  listener = *base::listen_unix(path);
  EXPECT_TRUE(test::run_until(loop, [&] { return returned; }));
  EXPECT_TRUE(test::open_line(loop, line));
}

TEST_F(UnixLineTest, HasNoBreakAndSaysSo) {
  base::Fd listener = *base::listen_unix(path);
  ASSERT_TRUE(test::open_line(loop, line));
  base::Result<> sent = line.send_break(300);
  EXPECT_EQ(sent.error().what, "a Unix socket has no break");
  EXPECT_EQ(sent.error().fault, base::Fault::unavailable);
}

TEST_F(UnixLineTest, AnswersNothingAfterClose) {
  base::Fd listener = *base::listen_unix(path);
  bool called = false;
  line.open([&](base::Result<>) { called = true; });
  line.close();
  line.close();
  ASSERT_TRUE(test::open_line(loop, line));
  line.wait_readable([&] { called = true; });
  line.close();
  accept(listener);
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace oob::serial

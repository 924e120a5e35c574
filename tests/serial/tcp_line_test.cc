#include "serial/tcp_line.h"

#include <netinet/tcp.h>
#include <poll.h>

#include <memory>
#include <vector>

#include "tests/serial/line_kit.h"

namespace oob::serial {
namespace {

struct TcpLineTest : testing::Test {
  base::Loop loop;
};

TEST_F(TcpLineTest, CarriesBytesBothWaysUnchanged) {
  for (bool ipv6 : {false, true}) {
    test::Listener far(16, ipv6);
    TcpLine line(loop, far.address);
    ASSERT_TRUE(test::open_line(loop, line)) << far.address;
    base::Fd peer = far.accept(loop);
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    ASSERT_TRUE(test::say(loop, line, all));
    EXPECT_EQ(test::take(loop, peer.get(), 256), all);
    ASSERT_EQ(::send(peer.get(), all.data(), all.size(), 0), 256);
    EXPECT_EQ(test::hear(loop, line, 256), all);
    EXPECT_EQ(line.describe(), "tcp " + far.address);
  }
}

TEST_F(TcpLineTest, BringsAMebibyteThroughAPeerThatReadsLate) {
  test::Listener far;
  TcpLine line(loop, far.address);
  ASSERT_TRUE(test::open_line(loop, line));
  base::Fd peer = far.accept(loop);
  std::string sent(1 << 20, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 >> 3);
  std::string got;
  auto drain = [&] {
    char buffer[16384];
    ssize_t size = ::recv(peer.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (size > 0) got.append(buffer, static_cast<std::size_t>(size));
  };
  ASSERT_TRUE(test::say(loop, line, sent, drain));
  got += test::take(loop, peer.get(), sent.size() - got.size());
  EXPECT_EQ(got, sent);
}

TEST_F(TcpLineTest, SaysThatAPortIsRefused) {
  test::Listener deaf(-1);
  TcpLine line(loop, deaf.address);
  base::Result<> refused = test::open_line(loop, line);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, deaf.address + ": Connection refused");
  EXPECT_EQ(refused.error().fault, base::Fault::unavailable);
}

TEST_F(TcpLineTest, SaysThatAnAddressIsWrong) {
  TcpLine line(loop, "switch1:4001");
  EXPECT_EQ(test::open_line(loop, line).error().fault, base::Fault::config);
  TcpLine zone(loop, "[fe80::1%nosuch0]:4001");
  EXPECT_EQ(test::open_line(loop, zone).error().what, "[fe80::1%nosuch0]:4001: no interface nosuch0");
}

// A listener whose queue is full drops what comes: to us, a black hole.
struct BlackHole {
  BlackHole() : far(0) {
    for (int i = 0; i < 4; ++i) {
      base::Fd filler(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      sockaddr_in name{};
      socklen_t size = sizeof name;
      ::getsockname(far.socket.get(), reinterpret_cast<sockaddr*>(&name), &size);
      ::connect(filler.get(), reinterpret_cast<sockaddr*>(&name), size);
      fillers.push_back(std::move(filler));
    }
    // The kernel may be late with its handshakes, and let in who comes before they are over.
    pollfd full{far.socket.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&full, 1, 60'000), 1);
  }
  test::Listener far;
  std::vector<base::Fd> fillers;
};

TEST_F(TcpLineTest, GivesUpOnABlackHoleAfterTenSeconds) {
  BlackHole hole;
  TcpLine line(loop, hole.far.address);
  auto begun = base::Clock::now();
  base::Result<> outcome = test::open_line(loop, line);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().what, hole.far.address + ": no answer within 10 s");
  EXPECT_GE(base::Clock::now() - begun, TcpLine::kConnectLimit);
  EXPECT_LT(base::Clock::now() - begun, TcpLine::kConnectLimit + std::chrono::seconds(30));
}

TEST_F(TcpLineTest, IsNotDelayedBy256LinesIntoABlackHole) {
  BlackHole hole;
  std::vector<std::unique_ptr<TcpLine>> dead;
  int answers = 0;
  for (int i = 0; i < 256; ++i) {
    dead.push_back(std::make_unique<TcpLine>(loop, hole.far.address));
    dead.back()->open([&](base::Result<>) { ++answers; });
  }
  test::Listener far;
  TcpLine good(loop, far.address);
  ASSERT_TRUE(test::open_line(loop, good));
  EXPECT_EQ(answers, 0) << "it was not the end of any of them that let it go on";
}

TEST_F(TcpLineTest, TellsACloseFromAReset) {
  test::Listener far;
  TcpLine line(loop, far.address);
  ASSERT_TRUE(test::open_line(loop, line));
  far.accept(loop).reset();
  EXPECT_EQ(test::loss(loop, line), "closed by the other side");
  ASSERT_TRUE(test::open_line(loop, line));
  base::Fd peer = far.accept(loop);
  linger at_once{1, 0};
  ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  peer.reset();
  EXPECT_EQ(test::loss(loop, line), "reset by the other side");
}

TEST_F(TcpLineTest, LeavesNoDescriptorBehind) {
  BlackHole hole;
  test::Listener far;
  {
    TcpLine warm_up(loop, far.address);
    ASSERT_TRUE(test::open_line(loop, warm_up));
  }
  std::size_t before = test::open_descriptors();
  bool called = false;
  {
    TcpLine waiting(loop, hole.far.address), open(loop, far.address);
    waiting.open([&](base::Result<>) { called = true; });
    waiting.close();
    waiting.open([&](base::Result<>) { called = true; });
    ASSERT_TRUE(test::open_line(loop, open));
  }
  EXPECT_EQ(test::open_descriptors(), before);
  EXPECT_FALSE(called);
}

TEST_F(TcpLineTest, HasNoBreakAndSaysSo) {
  test::Listener far;
  TcpLine line(loop, far.address);
  ASSERT_TRUE(test::open_line(loop, line));
  EXPECT_EQ(line.send_break(0).error().what, "a raw TCP connection has no break; telnet has");
}

}  // namespace
}  // namespace oob::serial

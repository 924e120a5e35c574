#include "serial/telnet_line.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <termios.h>

#include <vector>

#include "serial/speed.h"
#include "tests/serial/line_kit.h"

namespace oob::serial {
namespace {

using namespace std::string_literals;

// A terminal server of which every byte is known.
struct TelnetLineTest : testing::Test {
  base::Loop loop;
  test::Listener far;
  base::Fd peer;
  std::vector<std::string> remarks;
  const std::string offers = "\xff\xfb\x2c\xff\xfb\0\xff\xfb\x03\xff\xfd\0\xff\xfd\x03"s;
  const std::string agree = "\xff\xfd\x2c\xff\xfb\0\xff\xfd\0\xff\xfb\x03\xff\xfd\x03"s;

  TelnetLine line_to(TelnetSettings settings) {
    settings.address = far.address;
    return TelnetLine(loop, settings, [this](const std::string& remark) { remarks.push_back(remark); });
  }
  void meet(TelnetLine& line) {
    ASSERT_TRUE(test::open_line(loop, line));
    peer = far.accept(loop);
    ASSERT_EQ(test::take(loop, peer.get(), offers.size()), offers);
  }
  void answer(const std::string& bytes) {
    ASSERT_EQ(::send(peer.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
};

TEST_F(TelnetLineTest, CarriesEveryByteBothWaysWhenBinary) {
  TelnetLine line = line_to({});
  meet(line);
  answer(agree + "ready");
  EXPECT_EQ(test::hear(loop, line, 5), "ready");
  std::string all, doubled;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  doubled = all + '\xff';
  answer(doubled);
  EXPECT_EQ(test::hear(loop, line, 256), all);
  ASSERT_TRUE(test::say(loop, line, all));
  EXPECT_EQ(test::take(loop, peer.get(), 257), doubled);
  EXPECT_EQ(line.describe(), "telnet " + far.address);
}

TEST_F(TelnetLineTest, BringsAMebibyteOfIacsThroughAPeerThatReadsLate) {
  TelnetLine line = line_to({});
  meet(line);
  answer(agree + "x");
  ASSERT_EQ(test::hear(loop, line, 1), "x");
  std::string sent(1 << 20, '\xff'), got;
  for (std::size_t i = 0; i < sent.size(); i += 3) sent[i] = static_cast<char>(i >> 4);
  auto drain = [&] {
    char buffer[4999];
    ssize_t size = ::recv(peer.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (size > 0) got.append(buffer, static_cast<std::size_t>(size));
  };
  ASSERT_TRUE(test::say(loop, line, sent, drain));
  std::string wire;
  for (char c : sent) wire.append(c == '\xff' ? 2 : 1, c);
  got += test::take(loop, peer.get(), wire.size() - got.size());
  EXPECT_EQ(got.size(), wire.size());
  EXPECT_TRUE(got == wire);
}

TEST_F(TelnetLineTest, AsksForBaudAndTellsThatItWasRefused) {
  TelnetLine line = line_to({"", 115200, "", ""});
  meet(line);
  answer(agree);
  line.wait_readable([&] {
    char none[8];
    EXPECT_EQ(line.read(none, sizeof none).error().fault, base::Fault::again);
  });
  EXPECT_EQ(test::take(loop, peer.get(), 10), "\xff\xfa\x2c\x01\x00\x01\xc2\x00\xff\xf0"s);
  answer("\xff\xfa\x2c\x65\x00\x00\x25\x80\xff\xf0>"s);
  EXPECT_EQ(test::hear(loop, line, 1), ">");
  ASSERT_EQ(remarks.size(), 1U);
  EXPECT_EQ(remarks[0], "baud 115200 refused, the port stays at 9600");
  EXPECT_EQ(line.describe(),
            "telnet " + far.address + " 115200 (baud 115200 refused, the port stays at 9600)");
}

TEST_F(TelnetLineTest, BreaksByRfc2217ForTheTimeAskedFor) {
  TelnetLine line = line_to({});
  meet(line);
  answer(agree + "x");
  ASSERT_EQ(test::hear(loop, line, 1), "x");
  auto begun = base::Clock::now();
  ASSERT_TRUE(line.send_break(250));
  EXPECT_EQ(line.send_break(250).error().fault, base::Fault::busy);
  EXPECT_EQ(line.write("y").error().fault, base::Fault::again);
  const std::string on = "\xff\xfa\x2c\x05\x05\xff\xf0"s, off = "\xff\xfa\x2c\x05\x06\xff\xf0"s;
  std::string taken = test::take(loop, peer.get(), on.size());
  ASSERT_TRUE(test::say(loop, line, "after"));
  std::string wanted = on + off + "after";
  if (taken.size() < wanted.size()) taken += test::take(loop, peer.get(), wanted.size() - taken.size());
  EXPECT_EQ(taken, wanted);
  EXPECT_GE(base::Clock::now() - begun, base::milliseconds(250));
}

TEST_F(TelnetLineTest, BreaksByTheTelnetCommandWithoutRfc2217) {
  TelnetLine line = line_to({});
  meet(line);
  answer("\xff\xfe\x2cx");
  ASSERT_EQ(test::hear(loop, line, 1), "x");
  ASSERT_TRUE(line.send_break(0));
  EXPECT_EQ(test::take(loop, peer.get(), 2), "\xff\xf3");
}

TEST_F(TelnetLineTest, WaitsASecondForAPeerThatDoesNotSayWhatItKnows) {
  TelnetLine line = line_to({});
  meet(line);
  auto begun = base::Clock::now();
  ASSERT_TRUE(line.send_break(100));
  EXPECT_EQ(test::take(loop, peer.get(), 2), "\xff\xf3");
  EXPECT_GE(base::Clock::now() - begun, TelnetLine::kDecisionLimit);
  ASSERT_TRUE(test::say(loop, line, "a\r"));
  EXPECT_EQ(test::take(loop, peer.get(), 3), "a\r\0"s);
}

TEST_F(TelnetLineTest, NegotiatesAnewOnANewConnection) {
  TelnetLine line = line_to({});
  meet(line);
  answer(agree);
  peer.reset();
  std::string why = test::loss(loop, line);
  EXPECT_EQ(why, "closed by the other side");
  meet(line);
  answer(agree + "again");
  EXPECT_EQ(test::hear(loop, line, 5), "again");
}

// Debian's ser2net as the far end, on a pty as its port.
struct Ser2net {
  Ser2net(const test::TempDir& dir, const std::string& port, const std::string& address) {
    // A pty has no break: what ser2net asks of it is written down for us.
    std::string source = dir / "breaks.c", library = dir / "breaks.so";
    log = dir / "breaks.log";
    test::write_file(source, R"(#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
int ioctl(int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  void* argument = va_arg(list, void*);
  va_end(list);
  if (request == TIOCSBRK || request == TIOCCBRK) {
    int log = open(getenv("BREAK_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (write(log, request == TIOCSBRK ? "+" : "-", 1) != 1) abort();
    close(log);
    return 0;
  }
  int (*next)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
  return next(fd, request, argument);
}
)");
    if (!run({"cc", "-shared", "-fPIC", "-o", library, source, "-ldl"}, {})) return;
    std::string bare = address.substr(address.find(':') + 1);
    test::write_file(dir / "ser2net.yaml", "connection: &port\n  accepter: telnet(rfc2217),tcp,127.0.0.1," +
                                               bare + "\n  connector: serialdev," + port +
                                               ",9600n81,local\n");
    started = run({"ser2net", "-n", "-u", "-c", dir / "ser2net.yaml", "-P", dir / "pid"},
                  {"LD_PRELOAD=" + library, "BREAK_LOG=" + log, "PATH=/usr/sbin:/usr/bin"}, &pid);
  }
  ~Ser2net() {
    if (pid <= 0) return;
    ::kill(pid, SIGTERM);
    ::waitpid(pid, nullptr, 0);
  }

  static bool run(std::vector<std::string> words, std::vector<std::string> environment,
                  pid_t* keep = nullptr) {
    std::vector<char*> arguments, variables;
    for (std::string& word : words) arguments.push_back(word.data());
    for (std::string& variable : environment) variables.push_back(variable.data());
    arguments.push_back(nullptr);
    variables.push_back(nullptr);
    pid_t child;
    // ser2net lives in /usr/sbin, which is not on everybody's PATH.
    std::string program = words[0] == "ser2net" ? "/usr/sbin/ser2net" : words[0];
    if (::posix_spawnp(&child, program.c_str(), nullptr, nullptr, arguments.data(),
                       environment.empty() ? environ : variables.data()) != 0)
      return false;
    if (keep) return *keep = child, true;
    int status = 0;
    return ::waitpid(child, &status, 0) == child && status == 0;
  }

  std::string log;
  pid_t pid = -1;
  bool started = false;
};

TEST(TelnetLineToSer2net, SetsTheBaudAndBreaksForTrue) {
  if (::access("/usr/sbin/ser2net", X_OK) != 0) GTEST_SKIP() << "no ser2net here";
  test::TempDir dir;
  test::Pty pty;
  test::Listener place(-1);  // where ser2net listens, and until then nobody
  const std::string address = place.address;
  Ser2net ser2net(dir, pty.path, address);
  ASSERT_TRUE(ser2net.started);
  base::Loop loop;
  std::vector<std::string> remarks;
  TelnetLine line(loop, {address, 57600, "8N2", "xonxoff"},
                  [&](const std::string& remark) { remarks.push_back(remark); });
  base::Result<> opened = test::open_line(loop, line);
  for (int tries = 0; !opened && tries < 1200; ++tries) {
    ::usleep(50'000);  // no event tells when ser2net listens
    opened = test::open_line(loop, line);
  }
  ASSERT_TRUE(opened) << opened.error().what;
  std::string heard;
  std::function<void()> read = [&] {
    char buffer[4096];
    base::Result<std::size_t> got = line.read(buffer, sizeof buffer);
    if (got) heard.append(buffer, *got);
    if (got || got.error().fault == base::Fault::again) line.wait_readable(read);
  };
  read();
  EXPECT_TRUE(test::run_until(loop, [&] { return speed(pty.gear.get()) == 57600; }));
  EXPECT_TRUE(test::run_until(loop, [&] {
    termios now{};
    ::tcgetattr(pty.gear.get(), &now);
    return (now.c_cflag & CSTOPB) && (now.c_iflag & IXON);
  }));

  std::string all;
  for (int i = 0; i < 256; ++i)
    if (i != 0x11 && i != 0x13) all += static_cast<char>(i);  // XON and XOFF are taken by the flow control
  pty.say(all);
  EXPECT_TRUE(test::run_until(loop, [&] { return heard.size() >= all.size(); }));
  EXPECT_EQ(heard, all);
  ASSERT_TRUE(test::say(loop, line, all));
  EXPECT_EQ(pty.hear(all.size()), all);

  ASSERT_TRUE(line.send_break(200));
  // At its start ser2net ends a break that nobody began.
  EXPECT_TRUE(test::run_until(loop, [&] { return test::read_file(ser2net.log).ends_with("+-"); }));
  EXPECT_TRUE(remarks.empty()) << remarks.front();
}

}  // namespace
}  // namespace oob::serial

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include "base/unix_socket.h"
#include "tests/ssh/fake_core.h"

namespace oob::test {
namespace {

using base::Clock;
using base::Fd;
using base::milliseconds;
using base::str;
using base::wire::Control;
using base::wire::Listen;
using testing::HasSubstr;
using testing::StartsWith;

// Patience of the front: everything as with strangers, and so long for tor's line.
std::vector<std::string> patience(const std::string& for_line) {
  return {"50", "15000", "30000", "900000", "600000", for_line};
}

std::string line_of(int circuit) {
  char number[5];
  std::snprintf(number, sizeof number, "%x", static_cast<unsigned>(circuit) & 0xffff);
  return str("PROXY TCP6 fc00:dead:beef:4dad::0:", number, " ::1 1 22\r\n");
}

// A front with a Unix socket beside its TCP port.
struct Onion {
  explicit Onion(Listen::Way way = Listen::Way::onion, base::wire::Setup setup = {},
                 const std::string& for_line = "20000")
      : core(setup, patience(for_line)) {
    path = dir / "onion.sock";
    auto made = base::listen_unix(path);
    EXPECT_TRUE(made);
    listener = std::move(*made);
    const std::string bastion = way == Listen::Way::home ? "fra" : "";
    core.send(Control::listen, Listen{str("unix:", path), way, bastion}.encode(), listener.get());
    if (way == Listen::Way::onion) start_tor();
  }
  ~Onion() { end_tor(); }

  void start_tor() {
    ::unlink(tor.c_str());
    tor_pid = core.start({"/usr/bin/python3", str(SSH_TESTS, "/tor.py"), path, tor});
    EXPECT_TRUE(core.wait([this] { return ::access(tor.c_str(), F_OK) == 0; }));
  }
  void end_tor() {
    if (tor_pid <= 0) return;
    ::kill(tor_pid, SIGKILL);
    core.end(std::exchange(tor_pid, -1));
  }
  // Stock ssh by this circuit of tor's; below 0: at the socket itself, without any line.
  std::vector<std::string> ssh(int circuit, const std::string& command, const std::string& user = "alice") {
    const std::string way = circuit < 0 ? path : str(tor, " ", circuit);
    return core.ssh({"-o", str("ProxyCommand=/usr/bin/python3 ", SSH_TESTS, "/circuit.py ", way), "-o",
                     str("User=", user)},
                    {command});
  }
  Finished run(int circuit, const std::string& command, const std::string& user = "alice") {
    return core.run(ssh(circuit, command, user));
  }

  TempDir dir;
  std::string path, tor = dir / "tor.sock";
  Fd listener;
  FakeCore core;
  pid_t tor_pid = -1;
};

// What connects to the socket, says what it is told to, and no more.
struct Caller {
  explicit Caller(const Onion& onion, const std::string& text = "") : Caller(onion.path, text) {}
  Caller(const std::string& path, const std::string& text) {
    auto connected = base::connect_unix(path);
    if (connected) fd = std::move(*connected);
    say(text);
  }
  void say(const std::string& text) { ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  // Reads what there is; true: the other side closed.
  bool closed() {
    char buffer[4096];
    while (true) {
      auto size = base::receive_some(fd.get(), buffer, sizeof buffer);
      if (!size) return size.error().fault != base::Fault::again;
      heard.append(buffer, *size);
    }
  }
  Fd fd;
  std::string heard;
};

bool remarked(const FakeCore& core, const std::string& text) {
  for (const auto& remark : core.remarks)
    if (remark.text.find(text) != std::string::npos) return true;
  return false;
}

TEST(Onion, ALoginIsKnownByItsCircuit) {
  Onion onion;
  EXPECT_EQ(onion.run(41, "exit 7").status, 7);
  ASSERT_FALSE(onion.core.asks.empty());
  EXPECT_THAT(onion.core.asks.back().peer, StartsWith("onion-circuit-41:"));
  EXPECT_EQ(onion.core.asks.back().local, str("unix:", onion.path));
  EXPECT_EQ(onion.run(42, "exit 8").status, 8);
  EXPECT_THAT(onion.core.asks.back().peer, StartsWith("onion-circuit-42:"));
}

TEST(Onion, TheLineMayComeByteByByteAndSshRightBehindIt) {
  Onion onion;
  Caller slow(onion), quick(onion, line_of(41) + "SSH-2.0-x\r\n");
  for (char byte : line_of(42)) slow.say(std::string(1, byte));
  EXPECT_TRUE(onion.core.wait([&] { return !quick.closed() && !quick.heard.empty(); }));
  EXPECT_TRUE(onion.core.wait([&] { return !slow.closed() && !slow.heard.empty(); }));
  EXPECT_THAT(quick.heard, StartsWith("SSH-2.0-oobd"));
  EXPECT_THAT(slow.heard, StartsWith("SSH-2.0-oobd"));
}

TEST(Onion, WhoBeginsOtherwiseIsToldNothing) {
  Onion onion;
  Caller ssh(onion, "SSH-2.0-x\r\n"), address(onion, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
  EXPECT_TRUE(onion.core.wait([&] { return ssh.closed() && address.closed(); }));
  EXPECT_EQ(ssh.heard + address.heard, "");
  EXPECT_TRUE(
      onion.core.wait([&] { return remarked(onion.core, "is HiddenServiceExportCircuitID haproxy"); }));
  EXPECT_EQ(onion.core.figures.accepted, 0u);
}

TEST(Onion, HalfALineOrNoneIsWaitedForALittle) {
  Onion onion(Listen::Way::onion, {}, "400");
  auto begun = Clock::now();
  Caller half(onion, line_of(41).substr(0, 20)), silent(onion);
  EXPECT_TRUE(onion.core.wait([&] { return half.closed() && silent.closed(); }));
  EXPECT_GE(Clock::now() - begun, milliseconds(350));
  EXPECT_EQ(half.heard + silent.heard, "");
}

TEST(Onion, TheSilentDoNotKeepOthersOut) {
  Onion onion;
  std::vector<std::unique_ptr<Caller>> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(std::make_unique<Caller>(onion));
  EXPECT_EQ(onion.run(41, "exit 7").status, 7);
}

TEST(Onion, OneCircuitIsKeptOutAndAnotherComesIn) {
  Onion onion;
  onion.core.fail_until_kept_out(onion.ssh(41, "exit 1", "mallory"));
  Caller kept(onion.tor, "41\n");
  EXPECT_TRUE(onion.core.wait([&] { return kept.closed(); }));
  EXPECT_EQ(kept.heard, "oobd: too many failures from your circuit, try again later\r\n");
  EXPECT_TRUE(onion.core.wait([&] { return remarked(onion.core, "as onion-circuit-41 did"); }));
  EXPECT_EQ(onion.run(42, "exit 7").status, 7);
  EXPECT_EQ(onion.core.ssh_run("exit 8").status, 8);
}

// It counts its circuits from 1 again: nobody pays for what another one's 41 did.
TEST(Onion, ATorThatWasStartedAgainBeginsWithoutPenalties) {
  Onion onion;
  onion.core.fail_until_kept_out(onion.ssh(41, "exit 1", "mallory"));
  EXPECT_EQ(onion.run(41, "exit 7").status, 255);
  onion.end_tor();
  onion.start_tor();
  EXPECT_EQ(onion.run(41, "exit 7").status, 7);
  EXPECT_TRUE(onion.core.wait([&] { return onion.core.figures.penalised == 0; }));
}

TEST(Onion, AFloodOfCircuitsTakesHalfOfThePlaces) {
  base::wire::Setup setup;
  setup.most_unauthenticated = 20;
  Onion onion(Listen::Way::onion, setup);
  std::vector<std::unique_ptr<Caller>> flood;
  for (int i = 0; i < 60; ++i) flood.push_back(std::make_unique<Caller>(onion, line_of(i) + "SSH-2.0-x\r\n"));
  EXPECT_TRUE(onion.core.wait([&] { return onion.core.figures.accepted >= 60; }));
  EXPECT_TRUE(onion.core.wait([&] { return onion.core.figures.unauthenticated > 0; }));
  EXPECT_LE(onion.core.figures.unauthenticated, 10u);
  // By address at once: nobody has to give a place up for it.
  EXPECT_EQ(onion.core.ssh_run("exit 8").status, 8);
}

TEST(Onion, ABastionIsOneSourceThatIsNeverKeptOut) {
  base::wire::Setup setup;
  setup.most_per_source = 2;
  setup.most_unauthenticated = 8;
  Onion home(Listen::Way::home, setup);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(home.run(-1, "exit 1", "mallory").status, 255);
  EXPECT_EQ(home.run(-1, "exit 7").status, 7);
  EXPECT_THAT(home.core.asks.back().peer, StartsWith("call-home-fra:"));
  EXPECT_EQ(home.core.figures.penalised, 0u);
  // One place more, since somebody logged in. Who has spoken keeps it for 3 s, however many wait.
  std::vector<std::unique_ptr<Caller>> begun;
  for (int i = 0; i < 4; ++i) begun.push_back(std::make_unique<Caller>(home, "SSH-2.0-x\r\n"));
  EXPECT_TRUE(home.core.wait(
      [&] { return home.core.figures.unauthenticated == 3 && home.core.figures.waiting == 1; }));
  // Another bastion has places of its own.
  const std::string other = home.dir / "ams.home";
  auto made = base::listen_unix(other);
  ASSERT_TRUE(made);
  home.core.send(Control::listen, Listen{str("unix:", other), Listen::Way::home, "ams"}.encode(),
                 made->get());
  Caller there(other, "SSH-2.0-x\r\n");
  EXPECT_TRUE(home.core.wait([&] { return !there.closed() && there.heard.starts_with("SSH-2.0-oobd"); }));
}

TEST(Onion, ADeafenedListenerEndsAndItsConnectionsStay) {
  Onion onion;
  const pid_t holder = onion.core.start(onion.ssh(41, "hold"));
  ASSERT_TRUE(onion.core.wait([&] { return onion.core.sessions_open() == 1; }));
  onion.core.send(Control::deafen, base::wire::Deafen{"unix:/another"}.encode());
  EXPECT_EQ(onion.run(42, "exit 7").status, 7);
  onion.core.send(Control::deafen, base::wire::Deafen{str("unix:", onion.path)}.encode());
  onion.listener.reset();
  EXPECT_TRUE(onion.core.wait([&] { return !base::connect_unix(onion.path); }));
  EXPECT_EQ(onion.core.ssh_run("exit 8").status, 8);
  EXPECT_EQ(onion.core.sessions_open(), 1u);
  onion.core.end_sessions(9);
  EXPECT_EQ(onion.core.end(holder), 9);
}

}  // namespace
}  // namespace oob::test

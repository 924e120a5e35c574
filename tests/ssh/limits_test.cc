#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/unix_socket.h"
#include "tests/ssh/fake_core.h"

namespace oob::test {
namespace {

using base::Clock;
using base::Fault;
using base::Fd;
using base::milliseconds;
using base::str;
using testing::HasSubstr;

// A peer that says what it is told to, and no more.
struct Stranger {
  // `from`: an address of 127.0.0.0/8, so that one machine has many sources.
  explicit Stranger(int port, const std::string& from = "127.0.0.1")
      : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, from.c_str(), &address.sin_addr);
    ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  // Reads what there is; true: the other side closed.
  bool closed() {
    char buffer[4096];
    while (true) {
      auto size = base::receive_some(fd.get(), buffer, sizeof buffer);
      if (!size) return size.error().fault != Fault::again;
      heard.append(buffer, *size);
    }
  }
  void say(const std::string& text) { ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  Fd fd;
  std::string heard;
};

using Strangers = std::vector<std::unique_ptr<Stranger>>;

std::string source(int number) { return str("127.1.", number / 250, ".", number % 250 + 1); }
constexpr char kKeptOut[] = "oobd: too many failures from your address, try again later\r\n";

bool said(const FakeCore& core, const std::string& text) {
  for (const auto& remark : core.remarks)
    if (remark.text.find(text) != std::string::npos) return true;
  return false;
}

TEST(Limits, AnUnfinishedLoginEndsWithTheGraceTime) {
  base::wire::Setup setup;
  setup.grace_seconds = 1;
  FakeCore core(setup, {"50"});
  auto begun = Clock::now();
  Stranger silent(core.port(), "127.1.0.8"), talking(core.port(), "127.1.0.9");
  ::send(talking.fd.get(), "SSH-2.0-x\r\n", 11, 0);
  EXPECT_TRUE(core.wait([&] { return silent.closed() && talking.closed(); }));
  EXPECT_GT(Clock::now() - begun, milliseconds(1000));
  EXPECT_THAT(silent.heard, HasSubstr("SSH-2.0-oobd"));
  setup.grace_seconds = 30;  // a login may take more than a second
  core.send(base::wire::Control::setup, setup.encode());
  EXPECT_EQ(core.ssh_run("exit 2").status, 2);
}

TEST(Limits, OneAddressHasFewUnfinishedLoginsAndTheNextWaitUnheard) {
  base::wire::Setup setup;
  setup.most_per_source = 3;
  FakeCore core(setup, {"50"});
  Strangers in;
  for (int i = 0; i < 3; ++i) {
    in.push_back(std::make_unique<Stranger>(core.port()));
    in.back()->say("SSH-2.0-x\r\n");
  }
  ASSERT_TRUE(core.wait([&] {
    for (auto& each : in)
      if (each->closed() || each->heard.empty()) return false;
    return true;
  }));
  Strangers more;
  for (int i = 0; i < 32; ++i) {
    more.push_back(std::make_unique<Stranger>(core.port()));
    more.back()->say("SSH-2.0-x\r\n");
  }
  Stranger beyond(core.port());
  EXPECT_TRUE(core.wait([&] { return beyond.closed(); }));
  EXPECT_EQ(beyond.heard, "oobd: too many connections, try again\r\n");
  EXPECT_TRUE(core.wait([&] { return said(core, "1 connection refused: 3 from 127.0.0.1 have not"); }));
  EXPECT_TRUE(core.wait([&] { return core.figures.waiting > 0; }));
  EXPECT_EQ(core.figures.unauthenticated, 3u);
  Stranger& last = *more.back();
  in.pop_back();
  EXPECT_TRUE(core.wait([&] { return !last.closed() && !last.heard.empty(); }));
}

// An operator behind the same address as what attacks.
TEST(Limits, SilentConnectionsOfASourceGiveWayToItsKeys) {
  FakeCore core({}, {"50"});
  ASSERT_EQ(core.ssh_run("exit 1").status, 1);
  Strangers silent;
  for (int i = 0; i < 100; ++i) silent.push_back(std::make_unique<Stranger>(core.port()));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(core.ssh_run("exit 2").status, 2);
  EXPECT_TRUE(core.wait([&] { return core.figures.too_many > 0; }));
}

// The first tries may be refused: nobody is sent away who may still be on the way to a key exchange.
bool comes_in(FakeCore& core) {
  const auto limit = Clock::now() + milliseconds(60'000);
  while (Clock::now() < limit)
    if (core.ssh_run("exit 2").status == 2) return true;
  return false;
}

TEST(Limits, DrippingConnectionsOfASourceGiveWayToItsKeys) {
  FakeCore core({}, {"50"});
  ASSERT_EQ(core.ssh_run("exit 1").status, 1);
  Strangers dripping;
  for (int i = 0; i < 50; ++i) {
    dripping.push_back(std::make_unique<Stranger>(core.port()));
    dripping.back()->say("S");
  }
  EXPECT_TRUE(comes_in(core));
}

TEST(Limits, HalfOpenConnectionsFromEverywhereKeepNoKeyOut) {
  FakeCore core({}, {"50"});
  Strangers silent;
  for (int i = 0; i < 500; ++i) silent.push_back(std::make_unique<Stranger>(core.port(), source(i)));
  EXPECT_TRUE(comes_in(core));
  // Whoever is known comes in at once.
  EXPECT_EQ(core.ssh_run("exit 2").status, 2);
  EXPECT_LE(core.figures.unauthenticated, 100u);
}

TEST(Limits, ASourceThatFailsAgainAndAgainIsKeptOutBeforeTheKeyExchange) {
  FakeCore core({}, {"50"});
  unsigned failed =
      core.fail_until_kept_out(core.ssh({"-o", "User=mallory", "-o", "BindAddress=127.1.0.9"}, {"exit 0"}));
  EXPECT_EQ(core.figures.failed, failed);
  Stranger kept_out(core.port(), "127.1.0.9");
  EXPECT_TRUE(core.wait([&] { return kept_out.closed(); }));
  EXPECT_EQ(kept_out.heard, kKeptOut);
  EXPECT_EQ(core.ssh_run("exit 4").status, 4);  // from another source
  EXPECT_TRUE(core.wait([&] { return core.figures.kept_out == 1; }));
  EXPECT_TRUE(said(core, "1 connection refused: their addresses failed again and again, as 127.1.0.9 did"));
}

TEST(Limits, WhoBreaksTheProtocolIsKeptOutSooner) {
  FakeCore core({}, {"50"});
  Stranger rude(core.port(), "127.1.0.9"), another(core.port(), "127.1.0.9");
  for (Stranger* each : {&rude, &another})
    each->say("SSH-2.0-x\r\n" + std::string("\xff\xff\xff\xff junk junk junk junk", 24));
  EXPECT_TRUE(core.wait([&] { return rude.closed() && another.closed(); }));
  EXPECT_TRUE(core.wait([&] { return core.figures.penalised == 1; }));
}

TEST(Limits, AGoodSourceIsNeverKeptOut) {
  base::wire::Setup setup;
  setup.good_sources = {"127.1.0.9"};
  FakeCore core(setup, {"50"});
  ASSERT_EQ(core.run(core.ssh({"-o", "BindAddress=127.1.0.8"}, {"exit 4"})).status, 4);  // is learnt
  for (const char* from : {"127.1.0.9", "127.1.0.8", "127.0.0.1"}) {
    auto bind = str("BindAddress=", from);
    for (int i = 0; i < 5; ++i)
      EXPECT_EQ(core.run(core.ssh({"-o", "User=mallory", "-o", bind}, {"exit 0"})).status, 255);
    EXPECT_EQ(core.run(core.ssh({"-o", bind}, {"exit 4"})).status, 4);
  }
  EXPECT_EQ(core.figures.penalised, 0u);
}

TEST(Limits, NewLimitsHoldAtOnce) {
  FakeCore core({}, {"50"});
  core.fail_until_kept_out(core.ssh({"-o", "User=mallory", "-o", "BindAddress=127.1.0.9"}, {"exit 0"}));
  base::wire::Setup setup;
  setup.penalties = false;
  core.send(base::wire::Control::setup, setup.encode());
  EXPECT_TRUE(core.wait([&] { return core.figures.penalised == 0; }));
  EXPECT_EQ(core.run(core.ssh({"-o", "BindAddress=127.1.0.9"}, {"exit 4"})).status, 4);
  setup.grace_seconds = 1;
  core.send(base::wire::Control::setup, setup.encode());
  Stranger silent(core.port());
  EXPECT_TRUE(core.wait([&] { return silent.closed(); }, milliseconds(20'000)));  // it was 30 s
  EXPECT_TRUE(core.wait([&] { return core.figures.timed_out == 1; }));
}

TEST(Limits, FiguresAreToldOnceALookAtMostAndComeToRest) {
  auto begun = Clock::now();
  FakeCore core({}, {"1000"});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(core.ssh_run("exit 4").status, 4);
  EXPECT_TRUE(core.wait([&] { return core.figures.accepted == 5 && core.figures.connections == 0; }));
  EXPECT_LE(core.figures_told, (Clock::now() - begun) / std::chrono::seconds(1));
}

TEST(Limits, ConnectionsThatComeAndGoLeaveNothingBehind) {
  FakeCore core({}, {"50"});
  ASSERT_EQ(core.ssh_run("exit 4").status, 4);
  int descriptors = core.descriptors();
  auto come_and_go = [&](int times) {
    for (int i = 0; i < times; ++i) {
      Stranger(core.port(), source(i % 60));
      if (i % 50 == 0) core.wait([] { return true; });
    }
    // Fewer is fine as well: the login before them may not have been quite gone when it was counted.
    EXPECT_TRUE(core.wait([&] { return core.descriptors() <= descriptors; })) << times;
  };
  come_and_go(2000);
  long rss = core.rss_kib();
  double cpu = core.cpu_ms();
  come_and_go(20'000);
  // All of them are kept out by now: that costs no key exchange, and no memory.
  EXPECT_LT(core.rss_kib() - rss, 1024 * kSanitized);
  EXPECT_LT((core.cpu_ms() - cpu) / 20'000, 0.2 * kSanitized) << "CPU ms a connection";
  EXPECT_EQ(core.ssh_run("exit 4").status, 4);
}

TEST(Limits, AScriptWithManyLoginsAtOnceLosesNone) {
  FakeCore core;
  std::vector<pid_t> running;
  for (int i = 0; i < 20; ++i) running.push_back(core.start(core.ssh({}, {"exit 5"})));
  for (pid_t pid : running) EXPECT_EQ(core.end(pid), 5);
}

TEST(Limits, UnfinishedLoginsHaveACapForAll) {
  base::wire::Setup setup;
  setup.most_per_source = 1000;
  setup.most_unauthenticated = 20;
  FakeCore core(setup, {"100"});
  Strangers in;
  for (int i = 0; i < 60; ++i) in.push_back(std::make_unique<Stranger>(core.port()));
  auto open = [&] { return std::count_if(in.begin(), in.end(), [](auto& each) { return !each->closed(); }); };
  // A fifth of the places is for those who were here before.
  EXPECT_TRUE(core.wait([&] { return open() == 16; }));
  EXPECT_TRUE(core.wait([&] { return core.figures.too_many > 0; })) << "they waited, and pushed others out";
  EXPECT_LE(core.remarks.size(), 2u);
}

TEST(Limits, ConnectionsHaveACap) {
  base::wire::Setup setup;
  setup.most_connections = 1;
  FakeCore core(setup);
  pid_t held = core.start(core.ssh({}, {"hold"}));
  ASSERT_TRUE(core.wait([&] { return core.opened.size() == 1; }));
  EXPECT_EQ(core.ssh_run("exit 0").status, 255);
  core.end_sessions(0);
  EXPECT_EQ(core.end(held), 0);
  EXPECT_TRUE(core.wait([&] { return core.closed.size() == 1; }));
  EXPECT_EQ(core.ssh_run("exit 6").status, 6);
}

TEST(Limits, ACoreThatDoesNotAnswerEndsTheLogin) {
  FakeCore core({}, {"50", "300"});
  core.silent = true;
  Finished left = core.run(core.ssh({"-o", "LogLevel=INFO"}, {"exit 0"}));
  EXPECT_EQ(left.status, 255);
  EXPECT_THAT(left.err, HasSubstr("the daemon does not answer"));
}

TEST(Limits, TheDeadAreNoticedAndTheQuietKept) {
  FakeCore core({}, {"50", "15000", "300", "5000"});
  pid_t quiet = core.start(core.ssh({}, {"hold"}));
  ASSERT_TRUE(core.wait([&] { return core.opened.size() == 1; }));
  pid_t dead = core.start(core.ssh({}, {"hold"}));
  ASSERT_TRUE(core.wait([&] { return core.sessions_open() == 2 || core.opened.size() == 2; }));
  ::kill(dead, SIGSTOP);
  auto begun = Clock::now();
  EXPECT_TRUE(core.wait([&] { return core.closed.size() == 1; }));
  EXPECT_TRUE(core.wait([&] { return Clock::now() - begun > milliseconds(7000); }));
  EXPECT_EQ(core.closed.size(), 1u);
  ::kill(dead, SIGKILL);
  core.end(dead);
  ::kill(quiet, SIGTERM);
  core.end(quiet);
}

TEST(Limits, AConnectionWithoutChannelsIsClosed) {
  FakeCore core({}, {"50", "5000", "30000", "120000", "400"});
  Finished unused = core.run(core.ssh({"-N", "-o", "LogLevel=INFO"}));
  EXPECT_EQ(unused.status, 255);
  EXPECT_THAT(unused.err, HasSubstr("not used"));
}

TEST(Limits, TheCoreCanEndAConnection) {
  FakeCore core;
  pid_t held = core.start(core.ssh({"-o", "LogLevel=INFO"}, {"hold"}), "", Keys::get().dir / "dropped");
  ASSERT_TRUE(core.wait([&] { return core.opened.size() == 1; }));
  core.send(base::wire::Control::drop,
            base::wire::Drop{core.asks.back().connection, "root asked you to leave"}.encode());
  EXPECT_EQ(core.end(held), 255);
  EXPECT_THAT(read_file(Keys::get().dir / "dropped"), HasSubstr("root asked you to leave"));
  EXPECT_TRUE(core.wait([&] { return core.closed.size() == 1; }));
}

TEST(Front, EndsWithItsControlSocket) {
  FakeCore core;
  pid_t held = core.start(core.ssh({"-o", "LogLevel=INFO"}, {"hold"}), "", Keys::get().dir / "stopped");
  ASSERT_TRUE(core.wait([&] { return core.opened.size() == 1; }));
  core.hang_up();
  EXPECT_EQ(core.front_status(), 0);
  EXPECT_EQ(core.end(held), 255);
  EXPECT_THAT(read_file(Keys::get().dir / "stopped"), HasSubstr("the daemon is stopping"));
}

TEST(Front, TellsTheCoreWhoComes) {
  FakeCore core;
  ASSERT_EQ(core.ssh_run("exit 0").status, 0);
  ASSERT_EQ(core.asks.size(), 2u);
  EXPECT_FALSE(core.asks[0].verified);
  EXPECT_TRUE(core.asks[1].verified);
  EXPECT_EQ(core.asks[1].user, "alice");
  EXPECT_EQ(core.asks[1].local, str("127.0.0.1:", core.port()));
  EXPECT_THAT(core.asks[1].peer, HasSubstr("127.0.0.1:"));
  EXPECT_THAT(core.asks[1].client, HasSubstr("OpenSSH"));
  std::string line = read_file(Keys::get().alice + ".pub");
  EXPECT_EQ(line.substr(12, 68), base::base64(core.asks[1].key));
}

TEST(Front, SendsACertificateWhole) {
  FakeCore core;
  const Keys& keys = Keys::get();
  ASSERT_EQ(
      core.run({"ssh-keygen", "-q", "-s", keys.dir / "host", "-I", "id", "-n", "alice", keys.alice + ".pub"})
          .status,
      0);
  auto words = core.ssh({"-o", str("CertificateFile=", keys.alice, "-cert.pub")}, {"exit 0"});
  EXPECT_EQ(core.run(words).status, 0);
  EXPECT_THAT(core.asks.back().key, HasSubstr("ssh-ed25519-cert-v01@openssh.com"));
  EXPECT_TRUE(core.asks.back().verified);
  ::unlink((keys.alice + "-cert.pub").c_str());
}

TEST(Front, MixesNobodyUpAndLosesNoDescriptor) {
  base::wire::Setup setup;
  setup.most_per_source = 100;
  FakeCore core(setup);
  int before = core.descriptors();  // with no connection at all
  ASSERT_EQ(core.ssh_run("exit 0").status, 0);
  std::vector<std::pair<pid_t, int>> running;
  for (int i = 0; i < 12; ++i) {
    running.emplace_back(core.start(core.ssh({}, {str("exit ", 100 + i)})), 100 + i);
    Stranger(core.port());  // comes and goes, so that descriptor numbers are used anew
    Stranger rude(core.port());
    ::send(rude.fd.get(), "SSH-2.0-x\r\n\0\0\0\4junk", 19, 0);
    core.wait([] { return true; });
  }
  for (auto [pid, status] : running) EXPECT_EQ(core.end(pid), status);
  EXPECT_TRUE(core.wait([&] { return core.descriptors() == before && core.closed.size() == 13; }))
      << core.descriptors() << " of " << before << ", " << core.closed.size() << " closed";
}

TEST(Front, SpendsLittleOnALoginAndAnIdleSession) {
  FakeCore core;
  ASSERT_EQ(core.ssh_run("exit 0").status, 0);
  double cpu = core.cpu_ms(), least = 1e9;  // what else the machine does only adds to it
  for (int i = 0; i < 5; ++i) {
    double before = core.cpu_ms();
    core.ssh_run("exit 0");
    least = std::min(least, core.cpu_ms() - before);
  }
  RecordProperty("cpu_ms_per_login", str(least));
  EXPECT_LT(least, 25);  // 3 to 5 measured; debug builds and sanitizers are slower
  long rss = core.rss_kib();
  std::vector<pid_t> held;
  for (int i = 0; i < 10; ++i) {
    held.push_back(core.start(core.ssh({}, {"hold"})));
    ASSERT_TRUE(core.wait([&] { return core.sessions_open() == held.size(); }));
  }
  RecordProperty("kib_per_idle_session", str((core.rss_kib() - rss) / 10));
  std::printf("%s CPU ms a login, %s KiB an idle session\n", str((core.cpu_ms() - cpu) / 15).c_str(),
              str((core.rss_kib() - rss) / 10).c_str());
  for (pid_t pid : held) {
    ::kill(pid, SIGTERM);
    core.end(pid);
  }
}

}  // namespace
}  // namespace oob::test

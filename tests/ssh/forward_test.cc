#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/unix_socket.h"
#include "tests/ssh/fake_core.h"

namespace oob::test {
namespace {

using base::Bytes;
using base::str;

// A core that says yes to every forward and does with its bytes what `serve` does, whenever there may be
// some.
class Forwards {
 public:
  explicit Forwards(FakeCore& core) : core_(core), timer_(core.loop) { turn(); }
  ~Forwards() { timer_.cancel(); }

  struct Open {
    base::Fd socket;
    base::wire::Forward wish;
    std::string came, to_send;
    bool ended = false;  // the client has said all
    bool shut = false;
  };
  std::vector<std::unique_ptr<Open>> open;
  bool says_yes = true;
  bool answers = true;
  bool echoes = false;  // sends what came, and the end
  bool listens = true;

 private:
  void turn() {
    for (auto& asked : core_.forwards) {
      if (!answers) break;
      core_.forward(asked, says_yes);
      if (!says_yes) continue;
      open.push_back(std::make_unique<Open>());
      open.back()->socket = std::move(asked.socket);
      open.back()->wish = asked.wish;
    }
    if (answers) core_.forwards.clear();
    for (auto& each : open) serve(*each);
    timer_.after(base::milliseconds(1), [this] { turn(); });
  }
  void serve(Open& one) {
    char buffer[65536];
    while (listens && !one.ended) {
      auto size = base::receive_some(one.socket.get(), buffer, sizeof buffer);
      if (!size) {
        one.ended = size.error().fault != base::Fault::again;
        break;
      }
      one.came.append(buffer, *size);
      if (echoes) one.to_send.append(buffer, *size);
    }
    while (!one.to_send.empty()) {
      auto sent = base::send_some(one.socket.get(), Bytes(one.to_send).substr(0, 1 << 20));
      if (!sent) break;
      one.to_send.erase(0, *sent);
    }
    if (echoes && one.ended && one.to_send.empty() && !one.shut) {
      ::shutdown(one.socket.get(), SHUT_WR);
      one.shut = true;
    }
  }

  FakeCore& core_;
  base::Timer timer_;
};

// A client's input that says nothing and does not end.
std::string silence() {
  std::string path = Keys::get().dir / "silence";
  ::mkfifo(path.c_str(), 0600);
  return path;
}

std::vector<std::string> dash_w(FakeCore& core, const std::string& target = "edge1.bmc:443") {
  return core.ssh({"-W", target});
}

TEST(Forward, BringsBytesThereAndBackWithTheEndOfEachWay) {
  FakeCore core;
  Forwards forwards(core);
  forwards.echoes = true;
  std::string typed = pattern(20'000'000);
  write_file(Keys::get().dir / "typed", typed);
  Finished done = core.run(dash_w(core), Keys::get().dir / "typed");
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_TRUE(done.out == typed) << done.out.size();
  ASSERT_EQ(forwards.open.size(), 1u);
  EXPECT_EQ(forwards.open[0]->wish.host, "edge1.bmc");
  EXPECT_EQ(forwards.open[0]->wish.port, 443u);
  EXPECT_FALSE(forwards.open[0]->wish.origin.empty());
}

TEST(Forward, SurvivesManyKeyExchanges) {
  FakeCore core;
  Forwards forwards(core);
  forwards.echoes = true;
  std::string typed = pattern(5'000'000);
  write_file(Keys::get().dir / "typed", typed);
  auto command = core.ssh({"-o", "RekeyLimit=1M", "-W", "edge1.bmc:443"});
  EXPECT_TRUE(core.run(command, Keys::get().dir / "typed").out == typed);
}

TEST(Forward, GoesOnOneWayAfterTheOtherHasEnded) {
  FakeCore core;
  Forwards forwards(core);
  pid_t ssh = core.start(dash_w(core), "", Keys::get().dir / "half");
  ASSERT_TRUE(core.wait([&] { return !forwards.open.empty() && forwards.open[0]->ended; }));
  forwards.open[0]->to_send = "late";
  ASSERT_TRUE(core.wait([] { return read_file(Keys::get().dir / "half") == "late"; }));
  ::shutdown(forwards.open[0]->socket.get(), SHUT_WR);
  EXPECT_EQ(core.end(ssh), 0);
}

TEST(Forward, EndsWhenTheCoreClosesIt) {
  FakeCore core;
  Forwards forwards(core);
  pid_t ssh = core.start(dash_w(core), silence(), Keys::get().dir / "closed");
  ASSERT_TRUE(core.wait([&] { return !forwards.open.empty(); }));
  forwards.open.clear();
  EXPECT_NE(core.end(ssh), -1);
}

TEST(Forward, IsRefusedWhereTheCoreSaysNo) {
  FakeCore core;
  Forwards forwards(core);
  forwards.says_yes = false;
  Finished done = core.run(dash_w(core));
  EXPECT_EQ(done.status, 255);
  EXPECT_EQ(done.out, "");
}

TEST(Forward, IsRefusedWhenTheCoreNeverAnswers) {
  FakeCore core({}, {"50", "5000"});  // the answer to a key has to come in that time, too
  Forwards forwards(core);
  forwards.answers = false;
  Finished done = core.run(dash_w(core));
  EXPECT_EQ(done.status, 255);
  ASSERT_EQ(core.forwards.size(), 1u);
  // An answer that comes after all finds nobody, and does no harm.
  core.forward(core.forwards[0], true);
  EXPECT_EQ(core.ssh_run("exit 3").status, 3);
}

TEST(Forward, CountsAmongTheChannels) {
  base::wire::Setup setup;
  setup.most_channels = 3;
  FakeCore core(setup);
  Forwards forwards(core);
  std::string path = Keys::get().dir / "few";
  pid_t master = core.start(core.ssh({"-o", str("ControlPath=", path), "-MN"}));
  ASSERT_TRUE(core.wait([&] { return ::access(path.c_str(), F_OK) == 0; }));
  std::vector<pid_t> held;
  for (std::size_t i = 1; i <= 3; ++i) {
    held.push_back(core.start(core.ssh({"-S", path, "-W", "edge1.bmc:443"}), silence()));
    ASSERT_TRUE(core.wait([&] { return forwards.open.size() == i; }));
  }
  EXPECT_NE(core.run(core.ssh({"-S", path, "-W", "edge1.bmc:443"})).status, 0);
  // Nor a session; without the last option ssh would make a connection of its own.
  EXPECT_NE(core.run(core.ssh({"-S", path, "-o", "ProxyCommand=false"}, {"exit 0"})).status, 0);
  EXPECT_EQ(forwards.open.size(), 3u);
  ::kill(master, SIGTERM);
  core.end(master);
  for (pid_t pid : held) core.end(pid);
}

TEST(Forward, ServesSeveralAtOnceByteForByte) {
  FakeCore core;
  Forwards forwards(core);
  forwards.echoes = true;
  std::string path = Keys::get().dir / "several", typed = pattern(2'000'000);
  write_file(Keys::get().dir / "typed", typed);
  pid_t master = core.start(core.ssh({"-o", str("ControlPath=", path), "-MN"}));
  ASSERT_TRUE(core.wait([&] { return ::access(path.c_str(), F_OK) == 0; }));
  std::vector<pid_t> clients;
  for (int i = 0; i < 8; ++i)
    clients.push_back(core.start(core.ssh({"-S", path, "-W", "edge1.bmc:443"}), Keys::get().dir / "typed",
                                 Keys::get().dir / str("copy", i)));
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(core.end(clients[static_cast<std::size_t>(i)]), 0);
    EXPECT_TRUE(read_file(Keys::get().dir / str("copy", i)) == typed) << i;
  }
  ::kill(master, SIGTERM);
  core.end(master);
}

TEST(Forward, HoldsLittleForAClientThatDoesNotRead) {
  FakeCore core;
  Forwards forwards(core);
  pid_t ssh = core.start(dash_w(core), silence(), Keys::get().dir / "stalled");
  ASSERT_TRUE(core.wait([&] { return !forwards.open.empty(); }));
  ::kill(ssh, SIGSTOP);
  long before = core.rss_kib();
  std::size_t all = 64 << 20, left = all;
  forwards.open[0]->to_send = std::string(all, 'x');
  // Until nothing has moved for a while.
  base::Clock::time_point moved = base::Clock::now();
  EXPECT_TRUE(core.wait([&] {
    if (std::exchange(left, forwards.open[0]->to_send.size()) != left) moved = base::Clock::now();
    return base::Clock::now() - moved > std::chrono::milliseconds(700);
  }));
  EXPECT_GT(left, all / 2);
  EXPECT_LT(core.rss_kib() - before, 4 * 1024);
  ::kill(ssh, SIGKILL);
  core.end(ssh);
}

TEST(Forward, HoldsNoMoreThanTheWindowForACoreThatDoesNotRead) {
  FakeCore core;
  Forwards forwards(core);
  forwards.listens = false;
  write_file(Keys::get().dir / "flood", std::string(64 << 20, 'x'));
  long before = core.rss_kib();
  pid_t ssh = core.start(dash_w(core), Keys::get().dir / "flood");
  ASSERT_TRUE(core.wait([&] { return !forwards.open.empty(); }));
  base::Clock::time_point begun = base::Clock::now();
  core.wait([&] { return base::Clock::now() - begun > std::chrono::milliseconds(1500); });
  EXPECT_LT(core.rss_kib() - before, 8 * 1024);
  ::kill(ssh, SIGKILL);
  core.end(ssh);
  EXPECT_TRUE(core.wait([&] { return core.closed.size() == 1; }));
}

Finished script(FakeCore& core, const std::string& name) { return core.python("forwards.py", {name}); }

TEST(Forward, HasPacketsOfASizeThatCanBeWrittenTo) {
  FakeCore core;
  Forwards forwards(core);
  Finished done = script(core, "tiny");
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(forwards.open.size(), 1u);
}

TEST(Forward, HasAHostAndAPort) {
  FakeCore core;
  Forwards forwards(core);
  Finished done = script(core, "wrong");
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_TRUE(forwards.open.empty());
}

TEST(Forward, MayComeAndGoQuickly) {
  FakeCore core;
  Forwards forwards(core);
  Finished done = script(core, "come_and_go");
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(core.ssh_run("exit 3").status, 3);
}

TEST(Forward, LeavesNothingBehindWhenTheClientVanishesMeanwhile) {
  FakeCore core;
  Forwards forwards(core);
  forwards.answers = false;
  // With no connection: one that is told closed may still have its descriptor.
  const int descriptors = core.descriptors();
  EXPECT_EQ(core.ssh_run("exit 0").status, 0);
  ASSERT_TRUE(core.wait([&] { return core.closed.size() == 1; }));
  Finished done = script(core, "vanish");
  EXPECT_TRUE(core.wait([&] { return core.closed.size() == 2; }));
  forwards.answers = true;  // to nobody
  EXPECT_EQ(core.ssh_run("exit 3").status, 3);
  EXPECT_TRUE(core.wait([&] { return core.descriptors() == descriptors; }));
}

TEST(Forward, BringsWhatWasSaidBeforeTheClientClosedIt) {
  FakeCore core;
  Forwards forwards(core);
  forwards.listens = false;
  pid_t client = core.start({"/usr/bin/python3", "-W", "ignore", str(SSH_TESTS, "/forwards.py"),
                             str(core.port()), Keys::get().alice, "last_words"});
  ASSERT_TRUE(core.wait([&] { return forwards.open.size() == 2; }));  // the first one is closed by now
  forwards.listens = true;
  EXPECT_TRUE(core.wait([&] { return forwards.open[0]->ended; }));
  EXPECT_EQ(forwards.open[0]->came.size(), 1'000'000u);
  forwards.open.pop_back();
  EXPECT_EQ(core.end(client), 0);
}

}  // namespace
}  // namespace oob::test

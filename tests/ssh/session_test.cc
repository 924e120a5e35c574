#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/ssh/fake_core.h"

namespace oob::test {
namespace {

using base::str;
using testing::HasSubstr;

// PuTTY's command line client as alice's key.
std::vector<std::string> plink(FakeCore& core, const std::vector<std::string>& options,
                               const std::string& user, const std::string& command) {
  const Keys& keys = Keys::get();
  std::string ppk = keys.dir / "alice.ppk";
  EXPECT_EQ(core.run({"puttygen", keys.alice, "-O", "private", "-o", ppk}).status, 0);
  Finished finger = core.run({"ssh-keygen", "-l", "-f", keys.dir / "host.pub"});
  std::string hash = finger.out.substr(finger.out.find("SHA256:"), 50);
  std::vector<std::string> words{"plink", "-batch", "-i", ppk, "-hostkey", hash, "-P", str(core.port())};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {user + "@127.0.0.1", command});
  return words;
}

TEST(Session, EndsWithEveryExitStatus) {
  FakeCore core;
  std::vector<std::string> master = core.ssh({"-o", str("ControlPath=", Keys::get().dir / "exits"), "-MN"});
  pid_t pid = core.start(master);
  ASSERT_TRUE(core.wait([] { return ::access((Keys::get().dir / "exits").c_str(), F_OK) == 0; }));
  for (int status = 0; status < 256; status += status < 4 || status > 250 ? 1 : 9) {
    auto command = core.ssh({"-S", Keys::get().dir / "exits"}, {str("exit ", status)});
    EXPECT_EQ(core.run(command).status, status);
  }
  ::kill(pid, SIGTERM);
  core.end(pid);
}

TEST(Session, EndsWithItsStatusOnAConnectionOfItsOwn) {
  FakeCore core;
  EXPECT_EQ(core.ssh_run("exit 0").status, 0);
  EXPECT_EQ(core.ssh_run("exit 77").status, 77);
  EXPECT_TRUE(core.wait([&] { return core.closed.size() == 2; }));
  ASSERT_EQ(core.opened.size(), 2u);
  EXPECT_EQ(core.opened[1].command, "exit 77");
  EXPECT_FALSE(core.opened[1].shell);
  EXPECT_FALSE(core.opened[1].pty);
}

TEST(Session, KeepsStdoutAndStderrApart) {
  FakeCore core;
  Finished both = core.ssh_run("both");
  EXPECT_EQ(both.out, "outoutout");
  EXPECT_EQ(both.err, "errerrerr");
  EXPECT_EQ(both.status, 0);
}

TEST(Session, GoesOnWithOutputAfterTheClientsEndOfInput) {
  FakeCore core;
  std::string typed = pattern(3'000'000);
  write_file(Keys::get().dir / "typed", typed);
  Finished cat = core.ssh_run("cat", Keys::get().dir / "typed");
  EXPECT_EQ(cat.status, 0);
  EXPECT_TRUE(cat.out == typed) << cat.out.size();
}

TEST(Session, SaysSoWhenTheCoreEndsWithoutAStatus) {
  FakeCore core;
  Finished lost = core.ssh_run("vanish");
  EXPECT_EQ(lost.status, 70);
  EXPECT_EQ(lost.out, "going\n");
  EXPECT_EQ(lost.err, "oobd: the session was lost inside the daemon\n");
}

std::string flooded(std::size_t size) {
  std::string stock = pattern(std::size_t{1} << 20), all;
  while (all.size() < size) all += stock;
  all.resize(size);
  return all;
}

TEST(Session, StaysByteExactThroughManyKeyExchanges) {
  FakeCore core;
  std::string typed = pattern(20'000'000);
  write_file(Keys::get().dir / "typed", typed);
  for (const char* cipher : {"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"}) {
    auto sink = core.ssh({"-o", "RekeyLimit=1M", "-c", cipher}, {"sink"});
    EXPECT_EQ(core.run(sink, Keys::get().dir / "typed").out, str(typed.size(), " ", sum(typed), "\n"))
        << cipher;
    auto flood = core.ssh({"-o", "RekeyLimit=1M", "-c", cipher}, {"flood 20000000"});
    EXPECT_TRUE(core.run(flood).out == flooded(20'000'000)) << cipher;
  }
  auto cat = core.ssh({"-o", "RekeyLimit=1M"}, {"cat"});
  EXPECT_TRUE(core.run(cat, Keys::get().dir / "typed").out == typed);
}

TEST(Session, ManyShareOneConnectionUpToTheCap) {
  base::wire::Setup setup;
  setup.most_channels = 4;
  FakeCore core(setup);
  std::string path = Keys::get().dir / "many";
  pid_t master = core.start(core.ssh({"-o", str("ControlPath=", path), "-MN"}));
  ASSERT_TRUE(core.wait([&] { return ::access(path.c_str(), F_OK) == 0; }));
  std::vector<pid_t> held;
  for (int i = 0; i < 4; ++i) held.push_back(core.start(core.ssh({"-S", path}, {"hold"})));
  ASSERT_TRUE(core.wait([&] { return core.opened.size() == 4; }));
  // OpenSSH goes on with a connection of its own when the shared one is full.
  Finished fifth = core.run(core.ssh({"-S", path}, {"exit 3"}));
  EXPECT_THAT(fifth.err, HasSubstr("Session open refused by peer"));
  EXPECT_TRUE(core.wait([&] { return core.closed.size() == 1; }));
  core.end_sessions(5);
  for (pid_t pid : held) EXPECT_EQ(core.end(pid), 5);
  EXPECT_EQ(core.run(core.ssh({"-S", path}, {"exit 3"})).status, 3);  // the places are free again
  EXPECT_EQ(core.closed.size(), 1u);                                  // on the same connection
  ::kill(master, SIGTERM);
  core.end(master);
}

TEST(Session, TellsTheSizeOfTheTerminalAndItsChanges) {
  FakeCore core;
  Finished screen = core.python("terminal.py", {"resize"});
  EXPECT_EQ(screen.status, 0) << screen.out << screen.err;
  ASSERT_EQ(core.opened.size(), 1u);
  EXPECT_TRUE(core.opened[0].shell && core.opened[0].pty);
  EXPECT_EQ(core.opened[0].term, "vt220");
  EXPECT_EQ(core.opened[0].columns, 80u);
  EXPECT_EQ(core.opened[0].rows, 24u);
  EXPECT_THAT(screen.out, HasSubstr("resize 132x43"));
}

TEST(Session, HearsTheBreakOfOpenSsh) {
  FakeCore core;
  Finished screen = core.python("terminal.py", {"break"});
  EXPECT_EQ(screen.status, 0) << screen.out << screen.err;
  EXPECT_THAT(screen.out, HasSubstr("break 0"));
}

// OpenSSH that was told to have a terminal (-tt) gives up by itself when it gets none, whether or not its
// command has begun by then; PuTTY goes on without one.
TEST(Session, HasNoTerminalWhereTheVerdictForbidsIt) {
  FakeCore core;
  Finished refused = core.run(core.ssh({"-tt", "-o", "User=nopty", "-o", "LogLevel=INFO"}, {"exit 0"}));
  EXPECT_EQ(refused.status, 255);
  EXPECT_THAT(refused.err, HasSubstr("PTY allocation request failed"));
  Finished putty = core.run(plink(core, {"-v", "-t"}, "nopty", "exit 7"));
  EXPECT_EQ(putty.status, 7) << putty.err;
  EXPECT_THAT(putty.err, HasSubstr("Server refused to allocate pty"));
  ASSERT_GE(core.opened.size(), 1u);
  for (const base::wire::Open& opened : core.opened) EXPECT_FALSE(opened.pty);
}

TEST(Session, OpensTheSubsystemSftp) {
  FakeCore core;
  core.run(core.ssh({"-s"}, {"sftp"}));
  ASSERT_EQ(core.opened.size(), 1u);
  EXPECT_TRUE(core.opened.at(0).subsystem);
  EXPECT_FALSE(core.opened.at(0).shell);
  EXPECT_EQ(core.opened.at(0).command, "sftp");
  core.run(core.ssh({}, {"exit 4"}));
  EXPECT_FALSE(core.opened.at(1).subsystem);
}

TEST(Session, RefusesWhatIsNotAConsole) {
  FakeCore core;
  for (const char* subsystem : {"netconf", "sftp2", "SFTP", "s"})
    EXPECT_EQ(core.run(core.ssh({"-o", "LogLevel=INFO", "-s"}, {subsystem})).status, 255) << subsystem;
  Finished forward = core.run(core.ssh({"-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "-N"}));
  EXPECT_THAT(forward.err, HasSubstr("remote port forwarding failed"));
  EXPECT_EQ(core.run(core.ssh({"-W", "127.0.0.1:22"})).status, 255);
  EXPECT_EQ(core.run(core.ssh({"-A", "-X", "-o", "SetEnv=LANG=C"}, {"exit 4"})).status, 4);
  EXPECT_EQ(core.opened.size(), 1u);
}

TEST(Session, ServesOtherClientsToo) {
  FakeCore core;
  const Keys& keys = Keys::get();
  std::string bear = keys.dir / "alice.dropbear";
  ASSERT_EQ(core.run({"dropbearconvert", "openssh", "dropbear", keys.alice, bear}).status, 0);
  Finished dropbear =
      core.run({"dbclient", "-y", "-y", "-i", bear, "-p", str(core.port()), "alice@127.0.0.1", "exit 9"});
  EXPECT_EQ(dropbear.status, 9) << dropbear.err;
  Finished putty = core.run(plink(core, {}, "alice", "exit 8"));
  EXPECT_EQ(putty.status, 8) << putty.err;
  EXPECT_TRUE(core.run(plink(core, {}, "alice", "flood 5000000")).out == flooded(5'000'000));
  Finished paramiko = core.python("clients.py");
  EXPECT_EQ(paramiko.status, 0) << paramiko.out << paramiko.err;
}

}  // namespace
}  // namespace oob::test

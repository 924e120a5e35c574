#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <sstream>

#include "ssh/host_keys.h"
#include "ssh/libssh_guard.h"
#include "tests/ssh/fake_core.h"

namespace oob::test {
namespace {

using base::str;
using base::wire::Remark;
using testing::HasSubstr;

// Runs one case of hostile.py and sees that the front is as before: alive, serving, no descriptor lost.
struct Hostile {
  FakeCore core;
  const int before = core.descriptors();  // with no connection: the last one of a case may still be closing
  void meets(const std::string& name, const std::string& number = "0") {
    Finished done = core.python("hostile.py", {name, number});
    EXPECT_EQ(done.status, 0) << name << " " << number << ": " << done.out << done.err;
    EXPECT_TRUE(core.wait([&] { return core.descriptors() == before; })) << name;
    EXPECT_EQ(core.ssh_run("exit 5").status, 5) << name;
  }
};

TEST(Hostile, Sha1SignaturesAreNotTaken) {
  Hostile hostile;
  hostile.meets("sha1");
  ASSERT_FALSE(hostile.core.asks.empty());
  for (const auto& ask : hostile.core.asks) EXPECT_EQ(ask.key.find("ssh-rsa"), std::string::npos);
}

TEST(Hostile, AKeyThatLibsshDoesNotKnowIsRefusedAtOnce) { Hostile().meets("unknown_key"); }

TEST(Hostile, GssapiIsAnsweredOnceAndCounted) { Hostile().meets("gssapi"); }

TEST(Hostile, OnlyPublicKeysAreOffered) { Hostile().meets("methods"); }

TEST(Hostile, TheUserMayNotChange) { Hostile().meets("user_change"); }

TEST(Hostile, UserNamesHaveABound) {
  Hostile hostile;
  hostile.meets("long_user", "1024");
  hostile.meets("long_user", "1025");
  hostile.meets("long_user", "200000");
}

TEST(Hostile, NoChannelOpensBeforeTheLogin) { Hostile().meets("early_channel"); }

TEST(Hostile, TinyPacketsAreRefused) {
  Hostile hostile;
  for (const char* size : {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "100", "255"})
    hostile.meets("tiny_packet", size);
}

TEST(Hostile, ChannelsHaveACap) { Hostile().meets("channels"); }

TEST(Hostile, AClientThatIgnoresItsWindowIsCutOff) {
  Hostile hostile;
  hostile.meets("ignored_window");
  EXPECT_LT(hostile.core.rss_kib(), 64 * 1024);
}

TEST(Hostile, StderrOfAClientIsDropped) {
  Hostile hostile;
  hostile.meets("extended");
  EXPECT_LT(hostile.core.rss_kib(), 64 * 1024);
}

TEST(Hostile, ABreakIsToldFromOtherUnnamedRequests) { Hostile().meets("breaks"); }

TEST(Hostile, AChannelRunsOneCommand) { Hostile().meets("twice"); }

TEST(Hostile, ChannelsMayComeAndGoInAnyOrder) { Hostile().meets("races"); }

TEST(Hostile, SixRefusedKeysEndTheConnectionWithOneRemark) {
  Hostile hostile;
  hostile.meets("keys");
  ASSERT_EQ(hostile.core.remarks.size(), 1u);
  EXPECT_EQ(hostile.core.remarks[0].kind, Remark::Kind::refused);
  EXPECT_EQ(hostile.core.remarks[0].text, "6 keys refused for user mallory");
  EXPECT_THAT(hostile.core.remarks[0].peer, HasSubstr("127.0.0.1:"));
}

TEST(Hostile, TheServiceIsNotGivenForEver) { Hostile().meets("services"); }

TEST(Hostile, WhatMayComeBeforeTheLoginHasABound) {
  FakeCore core;
  EXPECT_EQ(core.python("hostile.py", {"much_before_login", "15"}).out, "taken\n");
  EXPECT_EQ(core.python("hostile.py", {"much_before_login", "20"}).out, "");
  EXPECT_EQ(core.ssh_run("exit 5").status, 5);
}

TEST(Hostile, AStrangerDoesNotHoldUpTheKeysOfOthers) {
  FakeCore core;
  // The front's CPU time. What it does between its answer and the client's next turn on a busy machine counts
  // with it, so that there may have to be some tries. Without a bound on a pump's time a blast of this size
  // takes 275 ms and more before the key has its turn.
  const int most = 100 * kSanitized;
  Finished keys = core.python("hostile.py", {"blasted", "9000", str(core.pid()), str(most)});
  ASSERT_EQ(keys.status, 0) << keys.err;
  double least = most;
  std::istringstream(keys.out) >> least;
  EXPECT_LT(least, most) << keys.out;
}

TEST(Hostile, WhoAsksAndDoesNotReadIsCutOff) { Hostile().meets("deaf"); }

TEST(Hostile, ATerminalWithoutASizeIsTakenAtItsWord) { Hostile().meets("no_size"); }

TEST(Hostile, StalledReadersCostLittleAndHoldUpNobody) {
  FakeCore core;
  ASSERT_EQ(core.ssh_run("exit 0").status, 0);
  long before = core.rss_kib();
  std::string said = Keys::get().dir / "said";
  pid_t zero = core.start({"/usr/bin/python3", "-W", "ignore", str(SSH_TESTS, "/hostile.py"),
                           str(core.port()), Keys::get().alice, "zero_window", "280"},
                          "", said);
  ASSERT_TRUE(core.wait([&] { return read_file(said) == "stalled\n"; }));
  // PuTTY's window is 2 GB, so TCP alone stops the flow.
  const Keys& keys = Keys::get();
  std::string ppk = keys.dir / "stalled.ppk";
  ASSERT_EQ(core.run({"puttygen", keys.alice, "-O", "private", "-o", ppk}).status, 0);
  auto finger = core.run({"ssh-keygen", "-l", "-f", keys.dir / "host.pub"});
  pid_t putty =
      core.start({"plink", "-batch", "-i", ppk, "-hostkey", finger.out.substr(finger.out.find("SHA256:"), 50),
                  "-P", str(core.port()), "alice@127.0.0.1", "endless"});
  ASSERT_TRUE(core.wait([&] { return core.opened.size() == 12; }));
  ::kill(putty, SIGSTOP);
  EXPECT_EQ(core.ssh_run("flood 30000000").out.size(), 30'000'000u);
  EXPECT_EQ(core.ssh_run("exit 3").status, 3);
  EXPECT_LT(core.rss_kib() - before, 6 * 1024 * kSanitized);
  for (pid_t pid : {zero, putty}) {
    ::kill(pid, SIGKILL);
    core.end(pid);
  }
}

TEST(Guard, HearsTheLogOfLibssh) { EXPECT_TRUE(ssh::log_is_heard()); }

TEST(HostKeys, RefusesWhatIsNoKey) {
  ssh::HostKeys none, bad;
  EXPECT_EQ(none.import({}).error().what, "no host key");
  EXPECT_EQ(bad.import({Keys::get().host_key, "nonsense"}).error().what,
            "host key 2 is not an OpenSSH private key without passphrase");
}

}  // namespace
}  // namespace oob::test

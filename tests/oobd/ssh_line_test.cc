#include "oobd/ssh_line.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

#include "ssh/reach_request.h"
#include "tests/support/support.h"

namespace oob::test {
namespace {

using base::Fault;
using base::Result;
using base::str;
using testing::HasSubstr;

// A server of tests/oobd/ssh_peer.py.
class Peer {
 public:
  Peer(const std::string& kind, const std::string& folder) {
    int to[2], from[2];
    EXPECT_EQ(::pipe2(to, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(from, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    std::string script = str(OOBD_TEST_FOLDER, "/ssh_peer.py"), one = kind, two = folder;
    char python[] = "/usr/bin/python3", warnings[] = "-Wignore", clean[] = "-B";
    char* arguments[] = {python, clean, warnings, script.data(), one.data(), two.data(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, python, &actions, nullptr, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(to[0]);
    ::close(from[1]);
    stdin_.reset(to[1]);
    stdout_.reset(from[0]);
    while (said.find('\n') == std::string::npos && hear()) continue;
    port = said.substr(0, said.find('\n'));
    ::fcntl(from[0], F_SETFL, O_NONBLOCK);
  }
  ~Peer() {
    stdin_.reset();
    ::waitpid(pid_, nullptr, 0);
  }
  bool hear() {
    char piece[256];
    ssize_t size = ::read(stdout_.get(), piece, sizeof piece);
    if (size > 0) said.append(piece, static_cast<std::size_t>(size));
    return size > 0;
  }
  std::string said, port;

 private:
  base::Fd stdin_, stdout_;
  pid_t pid_ = -1;
};

void make_key(const std::string& path) {
  std::string command = str("ssh-keygen -q -t ed25519 -N '' -C test -f ", path);
  ASSERT_EQ(std::system(command.c_str()), 0);
}

// One line and the far end it leads to.
class InBand : public testing::Test {
 protected:
  InBand() {
    make_key(folder / "host");
    make_key(folder / "user");
    write_file(folder / "password", "open sesame\n");
    pin = read_file(folder / "host.pub");
    write_file(folder / "sshd_config",
               str("HostKey ", folder / "host", "\nAuthorizedKeysFile ", folder / "user.pub",
                   "\nStrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\n"
                   "PermitRootLogin prohibit-password\nPrintMotd no\nPrintLastLog no\n"));
  }
  ~InBand() override {
    line.reset();
    EXPECT_TRUE(run_until(loop, [&] { return children() == (peer ? 1 : 0); })) << "a client is left";
  }
  // Children of this process, whether ended or not.
  std::size_t children() {
    std::string pids = read_file(str("/proc/self/task/", ::getpid(), "/children"));
    return pids.empty() ? 0 : count(pids, " ");
  }

  void serve(const std::string& kind) { peer = std::make_unique<Peer>(kind, folder.path()); }
  Result<> open(bool shell, bool by_key) {
    const passwd* me = ::getpwuid(::geteuid());
    DeviceConfig::InBand settings;
    settings.host = str("127.0.0.1:", peer->port);
    settings.host_key = pin;
    settings.user = user.empty() ? me->pw_name : user;
    (by_key ? settings.key_file : settings.password_file) = folder / (by_key ? "user" : "password");
    line = std::make_unique<SshLine>(loop, blocking, processes, settings, shell);
    std::optional<Result<>> outcome;
    line->open([&](Result<> result) { outcome = std::move(result); });
    EXPECT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
    return outcome ? *outcome : Result<>(base::fail(Fault::internal, "never answered"));
  }
  // Why it can't be opened.
  std::string refusal(Fault fault, bool by_key = false) {
    Result<> opened = open(true, by_key);
    if (opened) return "it was opened";
    EXPECT_EQ(opened.error().fault, fault) << opened.error().what;
    return opened.error().what;
  }
  void type(std::string bytes) {
    EXPECT_TRUE(run_until(loop, [&] {
      if (Result<std::size_t> size = line->write(bytes)) bytes.erase(0, *size);
      return bytes.empty();
    }));
  }
  // What is there now; false at the line's end.
  bool hear() {
    char piece[16384];
    while (true) {
      Result<std::size_t> size = line->read(piece, sizeof piece);
      if (!size) return size.error().fault == Fault::again;
      heard.append(piece, *size);
    }
  }
  bool hears(const std::string& text) {
    return run_until(loop, [&] {
      hear();
      return heard.find(text) != std::string::npos;
    });
  }

  TempDir folder;
  base::Loop loop;
  base::Blocking blocking{loop};
  std::shared_ptr<ReachProcesses> processes = std::make_shared<ReachProcesses>(loop, REACH_PROGRAM);
  std::unique_ptr<Peer> peer;
  std::unique_ptr<SshLine> line;
  std::string pin, user, heard;
};

// What a shell needs of sshd, when it is there at all.
bool sshd_runs() {
  return ::access("/usr/sbin/sshd", X_OK) == 0 && (::geteuid() != 0 || ::access("/run/sshd", F_OK) == 0);
}

TEST_F(InBand, TalksToABareShellOfSshdByAKey) {
  if (!sshd_runs()) GTEST_SKIP() << "no sshd, or no /run/sshd for it";
  serve("sshd");
  Result<> opened = open(true, true);
  ASSERT_TRUE(opened) << opened.error().what;
  type("tty; echo $((6*7))\n");
  EXPECT_TRUE(hears("42\n"));
  EXPECT_EQ(heard, "not a tty\n42\n");
  type("exit 3\n");
  EXPECT_TRUE(run_until(loop, [&] { return !hear(); }));
}

TEST_F(InBand, CarriesAMebibyteBothWaysByteForByteThoughNobodyReadsMeanwhile) {
  if (!sshd_runs()) GTEST_SKIP() << "no sshd, or no /run/sshd for it";
  serve("sshd");
  pin = "SHA256:";  // by its fingerprint
  std::string print = str("ssh-keygen -lf ", folder / "host.pub", " > ", folder / "print");
  ASSERT_EQ(std::system(print.c_str()), 0);
  print = read_file(folder / "print");
  pin = print.substr(print.find("SHA256:"), 50);
  Result<> opened = open(true, true);
  ASSERT_TRUE(opened) << opened.error().what;
  type("echo go; exec cat\n");
  ASSERT_TRUE(hears("go\n"));
  heard.clear();
  std::mt19937 random(7);
  std::string bytes(1 << 20, '\0');
  for (char& each : bytes) each = static_cast<char>(random());
  std::string rest = bytes;
  while (!rest.empty()) {
    Result<std::size_t> size = line->write(rest);
    if (size) rest.erase(0, *size);
    if (!size) {  // full all the way round: now somebody reads
      EXPECT_EQ(size.error().fault, Fault::again);
      hear();
    }
  }
  EXPECT_TRUE(run_until(loop, [&] {
    hear();
    return heard.size() >= bytes.size();
  }));
  EXPECT_TRUE(heard == bytes);
}

TEST_F(InBand, GivesAPersonsTerminalWhereNoShellIsAskedFor) {
  serve("password");
  user = "oob";
  Result<> opened = open(false, false);
  ASSERT_TRUE(opened) << opened.error().what;
  EXPECT_TRUE(hears("shell vt100"));
}

TEST_F(InBand, LogsInByPassword) {
  serve("password");
  user = "oob";
  Result<> opened = open(true, false);
  ASSERT_TRUE(opened) << opened.error().what;
  EXPECT_TRUE(hears("/bin/sh plain\n"));
}

TEST_F(InBand, AnswersOneHiddenQuestionAndNoMore) {
  serve("questions");
  user = "oob";
  Result<> opened = open(true, false);
  ASSERT_TRUE(opened) << opened.error().what;
  EXPECT_TRUE(hears("/bin/sh plain\n"));
  EXPECT_THAT(refusal(Fault::denied), HasSubstr(": oob: it asks for more than a password"));
}

TEST_F(InBand, SaysThatAPasswordOrAKeyWasRefused) {
  serve("password");
  user = "oob";
  write_file(folder / "password", "close sesame\n");
  EXPECT_THAT(refusal(Fault::denied),
              HasSubstr(str("127.0.0.1:", peer->port, ": oob: the password was refused")));
  EXPECT_THAT(refusal(Fault::denied, true), HasSubstr(": oob: the key was refused"));
  ::chmod((folder / "password").c_str(), 0644);
  EXPECT_THAT(refusal(Fault::config), HasSubstr("chmod 0600 it"));
}

TEST_F(InBand, ShowsNothingToAnotherHost) {
  serve("password");
  user = "oob";
  for (const std::string& wrong :
       {read_file(folder / "user.pub"), std::string("SHA256:AAAA"), std::string("ssh-ed25519")}) {
    pin = wrong;
    std::string why = refusal(Fault::denied);
    EXPECT_THAT(why, HasSubstr(str("127.0.0.1:", peer->port, ": the host key is ssh-ed25519 SHA256:")));
    EXPECT_THAT(why, HasSubstr(", not the one in the configuration; nothing was sent"));
  }
  pin = read_file(folder / "host.pub");
  ASSERT_TRUE(open(true, false));
  ASSERT_TRUE(run_until(loop, [&] { return peer->hear(); }));
  EXPECT_EQ(peer->said, str(peer->port, "\nauth oob\n")) << "those before have begun to log in";
}

TEST_F(InBand, GivesUpAHostThatSaysNothing) {
  serve("silent");
  EXPECT_THAT(refusal(Fault::unavailable, true), HasSubstr("no answer to the login in time"));
  serve("full");
  EXPECT_THAT(refusal(Fault::unavailable, true), HasSubstr("no answer within 2 s"));
  peer->port = "1";
  EXPECT_THAT(refusal(Fault::unavailable, true), HasSubstr("127.0.0.1:1: connect: Connection refused"));
}

TEST_F(InBand, IsClosedAtAnyTime) {
  serve("silent");
  line = std::make_unique<SshLine>(
      loop, blocking, processes,
      DeviceConfig::InBand{str("127.0.0.1:", peer->port), pin, "oob", folder / "password", ""}, true);
  bool answered = false;
  line->open([&](const Result<>&) { answered = true; });
  line->close();
  line->open([&](const Result<>&) { answered = true; });
  EXPECT_FALSE(run_until(
      loop, [&] { return answered; }, base::milliseconds(300)));
  line.reset();
  EXPECT_TRUE(run_until(loop, [&] { return children() == 1; }));
  EXPECT_FALSE(answered);
}

TEST(ReachRequest, ComesBackAsItWasAndIsRefusedCutOrLong) {
  ssh::ReachRequest request;
  request.address = "192.0.2.1:22";
  request.host_key = "SHA256:x";
  request.user = "oob";
  request.password = base::Secret("open sesame");
  request.mode = ssh::ReachRequest::Mode::terminal;
  std::string frame(request.encode().view());
  base::Bytes payload = base::Bytes(frame).substr(4);
  Result<ssh::ReachRequest> back = ssh::ReachRequest::decode(payload);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->encode().view(), frame);
  for (std::size_t size = 0; size < payload.size(); ++size)
    EXPECT_FALSE(ssh::ReachRequest::decode(payload.substr(0, size))) << size;
  EXPECT_FALSE(ssh::ReachRequest::decode(str(payload, "x")));
}

TEST(ReachAnswer, HasOnlyFaultsThatAStrangerMayCause) {
  auto there_and_back = [](const Result<>& answer) {
    return ssh::decode_reach_answer(base::Bytes(ssh::encode_reach_answer(answer)).substr(4));
  };
  EXPECT_TRUE(there_and_back({}));
  EXPECT_EQ(there_and_back(base::fail(Fault::denied, "no")).error().fault, Fault::denied);
  EXPECT_EQ(there_and_back(base::fail(Fault::journal, "a\033b")).error().fault, Fault::unavailable);
  EXPECT_EQ(there_and_back(base::fail(Fault::failed, "a\033b")).error().what, "a\\x1bb");
  std::string frame = ssh::encode_reach_answer(base::fail(Fault::denied, "no"));
  for (std::size_t size = 4; size < frame.size(); ++size)
    EXPECT_EQ(ssh::decode_reach_answer(base::Bytes(frame).substr(4, size - 4)).error().fault,
              Fault::internal);
}

}  // namespace
}  // namespace oob::test

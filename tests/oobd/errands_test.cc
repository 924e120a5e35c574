#include "oobd/errands.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/unix_socket.h"
#include "oobd/errands_groups.h"
#include "oobd/errands_wire.h"
#include "tests/oobd/config_folder.h"
#include "tests/support/support.h"

namespace oob {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

struct ErrandEnd {
  int status = -2;
  std::string words;
};

// Whoever has gone, but for what waits to be asked how it ended.
bool has_gone(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.empty() || text.find(") Z") != std::string::npos;
}

// The child itself, with programs that are shell scripts.
class ErrandsTest : public testing::Test {
 protected:
  ErrandsTest() : errands_(loop_, OOBD_PROGRAM, folder_.file()) {}
  void program(const std::string& name, const std::string& script) {
    test::write_file(folder_ / "notify/" + name, "#!/bin/sh\n" + script, 0755);
    tables_ += "[notify." + name + "]\nevents = [\"line.*\"]\nprogram = [\"notify/" + name + "\"]\n";
    test::write_file(folder_.file(), "[server]\nlisten = [\"127.0.0.1:0\"]\nstate = \"state\"\n" + tables_);
  }
  void start() {
    base::Result<> started = errands_.start();
    ASSERT_TRUE(started) << started.error().what;
    EXPECT_EQ(errands_.trouble(), "");
  }
  std::uint64_t begin(const std::string& name, ErrandEnd& end, milliseconds limit = seconds(30)) {
    return errands_.notify(name, {"line.down", "edge1", R"({"event":"line.down"})"}, limit,
                           [&end](int status, const std::string& words) {
                             end = {status, words};
                           });
  }
  ErrandEnd run(const std::string& name, milliseconds limit = seconds(30)) {
    ErrandEnd end;
    begin(name, end, limit);
    EXPECT_TRUE(test::run_until(loop_, [&] { return end.status != -2; }));
    return end;
  }
  // A bastion of the configuration, and a connection to it that says nothing; `words` has the path that ssh
  // gets for those who come back.
  void bastion() {
    tables_ = base::str(
        "[callhome.fra]\nbastion = \"192.0.2.7:22\"\nuser = \"oob\"\nkey_file = \"keys/callhome\"\n",
        "host_key = \"", std::string(test::kAliceKey).substr(0, 80), "\"\nsocket = \"/run/oob/ssh.sock\"\n");
    program("words", "cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\\0' '\\n' |\n" +
                         ("grep ':" + folder_.path()) + "/.*/fra.home$' | sort -u\n");
  }
  base::Fd call(ErrandEnd& home) {
    auto pair = base::socket_pair(SOCK_STREAM);
    EXPECT_TRUE(pair);
    errands_.call_home("fra", std::move(pair->first), 0, [&home](int status, const std::string& words) {
      home = {status, words};
    });
    return std::move(pair->second);
  }
  bool exists(const std::string& name) const { return std::ifstream(folder_ / name).good(); }

  base::Loop loop_;
  test::ConfigFolder folder_;
  std::string tables_;
  Errands errands_;
};

TEST_F(ErrandsTest, RunsWhatTheConfigurationNamesWithTheNoticeAsItsInput) {
  program("tell", "cat; echo; echo $OOBD_EVENT $OOBD_DEVICE $LANG; ls /proc/self/fd | wc -l; exit 3\n");
  start();
  ErrandEnd end = run("tell");
  EXPECT_EQ(end.status, 3);
  // ls has three descriptors and the folder.
  EXPECT_EQ(end.words, "{\"event\":\"line.down\"}\\nline.down edge1 C.UTF-8\\n4");
}

TEST_F(ErrandsTest, TellsAProgramByWhichInterfaceItGetsOut) {
  tables_ = "[uplink.lte]\ninterface = \"wwan0\"\n";
  program("tell", "echo \"[$OOBD_INTERFACE]\"\n");
  start();
  for (auto [interface, told] :
       {std::pair{"wwan0", "[wwan0]"}, {"", "[]"}, {"lan0", "[]"}, {"$(id)", "[]"}}) {
    ErrandEnd end;
    errands_.notify("tell", {"note", "", "{}", interface}, seconds(30),
                    [&end](int status, const std::string& words) {
                      end = {status, words};
                    });
    ASSERT_TRUE(test::run_until(loop_, [&] { return end.status != -2; }));
    EXPECT_EQ(end.words, told) << "only an uplink's";
  }
}

TEST_F(ErrandsTest, RunsNothingElse) {
  program("tell", "exit 0\n");
  start();
  for (const char* name : {"other", "", "../tell", "/bin/sh"}) {
    ErrandEnd end = run(name);
    EXPECT_EQ(end.status, -1);
    EXPECT_EQ(end.words, "the configuration has no such program");
  }
  EXPECT_EQ(run("tell").status, 0);
}

TEST_F(ErrandsTest, ReadsTheConfigurationAgainWhenItIsTold) {
  program("tell", "exit 0\n");
  start();
  EXPECT_EQ(run("tell").status, 0);
  program("later", "exit 5\n");
  EXPECT_EQ(run("later").status, -1);
  errands_.adopt();
  EXPECT_EQ(run("later").status, 5);
  test::write_file(folder_.file(), "nonsense");
  errands_.adopt();
  EXPECT_EQ(run("later").status, 5) << "with a fault it goes on with what it had";
}

// Whatever is wrong with its disk: there may be no folder of sockets, and none can be made.
TEST_F(ErrandsTest, RunsSshWithoutAFileOnTheStatesDisk) {
  bastion();
  ASSERT_EQ(::mkdir((folder_ / "state").c_str(), 0700), 0);
  test::write_file(folder_ / "state/homes", "no folder");
  start();
  ErrandEnd home;
  call(home).reset();
  ASSERT_TRUE(test::run_until(loop_, [&] { return home.status != -2; }));
  EXPECT_EQ(home.status, 255) << home.words;
  EXPECT_THAT(home.words, HasSubstr("exchange"));
}

TEST_F(ErrandsTest, KeepsTheStateFolderThatItBeganWith) {
  bastion();
  start();
  EXPECT_EQ(run("words").words, "");
  std::string text = test::read_file(folder_.file());
  test::write_file(folder_.file(), text.replace(text.find("state = \"state\""), 15, "state = \"other\""));
  errands_.adopt();
  ErrandEnd home;
  base::Fd far_end = call(home);
  // A process that is just becoming another program shows no words.
  std::string words;
  for (int i = 0; i < 100 && words.empty(); ++i) words = run("words").words;
  EXPECT_EQ(words, "/run/oob/ssh.sock:" + folder_ / "state/homes/fra.home");
}

TEST_F(ErrandsTest, SaysWhyAProgramCannotBeRun) {
  program("tell", "exit 0\n");
  start();
  EXPECT_EQ(run("tell").status, 0);
  ::unlink((folder_ / "notify/tell").c_str());
  ErrandEnd end = run("tell");
  EXPECT_EQ(end.status, -1);
  EXPECT_THAT(end.words, HasSubstr("notify/tell: No such file or directory"));
}

TEST_F(ErrandsTest, EndsWhatTakesTooLongWithAllThatItStarted) {
  program("hung", "trap '' TERM; echo on my way; sleep 600 & wait; sleep 600\n");
  start();
  ErrandEnd end = run("hung", seconds(4));  // long enough for a shell to have begun
  EXPECT_EQ(end.status, 128 + SIGKILL);
  EXPECT_THAT(end.words, HasSubstr("it was ended after 4 s: on my way"));
}

// As where its disk hangs: who opens a leased file waits until the lease is given back.
TEST_F(ErrandsTest, HoldsUpNobodyElseWhereAProgramCannotBeHad) {
  program("hung", "exit 0\n");
  program("tell", "exit 3\n");
  start();
  EXPECT_EQ(run("tell").status, 3);
  base::Fd file(::open((folder_ / "notify/hung").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(file);
  ::signal(SIGIO, SIG_IGN);  // it is asked for
  ASSERT_EQ(::fcntl(file.get(), F_SETLEASE, F_WRLCK), 0) << std::strerror(errno);
  ErrandEnd hung;
  begin("hung", hung, seconds(5));
  EXPECT_EQ(run("tell").status, 3);
  ASSERT_TRUE(test::run_until(loop_, [&] { return hung.status != -2; }));
  EXPECT_EQ(hung.status, 128 + SIGTERM);
  EXPECT_EQ(hung.words, "it was ended after 5 s");
}

TEST_F(ErrandsTest, EndsOneWhenItIsTold) {
  program("hung", "touch " + (folder_ / "begun") + "\nexec sleep 600\n");
  start();
  ErrandEnd end;
  std::uint64_t errand = begin("hung", end);
  ASSERT_TRUE(test::run_until(loop_, [&] { return exists("begun"); }));
  errands_.end(errand);
  ASSERT_TRUE(test::run_until(loop_, [&] { return end.status != -2; }));
  EXPECT_EQ(end.status, 128 + SIGTERM);
}

TEST_F(ErrandsTest, TellsTheLastThatWasSaid) {
  program("long", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; printf '\\033[2J'\n");
  start();
  ErrandEnd end = run("long");
  EXPECT_EQ(end.status, 0);
  EXPECT_LE(end.words.size(), 2000u);
  EXPECT_TRUE(end.words.ends_with("line 2999\\n\\x1b[2J")) << end.words;
}

TEST_F(ErrandsTest, LeavesNothingBehindOfAProgramThatHasEnded) {
  program("leaves", "sleep 600 & echo $! ; exit 0\n");
  start();
  ErrandEnd end = run("leaves");
  ASSERT_EQ(end.status, 0);
  pid_t left = static_cast<pid_t>(std::stoi(end.words));
  EXPECT_TRUE(test::run_until(loop_, [&] { return has_gone(left); }));
}

TEST_F(ErrandsTest, RunsNoMoreAtOnceThanItMay) {
  bastion();
  program("hung", "exec sleep 600\n");
  start();
  ErrandEnd ssh, home;  // have places of their own
  base::Fd far_end = call(ssh);
  std::vector<ErrandEnd> ends(Errands::kMostPrograms + 1);
  for (ErrandEnd& end : ends) begin("hung", end);
  errands_.call_home("nobody", {}, 0, [&](int status, const std::string& words) { home = {status, words}; });
  ASSERT_TRUE(test::run_until(loop_, [&] { return ends.back().status != -2 && home.status != -2; }));
  EXPECT_EQ(ends.back().words, "24 programs run already");
  EXPECT_EQ(ends[Errands::kMostPrograms - 1].status, -2) << ends[Errands::kMostPrograms - 1].words;
  EXPECT_EQ(ssh.status, -2) << ssh.words;
  EXPECT_EQ(home.words, "the configuration has no such bastion");
}

class ErrandsLostTest : public ErrandsTest {
 protected:
  void lose_the_child() {
    ErrandEnd parent = run("parent");
    ASSERT_EQ(parent.status, 0) << parent.words;
    ASSERT_EQ(::kill(std::stoi(parent.words), SIGKILL), 0);
    ErrandEnd next = run("parent");
    if (next.status == -1) next = run("parent");  // it was asked for before anybody knew
    EXPECT_EQ(next.status, 0) << next.words;
    EXPECT_NE(next.words, parent.words);
  }
  void goes_on_after(int signal) {
    program("parent", "echo $PPID\n");
    program("hung", "echo $$ > " + (folder_ / "new") + "; mv " + (folder_ / "new") + " " +
                        (folder_ / "begun") + "\ntrap '' TERM; sleep 600 & wait; sleep 600\n");
    start();
    ErrandEnd first = run("parent"), hung;
    ASSERT_EQ(first.status, 0) << first.words;
    begin("hung", hung);
    ASSERT_TRUE(test::run_until(loop_, [&] { return exists("begun"); }));
    pid_t left = std::stoi(test::read_file(folder_ / "begun"));
    ASSERT_EQ(::kill(std::stoi(first.words), signal), 0);
    ASSERT_TRUE(test::run_until(loop_, [&] { return hung.status != -2; }));
    EXPECT_EQ(hung.status, -1);
    EXPECT_EQ(hung.words, "what runs programs had ended; it runs again");
    EXPECT_EQ(errands_.trouble(), "");
    EXPECT_TRUE(test::run_until(loop_, [&] { return has_gone(left); }));
    ErrandEnd second = run("parent");
    EXPECT_EQ(second.status, 0) << second.words;
    EXPECT_NE(second.words, first.words);
  }
};

TEST_F(ErrandsLostTest, IsBegunAnewWhenWhatRunsProgramsIsKilled) { goes_on_after(SIGKILL); }

TEST_F(ErrandsLostTest, IsBegunAnewWhenWhatRunsProgramsIsHung) { goes_on_after(SIGSTOP); }

// What was edited and not reloaded counts for nobody.
TEST_F(ErrandsLostTest, GoesByTheConfigurationThatWasReloadedLast) {
  program("parent", "echo $PPID\n");
  start();
  lose_the_child();
  program("later", "exit 5\n");
  lose_the_child();
  EXPECT_EQ(run("later").words, "the configuration has no such program");
  errands_.adopt();
  EXPECT_EQ(run("later").status, 5);
  test::write_file(folder_.file(), "nonsense");
  lose_the_child();
  EXPECT_EQ(run("later").status, 5);
}

TEST(ErrandsKeeper, WaitsUntilThereCanBeAProcess) {
  test::ConfigFolder folder;
  test::write_file(folder.file(), "[server]\nlisten = [\"127.0.0.1:0\"]\nstate = \"state\"\n");
  auto pair = base::socket_pair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair);
  pid_t keeper = ::fork();
  ASSERT_GE(keeper, 0);
  if (keeper == 0) {
    pair->first.reset();
    unsigned tries = 0;
    ::_exit(errands::keep_errands(pair->second.get(), folder.file(), [&tries]() -> pid_t {
      if (++tries != 2) return ::fork();
      errno = EAGAIN;
      return -1;
    }));
  }
  pair->second.reset();
  auto next = [&] {
    pollfd told{pair->first.get(), POLLIN, 0};
    ::poll(&told, 1, 60'000);
    base::Result<base::Packet> packet = base::receive_packet(pair->first.get());
    return packet ? packet->bytes : packet.error().what;
  };
  ASSERT_TRUE(base::send_packet(pair->first.get(), "nonsense"));  // it ends
  EXPECT_TRUE(errands::is_begun_anew(next()));
  base::Result<errands::Halt> halt = errands::Halt::decode(next());
  ASSERT_TRUE(halt);
  EXPECT_EQ(halt->why, "no program can be run: fork: Resource temporarily unavailable");
  EXPECT_TRUE(errands::is_begun_anew(next()));
  errands::Order order;
  order.kind = errands::Kind::notify;
  order.number = 7;
  ASSERT_TRUE(base::send_packet(pair->first.get(), order.encode()));
  base::Result<errands::End> end = errands::End::decode(next());
  ASSERT_TRUE(end);
  EXPECT_EQ(end->words, "the configuration has no such program");
  pair->first.reset();
  int status = 0;
  ASSERT_EQ(::waitpid(keeper, &status, 0), keeper);
  EXPECT_EQ(status, 0);
}

TEST_F(ErrandsLostTest, FailsWhereNothingIsLeftAndBlocksNobody) {
  program("parents", "echo $PPID $(cut -d' ' -f4 /proc/$PPID/stat)\n");
  start();
  ErrandEnd both = run("parents");
  ASSERT_EQ(both.status, 0) << both.words;
  pid_t child = std::stoi(both.words), keeper = std::stoi(both.words.substr(both.words.find(' ')));
  ASSERT_EQ(::kill(keeper, SIGKILL), 0);
  EXPECT_EQ(run("parents").status, 0) << "the one that is left does its work";
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_TRUE(test::run_until(loop_, [&] { return !errands_.trouble().empty(); }));
  EXPECT_THAT(run("parents").words, HasSubstr("the child for errands has ended"));
}

TEST_F(ErrandsTest, FailsWithAReasonWhereItWasNotStarted) {
  program("tell", "exit 0\n");
  ErrandEnd end = run("tell");
  EXPECT_EQ(end.status, -1);
  EXPECT_THAT(end.words, HasSubstr("at the next start"));
}

}  // namespace
}  // namespace oob

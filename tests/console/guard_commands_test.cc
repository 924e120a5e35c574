#include "console/guard_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "tests/console/guard_kit.h"

namespace oob::console {
namespace {

using test::GuardedBoard;
using test::kGuardUnit;
using testing::HasSubstr;
using testing::Not;

TEST(GuardCommands, TellWhoeverComesTooLateHowItEnded) {
  GuardedBoard board;
  EXPECT_EQ(board.says("alice", "guard r1 confirm", 66), "oobd: r1 has no guard\n");
  EXPECT_EQ(board.says("alice", "guard r1 --json", 0), "oobd: r1 has no guard\n");
  board.says("alice", "guard r1 10m -- undo", 0);
  board.pass(600 * kGuardUnit);
  ASSERT_TRUE(board.gone());
  ASSERT_TRUE(board.kept("\"end\":\"taken_back\""));
  const std::string late =
      "oobd: r1 has no guard: its change was taken back at 2027-01-15T08:10:00Z (alice's guard), status 0\n";
  board.wall += 3 * kGuardUnit;
  EXPECT_EQ(board.says("root", "guard r1 confirm", 66), late);
  EXPECT_EQ(board.says("bob", "guard r1", 0), late);
  board.restart();
  EXPECT_EQ(board.says("bob", "guard r1 status", 0), late);
  EXPECT_THAT(board.says("bob", "guard r1 --json", 0),
              HasSubstr("{\"device\":\"r1\",\"state\":\"taken_back\",\"at\":\"2027-01-15T08:10:00.000000Z\","
                        "\"by\":\"alice\",\"status\":0}\n"));
  EXPECT_EQ(board.says("alice", "guard r2", 0), "oobd: r2 has no guard\n");
}

TEST(GuardCommands, TellWhoConfirmedTheLastOne) {
  GuardedBoard board;
  board.says("alice", "guard r1 10m -- undo", 0);
  board.says("root", "guard r1 confirm", 0);
  EXPECT_EQ(
      board.says("alice", "guard r1 confirm", 66),
      "oobd: r1 has no guard: root confirmed its change at 2027-01-15T08:00:00Z (alice's guard), and it "
      "stays\n");
  EXPECT_THAT(board.says("bob", "guard r1 --json", 0),
              HasSubstr("\"by\":\"alice\",\"confirmed_by\":\"root\"}"));
  board.says("alice", "guard r1 10m -- undo", 0);
  EXPECT_THAT(board.says("bob", "guard r1", 0), Not(HasSubstr("confirmed"))) << "it has one that holds";
}

TEST(GuardCommands, TellWhoHasSeenThatTheLastOneFailed) {
  GuardedBoard board;
  board.reverted.status = 2;
  board.says("alice", "guard r1 10m -- undo", 0);
  board.pass(600 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  board.says("root", "guard r1 confirm", 0);
  EXPECT_EQ(board.says("bob", "guard r1", 0),
            "oobd: r1 has no guard: alice's guard had failed, as root has seen at 2027-01-15T08:10:00Z: the "
            "change was to be taken back, and that ended with status 2\n");
}

TEST(GuardCommands, ForgetTheOldestEndsOfMoreThanTheyKeep) {
  GuardedBoard board;
  board.core.guards.reset();
  std::string text = "{\"version\":1}\n";
  for (std::size_t i = 0; i < Guards::kMostPast; ++i)
    text += base::str("{\"device\":\"d", i, "\",\"user\":\"bob\",\"at\":", 1000 + i,
                      ",\"by\":\"\",\"why\":\"\",\"end\":\"taken_back\"}\n");
  test::write_file(board.dir / "guards", text);
  ASSERT_EQ(::chmod((board.dir / "guards").c_str(), 0600), 0);
  board.start();
  board.says("alice", "guard r1 10m -- undo", 0);
  board.says("alice", "guard r1 confirm", 0);
  EXPECT_TRUE(board.core.guards->past("r1") && board.core.guards->past("d1"));
  EXPECT_FALSE(board.core.guards->past("d0"));
  board.restart();
  EXPECT_TRUE(board.core.guards->past("r1")) << "too much for its own file";
}

TEST(GuardCommands, ArmNothingWhoseLoginCannotBeRead) {
  GuardedBoard board;
  LoginSettings& login = board.inventory.find("r1")->login;
  login.user = "root";
  login.password_file = board.dir / "password";
  EXPECT_EQ(board.says("alice", "guard r1 10m -- undo", 78),
            base::str("oobd: r1: ", login.password_file,
                      ": No such file or directory; the line could not be typed, so no guard is armed\n"));
  test::write_file(login.password_file, "tell-nobody\n");
  ASSERT_EQ(::chmod(login.password_file.c_str(), 0644), 0);
  EXPECT_THAT(board.says("alice", "guard r1 10m -- undo", 78), HasSubstr("so no guard is armed"));
  EXPECT_TRUE(board.core.guards->all().empty());
  EXPECT_THAT(board.whole_journal(), Not(HasSubstr("guard.armed")));
  ASSERT_EQ(::chmod(login.password_file.c_str(), 0600), 0);
  EXPECT_THAT(board.says("alice", "guard r1 10m -- undo", 0), Not(HasSubstr("configured")));
  EXPECT_TRUE(board.core.guards->find("r1"));
}

TEST(GuardCommands, SayWhenArmingWhatTheyWouldLackToLogIn) {
  GuardedBoard board;
  EXPECT_THAT(board.says("alice", "guard r1 10m -- undo", 0),
              HasSubstr("oobd: r1: NO LOGIN IS CONFIGURED: the line is typed only if a shell is logged in on "
                        "the console then\n"));
  board.inventory.find("r1")->login.user = "root";
  EXPECT_THAT(board.says("alice", "guard r1 10m --replace -- undo", 0),
              HasSubstr("oobd: r1: note: no password_file is configured: if the device asks for one then, "
                        "nothing is typed\n"));
}

TEST(GuardCommands, SayWhenArmingHowLongTheLineMayRun) {
  GuardedBoard board;
  EXPECT_THAT(board.says("alice", "guard r1 10m -- undo", 0),
              HasSubstr("\n  undo\nwhich may run for 2 min, unless somebody says\n  guard r1 confirm\n"));
}

TEST(GuardCommands, ListAllThatOneMayKnowOf) {
  GuardedBoard board;
  EXPECT_EQ(board.says("alice", "guard", 0), "oobd: no device has a guard\n");
  board.inventory.find("x1")->model = "linux";
  for (const char* device : {"x1", "r2", "r1"})
    board.says("root", base::str("guard ", device, " 10m -- undo ", device), 0);
  const std::string r1 = "r1: root's change is taken back at 2027-01-15T08:10:00Z (in 10 min)\n  undo r1\n",
                    r2 = "r2: root's change is taken back at 2027-01-15T08:10:00Z (in 10 min)\n  undo r2\n";
  EXPECT_EQ(board.says("alice", "guard", 0), r1 + r2);
  EXPECT_EQ(board.says("alice", "guard '*' status", 0), r1 + r2);
  EXPECT_EQ(board.says("alice", "guard r?", 0), r1 + r2);
  EXPECT_EQ(board.says("bob", "guard", 0), r1);
  std::string lines = board.says("alice", "guard --json", 0);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  EXPECT_THAT(lines, HasSubstr("{\"device\":\"r2\",\"state\":\"armed\""));
  EXPECT_EQ(board.says("alice", "guard 'x*'", 66), "oobd: no such device: x*\n");
  board.says("root", "guard x1 confirm", 0);
  EXPECT_EQ(board.says("root", "guard 'x*'", 0), "oobd: none of them has a guard\n");
  EXPECT_EQ(board.says("root", "guard '*' 10m -- undo", 64),
            "oobd: guard: one device at a time; a pattern is for looking alone\n");
  EXPECT_EQ(board.says("root", "guard '*' confirm", 64),
            "oobd: guard: one device at a time; a pattern is for looking alone\n");
  EXPECT_THAT(board.says("root", "guard -- undo", 64), HasSubstr("guard: which device?"));
  EXPECT_EQ(board.says("bob", "guard x1", 66), "oobd: no such device: x1\n");
}

}  // namespace
}  // namespace oob::console

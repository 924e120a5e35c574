#include "console/guards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "console/rights_clock.h"
#include "tests/console/guard_kit.h"

namespace oob::console {

using base::Fault;
using base::Result;
using test::GuardedBoard;
using test::kGuardUnit;
using test::run_until;
using testing::HasSubstr;
using testing::Not;

namespace {

Reverted comes_to(Fault fault, const std::string& what) {
  return {.result = base::fail(fault, what), .silent = false, .said = {}, .recording = {}};
}
Reverted silence() {
  Reverted how = comes_to(Fault::unavailable, "r1: says nothing");
  how.silent = true;
  return how;
}

}  // namespace

TEST(Guards, TakeAChangeBackThatNobodyConfirms) {
  GuardedBoard board;
  std::string said = board.says("alice", "guard r1 10m -- cp  old new && reload", 0);
  EXPECT_THAT(said, HasSubstr("r1: alice's change is taken back at 2027-01-15T08:10:00Z (in 10 min)"));
  EXPECT_THAT(said, HasSubstr("\n  cp  old new && reload\n"));
  EXPECT_THAT(said, HasSubstr("\n  guard r1 confirm\n"));
  EXPECT_TRUE(board.journalled("\"ev\":\"guard.armed\""));
  EXPECT_THAT(board.journal_text(), HasSubstr("\"revert\":\"cp  old new && reload\",\"seconds\":600"));
  board.pass(599 * kGuardUnit);
  EXPECT_TRUE(board.stays());
  board.pass(kGuardUnit);
  ASSERT_TRUE(board.fired());
  EXPECT_TRUE(board.gone());
  EXPECT_EQ(board.typed, std::vector<std::string>{"cp  old new && reload"});
  EXPECT_TRUE(board.journalled("\"ev\":\"guard.result\""));
  std::string journal = board.journal_text();
  EXPECT_LT(journal.find("\"ev\":\"guard.request\""), journal.find("\"ev\":\"guard.result\""));
  EXPECT_TRUE(board.kept("\"end\":\"taken_back\""));
  board.restart();
  EXPECT_TRUE(board.core.guards->all().empty());
}

TEST(Guards, LeaveAChangeThatIsConfirmed) {
  GuardedBoard board;
  board.says("alice", "guard r1 10m -- undo", 0);
  board.says("bob", "guard r1 confirm", 77);
  EXPECT_EQ(board.says("root", "guard r1 confirm", 0), "r1: confirmed, the change stays\n");
  EXPECT_TRUE(board.journalled("\"ev\":\"guard.confirmed\""));
  board.pass(3600 * kGuardUnit);
  EXPECT_TRUE(board.stays());
  board.restart();
  EXPECT_TRUE(board.stays());
}

TEST(Guards, FireAtOnceAfterARestartThatTookTooLong) {
  GuardedBoard board;
  board.says("alice", "guard r1 10m -- undo", 0);
  struct stat status {};
  ASSERT_EQ(::stat((board.dir / "guards").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  board.core.guards.reset();
  board.pass(601 * kGuardUnit);
  board.start();
  EXPECT_TRUE(board.fired());
  EXPECT_TRUE(board.gone());
}

TEST(Guards, DoNotMindAClockThatIsSet) {
  GuardedBoard board;
  board.says("alice", "guard r1 10m -- undo", 0);
  board.wall += 86'400 * kGuardUnit;
  EXPECT_TRUE(board.stays());
  board.restart();
  EXPECT_TRUE(board.stays());
  board.wall -= 3 * 86'400 * kGuardUnit;
  board.restart();
  EXPECT_TRUE(board.stays());
  board.uptime += 600 * kGuardUnit;
  EXPECT_TRUE(board.fired());
}

TEST(Guards, GoByTheWallClockAfterAnotherBootAndFireAfterTheSpanAtTheLatest) {
  GuardedBoard board;
  board.says("alice", "guard r1 10m -- undo", 0);
  board.boot = "another one";
  board.uptime = 20 * kGuardUnit;
  board.wall += 400 * kGuardUnit;
  board.restart();
  board.uptime += 199 * kGuardUnit;
  EXPECT_TRUE(board.stays());
  // What it came to is in the file: from now on it goes by this boot's clock.
  EXPECT_TRUE(board.kept("\"boot\":\"another one\""));
  board.wall -= 86'400 * kGuardUnit;
  board.restart();
  board.uptime += kGuardUnit;
  EXPECT_TRUE(board.fired());
  EXPECT_TRUE(board.gone());
  board.tried.clear();
  board.says("alice", "guard r1 10m -- undo", 0);
  board.boot = "a third";
  board.core.time = std::make_unique<auth::Timekeeper>(0, [] { return base::Micros{0}; });
  board.restart();  // it believes that it is 1970
  board.uptime += 599 * kGuardUnit;
  EXPECT_TRUE(board.stays());
  board.uptime += kGuardUnit;
  EXPECT_TRUE(board.fired());
}

TEST(Guards, TryAConsoleThatDoesNotAnswerThreeTimesAndThenSaySo) {
  GuardedBoard board;
  board.reverted = silence();
  board.says("alice", "guard r1 30s -- undo", 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  EXPECT_EQ(board.tried.size(), 3u);
  EXPECT_TRUE(board.journalled("\"ev\":\"guard.failed\""));
  EXPECT_THAT(board.says("bob", "list r1", 0), HasSubstr("up, GUARD FAILED"));
  EXPECT_THAT(board.says("bob", "list r1 --json", 0),
              HasSubstr("\"guard_failed\":\"THE CHANGE IS NOT TAKEN BACK"));
  ASSERT_TRUE(board.kept("\"state\":\"failed\""));
  board.restart();
  EXPECT_THAT(board.says("bob", "guard r1", 0), HasSubstr("the console does not answer: r1: says nothing"));
  EXPECT_EQ(board.tried.size(), 3u) << "a failed guard fired again";
  EXPECT_EQ(board.says("alice", "guard r1 confirm", 0), "r1: its guard is ended\n");
  EXPECT_THAT(board.says("bob", "list r1 --json", 0), HasSubstr("\"guard\":null"));
}

TEST(Guards, ResetTheChassisOfADeadConsoleWhereThatIsWanted) {
  GuardedBoard board;
  test::FakeChassis& chassis = board.power("r1");
  board.allow({auth::Action::watch, auth::Action::write, auth::Action::power});
  board.reverted = silence();
  board.inventory.find("r1")->guard_power = true;
  board.says("alice", "guard r1 30s -- undo", 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  EXPECT_THAT(chassis.asked, testing::Contains("reset 30000"));
  EXPECT_THAT(board.says("alice", "guard r1", 0), HasSubstr("so the chassis was reset"));
  EXPECT_TRUE(board.journalled("\"ev\":\"guard.result\""));
  EXPECT_TRUE(board.journalled("\"ev\":\"power.request\""));
  EXPECT_THAT(board.whole_journal(), Not(HasSubstr("\"ev\":\"guard.failed\"")));
}

TEST(Guards, ResetNothingWithoutTheRightToAndNothingThatWasTypedAlready) {
  GuardedBoard board;
  test::FakeChassis& chassis = board.power("r1");
  board.inventory.find("r1")->guard_power = true;
  board.reverted = silence();
  EXPECT_THAT(board.says("alice", "guard r1 30s -- undo", 0),
              HasSubstr("the chassis would not be reset: alice may not power r1"));
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  EXPECT_THAT(board.says("alice", "guard r1", 0),
              HasSubstr("the chassis was not reset: alice may not power r1"));
  board.allow({auth::Action::watch, auth::Action::write, auth::Action::power});
  board.reverted.typed = true;
  EXPECT_THAT(board.says("alice", "guard r1 30s --replace -- undo", 75), HasSubstr("THE CHANGE IS NOT TAKEN"))
      << "nobody has seen that it failed";
  board.says("alice", "guard r1 confirm", 0);
  board.says("alice", "guard r1 30s -- undo", 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  EXPECT_EQ(board.typed.size(), 1u);
  EXPECT_THAT(board.says("alice", "guard r1", 0), HasSubstr("nobody knows how far it came"));
  EXPECT_TRUE(chassis.asked.empty());
}

TEST(Guards, TypeNothingTwiceAfterACrash) {
  GuardedBoard board;
  board.holds = true;
  board.says("alice", "guard r1 30s -- undo", 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(run_until(board.loop, [&] { return board.typed.size() == 1; }));
  EXPECT_TRUE(board.kept("\"state\":\"typed\""));
  EXPECT_THAT(board.says("root", "guard r1 confirm", 75), HasSubstr("too late"));
  board.restart();
  ASSERT_TRUE(board.failed());
  EXPECT_EQ(board.typed.size(), 1u);
  EXPECT_THAT(board.says("alice", "guard r1", 0),
              HasSubstr("oobd ended while the change was being taken back"));
}

TEST(Guards, WaitForALineThatIsDownAndSayWhenItStaysSo) {
  GuardedBoard board;
  board.says("alice", "guard r1 30s -- undo", 0);
  board.lines["r1"]->unplug();
  ASSERT_TRUE(run_until(
      board.loop, [&] { return board.core.inventory.find("r1")->console->state() == Console::State::down; }));
  board.lines["r1"]->refuse_open = "no such device";
  EXPECT_THAT(board.says("alice", "guard r2 30s -- undo", 0), Not(HasSubstr("THE CONSOLE IS DOWN")));
  EXPECT_THAT(board.says("alice", "guard r1 30s --replace -- undo", 0), HasSubstr("THE CONSOLE IS DOWN NOW"));
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  EXPECT_THAT(board.says("alice", "guard r1", 0), HasSubstr("its line is down: "));
  EXPECT_TRUE(run_until(board.loop, [&] { return board.core.guards->find("r2") == nullptr; }));
  EXPECT_EQ(board.typed.size(), 1u) << "r2's alone";
}

TEST(Guards, AskThePolicyAgainAndSayWhenItRefuses) {
  GuardedBoard board;
  board.says("alice", "guard r1 30s -- undo", 0);
  board.allow({auth::Action::watch});
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  EXPECT_TRUE(board.typed.empty());
  EXPECT_THAT(board.says("alice", "guard r1", 0), HasSubstr("nothing was typed, for alice may not write r1"));
}

TEST(Guards, AreRefusedWhereTheRightWouldBeOverByThen) {
  GuardedBoard board;
  auth::Role timed{{"r*"}, {auth::Action::watch, auth::Action::write}};
  timed.expires = board.wall + 600 * kGuardUnit;
  board.core.policy =
      std::make_unique<auth::Policy>(std::map<std::string, std::vector<std::string>>{{"alice", {"timed"}}},
                                     std::map<std::string, auth::Role>{{"timed", timed}});
  board.core.policy->consult(board.core.time->clock(), board.core.grants.get());
  EXPECT_THAT(board.says("alice", "guard r1 11m -- undo", 77),
              HasSubstr("your right to type on r1 ends before that"));
  board.says("alice", "guard r1 9m -- undo", 0);
}

TEST(Guards, SayThatTheCommandFailed) {
  GuardedBoard board;
  board.reverted.status = 2;
  board.reverted.said = "no such\033file\r\n";
  board.says("alice", "guard r1 30s -- undo", 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  EXPECT_THAT(board.says("alice", "guard r1", 0), HasSubstr("ended with status 2: no such\\x1bfile\n"));
  EXPECT_TRUE(board.journalled("\"status\":2"));
}

TEST(Guards, ThereIsOneForADeviceUnlessItIsReplaced) {
  GuardedBoard board;
  board.says("alice", "guard r1 10m -- one", 0);
  EXPECT_THAT(board.says("alice", "guard r1 20m -- two", 75),
              HasSubstr("r1 has a guard already: alice's change"));
  board.says("root", "guard r1 20m --replace -- two", 0);
  board.pass(600 * kGuardUnit);
  EXPECT_TRUE(board.stays());
  board.pass(600 * kGuardUnit);
  ASSERT_TRUE(board.gone());
  EXPECT_EQ(board.typed, std::vector<std::string>{"two"});
  EXPECT_TRUE(board.journalled("\"replaces\":\"alice: one\",\"revert\":\"two\""));
}

TEST(Guards, TellThePeopleOnTheConsole) {
  GuardedBoard board;
  test::Visit alice(board, "alice", "attach r1", true);
  ASSERT_TRUE(alice.wait_for("you may type"));
  board.says("alice", "guard r1 10m -- mine", 0);
  board.says("root", "guard r1 10m --replace -- undo it", 0);
  ASSERT_TRUE(alice.wait_for("root replaces alice's guard, which would have typed 'mine'"));
  ASSERT_TRUE(alice.wait_for("root's change is taken back at"));
  test::Visit bob(board, "bob", "attach r1", true);
  ASSERT_TRUE(bob.wait_for(
      "[oobd: root's change is taken back at 2027-01-15T08:10:00Z (in 10 min) ('guard r1 confirm'"));
  board.pass(541 * kGuardUnit);
  ASSERT_TRUE(alice.wait_for("in 59 s oobd takes the keyboard and types 'undo it'"));
  board.pass(50 * kGuardUnit);
  ASSERT_TRUE(alice.wait_for("in 9 s oobd takes the keyboard and types 'undo it'"));
  board.pass(9 * kGuardUnit);
  ASSERT_TRUE(alice.wait_for("THE TIME IS OVER"));
  ASSERT_TRUE(alice.wait_for("root's change is taken back]"));
  EXPECT_THAT(board.says("root", "status", 0), Not(HasSubstr("guards")));
}

TEST(Guards, AreRefusedWithAReason) {
  GuardedBoard board;
  EXPECT_THAT(board.says("root", "guard x1 10m -- undo", 64), HasSubstr("x1 has no model"));
  board.says("bob", "guard r1 10m -- undo", 77);
  EXPECT_THAT(board.says("alice", "guard r1 10 -- undo", 64), HasSubstr("'10' has no unit"));
  for (const char* span : {"29s", "25h", "soon"})
    board.says("alice", base::str("guard r1 ", span, " -- undo"), 64);
  for (const char* rest : {"10m", "10m --", "10m 20m -- undo", "confirm now", "confirm -- x",
                           "--json 10m -- x", "--replac 10m -- x", "--replace", "-- undo"})
    board.says("alice", base::str("guard r1 ", rest), 64);
  board.says("alice", base::str("guard r1 10m -- ", std::string(1001, 'x')), 64);
  EXPECT_THAT(board.says("alice", "guard r1 10m -- 'undo it; exit 3'", 64), HasSubstr("once, not twice"));
  EXPECT_THAT(board.says("alice", "guard r1 status", 0), HasSubstr("r1 has no guard"));
  EXPECT_TRUE(board.core.guards->all().empty());
}

TEST(Guards, AreNotArmedWhereTheyCannotBeKept) {
  GuardedBoard board;
  ASSERT_EQ(::mkdir((board.dir / "guards.new").c_str(), 0700), 0);
  EXPECT_THAT(board.says("alice", "guard r1 10m -- undo", 69),
              HasSubstr("could not be stored and does not hold"));
  EXPECT_TRUE(board.core.guards->all().empty());
  EXPECT_TRUE(board.journalled("\"ev\":\"guard.failed\""));
}

TEST(Guards, ResetNothingThatAnswers) {
  GuardedBoard board;
  test::FakeChassis& chassis = board.power("r1");
  board.allow({auth::Action::watch, auth::Action::write, auth::Action::power});
  board.inventory.find("r1")->guard_power = true;
  board.reverted = comes_to(Fault::unavailable, "somebody left a line half typed: 'box# rm'");
  board.answers = {silence(), silence(), board.reverted, silence(), silence()};
  board.says("alice", "guard r1 30s -- undo", 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  EXPECT_EQ(board.tried.size(), 7u);
  EXPECT_THAT(board.says("alice", "guard r1", 0),
              HasSubstr("NOT TAKEN BACK: somebody left a line half typed"));
  board.says("alice", "guard r1 confirm", 0);
  board.busy = base::milliseconds(0);
  board.restart();
  board.reverted = comes_to(Fault::busy, "r1: bob took the keyboard");
  board.says("alice", "guard r1 30s -- undo", 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  EXPECT_THAT(board.says("alice", "guard r1", 0), HasSubstr("NOT TAKEN BACK: r1: bob took the keyboard"));
  EXPECT_TRUE(chassis.asked.empty());
}

TEST(Guards, WaitLongerForPeopleThanForADeviceAndSaySo) {
  GuardedBoard board;
  test::Visit root(board, "root", "attach r1", true);
  ASSERT_TRUE(root.wait_for("you may type"));
  board.reverted = comes_to(Fault::busy, "r1: bob took the keyboard");
  board.says("alice", "guard r1 30s -- undo", 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(run_until(board.loop, [&] { return board.tried.size() >= 5; }));
  EXPECT_TRUE(root.wait_for("oobd tries again: r1: bob took the keyboard"));
  board.reverted = {.result = {}, .typed = true, .said = {}, .recording = {}};
  EXPECT_TRUE(board.gone());
  EXPECT_EQ(board.typed.size(), 1u);
}

TEST(Guards, TypeNothingBeforeTheFileSaysSo) {
  for (bool stored : {false, true}) {
    GuardedBoard board;
    board.says("alice", "guard r1 30s -- undo", 0);
    board.hold_files();
    board.pass(30 * kGuardUnit);
    ASSERT_TRUE(board.fired());
    EXPECT_FALSE(run_until(
        board.loop, [&] { return !board.typed.empty(); }, base::milliseconds(60)));
    std::string before = test::read_file(board.dir / "guards");
    board.core.guards.reset();  // the crash, just before or just after that is on the disk
    board.files.set_value();
    ASSERT_TRUE(board.kept("\"state\":\"typed\""));
    if (!stored) test::write_file(board.dir / "guards", before);
    EXPECT_TRUE(board.typed.empty());
    board.start();
    ASSERT_TRUE(stored ? board.failed() : board.gone());
    EXPECT_EQ(board.typed.size(), stored ? 0u : 1u);
  }
}

TEST(Guards, TypeNothingWhereItCannotBeStoredFirst) {
  GuardedBoard board;
  board.says("alice", "guard r1 30s -- undo", 0);
  ASSERT_EQ(::mkdir((board.dir / "guards.new").c_str(), 0700), 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.failed());
  EXPECT_TRUE(board.typed.empty());
  EXPECT_EQ(board.tried.size(), 3u);
  EXPECT_THAT(board.says("alice", "guard r1", 0),
              HasSubstr("nothing was typed, for it could not be stored that it would be: "));
}

TEST(Guards, StoreThatTheyAreOverAsSoonAsTheDiskTakesIt) {
  for (bool confirmed : {false, true}) {
    GuardedBoard board;
    board.logs_in = true;
    board.says("alice", "guard r1 30s -- undo", 0);
    if (!confirmed) {
      // It is typed, and only then is the disk full.
      board.holds = true;
      board.logs_in = false;
      board.pass(30 * kGuardUnit);
      ASSERT_TRUE(run_until(board.loop, [&] { return board.typed.size() == 1; }));
    }
    ASSERT_EQ(::mkdir((board.dir / "guards.new").c_str(), 0700), 0);
    if (confirmed) {
      EXPECT_THAT(board.says("alice", "guard r1 confirm", 69), HasSubstr("a restart would bring it back"));
    } else {
      board.end_typed({.result = {}, .typed = true, .said = {}, .recording = {}});
    }
    ASSERT_TRUE(board.gone());
    ASSERT_TRUE(run_until(board.loop, [&] { return !board.core.guards->not_stored().empty(); }));
    EXPECT_THAT(board.says("alice", "status", 0),
                HasSubstr("guards       NOT STORED, a restart would go by"));
    EXPECT_THAT(board.says("alice", "status --json", 0), HasSubstr("\"guards_not_stored\":\""));
    EXPECT_THAT(test::read_file(board.dir / "guards"), HasSubstr("\"device\":\"r1\""));
    ASSERT_EQ(::rmdir((board.dir / "guards.new").c_str()), 0);
    EXPECT_TRUE(board.kept(confirmed ? "\"end\":\"confirmed\"" : "\"end\":\"taken_back\""));
    ASSERT_TRUE(run_until(board.loop, [&] { return board.core.guards->not_stored().empty(); }));
    EXPECT_THAT(board.says("alice", "status", 0), Not(HasSubstr("NOT STORED")));
    board.restart();
    EXPECT_TRUE(board.core.guards->all().empty());
  }
}

TEST(Guards, AreConfirmedWhileTheDialogueOnlyLogsIn) {
  GuardedBoard board;
  board.logs_in = true;
  board.says("alice", "guard r1 30s -- undo", 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.fired());
  EXPECT_EQ(board.says("root", "guard r1 confirm", 0), "r1: confirmed, the change stays\n");
  EXPECT_EQ(board.interrupted, std::vector<std::string>{"the change was confirmed"});
  board.logged_in();  // the dialogue was about to
  EXPECT_FALSE(run_until(
      board.loop, [&] { return !board.typed.empty(); }, base::milliseconds(60)));
  EXPECT_TRUE(board.core.guards->all().empty());
}

TEST(Guards, AreNotConfirmedOrReplacedWhileOneIsArmed) {
  GuardedBoard board;
  board.says("alice", "guard r1 10m -- one", 0);
  board.hold_files();
  test::Visit replacing(board, "root", "guard r1 10m --replace -- two");
  ASSERT_TRUE(board.journalled("\"replaces\":\"alice: one\""));
  ASSERT_TRUE(run_until(board.loop, [&] { return board.core.guards->find("r1")->revert == "two"; }));
  EXPECT_THAT(board.says("alice", "guard r1 confirm", 75), HasSubstr("somebody is arming a guard just now"));
  EXPECT_THAT(board.says("alice", "guard r1 10m --replace -- three", 75),
              HasSubstr("somebody is arming a guard just now"));
  board.pass(600 * kGuardUnit);
  EXPECT_TRUE(board.stays()) << "one that is not stored fired";
  board.files.set_value();
  EXPECT_EQ(replacing.wait(), 0);
  EXPECT_TRUE(board.gone());
  EXPECT_EQ(board.typed, std::vector<std::string>{"two"});
}

TEST(Guards, WaitForALineAnewWheneverItWasUp) {
  GuardedBoard board;
  board.line = base::milliseconds(3000);
  board.restart();
  board.reverted = comes_to(Fault::busy, "r1: bob took the keyboard");
  board.says("alice", "guard r1 30s -- undo", 0);
  board.pass(30 * kGuardUnit);
  ASSERT_TRUE(board.fired());
  // Longer than terms.line with the line up; then it goes for a moment.
  EXPECT_FALSE(run_until(
      board.loop, [] { return false; }, board.line));
  board.lines["r1"]->unplug();
  ASSERT_TRUE(run_until(
      board.loop, [&] { return board.core.inventory.find("r1")->console->state() == Console::State::down; }));
  std::size_t tried = board.tried.size();
  board.reverted = {.result = {}, .typed = true, .said = {}, .recording = {}};
  auto given_up = [&] {
    const Guard* guard = board.core.guards->find("r1");
    return guard && guard->state == Guard::State::failed;
  };
  EXPECT_FALSE(run_until(board.loop, given_up, base::milliseconds(60))) << "it was given up at once";
  board.lines["r1"]->come_back();
  EXPECT_TRUE(board.gone());
  EXPECT_GT(board.tried.size(), tried);
}

TEST(Guards, SetAFileAsideThatIsDamaged) {
  GuardedBoard board;
  board.says("alice", "guard r1 10m -- undo", 0);
  test::write_file(board.dir / "guards", "{\"version\":1}\n{\"device\":\"r1\"}\n");
  board.restart();
  EXPECT_TRUE(board.core.guards->all().empty());
  EXPECT_THAT(test::read_file(board.dir / "guards.damaged"), HasSubstr("r1"));
  EXPECT_TRUE(board.journalled("NO GUARD HOLDS: "));
}

}  // namespace oob::console

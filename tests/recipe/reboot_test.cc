#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "tests/recipe/shell_left.h"
#include "tests/recipe/shell_pull.h"
#include "tests/recipe/simulated_visit.h"

// What is typed into a device that restarts while we work on it.
namespace oob::recipe {

using namespace std::chrono_literals;
using base::Fault;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

namespace {

// The shell behind a console is gone at once, and what comes instead is written down here, by the time since
// then. Nobody listens but whoever asks what was typed.
class Reboot {
 public:
  struct Piece {
    std::chrono::milliseconds at;
    std::string text;
  };
  Reboot(Talk& talk, std::vector<Piece> says) : talk_(talk), says_(says.begin(), says.end()) {
    drain();
    began_ = talk.now();
  }

  // Until `done` or for so long.
  void carry(const std::function<bool()>& done, std::chrono::seconds limit) {
    for (unsigned turns = 0; !done() && talk_.now() < began_ + limit && turns < 100'000; ++turns) {
      drain();
      if (std::exchange(asked_, false) && !answer.empty()) talk_.hear(answer);
      auto next = talk_.now() + 1s;
      if (auto due = talk_.due()) next = std::min(next, *due);
      if (!says_.empty()) next = std::min(next, began_ + says_.front().at);
      talk_.pass(next);
      if (says_.empty() || talk_.now() < began_ + says_.front().at) continue;
      std::string text = says_.front().text;
      says_.pop_front();
      drain();
      talk_.hear(text);
    }
    drain();
  }
  // What was typed from `from` on, before `to`.
  std::string typed(std::chrono::milliseconds from, std::chrono::milliseconds to) const {
    std::string all;
    for (const Piece& piece : typed_)
      if (piece.at >= from && piece.at < to) all += piece.text;
    return all;
  }
  std::string answer;  // to a carriage return, once it has said all

 private:
  void drain() {
    while (talk_.wants_to_type()) {
      std::string bytes = talk_.typed().bytes;
      talk_.typed_so_far(bytes.size());
      if (says_.empty() && bytes.find('\r') != std::string::npos) asked_ = true;
      if (began_ != Talk::Time{})
        typed_.push_back(
            {std::chrono::duration_cast<std::chrono::milliseconds>(talk_.now() - began_), bytes});
    }
  }

  Talk& talk_;
  std::deque<Piece> says_;
  std::vector<Piece> typed_;
  Talk::Time began_{};
  bool asked_ = false;
};

Recipe recipe_with_login(const DeviceTools& tools) {
  RecipeOutcome outcome = read_recipe(base::str(R"(recipe test version 1
method posix-block
state login tail /login: $/ home go "{user}\r"
state password tail /Password: $/ after login go "{secret}\r"
state shell tail /device# $/ work leave "exit\r"
file config.xml )",
                                                tools.home(), "/config.xml\n"));
  EXPECT_TRUE(outcome.recipe);
  return *outcome.recipe;
}

const char kStarting[] =
    "\r\n\r\nU-Boot 2021.01 (Jan 01 2021)\r\n\r\nDRAM:  512 MiB\r\nHit any key to stop autoboot:  3 ";

// A boot with a countdown, from `at` on: its login prompt comes 40 s later.
std::vector<Reboot::Piece> boot_from(std::chrono::milliseconds at) {
  std::vector<Reboot::Piece> says{{at, kStarting}};
  for (int left = 2; left >= 0; --left) says.push_back({at += 1s, base::str("\b\b", left, " ")});
  says.push_back({at += 500ms, "\r\nStarting kernel ...\r\n\r\n"});
  for (int second = 0; second < 20; ++second)
    says.push_back({at += 1s, base::str("[    ", second, ".000000] something starts\r\n")});
  says.push_back({at += 8s, "Starting services: ok\r\n"});
  says.push_back({at += 8s, "\r\nDebian GNU/Linux 12 device ttyS0\r\n\r\ndevice login: "});
  return says;
}

}  // namespace

TEST(Reboot, GetsNoKeyInItsCountdownWhileACommandRuns) {
  // So long after the shell has gone the boot loader comes.
  for (std::chrono::milliseconds comes : {200ms, 2500ms, 30000ms}) {
    DeviceTools tools("dash");
    RealShell shell(tools, {}, 1);
    ShellPull run(shell, recipe_with_login(tools), "echo x >begun; exec sleep 1000", 60'000ms);
    run.start();
    ASSERT_TRUE(shell.carry([&] { return run.done() || !tools.read("begun").empty(); }, 60s));
    ASSERT_FALSE(run.done());
    Reboot reboot(shell.talk(), boot_from(comes));
    reboot.answer = "\r\ndevice login: ";
    reboot.carry([&] { return run.done(); }, 600s);
    ASSERT_TRUE(run.done());
    ASSERT_FALSE(run.ran());
    EXPECT_EQ(run.ran().error().fault, Fault::unavailable);
    EXPECT_EQ(reboot.typed(comes, comes + 39s), "") << comes.count();
    // Before it, some that ask whether the command was lost.
    EXPECT_THAT(reboot.typed(0s, comes), Not(HasSubstr("\x03")));
    EXPECT_LE(reboot.typed(0s, comes).size(), 3 * sizeof "f 100");
    // Nor is a getty told anything but the user's name, where its prompt was seen.
    std::string later = reboot.typed(comes + 39s, 600s);
    for (const char* not_this : {"\x03", "f ", "echo", "env", "OOBD"})
      EXPECT_THAT(later, Not(HasSubstr(not_this))) << comes.count();
  }
}

TEST(Reboot, GetsNoKeyInItsCountdownWhileAFileIsRead) {
  for (std::chrono::milliseconds comes : {100ms, 1200ms, 4000ms}) {
    DeviceTools tools("dash");
    tools.write("config.xml", like_pfsense(60000));
    RealShell shell(tools, {}, 1);
    ShellPull pull(shell, recipe_with_login(tools));
    pull.start();
    ASSERT_TRUE(shell.carry(
        [&] { return pull.done() || (!pull.told.empty() && pull.told.back().done > 2000); }, 60s));
    ASSERT_FALSE(pull.done());
    Reboot reboot(shell.talk(), boot_from(comes));
    reboot.carry([&] { return pull.done(); }, 600s);
    ASSERT_TRUE(pull.done());
    ASSERT_FALSE(pull.result());
    EXPECT_THAT(pull.result().error().what, HasSubstr("the device restarts and says 'U-Boot 2021.01"));
    EXPECT_EQ(reboot.typed(comes, comes + 14s), "") << comes.count();
    for (const char* not_this : {"\x03", "f ", "echo", "env"})
      EXPECT_THAT(reboot.typed(comes, 600s), Not(HasSubstr(not_this))) << comes.count();
  }
}

TEST(Reboot, IsKnownByWhatComesInsteadOfAnswersToo) {
  DeviceTools tools("dash");
  tools.write("config.xml", like_pfsense(60000));
  RealShell shell(tools, {}, 1);
  ShellPull pull(shell, recipe_with_login(tools));
  pull.start();
  ASSERT_TRUE(
      shell.carry([&] { return pull.done() || (!pull.told.empty() && pull.told.back().done > 2000); }, 60s));
  ASSERT_FALSE(pull.done());
  // Of a loader that nobody knows.
  std::vector<Reboot::Piece> says;
  for (int second = 6; second < 60; ++second)
    says.push_back({second * 1000ms, base::str("stage ", second, "\r\n")});
  Reboot reboot(shell.talk(), says);
  reboot.carry([&] { return pull.done(); }, 600s);
  ASSERT_TRUE(pull.done());
  ASSERT_FALSE(pull.result());
  EXPECT_THAT(pull.result().error().what, HasSubstr("something else comes, like 'stage "));
  EXPECT_EQ(reboot.typed(8s, 60s), "");
}

TEST(Reboot, IsTypedIntoAFewTimesAloneWhereNothingIsHeardOfIt) {
  DeviceTools tools("dash");
  tools.write("config.xml", like_pfsense(60000));
  RealShell shell(tools, {}, 1);
  ShellPull pull(shell, recipe_with_login(tools));
  pull.start();
  ASSERT_TRUE(
      shell.carry([&] { return pull.done() || (!pull.told.empty() && pull.told.back().done > 2000); }, 60s));
  ASSERT_FALSE(pull.done());
  Reboot reboot(shell.talk(), {});
  reboot.carry([&] { return pull.done(); }, 600s);
  ASSERT_TRUE(pull.done());
  ASSERT_FALSE(pull.result());
  EXPECT_THAT(pull.result().error().what, HasSubstr("nothing comes from it any more"));
  std::string typed = reboot.typed(0s, 600s);
  EXPECT_LE(std::count(typed.begin(), typed.end(), '\x03'), 5) << base::printable(typed);
  EXPECT_THAT(typed, Not(HasSubstr("env")));
  // Where there is no prompt, carriage returns, and what ends a shell of ours.
  EXPECT_THAT(reboot.typed(70s, 600s), testing::MatchesRegex("\r+\\$\\{OOBD:\\+exit\\}\r+"));
}

TEST(Reboot, GetsNoKeyWhereACommandLineGaveWayToIt) {
  SimulatedCli device(Talk::Time{} + 1h, SimulatedCli::Kind::ios, "hostname router1\nend\n");
  SimulatedVisit visit(device, "ios", cli_credentials());
  visit.work = SimulatedVisit::Work::run;
  visit.command = "show running-config";
  visit.limit = 20'000ms;
  visit.begin();
  visit.line.carry([&] { return visit.line.typed.find("running-config\r") != std::string::npos; }, 60s);
  device.power_cut(10min);
  visit.carry_for(15s);
  ASSERT_FALSE(visit.done);
  // The command's time is over while this one counts.
  device.said += "\r\nAboot 9.0.3\r\nPress Control-C now to enter Aboot shell\r\n";
  const Talk::Time counts = visit.talk.now();
  std::string typed;
  visit.line.watch = [&](char byte) {
    if (visit.talk.now() < counts + 9s) typed += byte;
  };
  ASSERT_TRUE(visit.carry());
  EXPECT_EQ(typed, "");
  EXPECT_LT(visit.talk.now(), counts + 5min);
  EXPECT_FALSE(visit.left);
}

TEST(Reboot, IsNoneWhereAKernelSaysAFewLinesWhileACommandRuns) {
  DeviceTools tools("dash");
  RealShell shell(tools, {}, 2);
  ShellPull run(shell, shell_recipe(tools),
                "for i in 1 2 3 4;do printf 'igb0: link state changed to DOWN\\n' >/dev/tty;done;"
                "while :;do /usr/bin/sleep 0.2;done",
                12'000ms);
  ASSERT_TRUE(run.carry(90s));
  ASSERT_TRUE(run.ran()) << run.ran().error().what;
  EXPECT_TRUE(run.ran()->late);
  EXPECT_TRUE(run.ran()->ended);
  expect_as_before(shell, tools);
}

}  // namespace oob::recipe

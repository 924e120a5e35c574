#include "recipe/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/book.h"

namespace oob::recipe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A recording as somebody makes one by hand: the device says things, a second between them.
std::vector<ReplayEvent> said(const std::vector<std::string>& pieces) {
  std::vector<ReplayEvent> events;
  for (const std::string& piece : pieces)
    events.push_back({static_cast<base::Micros>(events.size()) * 1'000'000, false, piece});
  return events;
}

const Recipe& recipe_of(const std::string& name) { return *shipped_book().at(name); }

const std::vector<std::string> kLinux = {
    "\r\nDebian GNU/Linux 12 relay1 ttyS0\r\n\r\nrelay1 login: ", "root\r\nPassword: ",
    "\r\nLast login: Mon Nov 23\r\nroot@relay1:~# ", "uptime\r\n 07:00:00 up 3 days\r\nroot@relay1:~# ",
    "exit\r\nlogout\r\n\r\nDebian GNU/Linux 12 relay1 ttyS0\r\n\r\nrelay1 login: "};

TEST(Replay, GoesInAndOutAsTheRecordingShows) {
  ReplayReport report = replay(recipe_of("linux"), said(kLinux));
  EXPECT_FALSE(report.fault) << report.fault->why;
  EXPECT_TRUE(report.arrived && report.left);
  EXPECT_THAT(report.states, ElementsAre("login", "passwd", "shell", "login"));
  ASSERT_EQ(report.steps.size(), 3u);
  EXPECT_EQ(report.steps[1].typed, "{secret}");
  EXPECT_EQ(report.steps[1].at.line, "Password: ");
  EXPECT_EQ(report.steps[1].at.time, 1'000'000);
  EXPECT_EQ(report.steps[2].typed, "exit");
  EXPECT_EQ(report.steps[2].others, 1u);
}

TEST(Replay, TakesTypingThatComesByteForByte) {
  std::vector<ReplayEvent> events;
  base::Micros time = 0;
  for (std::size_t i = 0; i < kLinux.size(); ++i) {
    std::size_t end = i == 0 ? 0 : kLinux[i].find('\r');
    for (char key : kLinux[i].substr(0, end)) events.push_back({time += 900'000, false, std::string(1, key)});
    events.push_back({time += 900'000, false, kLinux[i].substr(end)});
  }
  ReplayReport report = replay(recipe_of("linux"), events);
  EXPECT_FALSE(report.fault) << report.fault->why;
  EXPECT_THAT(report.states, ElementsAre("login", "passwd", "shell", "login"));
}

TEST(Replay, LeavesAShellThatSomebodyLeftOpenAsItWas) {
  ReplayReport report =
      replay(recipe_of("linux"), said({"root@relay1:~# ", "date\r\nMon\r\nroot@relay1:~# "}));
  EXPECT_FALSE(report.fault) << report.fault->why;
  EXPECT_THAT(report.states, ElementsAre("shell"));
  EXPECT_TRUE(report.steps.empty());
}

TEST(Replay, GoesThroughAMenuAndBackToIt) {
  std::string menu =
      "\r\n 0) Logout (SSH only)                  9) pfTop\r\n 4) Reset to factory defaults         13) "
      "Update\r\n"
      " 5) Reboot system                     14) Enable\r\n 6) Halt system                       15) "
      "Restore\r\n"
      " 8) Shell\r\n\r\nEnter an option: ";
  std::string prompt = "\x1b[0;1m[2.7.2-RELEASE]\x1b[0m[root@fw1]/root\x1b[0;1;31m:\x1b[0;0;0m ";
  ReplayReport report =
      replay(recipe_of("pfsense"), said({menu, "8\r\n\r\n" + prompt, "exit\r\nexit\r\n" + menu}));
  EXPECT_FALSE(report.fault) << report.fault->why;
  EXPECT_THAT(report.states, ElementsAre("menu", "shell", "menu"));
  ASSERT_EQ(report.steps.size(), 2u);
  EXPECT_EQ(report.steps[0].typed, "8");
}

TEST(Replay, ToldOfPasswordsOnACommandLineDevice) {
  ReplayReport report =
      replay(recipe_of("ios"),
             said({"\r\n\r\nPress RETURN to get started.\r\n\r\n",
                   "\r\n\r\nUser Access Verification\r\n\r\nUsername: ", "oob\r\nPassword: ", "\r\nrouter1>",
                   "enable\r\nPassword: ", "\r\nrouter1#",
                   "exit\r\n\r\nrouter1 con0 is now available\r\n\r\n"
                   "Press RETURN to get started.\r\n"}));
  EXPECT_FALSE(report.fault) << report.fault->why;
  EXPECT_THAT(report.states, ElementsAre("user", "passwd", "exec", "enable", "commands", "ready"));
}

TEST(Replay, TellsWhereItDoesNotKnowWhatItSees) {
  std::vector<std::string> pieces = kLinux;
  pieces[2] = "\r\nYou must accept the terms [yes/no]: ";
  pieces[3] = "yes\r\nroot@relay1:~# ";
  ReplayReport report = replay(recipe_of("linux"), said(pieces));
  ASSERT_TRUE(report.fault);
  EXPECT_FALSE(report.arrived);
  EXPECT_EQ(report.fault->at.time, 2'000'000);
  EXPECT_EQ(report.fault->at.line, "You must accept the terms [yes/no]: ");
  EXPECT_EQ(report.fault->at.state, "");
  EXPECT_THAT(report.fault->why, HasSubstr("the recording has 'yes' there"));
}

TEST(Replay, TellsWhenTheRecordingEndsTooEarly) {
  std::vector<std::string> pieces = kLinux;
  pieces.pop_back();
  ReplayReport report = replay(recipe_of("linux"), said(pieces));
  EXPECT_TRUE(report.arrived);
  EXPECT_FALSE(report.left);
  ASSERT_TRUE(report.fault);
  EXPECT_EQ(report.fault->at.state, "shell");
  EXPECT_THAT(report.fault->why, HasSubstr("types 'exit'"));
  EXPECT_TRUE(replay(recipe_of("linux"), {}).fault);
}

TEST(Replay, AnythingCutIsGoneThroughOrHasAReason) {
  std::string whole;
  for (const std::string& piece : kLinux) whole += piece;
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    ReplayReport report = replay(recipe_of("linux"), said({whole.substr(0, size), whole.substr(size)}));
    EXPECT_NE(report.fault.has_value(), report.arrived && report.left);
  }
}

}  // namespace
}  // namespace oob::recipe

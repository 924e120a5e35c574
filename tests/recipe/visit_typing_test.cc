#include <gtest/gtest.h>

#include "tests/recipe/simulated_visit.h"

// What is typed where something is damaged, asked back or not echoed.
namespace oob::recipe {
namespace {

using base::Fault;
using base::milliseconds;
using base::Result;
using base::Task;

constexpr char kGearRecipe[] =
    "recipe gear version 1\nmethod text-twice\n"
    "state login tail /(^|\\n)login: ?/ go \"{user}\\r\" home\n"
    "state prompt tail /(^|\\n)gear# ?/ work leave \"exit\\r\"\n"
    "cmd config \"show\" end /^end$/\n";

// Answers every line with its prompt.
class Gear : public SimulatedDevice {
 public:
  Gear() : SimulatedDevice(Talk::Time{} + std::chrono::hours(1)) { say("gear# "); }
  bool somebody_is_logged_in() const override { return false; }
  using SimulatedDevice::echo;
  using SimulatedDevice::no_taking_back;
  using SimulatedDevice::scroll_at;
  std::vector<std::string> lines;
  unsigned mute_after = ~0u;  // lines

 private:
  void line(const std::string& text) override {
    lines.push_back(text);
    if (lines.size() >= mute_after) echo(false);
    say("gear# ");
  }
  void interrupt() override { say("\ngear# "); }
  void booted() override {}
};

struct Questions {
  Questions(Gear& device, SimulatedLine::Noise noise, std::vector<std::string> asked)
      : recipe(*read_recipe(kGearRecipe).recipe),
        talk(Talk::Time{} + std::chrono::hours(1)),
        line(talk, device, noise),
        visit(talk, recipe, credentials),
        questions(std::move(asked)),
        task(go()) {
    task.start([this](bool) { done = true; });
    EXPECT_TRUE(line.carry([this] { return done; }, std::chrono::seconds(36000)));
  }
  Task<bool> go() {
    std::string screen;
    Result<> arrived = co_await visit.arrive(screen);
    for (std::size_t i = 0; arrived && i < questions.size(); ++i) {
      std::string question = questions[i];
      Result<std::string> answer = co_await visit.ask(std::move(question), milliseconds(30000));
      answered += answer.has_value();
      if (answer) continue;
      Result<> settled = co_await visit.settle(milliseconds(30000));
    }
    co_return true;
  }
  Recipe recipe;
  Credentials credentials;
  Talk talk;
  SimulatedLine line;
  Visit visit;
  std::vector<std::string> questions;
  unsigned answered = 0;
  bool done = false;
  Task<bool> task;
};

std::string numbered(std::size_t size) {
  std::string text = "set";
  for (int i = 100; text.size() < size; ++i) text += base::str(" ", i);
  return text.substr(0, size - 1) + "x";
}

// A damaged byte may be an Enter, which ends the line early; but nothing else is entered than was asked.
TEST(LongLines, AreEnteredAsTheyAreOrNotAtAll) {
  for (std::size_t size : {80, 200})
    for (unsigned columns : {0u, 70u})
      for (unsigned seed = 1; seed <= 10; ++seed) {
        Gear device;
        device.scroll_at(columns);
        const std::string question = numbered(size);
        Questions asked(device, {0, 0.002, seed * 7919}, std::vector<std::string>(10, question));
        for (const std::string& heard : device.lines)
          EXPECT_TRUE(heard.empty() || heard == question || heard.size() < size) << seed << " " << heard;
      }
}

TEST(LongLines, AreEnteredWhereTheyAreScrolled) {
  for (unsigned columns : {0u, 70u}) {
    Gear device;
    device.scroll_at(columns);
    Questions asked(device, {}, {numbered(80), numbered(200), numbered(31), "show"});
    EXPECT_EQ(asked.answered, 4u) << columns;
  }
}

TEST(TakingBack, IsNotBelievedBeforeItIsSeen) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    Gear device;
    device.no_taking_back();
    Questions asked(device, {0, 0.02, seed * 104729}, std::vector<std::string>(10, "show version"));
    for (const std::string& heard : device.lines)
      EXPECT_TRUE(heard.empty() || heard == "show version" || heard.size() < 12) << seed << " " << heard;
  }
}

TEST(Echo, IsWaitedForOnceThereWasOne) {
  Gear device;
  device.mute_after = 1;
  Questions asked(device, {}, {"show one", "show two"});
  EXPECT_EQ(asked.answered, 1u);
  for (const std::string& heard : device.lines) EXPECT_TRUE(heard.empty() || heard == "show one") << heard;
}

// --- questions that a command asks back

std::unique_ptr<SimulatedVisit> run_on(SimulatedCli& device, const char* recipe, const char* command,
                                       SimulatedLine::Noise noise = {}) {
  auto visit = std::make_unique<SimulatedVisit>(device, recipe, cli_credentials(), noise);
  visit->work = SimulatedVisit::Work::run;
  visit->command = command;
  visit->limit = milliseconds(8000);
  return visit;
}

TEST(Confirmations, AreNotGiven) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SimulatedCli device(Talk::Time{} + std::chrono::hours(1), SimulatedCli::Kind::ios, "end\n");
    double damage = seed == 1 ? 0 : 5e-4;
    auto visit = run_on(device, "ios", "clear counters", {damage * 4000, damage, seed * 7919});
    ASSERT_TRUE(visit->carry());
    EXPECT_TRUE(device.forbidden.empty()) << seed;
    EXPECT_FALSE(visit->left && device.somebody_is_logged_in()) << seed;
    if (seed == 1) {
      EXPECT_TRUE(visit->left) << visit->left.error().what;
      EXPECT_FALSE(device.somebody_is_logged_in());
    }
  }
}

TEST(Confirmations, AreNotGivenByAnInterruption) {
  for (int after = 4000; after < 14000; after += 250) {
    SimulatedCli device(Talk::Time{} + std::chrono::hours(1), SimulatedCli::Kind::ios, "end\n");
    auto visit = run_on(device, "ios", "clear counters");
    visit->begin();
    visit->carry_for(milliseconds(after));
    visit->talk.interrupt(base::fail(Fault::failed, "nobody wants it any more"));
    ASSERT_TRUE(visit->carry());
    EXPECT_TRUE(device.forbidden.empty()) << after;
    EXPECT_TRUE(visit->left) << after << visit->left.error().what;
    EXPECT_FALSE(device.somebody_is_logged_in()) << after;
  }
}

TEST(Confirmations, AreNotGivenOnTheWayOut) {
  SimulatedCli device(Talk::Time{} + std::chrono::hours(1), SimulatedCli::Kind::junos, "}\n");
  device.asks_on_exit = true;
  SimulatedVisit visit(device, "junos", cli_credentials());
  ASSERT_TRUE(visit.carry());
  EXPECT_TRUE(visit.arrived);
  EXPECT_TRUE(device.forbidden.empty());
  ASSERT_FALSE(visit.left);
  EXPECT_NE(visit.left.error().what.find("left open"), std::string::npos) << visit.left.error().what;
}

TEST(Menus, AreNotTakenForTheQuestionBehindThem) {
  SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), {SimulatedUnix::Menu::pfsense, false, true});
  SimulatedVisit visit(device, "pfsense", unix_credentials());
  Talk before(visit.talk.now());
  SimulatedLine until_menu(before, device, {});
  until_menu.carry([] { return false; }, std::chrono::seconds(5));
  device.open_reboot_menu();
  visit.screen = std::string(before.heard()) + device.said;
  device.said.clear();
  ASSERT_TRUE(visit.carry());
  EXPECT_TRUE(device.forbidden.empty());
  EXPECT_TRUE(visit.arrived && visit.left);
}

}  // namespace
}  // namespace oob::recipe

#include "recipe/visit.h"

#include <gtest/gtest.h>

#include "tests/recipe/simulated_visit.h"

namespace oob::recipe {
namespace {

using base::Fault;
using base::milliseconds;
using base::Result;
using base::Task;

std::shared_ptr<const Recipe> recipe_of(const std::string& text) {
  RecipeOutcome outcome = read_recipe(text);
  for (const RecipeFault& fault : outcome.faults) ADD_FAILURE() << fault.line << ": " << fault.message;
  return std::make_shared<const Recipe>(std::move(*outcome.recipe));
}

std::string all_typed(Talk& talk) {
  std::string all;
  while (talk.wants_to_type()) {
    all += talk.typed().bytes;
    talk.typed_so_far(talk.typed().bytes.size());
  }
  return all;
}

TEST(TerminalAnswers, AreGivenOnceForAQueryInAnyPieces) {
  const Recipe& recipe = *shipped_book().at("pfsense");
  const std::string said = "text \x1b[6n more \x1b[6n$";
  for (std::size_t cut = 0; cut <= said.size(); ++cut) {
    Talk talk(Talk::Time{} + std::chrono::hours(1));
    TerminalAnswers answers(talk, recipe);
    answers.hear(said.substr(0, cut));
    answers.hear(said.substr(cut));
    EXPECT_EQ(all_typed(talk), "\x1b[24;80R\x1b[24;80R") << cut;
  }
}

TEST(TerminalAnswers, AreFewEnoughNotToTalkForever) {
  const Recipe& recipe = *shipped_book().at("pfsense");
  Talk talk(Talk::Time{} + std::chrono::hours(1));
  TerminalAnswers answers(talk, recipe);
  for (int i = 0; i < 1000; ++i) answers.hear("\x1b[6n");
  EXPECT_EQ(all_typed(talk).size(), TerminalAnswers::kMostASecond * std::string("\x1b[24;80R").size());
  talk.pass(talk.now() + std::chrono::seconds(1));
  answers.hear("\x1b[6n");
  EXPECT_EQ(all_typed(talk), "\x1b[24;80R");
}

// Types nothing of itself: what it is asked is written down, and echoed if it is told to.
class Scripted : public SimulatedDevice {
 public:
  Scripted() : SimulatedDevice(Talk::Time{} + std::chrono::hours(1)) { say("device# "); }
  bool somebody_is_logged_in() const override { return false; }
  std::vector<std::string> lines;
  std::map<std::string, std::string> answers;
  void silent() { echo(false); }

 private:
  void line(const std::string& text) override {
    lines.push_back(text);
    hangs_ = hangs_ || text == "hang";
    if (hangs_) return;
    if (answers.contains(text)) say(answers[text]);
    say("device# ");
  }
  void interrupt() override {
    hangs_ = false;
    say("\ndevice# ");
  }
  void booted() override {}
  bool hangs_ = false;
};

constexpr char kScript[] =
    "recipe device version 1\nmethod text-twice\n"
    "state prompt tail /(^|\\n)device# ?/ work home leave \"exit\\r\" \n"
    "state more tail /--More--/ go \" \"\n"
    "begun /^device# \\S/\n"
    "forbid prompt \"reload\"\n"
    "cmd config \"show\" end /^end$/\nnoise /^%LOG/\nerror /^% /\n";

struct Asked {
  explicit Asked(Scripted& device, std::string question, SimulatedLine::Noise noise = {})
      : recipe(recipe_of(kScript)),
        talk(Talk::Time{} + std::chrono::hours(1)),
        line(talk, device, noise),
        visit(talk, *recipe, credentials),
        task(go(std::move(question))) {
    task.start([this](bool) { done = true; });
    EXPECT_TRUE(line.carry([this] { return done; }, std::chrono::seconds(600)));
  }
  Task<bool> go(std::string question) {
    std::string screen;
    Result<> arrived = co_await visit.arrive(screen);
    EXPECT_TRUE(arrived.has_value());
    answer = co_await visit.ask(question, milliseconds(30000));
    Result<> settled = co_await visit.settle(milliseconds(20000));
    EXPECT_TRUE(settled.has_value());
    left = co_await visit.leave();
    co_return true;
  }
  std::shared_ptr<const Recipe> recipe;
  Credentials credentials;
  Talk talk;
  SimulatedLine line;
  Visit visit;
  Result<std::string> answer{""};
  Result<> left;
  bool done = false;
  Task<bool> task;
};

TEST(Visit, HearsWhatStandsBetweenEchoAndPrompt) {
  Scripted device;
  device.answers["show"] = "line one\n\n\tline three  \nend\n";
  Asked asked(device, "show");
  ASSERT_TRUE(asked.answer) << asked.answer.error().what;
  EXPECT_EQ(*asked.answer, "line one\n\n\tline three  \nend\n");
  EXPECT_TRUE(asked.left);
}

TEST(Visit, KeepsALastLineWithoutAnEnd) {
  Scripted device;
  device.answers["show"] = "line one\nno end";
  Asked asked(device, "show");
  ASSERT_TRUE(asked.answer) << asked.answer.error().what;
  EXPECT_EQ(*asked.answer, "line one\nno end");
}

TEST(Visit, LeavesNoiseOutOfAnAnswer) {
  Scripted device;
  device.answers["show"] = "line one\n%LOG-3: a port is up\nend\n";
  Asked asked(device, "show");
  ASSERT_TRUE(asked.answer) << asked.answer.error().what;
  EXPECT_EQ(*asked.answer, "line one\nend\n");
  EXPECT_EQ(asked.visit.dropped(), std::vector<std::string>{"%LOG-3: a port is up"});
}

TEST(Visit, AsksADeviceThatEchoesNothing) {
  Scripted device;
  device.silent();
  device.answers["show"] = "line one\nend\n";
  Asked asked(device, "show");
  ASSERT_TRUE(asked.answer) << asked.answer.error().what;
  EXPECT_EQ(*asked.answer, "line one\nend\n");
}

TEST(Visit, NeverTypesWhatTheRecipeForbids) {
  for (const char* line : {"reload", " reload ", "reload\r", "reload\rshow", ""}) {
    Scripted device;
    Asked asked(device, line);
    ASSERT_FALSE(asked.answer) << line;
    EXPECT_EQ(asked.answer.error().fault, Fault::usage);
    EXPECT_EQ(asked.line.typed.find("reload"), std::string::npos);
  }
}

TEST(Visit, StopsWhatDoesNotComeToAnEnd) {
  Scripted device;
  Asked asked(device, "hang");
  ASSERT_FALSE(asked.answer);
  EXPECT_EQ(asked.answer.error().fault, Fault::unavailable);
  EXPECT_NE(asked.answer.error().what.find("not come to its end in time"), std::string::npos)
      << asked.answer.error().what;
  EXPECT_TRUE(asked.left);
}

TEST(Visit, EntersALineOnlyAsItWasEchoed) {
  // Half of all bytes are damaged: hardly a line arrives, and no other one does in its place.
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Scripted device;
    Talk talk(Talk::Time{} + std::chrono::hours(1));
    SimulatedLine line(talk, device, {0, 0.02, seed});
    std::shared_ptr<const Recipe> recipe = recipe_of(kScript);
    Credentials credentials;
    Visit visit(talk, *recipe, credentials);
    bool done = false;
    auto conversation = [](Visit& visited) -> Task<bool> {
      std::string screen;
      Result<> arrived = co_await visited.arrive(screen);
      std::string question = "show";
      for (int i = 0; arrived && i < 20; ++i) {
        Result<std::string> answer = co_await visited.ask(question, milliseconds(30000));
        if (answer) continue;
        Result<> settled = co_await visited.settle(milliseconds(30000));
      }
      co_return true;
    };
    Task<bool> task = conversation(visit);
    task.start([&](bool) { done = true; });
    line.carry([&] { return done; }, std::chrono::seconds(3600));
    for (const std::string& heard : device.lines)
      EXPECT_TRUE(heard.empty() || heard == "show" || heard.size() < 3) << seed << " " << heard;
  }
}

TEST(Visit, SaysThatADeviceDoesNotAnswer) {
  Scripted device;
  device.power_cut(std::chrono::hours(1));
  SimulatedVisit visit(device, "freebsd", unix_credentials());
  ASSERT_TRUE(visit.carry());
  ASSERT_FALSE(visit.arrived);
  EXPECT_EQ(visit.arrived.error().fault, Fault::unavailable);
  EXPECT_EQ(visit.arrived.error().what, "the device does not answer: nothing came after 5 carriage returns");
  EXPECT_EQ(visit.line.typed, "\r\r\r\r\r");
  EXPECT_TRUE(visit.left);
  EXPECT_TRUE(visit.visit.is_silent());
  visit.talk.hear("[  12.3] something is alive after all");
  EXPECT_FALSE(visit.visit.is_silent());
}

// Whatever is entered, it says why not and asks again.
class Unwilling : public SimulatedDevice {
 public:
  Unwilling() : SimulatedDevice(Talk::Time{} + std::chrono::hours(1)) { say("login: "); }
  bool somebody_is_logged_in() const override { return false; }
  std::string why = "% Bad terminal";

 private:
  void line(const std::string& text) override {
    if (!text.empty()) say(why + "\n");
    say("login: ");
  }
  void interrupt() override {}
  void booted() override {}
};

TEST(Visit, SaysWhatADeviceSaidThatAsksAgainAndAgain) {
  for (bool tells_secret : {false, true}) {
    Unwilling device;
    if (tells_secret) device.why = base::str("no such user or password: ", SimulatedUnix::kPassword);
    SimulatedVisit visit(device, "freebsd", unix_credentials());
    ASSERT_TRUE(visit.carry());
    ASSERT_FALSE(visit.arrived);
    EXPECT_TRUE(visit.arrived.error().what.ends_with(
        tells_secret ? "again and again" : "again and again; before that it said '% Bad terminal'"))
        << visit.arrived.error().what;
  }
}

TEST(Visit, SaysWhatItDoesNotKnow) {
  Scripted device;
  SimulatedVisit visit(device, "junos", unix_credentials());
  ASSERT_TRUE(visit.carry());
  ASSERT_FALSE(visit.arrived);
  EXPECT_EQ(
      visit.arrived.error().what,
      "carriage returns lead nowhere: the recipe junos does not know what the device shows; its last line "
      "is 'device# '");
  EXPECT_EQ(visit.line.typed.find_first_not_of('\r'), std::string::npos);
  EXPECT_FALSE(visit.visit.is_silent());
}

}  // namespace
}  // namespace oob::recipe

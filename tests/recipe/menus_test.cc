#include <gtest/gtest.h>

#include "tests/recipe/simulated_visit.h"

namespace oob::recipe {
namespace {

using Menu = SimulatedUnix::Menu;
using base::Fault;
using std::chrono::milliseconds;

struct Case {
  const char* recipe;
  SimulatedUnix::Kind kind;
};
const Case kCases[] = {
    {"pfsense", {Menu::pfsense, false, true}},   {"pfsense", {Menu::pfsense, true, true}},
    {"opnsense", {Menu::opnsense, false, true}}, {"opnsense", {Menu::opnsense, true, true}},
    {"freebsd", {Menu::none, true, true}},       {"freebsd", {Menu::none, true, false}},
};
struct Level {
  double messages, damage;
};
const Level kLevels[] = {{0, 0}, {1, 1e-4}, {2, 2e-4}, {3, 3e-4}, {5, 5e-4}};

std::string config() {
  std::string text = "!\nversion 15.2\nhostname router1\n!\n";
  for (int i = 0; i < 40; ++i)
    text += base::str("interface GigabitEthernet0/", i, "\n description link ", i * 7919 % 1000,
                      "\n switchport mode access\n!\n");
  return text + "end\n";
}
std::string junos_config() {
  std::string text = "version 23.4R1;\nsystem {\n    host-name edge1;\n}\n";
  for (int i = 0; i < 40; ++i) text += base::str("interfaces {\n    ge-0/0/", i, ";\n}\n");
  return text;
}

TEST(Menus, AreLeftAsTheyWereFoundOnAQuietLine) {
  for (const Case& one : kCases) {
    SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), one.kind);
    SimulatedVisit visit(device, one.recipe, unix_credentials());
    ASSERT_TRUE(visit.carry()) << one.recipe;
    EXPECT_TRUE(visit.arrived) << one.recipe << ": " << visit.arrived.error().what;
    EXPECT_TRUE(visit.left) << one.recipe << ": " << visit.left.error().what;
    EXPECT_FALSE(device.somebody_is_logged_in()) << one.recipe;
    EXPECT_TRUE(device.forbidden.empty());
    EXPECT_LE(device.killed, 1u);  // by the carriage return that asks who is there
    EXPECT_FALSE(visit.visit.found_open());
  }
}

TEST(Menus, AreRecognisedWithoutATouchWhenTheyAreOnTheScreen) {
  SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), {Menu::pfsense, false, true});
  SimulatedVisit visit(device, "pfsense", unix_credentials());
  Talk before(visit.talk.now());
  SimulatedLine until_menu(before, device, {});
  until_menu.carry([] { return false; }, std::chrono::seconds(5));
  visit.screen = before.heard();
  ASSERT_TRUE(visit.carry());
  EXPECT_TRUE(visit.arrived && visit.left);
  EXPECT_EQ(device.killed, 0u);
  std::string typed;
  for (std::size_t i = 0; i < visit.line.typed.size(); ++i) typed += visit.line.typed[i];
  EXPECT_EQ(typed.substr(0, 2), "8\r");
  EXPECT_EQ(visit.visit.path(), (std::vector<std::string>{"menu", "shell", "shell", "menu"}));
}

// The measure: no forbidden key, and nobody left logged in without an Error that says so.
TEST(Menus, SurviveNoiseInBothDirections) {
  unsigned visits = 0, arrived = 0, left_open = 0;
  for (unsigned seed = 1; seed <= 25; ++seed)
    for (const Level& level : kLevels)
      for (const Case& one : kCases) {
        SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), one.kind);
        SimulatedVisit visit(device, one.recipe, unix_credentials(),
                             {level.messages, level.damage, seed * 1000003});
        ASSERT_TRUE(visit.carry()) << one.recipe << seed;
        ++visits;
        arrived += visit.arrived.has_value();
        left_open += !visit.left;
        EXPECT_TRUE(device.forbidden.empty()) << one.recipe << " " << seed << " " << device.forbidden[0];
        EXPECT_FALSE(visit.left && device.somebody_is_logged_in()) << one.recipe << " " << seed;
        if (!visit.left) {
          EXPECT_NE(visit.left.error().what.find("left open"), std::string::npos);
        }
        EXPECT_TRUE((visit.arrived && visit.left) || level.messages > 0) << one.recipe << " " << seed;
      }
  RecordProperty("visits", static_cast<int>(visits));
  EXPECT_GE(arrived, visits * 99 / 100) << arrived << " of " << visits;
  EXPECT_EQ(left_open, 0u);
}

TEST(Menus, AreNotTouchedWhileALineIsHalfTyped) {
  for (const char* half : {"5", "1"}) {
    SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), {Menu::opnsense, false, true});
    SimulatedVisit visit(device, "opnsense", unix_credentials());
    Talk before(visit.talk.now());
    SimulatedLine until_menu(before, device, {});
    until_menu.carry([] { return false; }, std::chrono::seconds(5));
    device.half_typed(half);
    visit.screen = std::string(before.heard()) + half;
    device.said.clear();
    ASSERT_TRUE(visit.carry());
    ASSERT_FALSE(visit.arrived);
    EXPECT_EQ(visit.arrived.error().fault, Fault::unavailable);
    EXPECT_EQ(visit.arrived.error().what, base::str("somebody left a line half typed: 'Enter an option: ",
                                                    half, "'; attach, clear it (Ctrl-C), and try again"));
    EXPECT_EQ(visit.line.typed, "");
    EXPECT_TRUE(visit.left);
  }
}

TEST(Menus, AreSaidToBeLeftOpenWhenTheDeviceIsGone) {
  for (int cut_after = 0; cut_after < 8000; cut_after += 150) {
    SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), {Menu::pfsense, true, true});
    SimulatedVisit visit(device, "pfsense", unix_credentials());
    visit.begin();
    visit.carry_for(milliseconds(cut_after));
    bool was_over = visit.done;
    device.power_cut(std::chrono::seconds(90));
    ASSERT_TRUE(visit.carry()) << cut_after;
    EXPECT_TRUE(device.forbidden.empty()) << cut_after;
    if (was_over) continue;
    // Either nothing of ours was open, or we do not know.
    EXPECT_FALSE(visit.left && device.somebody_is_logged_in()) << cut_after;
  }
}

TEST(Menus, AreLeftFromWhereverAnInterruptionComes) {
  for (const Case& one : kCases)
    for (int after = 0; after < 8000; after += 170) {
      SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), one.kind);
      SimulatedVisit visit(device, one.recipe, unix_credentials());
      visit.begin();
      visit.carry_for(milliseconds(after));
      visit.talk.interrupt(base::fail(Fault::failed, "nobody wants it any more"));
      ASSERT_TRUE(visit.carry()) << one.recipe << after;
      EXPECT_TRUE(visit.left) << one.recipe << after << visit.left.error().what;
      visit.line.carry([] { return false; }, std::chrono::seconds(20));
      EXPECT_FALSE(device.somebody_is_logged_in()) << one.recipe << after;
      EXPECT_TRUE(device.forbidden.empty());
    }
}

TEST(Menus, SayThatTheLineIsGone) {
  for (int after = 0; after < 8000; after += 310) {
    SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), {Menu::pfsense, true, true});
    SimulatedVisit visit(device, "pfsense", unix_credentials());
    visit.begin();
    visit.carry_for(milliseconds(after));
    bool open = !visit.done && device.somebody_is_logged_in();
    visit.talk.cut(base::fail(Fault::unavailable, "the line was lost"));
    ASSERT_TRUE(visit.done);
    if (open) {
      ASSERT_FALSE(visit.left) << after;
      EXPECT_NE(visit.left.error().what.find("left open"), std::string::npos) << visit.left.error().what;
      EXPECT_NE(visit.left.error().what.find("the line was lost"), std::string::npos);
    }
  }
}

TEST(Menus, TellAWrongPasswordFromSilence) {
  SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), {Menu::none, true, true});
  SimulatedVisit visit(device, "freebsd", {"root", base::Secret("wrong"), {}});
  ASSERT_TRUE(visit.carry());
  ASSERT_FALSE(visit.arrived);
  EXPECT_EQ(visit.arrived.error().fault, Fault::denied);
  EXPECT_EQ(visit.arrived.error().what, "the device refuses the user or the password");
  EXPECT_TRUE(visit.left);
  EXPECT_FALSE(device.somebody_is_logged_in());
}

TEST(Menus, NameTheKeyThatIsNotConfigured) {
  SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), {Menu::none, true, true});
  SimulatedVisit visit(device, "freebsd", {});
  ASSERT_TRUE(visit.carry());
  ASSERT_FALSE(visit.arrived);
  EXPECT_EQ(visit.arrived.error().fault, Fault::missing);
  EXPECT_NE(visit.arrived.error().what.find("login = { user"), std::string::npos);
  EXPECT_TRUE(visit.left);
  EXPECT_EQ(visit.line.typed.find_first_not_of('\r'), std::string::npos);
}

TEST(Menus, LeaveAShellOpenThatSomebodyLeftOpen) {
  SimulatedUnix device(Talk::Time{} + std::chrono::hours(1), {Menu::none, true, true});
  device.said.clear();
  device.open_shell();
  SimulatedVisit visit(device, "freebsd", unix_credentials());
  ASSERT_TRUE(visit.carry());
  EXPECT_TRUE(visit.arrived && visit.left);
  EXPECT_TRUE(visit.visit.found_open());
  EXPECT_EQ(visit.visit.prompt(), "root@fw1:~ # ");
  EXPECT_TRUE(device.somebody_is_logged_in());
  EXPECT_EQ(visit.line.typed.find_first_not_of('\r'), std::string::npos);
}

// How much is stored of what was pulled; none of it wrong.
void pull_all(bool stamps, std::map<double, unsigned>& stored) {
  for (unsigned seed = 1; seed <= 15; ++seed)
    for (const Level& level : kLevels)
      for (auto kind : {SimulatedCli::Kind::ios, SimulatedCli::Kind::junos}) {
        bool ios = kind == SimulatedCli::Kind::ios;
        const std::string text = ios ? config() : junos_config();
        SimulatedCli device(Talk::Time{} + std::chrono::hours(1), kind, text);
        device.stamps = stamps;
        SimulatedVisit visit(device, ios ? "ios" : "junos", cli_credentials(),
                             {level.messages, level.damage, seed * 7919});
        visit.work = SimulatedVisit::Work::pull;
        ASSERT_TRUE(visit.carry()) << seed;
        EXPECT_TRUE(device.forbidden.empty()) << seed;
        EXPECT_FALSE(visit.left && device.somebody_is_logged_in()) << seed;
        if (level.messages == 0) {
          ASSERT_TRUE(visit.arrived && visit.pulled && *visit.pulled)
              << ios << visit.visit.prompt()
              << (!visit.arrived ? visit.arrived.error().what : visit.pulled->error().what);
          EXPECT_TRUE(visit.left) << visit.left.error().what;
        }
        if (!visit.pulled || !*visit.pulled) continue;
        ++stored[level.messages];
        const Pulled& pulled = **visit.pulled;
        ASSERT_EQ(pulled.files.size(), 1u);
        std::string expected = ios ? "Building configuration...\n\n" + text : text + "\n";
        EXPECT_TRUE(pulled.files[0].bytes == expected) << seed << " " << ios << level.messages;
        EXPECT_EQ(pulled.files[0].grade, Grade::twice);
      }
}

// Of 30 pulls at each level. A reading needs seconds without a message in a line or a damaged byte: beyond
// two messages a second that is rare, and then nothing is stored.
TEST(CommandLines, AreReadByteForByteOrNotAtAll) {
  std::map<double, unsigned> stored;
  pull_all(true, stored);
  EXPECT_EQ(stored[0], 30u);
  EXPECT_GE(stored[1], 10u);
}

// The worst there can be: the same few lines come again and again, and may well come twice at the same place.
TEST(CommandLines, AreNotTakenInByMessagesThatRepeat) {
  std::map<double, unsigned> stored;
  pull_all(false, stored);
  EXPECT_EQ(stored[0], 30u);
}

}  // namespace
}  // namespace oob::recipe

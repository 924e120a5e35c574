#include "audit/player.h"

#include <gtest/gtest.h>

namespace oob::audit {
namespace {

using base::Micros;
constexpr Micros kSecond = 1'000'000;

Player of(PlayOptions options, std::optional<Player::Size> shown = Player::Size{}) {
  return Player(options, {20, 4}, shown);
}

// Three events: at once, after 2 s, and after a minute.
void load(Player& player) {
  player.add(0, 'o', "a");
  player.add(2 * kSecond, 'o', "b");
  player.add(62 * kSecond, 'o', "c");
}

TEST(Player, ShowsEachEventWhenItsTimeHasCome) {
  Player player = of({});
  load(player);
  EXPECT_EQ(player.take(1000, 100), "a");
  EXPECT_EQ(player.due(), 2 * kSecond + 1000);
  EXPECT_EQ(player.take(2 * kSecond, 100), "");
  EXPECT_EQ(player.take(2 * kSecond + 1000, 100), "b");
  EXPECT_EQ(player.take(62 * kSecond + 1000, 100), "c");
  EXPECT_FALSE(player.over());
  player.end();
  EXPECT_TRUE(player.over());
  EXPECT_EQ(player.position(), 62 * kSecond);
}

TEST(Player, KeepsTimeThoughItIsAskedLate) {
  Player player = of({});
  load(player);
  player.take(0, 100);
  EXPECT_EQ(player.take(2 * kSecond + 300'000, 100), "b");
  EXPECT_EQ(player.due(), 62 * kSecond);
  // But who was stopped for long does not get all at once what came meanwhile.
  Player slow = of({});
  load(slow);
  slow.take(0, 100);
  slow.take(100 * kSecond, 100);
  EXPECT_EQ(slow.due(), 159 * kSecond);
}

TEST(Player, PlaysFasterAndShortensSilence) {
  Player fast = of({.speed = 4});
  load(fast);
  fast.take(0, 100);
  EXPECT_EQ(fast.due(), kSecond / 2);
  Player brief = of({.speed = 2, .idle = 3 * kSecond});
  load(brief);
  brief.take(0, 100);
  brief.take(kSecond, 100);
  EXPECT_EQ(brief.due(), kSecond + 3 * kSecond / 2);
  Player at_once = of({.speed = 0});
  load(at_once);
  EXPECT_EQ(at_once.take(5, 100), "abc");
}

TEST(Player, GivesNoMoreThanThereIsRoomFor) {
  Player player = of({.speed = 0});
  load(player);
  player.add(63 * kSecond, 'o', "0123456789");
  EXPECT_EQ(player.take(0, 2), "ab");
  EXPECT_EQ(player.take(0, 4), "c012");
  EXPECT_EQ(player.take(0, 4), "3456");
  EXPECT_EQ(player.take(0, 4), "789");
  Player full = of({});
  while (full.wants()) full.add(0, 'o', std::string(1000, 'x'));
  EXPECT_FALSE(full.wants());
  full.take(0, 2000);
  EXPECT_TRUE(full.wants());
}

TEST(Player, StandsStillWhilePaused) {
  Player player = of({});
  load(player);
  player.take(0, 100);
  EXPECT_TRUE(player.typed(" ", kSecond));
  EXPECT_EQ(player.due(), std::nullopt);
  EXPECT_EQ(player.take(50 * kSecond, 100), "");
  EXPECT_TRUE(player.typed(" ", 50 * kSecond));
  EXPECT_EQ(player.due(), 51 * kSecond);
}

TEST(Player, ChangesItsSpeedFromWhereItIs) {
  Player player = of({});
  load(player);
  player.take(0, 100);
  player.take(2 * kSecond, 100);
  player.typed("+", 32 * kSecond);  // half of the silence has passed
  EXPECT_EQ(player.due(), 47 * kSecond);
  player.typed("--", 32 * kSecond);
  EXPECT_EQ(player.due(), 92 * kSecond);
  for (int i = 0; i < 20; ++i) player.typed("+", 32 * kSecond);
  EXPECT_EQ(player.due(), 32 * kSecond + static_cast<Micros>(30 * kSecond / Player::kFastest));
}

TEST(Player, SkipsByThePointAndTheArrow) {
  Player player = of({});
  load(player);
  player.take(0, 100);
  player.typed(".", kSecond);
  EXPECT_EQ(player.take(kSecond, 100), "b");  // 1 s + 10 s
  EXPECT_EQ(player.position(), 11 * kSecond);
  EXPECT_EQ(player.due(), 52 * kSecond);
  player.typed("\x1b", kSecond);
  player.typed("[", kSecond);
  player.typed("C\x1b[C\x1bOC..", kSecond);  // 61 s
  EXPECT_EQ(player.take(kSecond, 100), "");
  EXPECT_EQ(player.due(), 2 * kSecond);
  player.typed(".", kSecond);
  EXPECT_EQ(player.take(kSecond, 100), "c");
}

TEST(Player, EndsByQAndInterrupt) {
  Player player = of({});
  EXPECT_FALSE(player.typed("q", 0));
  EXPECT_FALSE(player.typed("\x03", 0));
  EXPECT_TRUE(player.typed("x\x1b[A\x1b[q", 0));  // another key's sequence
}

TEST(Player, ShowsTheScreenAsItWasWhereItBegins) {
  Player player = of({.from = 3 * kSecond});
  player.add(0, 'o', "login: bob\r\n");
  EXPECT_EQ(player.take(0, 1000), "");
  player.add(kSecond, 'o', "\x1b[2J\x1b[Hmenu");
  player.add(2 * kSecond, 'r', "30x5");
  player.add(4 * kSecond, 'o', "later");
  std::string picture = player.take(0, 1000);
  EXPECT_NE(picture.find("menu"), std::string::npos);
  EXPECT_EQ(picture.find("login"), std::string::npos);
  EXPECT_EQ(player.due(), kSecond);
  EXPECT_EQ(player.take(kSecond, 1000), "later");
}

TEST(Player, LeavesOutWhatIsBeforeItsBeginningWhereThereIsNoTerminal) {
  Player player = of({.speed = 0, .from = 3 * kSecond}, std::nullopt);
  player.add(0, 'o', "early");
  player.add(4 * kSecond, 'o', "later");
  EXPECT_EQ(player.take(0, 1000), "later");
}

TEST(Player, ShowsTheLastScreenWhereItBeginsBehindTheEnd) {
  Player player = of({.from = 300 * kSecond});
  load(player);
  player.end();
  EXPECT_FALSE(player.over());
  EXPECT_NE(player.take(0, 1000).find("abc"), std::string::npos);
  EXPECT_TRUE(player.over());
}

TEST(Player, UnderstandsPlaces) {
  EXPECT_EQ(*parse_place("83"), 83 * kSecond);
  EXPECT_EQ(*parse_place("83.5"), 83'500'000);
  EXPECT_EQ(*parse_place("1:23"), 83 * kSecond);
  EXPECT_EQ(*parse_place("1:02:03.25"), 3'723'250'000);
  for (const char* wrong :
       {"", "x", "-1", "1:", ":1", "1:60", "1:2:3:4", "1:60:00", "1e9", "nan", "99999999999", "1.2.3"}) {
    auto place = parse_place(wrong);
    ASSERT_FALSE(place) << wrong;
    EXPECT_EQ(place.error().fault, base::Fault::usage);
  }
  EXPECT_EQ(place_text(83 * kSecond), "1:23");
  EXPECT_EQ(place_text(3'723'250'000), "1:02:03");
  EXPECT_EQ(place_text(5), "0:00");
}

TEST(Player, UnderstandsItsOptions) {
  std::string two = "2", idle = "1500ms", from = "1:00", nothing = "0", word = "fast";
  auto options = PlayOptions::parse(&two, &idle, &from);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->speed, 2);
  EXPECT_EQ(options->idle, 1'500'000);
  EXPECT_EQ(options->from, 60 * kSecond);
  EXPECT_FALSE(PlayOptions::parse(&nothing, nullptr, nullptr));
  EXPECT_FALSE(PlayOptions::parse(&word, nullptr, nullptr));
  EXPECT_FALSE(PlayOptions::parse(nullptr, &nothing, nullptr));
  EXPECT_FALSE(PlayOptions::parse(nullptr, nullptr, &word));
}

}  // namespace
}  // namespace oob::audit

#include "audit/screen_text.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

namespace oob::audit {
namespace {

using base::str;

std::vector<std::string> texts(std::vector<ScreenText::Line> lines) {
  std::vector<std::string> all;
  for (auto& line : lines) all.push_back(std::move(line.text));
  return all;
}

std::vector<std::string> rendered(base::Bytes bytes, unsigned columns = 20, unsigned rows = 4,
                                  std::size_t piece = SIZE_MAX) {
  ScreenText screen(columns, rows);
  std::vector<std::string> all;
  for (std::size_t at = 0; at < bytes.size();) {
    at += screen.feed(bytes.substr(at, piece));
    for (std::string& line : texts(screen.take_lines())) all.push_back(std::move(line));
  }
  for (std::string& line : texts(screen.finish())) all.push_back(std::move(line));
  return all;
}

using Lines = std::vector<std::string>;

TEST(ScreenText, GivesTheLinesThatScrolledOffAndThoseOnTheScreen) {
  EXPECT_EQ(rendered("one\r\ntwo\r\n\r\nfour\r\nfive\r\nsix"),
            (Lines{"one", "two", "", "four", "five", "six"}));
  EXPECT_EQ(rendered(""), Lines{});
}

TEST(ScreenText, ShowsWhatTypingLeftBehind) {
  EXPECT_EQ(rendered("$ sl\b \b\b \bls -l\r\x1b[3C\x1b[Kx\r\n"), (Lines{"$ lx"}));
  EXPECT_EQ(rendered(" 10%\r 50%\r100%\r\ndone"), (Lines{"100%", "done"}));
}

TEST(ScreenText, JoinsWhatTheTerminalWrapped) {
  std::string longest(47, 'x');
  EXPECT_EQ(rendered(longest + "\r\nnext\r\n" + longest + "!"), (Lines{longest, "next", longest + "!"}));
  // A line that just fills the row, and one below it, are two.
  std::string whole(20, 'y');
  EXPECT_EQ(rendered(whole + "\r\n" + whole + "\r\nz\r\n\r\n\r\n\r\n"), (Lines{whole, whole, "z"}));
}

TEST(ScreenText, KeepsWideAndCombinedCharacters) {
  EXPECT_EQ(rendered("日本語 e\xcc\x81t\xc3\xa9\r\n"), (Lines{"日本語 e\xcc\x81t\xc3\xa9"}));
  EXPECT_EQ(rendered("日本語\x1b[1;2Hx"), (Lines{" x本語"}));
}

TEST(ScreenText, KeepsWhatIsClearedOnce) {
  EXPECT_EQ(rendered("a\r\nb\x1b[2J\x1b[Hc"), (Lines{"a", "b", "c"}));
  EXPECT_EQ(rendered("a\r\nb\x1b[H\x1b[Jc"), (Lines{"a", "b", "c"}));
  EXPECT_EQ(rendered("a\r\nb\x1b[H\x1b[J\x1b[H\x1b[J\x1b[H\x1b[Jc"), (Lines{"a", "b", "c"}));
  std::string drawn = "\x1b[H\x1b[2J1) Reboot\r\n2) Shell\r\n";  // a menu that is drawn again
  EXPECT_EQ(rendered(drawn + drawn + drawn + "> 2"),
            (Lines{"1) Reboot", "2) Shell", "1) Reboot", "2) Shell", "> 2"}));
}

TEST(ScreenText, TellsOfTheAlternateScreenInItsPlace) {
  EXPECT_EQ(rendered("$ vi f\r\n\x1b[?1049h\x1b[2J\x1b[Hsecret\r\n~\r\n~\x1b[?1049l$ exit\r\n"),
            (Lines{"$ vi f", "secret", "~", "~", "$ exit"}));
  // less: it scrolls there.
  EXPECT_EQ(rendered("$ less\r\n\x1b[?1049h\x1b[H1\r\n2\r\n3\r\n4\r\n5\r\n:\x1b[?1049l$ "),
            (Lines{"$ less", "1", "2", "3", "4", "5", ":", "$"}));
}

TEST(ScreenText, KeepsWhatARegionScrollsAway) {
  EXPECT_EQ(rendered("top\x1b[2;4r\x1b[2;1Ha\r\nb\r\nc\r\nd\r\ne"), (Lines{"a", "b", "top", "c", "d", "e"}));
}

TEST(ScreenText, TellsWhenALineWasLastChanged) {
  ScreenText screen(20, 2);
  screen.feed("a", 1);
  screen.feed("b\r\nx\r\n", 2);
  screen.feed("y\r\nz", 3);
  auto lines = screen.take_lines();
  ASSERT_EQ(lines.size(), 1u);  // the next is open: it may go on
  EXPECT_EQ(lines[0].text, "ab");
  EXPECT_EQ(lines[0].time, 2);
  lines = screen.finish();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].text, "x");
  EXPECT_EQ(lines[0].time, 2);
  EXPECT_EQ(lines[2].time, 3);
}

TEST(ScreenText, FollowsTheTerminalsSize) {
  ScreenText screen(20, 4);
  screen.feed("1\r\n2\r\n3\r\n4");
  screen.resize(10, 2);
  EXPECT_EQ(screen.screen(), (Lines{"3", "4"}));
  screen.feed("!");
  EXPECT_EQ(screen.screen(), (Lines{"3", "4!"}));
  EXPECT_EQ(texts(screen.finish()), (Lines{"1", "2", "3", "4!"}));
  screen.resize(4000000000u, 0);
  screen.feed("still");
}

TEST(ScreenText, DrawsAPictureThatShowsTheSameScreen) {
  std::string bytes =
      "\x1b[1;31mred\x1b[0m plain\r\n\x1b[48;5;200mx\x1b[38;2;1;2;3my\x1b[7m\r\n日本\x1b[2;7H";
  ScreenText first(20, 4), second(20, 4);
  first.feed(bytes);
  std::string picture = first.picture(20, 4);
  second.feed("what was there before\r\n\r\n\r\n");
  second.feed(picture);
  EXPECT_EQ(second.screen(), first.screen());
  EXPECT_EQ(second.picture(20, 4), picture);
  EXPECT_NE(picture.find("\x1b[0;1;38;5;1mred"), std::string::npos);
  EXPECT_NE(picture.find("\x1b[2;7H"), std::string::npos);
  first.feed("\x1b[?1049hfull\x1b[?25l");
  EXPECT_NE(first.picture(20, 4).find("\x1b[?1049h"), std::string::npos);
  EXPECT_NE(first.picture(20, 4).find("\x1b[?25l"), std::string::npos);
  EXPECT_EQ(first.picture(3, 1).find("plain"), std::string::npos);  // a smaller terminal
}

TEST(ScreenText, GivesTheSameHoweverItsInputIsCut) {
  std::string bytes =
      "$ ls \xe6\x97\xa5\xe6\x9c\xac\r\n\x1b[1;31mred\x1b[0m \x1b]0;title\x07 e\xcc\x81 \xff\xc3\r\n"
      "\x1b[?1049h\x1b[2J\x1b[Halt\r\n\x1b[2;3r\n\n\n\x1b[r\x1b[?1049l0123456789012345678901234567\r\n\x1b["
      "2J";
  Lines whole = rendered(bytes);
  for (std::size_t piece = 1; piece < bytes.size(); ++piece)
    EXPECT_EQ(rendered(bytes, 20, 4, piece), whole) << piece;
}

TEST(ScreenText, HoldsNothingThatHarmsATerminal) {
  for (const std::string& line : rendered("a\x01\x7f"
                                          "b\xc2\x9b"
                                          "c\xe2\x80\xae"
                                          "d\x1b]0;x\x07\x1bP1$qm\x1b\\e"))
    for (unsigned char c : line) EXPECT_TRUE(c >= 0x20 && c != 0x7f) << line;
  std::string turned = rendered(
      "c\xe2\x80\xae"
      "d")[0];
  EXPECT_EQ(turned.find("\xe2\x80\xae"), std::string::npos);
  EXPECT_EQ(rendered("\xc2\x9b"
                     "31m")[0]
                .find('\x9b'),
            std::string::npos);
}

TEST(ScreenText, MemoryStaysBoundedWhateverComes) {
  ScreenText screen(1000, 200);
  std::string flood;
  for (int i = 0; i < 200; ++i) flood += "\x1b[999Cx\n";
  std::size_t held = 0, fed = 0;
  for (int round = 0; round < 50; ++round) {
    std::size_t taken = screen.feed(flood);
    fed += taken;
    if (taken < flood.size()) {
      for (const auto& line : screen.take_lines()) held += line.text.size();
      EXPECT_LE(held, 2 * ScreenText::kMostHeld);
      held = 0;
    }
  }
  EXPECT_GT(fed, flood.size());
}

TEST(ScreenText, TakesAnyBytesAtAnySize) {
  std::mt19937 random(7);
  const char* words[] = {"\x1b[",
                         "\x1b]",
                         "\x1bP",
                         "\x1b\\",
                         "\x1b(0",
                         "\x1b#8",
                         "\x1b[?1049h",
                         "\x1b[?1049l",
                         "\x1b[2J",
                         "\x1b[r",
                         "\x1b[?6h",
                         "\x1b[?69h",
                         "\x1b[4h",
                         "\x1bM",
                         "\x1b[L",
                         "\x1b[M",
                         "\x1b[@",
                         "\x1b[P",
                         "\x1b[99999999999X",
                         "\x1b[?7l",
                         "\x1b[5;3s",
                         "\x1b[b",
                         "\xe6\x97\xa5",
                         "\n",
                         "\r",
                         "\033c",
                         "\x1b[!p"};
  for (int round = 0; round < 400; ++round) {
    ScreenText screen(random() % 30, random() % 9);
    for (int step = 0; step < 60; ++step) {
      std::string bytes;
      for (int i = 0; i < 8; ++i) {
        switch (random() % 4) {
          case 0:
            bytes += words[random() % std::size(words)];
            break;
          case 1:
            bytes += str(random() % 300, random() % 2 ? ";" : "H");
            break;
          default:
            bytes += static_cast<char>(random());
        }
      }
      screen.feed(bytes);
      if (random() % 8 == 0) screen.resize(random() % 40, random() % 12);
      if (random() % 16 == 0) screen.take_lines();
      EXPECT_LT(screen.picture(80, 24).size(), 200'000u);
    }
    screen.finish();
  }
}

}  // namespace
}  // namespace oob::audit

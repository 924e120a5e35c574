#include "recipe/screen.h"

#include <gtest/gtest.h>

#include "recipe/book.h"

namespace oob::recipe {
namespace {

std::string shown_whole(base::Bytes raw) {
  Screen screen;
  screen.feed(raw);
  return std::string(screen.text());
}

struct Seen {
  const char* raw;
  const char* text;
};
const Seen kSeen[] = {
    {"a\r\nb\n", "a\nb\n"},
    {"a\r\r\nb", "a\nb"},
    {"what was\rnew", "new"},
    {"prompt\r", "prompt"},
    {"ab\bc", "ac"},
    {"x\n\b\by", "x\ny"},
    {"gr\xc3\xbc\b.", "gr."},
    {"root\x1b[0;1;31m@\x1b[0;0;0mfw1", "root@fw1"},
    {"\x1b]0;a title\atext", "text"},
    {"\x1b]0;a title\x1b\\text", "text"},
    {"\x1b]lost its end\r\nlogin: ", "\nlogin: "},
    {"\x1b(Bplain\x1b>", "plain"},
    {"\x1b"
     "7\x1b[r\x1b[999;999H\x1b[6n\x1b"
     "8# ",
     "# "},
    {"old\x1b[2Jnew", "new"},
    {"old\n\x1b[Hnew", "new"},
    {"old\x1b[1;1Hnew", "new"},
    {"old\x1b[11;1Hnew", "oldnew"},
    {"old\x1b"
     "cnew",
     "new"},
    {"nul\0s", "nul"},
    {"\a\x01x\x7fy", "xy"},
    {"\x1b[3\x18z", "z"},
    {" --More-- \b\b\b\b\b\b\b\b\b\b          \b\b\b\b\b\b\b\b\b\bend", "end"},
};

TEST(Screen, ShowsWhatAPersonSees) {
  for (const Seen& one : kSeen) EXPECT_EQ(shown_whole(one.raw), one.text) << base::printable(one.raw);
}

TEST(Screen, ShowsTheSameInAnyPieces) {
  for (const Seen& one : kSeen) {
    base::Bytes raw = one.raw;
    for (std::size_t cut = 0; cut <= raw.size(); ++cut) {
      Screen screen;
      screen.feed(raw.substr(0, cut));
      screen.feed(raw.substr(cut));
      EXPECT_EQ(screen.text(), one.text) << base::printable(raw) << " " << cut;
    }
  }
}

TEST(Screen, HoldsABoundedPart) {
  Screen screen;
  for (int line = 0; line < 1000; ++line) screen.feed(base::str("line ", line, "\r\n"));
  EXPECT_EQ(screen.text().substr(0, 9), "line 901\n");
  EXPECT_EQ(screen.last_line(), "");
  for (int i = 0; i < 5000; ++i) screen.feed("0123456789");
  EXPECT_LE(screen.text().size(), Screen::kBytes);
  EXPECT_TRUE(screen.text().ends_with("789"));
  EXPECT_TRUE(screen.last_line().ends_with("789"));
}

TEST(Screen, KeepsAllOfAnAnswerAlsoWhatWasCleared) {
  Screen screen(Screen::Keep::all);
  std::string text;
  for (int line = 0; line < 1000; ++line) text += base::str("line ", line, "\n");
  screen.feed(text + "\x1b[2J\x1b[Hrest");
  EXPECT_EQ(screen.text(), text + "rest");
  EXPECT_EQ(screen.last_line(), "rest");
}

TEST(Screen, FindsAnEchoWhereverItWasWrapped) {
  EXPECT_EQ(as_echoed("show running-config"), "show running-config");
  EXPECT_EQ(as_echoed("show runn \ring-config"), "show running-config");
  EXPECT_EQ(as_echoed("show runn\r\ning-config"), "show running-config");
  EXPECT_EQ(as_echoed("show runn\rning-config"), "show running-config");
  EXPECT_EQ(as_echoed("/bin/s\rsh"), "/bin/sh");
  EXPECT_EQ(as_echoed("/bin/s\r\nsh"), "/bin/ssh");
  EXPECT_EQ(as_echoed("show rux\bnning"), "show running");
  EXPECT_EQ(as_echoed("\x1b[1mshow\x1b[0m"), "show");
}

std::string at(const Recipe& recipe, std::string_view screen, std::string_view typed_at = "") {
  const State* state = Recognition(recipe).at(screen, typed_at);
  return state ? state->name : "";
}

TEST(Recognition, WantsAMatchThatEndsWhereTheOutputEnds) {
  const Recipe& recipe = *shipped_book().at("freebsd");
  EXPECT_EQ(at(recipe, "fw1 login: "), "login");
  EXPECT_EQ(at(recipe, "fw1 login:"), "login");
  EXPECT_EQ(at(recipe, "fw1 login:    "), "login");
  EXPECT_EQ(at(recipe, "fw1 login: root"), "");
  EXPECT_EQ(at(recipe, "fw1 login: \nigb0: link state changed to UP\n"), "");
  EXPECT_EQ(at(recipe, "motd\nroot@relay1:~ # "), "shell");
  EXPECT_EQ(at(recipe, ""), "");
  EXPECT_EQ(at(recipe, "   \t "), "");
}

TEST(Recognition, TakesAPasswordForAnAnswerOnly) {
  const Recipe& recipe = *shipped_book().at("freebsd");
  EXPECT_EQ(at(recipe, "Password:"), "");
  EXPECT_EQ(at(recipe, "Password:", "shell"), "");
  EXPECT_EQ(at(recipe, "Password:", "login"), "passwd");
}

TEST(Recognition, TakesSeveralPromptsInALineForNothingTyped) {
  for (const char* name : {"linux", "freebsd"}) {
    Recognition recognition(*shipped_book().at(name));
    for (const char* line : {"root@box:~# ", "root@box:~# root@box:~# ", "root@box:~# root@box:~#",
                             "root@box:~# root@box:~# root@box:~# ", "# # ", "$ $ $", "~ # ~ # "})
      EXPECT_FALSE(recognition.begun(line)) << name << ": " << line;
    for (const char* line :
         {"root@box:~# root@box:~# r", "root@box:~# reboot", "root@box:~# root@box:~# reboot",
          "root@box:~# root@box", "# halt # halt ", "root@box:~# ls root@box:~# ls"})
      EXPECT_TRUE(recognition.begun(line)) << name << ": " << line;
  }
}

TEST(Recognition, TellsTheMenusOfTwoProductsApart) {
  const std::string opnsense =
      "  0) Logout                              7) Ping host\n  1) Assign interfaces                   8) "
      "Shell\n"
      "  4) Reset to factory defaults          11) Reload all services\n"
      "  5) Power off system                   12) Upgrade from console\n"
      "  6) Reboot system                      13) Restore a backup\n\nEnter an option: ";
  EXPECT_EQ(at(*shipped_book().at("opnsense"), opnsense), "menu");
  EXPECT_EQ(at(*shipped_book().at("pfsense"), opnsense), "");
  EXPECT_EQ(at(*shipped_book().at("opnsense"), opnsense + "5"), "");
  EXPECT_TRUE(Recognition(*shipped_book().at("opnsense")).begun("Enter an option: 5"));
}

}  // namespace
}  // namespace oob::recipe

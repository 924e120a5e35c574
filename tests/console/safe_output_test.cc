#include "console/safe_output.h"

#include <gtest/gtest.h>

#include <random>

namespace oob::console {
namespace {

std::string safe(base::Bytes raw) { return SafeOutput().pass(raw); }

void passes(const std::string& raw) { EXPECT_EQ(safe(raw), raw) << base::printable(raw); }

void leaves(const std::string& raw, const std::string& rest) {
  EXPECT_EQ(safe(raw), rest) << base::printable(raw);
}

// Some of everything, one after another.
std::string everything() {
  std::string all =
      "login: \r\n\033[1;31mred\033[m \xc3\xa9\xe2\x9c\x93\xf0\x9f\x98\x80\t\b\a\033]0;title\a"
      "\033]52;c;aGk=\033\\\033P$qm\033\\\033[c\033[?6n\005\x9b\x35n\xc2\x9d\x31;x\a\033[?1049;1006h"
      "\033[12;3Hx\033(0lqk\033(B\033[2J\033[3J\033_G\nline\033Xsos\x18on\033[5\ai\033[1\033[2K\xe2\x82"
      "A\xff\xe2\x80\xae\033[>c\033#8\033[4h\033[20h\033[!p\033ktitle\033\\\033[8;9;9t\033c";
  return all + std::string("\0\x7f", 2) + "end\033[38;2;1;2;3mx";
}

}  // namespace

TEST(SafeOutput, PassesTextColoursAndCursorMovement) {
  passes("plain text\r\n\twith\b\v\f\a controls\x0e\x0f");
  passes(
      "Gr\xc3\xbc\xc3\x9f"
      "e \xe2\x94\x80\xe2\x94\x82 \xf0\x9f\x98\x80");
  passes("\033[m\033[0m\033[1;31m\033[38;5;200m\033[38;2;1;2;255m\033[48:2::1:2:3m\033[4:3m");
  passes(
      "\033[A\033[5B\033[C\033[D\033[E\033[F\033[10G\033[H\033[12;40H\033[3;4f\033[5d\033[2a\033[2e\033[3`");
  passes("\033[J\033[1J\033[2J\033[K\033[2K\033[L\033[M\033[P\033[@\033[3X\033[S\033[2T\033[3b\033[I\033[Z");
  passes("\033[2;20r\033[r\033[s\033[u\033[g\033[3g\0337\0338\033D\033E\033H\033M\033c\033=\033>\033#8");
  passes(
      "\033[?25l\033[?25h\033[?7l\033[?7h\033[?6h\033[?1h\033[?66h\033[?47h\033[?1047l\033[?1048h\033[?"
      "1049h");
  passes("\033[4h\033[4l\033[!p\033(B\033(0\033)0\033*A\033+B");
}

TEST(SafeOutput, DropsStringsWithAllTheyHold) {
  for (const char* kind : {"]", "P", "X", "^", "_", "k"})
    for (const char* end : {"\033\\", "\x18", "\x1a", "\xc2\x9c", "\x9c"})
      leaves(base::str("a\033", kind, "52;c;aGk=\005 \xe2\x80\x9c", end, "b"), "ab");
  leaves("a\033]0;title\ab", "ab");
  leaves("a\033Ptmux;\033\033]52;c;aGk=\a\033\\b", "ab");  // what tmux would hand on
  leaves("a\033]0;title\033[1mb", "a\033[1mb");            // an ESC of any kind ends it
}

TEST(SafeOutput, DropsWhatMakesATerminalAnswer) {
  for (const char* query :
       {"\005",     "\033[c",     "\033[0c",  "\033[>c",        "\033[=c",    "\033[5n",  "\033[6n",
        "\033[?6n", "\033[?25$p", "\033[4$p", "\033[x",         "\033[>q",    "\033[18t", "\033[21t",
        "\033[?u",  "\033[?m",    "\033Z",    "\033[1;2;3;4*y", "\033[?996n", "\033[#}",  "\033[14;2t"})
    leaves(base::str("a", query, "b"), "ab");
}

TEST(SafeOutput, DropsWhatPrintsResizesOrTellsOfMouseAndKeys) {
  for (const char* other :
       {"\033[i",      "\033[5i",     "\033[?5i",        "\033[8;1;1t", "\033[?1000h", "\033[?1002h",
        "\033[?1003h", "\033[?1004h", "\033[?1006h",     "\033[?1015h", "\033[?1016h", "\033[?9h",
        "\033[?2004h", "\033[?2048h", "\033[?3h",        "\033[?5h",    "\033[20h",    "\033[2h",
        "\033[>4;2m",  "\033[>1u",    "\033[=1;1u",      "\033[<u",     "\033[1;2u",   "\033[1;2s",
        "\033[1\"q",   "\033[2 q",    "\033[1;2;3;4;5T", "\033[?1r",    "\033[?1s",    "\033[3J",
        "\033[?2J",    "\033[2;3#{",  "\033%@",          "\033%G",      "\033 G",      "\033~",
        "\033n",       "\033N",       "\033(K",          "\033#3",      "\033[1~",     "\033[99999999999m",
        "\033[1?m",    "\033[ !p",    "\033[12;"})
    leaves(base::str(other, std::string_view(other).back() == ';' ? "\030b" : "b"), "b");
}

TEST(SafeOutput, KeepsTheHarmlessModesOfASequence) {
  leaves("\033[?12;25h", "\033[?25h");
  leaves("\033[?1049;1006;1h", "\033[?1049;1h");
  leaves("\033[?1000;1006l", "");
}

TEST(SafeOutput, DropsC1ControlsAndWhatTurnsTextAround) {
  for (int c = 0x80; c < 0xa0; ++c) {
    leaves(base::str("a", static_cast<char>(c), "b"), "ab");
    leaves(base::str("a\xc2", static_cast<char>(c), "b"), "ab");
    leaves(base::str("a\033[1", static_cast<char>(c), "mb"), "amb");
  }
  leaves(
      "a\xe2\x80\xae"
      "b\xe2\x81\xa6"
      "c",
      "abc");
  passes("\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa");
}

TEST(SafeOutput, ShowsWhatIsNotUtf8AsTerminalsDo) {
  leaves("a\xffz", "a\xef\xbf\xbdz");
  leaves("a\xe2\x82z", "a\xef\xbf\xbdz");
  leaves("a\xe2\x82\xe2\x82\xac", "a\xef\xbf\xbd\xe2\x82\xac");
  leaves("\xc0\xaf\xed\xa0\x80",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // overlong; a surrogate
  leaves("a\xe2\x82\033[1mz", "a\xef\xbf\xbd\033[1mz");
}

TEST(SafeOutput, DoesWhatControlsWithinASequenceSayAndGoesOn) {
  leaves("\033[1\r\n;31mx", "\r\n\033[1;31mx");
  leaves("\033\a[1mx", "\a\033[1mx");
  leaves("\033[1\x18mx", "mx");
  leaves("\033[1\033[2Kx", "\033[2Kx");
  leaves(
      "\033[3\x7f"
      "1mx",
      "\033[31mx");
}

TEST(SafeOutput, IsNotSilencedByAStringThatNeverEnds) {
  leaves("a\033]0;hung\nb", "a\nb");
  leaves("a\033_hung\nb", "a\nb");
  leaves("a\033Psixel\nmore\033\\b", "ab");
  std::string dcs = "\033P" + std::string(SafeOutput::kMostSwallowed, '\n') + "back";
  EXPECT_TRUE(safe(dcs).ends_with("\nback"));
  EXPECT_LT(safe(dcs).size(), 10u);
  std::string csi = "\033[" + std::string(SafeOutput::kMostSwallowed, '1') + " back";
  EXPECT_TRUE(safe(csi).ends_with("1 back"));
  EXPECT_LT(safe(csi).size(), 12u);
}

TEST(SafeOutput, DropsASequenceThatIsTooLong) {
  std::string most = "\033[" + std::string(SafeOutput::kMostSequence - 3, ';') + "m";
  passes(most);
  leaves(most.insert(3, ";") + "x", "x");
}

TEST(SafeOutput, HoldsWhatHasNotEndedAndForgetsItAfterAGap) {
  SafeOutput output;
  EXPECT_EQ(output.pass("a\033[1"), "a");
  output.restart();
  EXPECT_EQ(output.pass("mb\xe2\x82"), "mb");
  output.restart();
  EXPECT_EQ(output.pass("\xac\033]0;"), "\xef\xbf\xbd");
  output.restart();
  EXPECT_EQ(output.pass("text"), "text");
}

TEST(SafeOutput, IsTheSameCutAnywhere) {
  std::string all = everything(), whole = safe(all);
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    SafeOutput output;
    std::string pieces = output.pass(all.substr(0, cut));
    pieces += output.pass(all.substr(cut));
    ASSERT_EQ(pieces, whole) << cut;
  }
  SafeOutput output;
  std::string bytes;
  for (char c : all) bytes += output.pass(base::Bytes(&c, 1));
  EXPECT_EQ(bytes, whole);
}

TEST(SafeOutput, ChangesNothingTheSecondTime) {
  std::mt19937 random(7);
  const std::string all = everything();
  passes(safe(all));
  for (int round = 0; round < 20'000; ++round) {
    std::string flipped = all;
    for (int i = 0; i < 3; ++i) flipped[random() % flipped.size()] = static_cast<char>(random());
    std::string once = safe(flipped);
    ASSERT_EQ(safe(once), once) << base::printable(flipped, 4000);
  }
}

TEST(SafeOutput, PutsTheTerminalBackInOrder) {
  SafeOutput output;
  output.pass("text\r\n\033[H\033[2J");
  EXPECT_EQ(output.settle(), "");
  output.pass("\033[1;31m\033(0\033=\033[4h\033[?25;1049l\033[?1049;1h");
  EXPECT_EQ(output.settle(), "\033[?1l\033[?25h\033[?1049l\033[4l\033>\033(B\x0f\033[m");
  EXPECT_EQ(output.settle(), "");
  output.pass("\033[2;5r\033[?6h");
  EXPECT_EQ(output.settle(), "\033[r\033[?6l\033[999;1H");
  output.pass("\033[31m\033[0m\033[?25l\033[?25h\033[4h\033[4l\033[2;5r\033[r\033=\033>");
  EXPECT_EQ(output.settle(), "");
  output.pass("\033[31m\033[?1049h\033[?25l\033[!p");
  EXPECT_EQ(output.settle(), "\033[?1049l");
  output.pass("\033[31m\033[?1049h\033[?25l\033c");
  EXPECT_EQ(output.settle(), "");
}

}  // namespace oob::console

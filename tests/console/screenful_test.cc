#include "console/screenful.h"

#include <gtest/gtest.h>

#include <ctime>
#include <random>

namespace oob::console {
namespace {

std::string numbered(int count) {
  std::string lines;
  for (int i = 1; i <= count; ++i) lines += base::str("line ", i, "\r\n");
  return lines;
}

TEST(Screenful, OfLittleIsAllOfIt) {
  EXPECT_EQ(screenful("", 24, 80), "");
  EXPECT_EQ(screenful("login: ", 24, 80), "login: ");
  EXPECT_EQ(screenful("100M free\r\n[host] $ ", 24, 80), "100M free\r\n[host] $ ");
}

TEST(Screenful, BeginsSoThatTheRowsAreFilled) {
  EXPECT_EQ(screenful(numbered(50) + "$ ", 3, 80), "line 49\r\nline 50\r\n$ ");
  EXPECT_EQ(screenful(numbered(50), 1, 80), "");
  EXPECT_EQ(screenful(numbered(30), 0, 0), numbered(30).substr(numbered(7).size()));
}

TEST(Screenful, CountsTheRowsOfAWrappedLine) {
  std::string wrapped = "one\r\n" + std::string(25, 'x') + "\r\n$ ";
  EXPECT_EQ(screenful(wrapped, 5, 10), wrapped);
  EXPECT_EQ(screenful(wrapped, 4, 10), wrapped.substr(5));
  EXPECT_EQ(screenful(wrapped, 3, 10), "$ ");
  EXPECT_EQ(screenful(wrapped, 3, 80), wrapped);
  std::string wide = "one\r\n\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\r\n$ ";
  EXPECT_EQ(screenful(wide, 3, 6), wide);
  EXPECT_EQ(screenful(wide, 3, 5), wide.substr(5));
  EXPECT_EQ(screenful("one\r\n12345\r\n$", 3, 5), "one\r\n12345\r\n$") << "a full row does not wrap yet";
  EXPECT_EQ(screenful("one\r\n12345\r67890\r\n$", 3, 5), "one\r\n12345\r67890\r\n$") << "written over";
}

TEST(Screenful, OfOneEndlessLineIsItsLastRows) {
  std::string line(1000, 'x');
  EXPECT_EQ(screenful(line, 3, 10), std::string(30, 'x'));
}

TEST(Screenful, BeginsBehindTheLastClearing) {
  for (std::string_view clear : {"\033[2J", "\033[H\033[J", "\033[H\033[2J\033[3J", "\033c",
                                 "\033[1;1H\033[0J", "\033[2J\033[H", "\033[3J\033[H\033[2J"}) {
    EXPECT_EQ(screenful(base::str("old\r\n", clear, "new\r\n$ "), 24, 80), "new\r\n$ ") << clear.substr(1);
    EXPECT_EQ(screenful(base::str("old\r\n", clear), 24, 80), "") << clear.substr(1);
  }
  EXPECT_EQ(screenful("old\033[Jnew", 24, 80), "old\033[Jnew");
  EXPECT_EQ(screenful("\033[H\033[2J" + numbered(50) + "$ ", 2, 80), "line 50\r\n$ ");
}

TEST(Screenful, ClearsForWhatIsPutAtPlacesOfItsOwn) {
  EXPECT_EQ(screenful("old\033[2J\033[10;20Hmenu\033[2;2Hitem", 24, 80),
            "\033[2J\033[10;20Hmenu\033[2;2Hitem");
  EXPECT_EQ(screenful("old\033[H\033[Ja\033[5dmenu", 24, 80), "\033[H\033[Ja\033[5dmenu");
}

TEST(Screenful, IsOnTheScreenTheDeviceIsOn) {
  std::string before = "$ vi\r\n";
  std::string in = "\033[?1049h\033[?1h\033=\033[H\033[2Jtext\033[24;1H~";
  std::string out = "\033[?1l\033>\033[?1049l$ ";
  EXPECT_EQ(screenful(before + in, 24, 80), "\033[?1049h\033[?1h\033=\033[H\033[2Jtext\033[24;1H~");
  EXPECT_EQ(screenful(before + in + out, 24, 80), before + in + out);
  EXPECT_EQ(screenful(before + in + out + "\r\n" + numbered(30), 3, 80), "line 29\r\nline 30\r\n");
}

TEST(Screenful, KeepsColoursAsTheyWere) {
  EXPECT_EQ(screenful("\033[1m\033[31mred\r\nstill\r\n$ ", 2, 80), "\033[m\033[1m\033[31mstill\r\n$ ");
  EXPECT_EQ(screenful("\033[31mred\033[0m\r\nplain\r\n$ ", 2, 80), "\033[mplain\r\n$ ");
  EXPECT_EQ(screenful("\033[31mred\033[0;1m\r\nbold\r\n$ ", 2, 80), "\033[m\033[0;1mbold\r\n$ ");
  EXPECT_EQ(screenful("a\r\n\033[31mred\r\n", 2, 80), "\033[m\033[31mred\r\n");
  EXPECT_EQ(screenful("\033[31mred\r\n", 1, 80), "\033[m\033[31m") << "for what comes live";
}

TEST(Screenful, RestoresTheModesThatLiveOutputCountsOn) {
  EXPECT_EQ(screenful("\033[?2004h\033[?25l\r\na\r\n", 2, 80), "\033[?2004h\033[?25la\r\n");
  EXPECT_EQ(screenful("\033[?2004h\033[?2004l\033[?25l\033[?25h\r\na\r\n", 2, 80), "a\r\n");
  EXPECT_EQ(screenful("\033[5;10r\r\na\r\n", 2, 80), "\0337\033[5;10r\0338a\r\n");
  EXPECT_EQ(screenful("\033[5;10r\033[r\r\na\r\n", 2, 80), "a\r\n");
  EXPECT_EQ(screenful("\033(0\r\nqqq\r\n", 2, 80), "\033(0\017qqq\r\n");
  EXPECT_EQ(screenful("\016\r\nqqq\r\n", 2, 80), "\033(B\016qqq\r\n");
  EXPECT_EQ(screenful("\016\033(0\033[5;10r\033[?25l\033c\r\na\r\n", 3, 80), "\r\na\r\n");
}

TEST(Screenful, AsksTheTerminalNothing) {
  for (std::string_view query : {"\033[6n",
                                 "\033[5n",
                                 "\033[?6n",
                                 "\033[?15n",
                                 "\033[c",
                                 "\033[0c",
                                 "\033[>c",
                                 "\033[>0c",
                                 "\033[=c",
                                 "\005",
                                 "\033Z",
                                 "\033[>q",
                                 "\033[>0q",
                                 "\033[14t",
                                 "\033[18t",
                                 "\033[21t",
                                 "\033[8;1;1t",
                                 "\033[?25$p",
                                 "\033[4$p",
                                 "\033[x",
                                 "\033[1x",
                                 "\033[1;1;1;1;1;1*y",
                                 "\033[?u",
                                 "\033[1$w",
                                 "\033[&u",
                                 "\033['|",
                                 "\033[?1;1;0S",
                                 "\033[?2048h",
                                 "\033[5i",
                                 "\033[?4m",
                                 "\033P$qm\033\\",
                                 "\033P+q544e\033\\",
                                 "\033]10;?\007",
                                 "\033]11;?\033\\",
                                 "\033]4;1;?\007",
                                 "\033]52;c;?\007",
                                 "\033]52;c;aGk=\007",
                                 "\033]0;title\007",
                                 "\033_Gi=1,a=q;AA\033\\",
                                 "\033^pm\033\\",
                                 "\033Xsos\033\\",
                                 "\007",
                                 "\177",
                                 "\033\005[6n",
                                 "\033[\0076n",
                                 "\033[6\005n",
                                 "\xc2\x9a",
                                 "\x9a"}) {
    std::string out = screenful(base::str("a", query, "b"), 24, 80);
    EXPECT_EQ(out, "ab") << base::printable(query);
    EXPECT_EQ(last_lines(base::str("a", query, "b"), 20), "ab") << base::printable(query);
  }
  EXPECT_EQ(screenful("a\x9b"
                      "6nb\xc2\x9b"
                      "6nc",
                      24, 80),
            "a6nb6nc");
  EXPECT_EQ(screenful("a\033\033[6nb", 24, 80), "ab");
  EXPECT_EQ(screenful("a\033[\030[6nb", 24, 80), "a[6nb") << "cancelled by the device itself";
}

TEST(Screenful, KeepsWhatDraws) {
  std::string drawing =
      "a\tb\b\033[K\033[3C\033[2;3H\033[1;31m\xc3\xb8\033[?25l\033[2 q\033(0q\033(B\0337\0338\033M\xff";
  std::string out = screenful(drawing, 24, 80);
  EXPECT_EQ(out.substr(out.size() - drawing.size()), drawing);
}

TEST(Screenful, CountsAControlWithinASequenceFirst) {
  EXPECT_EQ(screenful("a\033[\r\n1Cb", 24, 80), "a\r\n\033[1Cb");
}

TEST(Screenful, LeavesAnUnfinishedSequenceToLiveOutput) {
  EXPECT_EQ(screenful("a\033[3", 24, 80), "a\033[3");
  EXPECT_EQ(screenful("a\033", 24, 80), "a\033");
  EXPECT_EQ(screenful("a\xe4\xb8", 24, 80), "a\xe4\xb8");
  EXPECT_EQ(screenful("a\033]0;tit", 24, 80), "a\033]0;tit");
  EXPECT_EQ(screenful("a\033]0;" + std::string(1000, 'x'), 24, 80), "a");
}

TEST(Screenful, DoesNotDrownInAStringWithoutEnd) { EXPECT_EQ(screenful("a\033]noise\r\nb", 24, 80), "a\nb"); }

TEST(Screenful, SkipsTheRestOfWhatWasCutAtItsBeginning) {
  EXPECT_EQ(screenful("\xb8\xad"
                      "a",
                      24, 80),
            "a");
  EXPECT_EQ(screenful("1;31mred", 24, 80), "red");
  EXPECT_EQ(screenful("[0mred", 24, 80), "red");
  EXPECT_EQ(screenful("?25lred", 24, 80), "red");
  EXPECT_EQ(screenful("[  OK  ] Started", 24, 80), "[  OK  ] Started");
  EXPECT_EQ(screenful("[    0.0] Linux", 24, 80), "[    0.0] Linux");
  EXPECT_EQ(screenful("[message]", 24, 80), "[message]");
  EXPECT_EQ(screenful("12:30 up", 24, 80), "12:30 up");
}

TEST(Screenful, TakesInputCutAnywhere) {
  std::string sample =
      numbered(5) +
      "\033[1;31m\xe4\xb8\xad\033[0m\r\n\033]0;t\007\033[?1049h\033[2J\033[5;5Hx\033[6n\033[?1049l\r\n$ ";
  for (std::size_t from = 0; from <= sample.size(); ++from) {
    for (std::size_t to = from; to <= sample.size(); ++to) {
      std::string out = screenful(base::Bytes(sample).substr(from, to - from), 4, 20);
      ASSERT_EQ(out.find("\033[6n"), std::string::npos) << from << " " << to;
      ASSERT_EQ(out.find('\007'), std::string::npos) << from << " " << to;
    }
  }
}

TEST(Screenful, OfItselfIsTheSame) {
  std::mt19937 random(1);
  std::string_view pieces[] = {"\033[",       "6n",          "\033]", "\007", "\033\\", "text",   "\r\n",
                               "\033P",       "\xe4\xb8",    "\xad",  "\033", "[c",     "\033[H", "\033[2J",
                               "1;1",         "\005",        "\xc2",  "\x9b", "\030",   "\177",   "\033c",
                               "\033[?1049h", "\033[?1049l", "$p",    "q"};
  for (int round = 0; round < 5000; ++round) {
    std::string sample = "start ";
    for (int i = 0; i < 30; ++i) sample += pieces[random() % std::size(pieces)];
    // What is left out must not make new sequences of its neighbours, so nothing is left to leave out.
    std::string once = last_lines(sample, 100);
    ASSERT_EQ(last_lines(once, 100), once) << base::printable(sample);
  }
}

TEST(LastLines, AreAsManyAsAskedFor) {
  EXPECT_EQ(last_lines(numbered(50) + "$ ", 2), "line 49\r\nline 50\r\n$ ");
  EXPECT_EQ(last_lines(numbered(50) + "$ ", 0), "$ ");
  EXPECT_EQ(last_lines(numbered(2), 20), numbered(2));
  EXPECT_EQ(last_lines("a\r\n" + std::string(500, 'x') + "\r\n", 1), std::string(500, 'x') + "\r\n");
  EXPECT_EQ(last_lines("a\r\n\033[H\033[2Jb\r\n", 2), "a\r\n\033[H\033[2Jb\r\n");
}

TEST(LastLines, BeginInTheColoursOfTheirTime) {
  EXPECT_EQ(last_lines("\033[31mred\r\nstill\033[m\r\n", 1), "\033[m\033[31mstill\033[m\r\n");
  EXPECT_EQ(last_lines("a\r\nb\033(0\r\n", 1), "\033(B\017b\033(0\r\n");
}

TEST(Screenful, TakesTimeInProportion) {
  auto seconds = [](std::string_view piece) {
    std::string much;
    while (much.size() < 1 << 20) much += piece;
    std::clock_t began = std::clock();  // of the processor: it may be busy with other things
    screenful(much, 24, 80);
    return static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  };
  // Quadratic time would be minutes.
  for (std::string_view piece :
       {"x", "\r\n", "\033[", "\033", "\033]0;", "\033[31m", "\033[?1h", "\xe4", "\033[2J"}) {
    EXPECT_LT(seconds(piece), 5.0) << base::printable(piece);
  }
}

TEST(Glyph, HasTheWidthATerminalGivesIt) {
  EXPECT_EQ(width_of("abc"), 3u);
  EXPECT_EQ(width_of("\xc3\xb8"), 1u);
  EXPECT_EQ(width_of("e\xcc\x81"), 1u);
  EXPECT_EQ(width_of("\xe4\xb8\xad\xe6\x96\x87"), 4u);
  EXPECT_EQ(width_of("\xf0\x9f\x98\x80"), 2u);
  EXPECT_EQ(width_of("\xea\xb0\x80"), 2u);
}

TEST(Glyph, IsWholeOrCutOrNotUtf8) {
  EXPECT_EQ(first_glyph("").size, 0u);
  EXPECT_EQ(first_glyph("\xe4\xb8").size, 0u);
  EXPECT_EQ(first_glyph("\xf0\x9f\x98").size, 0u);
  for (std::string_view bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\xff",
        "\xe4"
        "a",
        "\xe4\xb8"
        "a"}) {
    Glyph glyph = first_glyph(bad);
    EXPECT_FALSE(glyph.valid) << base::printable(bad);
    EXPECT_EQ(glyph.size, 1u) << base::printable(bad);
  }
  EXPECT_TRUE(first_glyph("\xf4\x8f\xbf\xbf").valid);
  EXPECT_EQ(first_glyph("\xe4\xb8\xad"
                        "a")
                .size,
            3u);
}

}  // namespace
}  // namespace oob::console

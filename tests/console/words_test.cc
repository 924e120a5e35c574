#include "console/words.h"

#include <gtest/gtest.h>

namespace oob::console {
namespace {

using Words = std::vector<std::string>;

Words split(std::string_view line) {
  auto words = split_words(line);
  EXPECT_TRUE(words) << line << ": " << (words ? "" : words.error().what);
  return words ? *words : Words{};
}

TEST(Words, PartAtBlanksAlone) {
  EXPECT_EQ(split(""), Words{});
  EXPECT_EQ(split(" \t \r\n"), Words{});
  EXPECT_EQ(split("list"), Words{"list"});
  EXPECT_EQ(split("  log edge1\t--lines  20 \n"), (Words{"log", "edge1", "--lines", "20"}));
  EXPECT_EQ(split("a;b|c $HOME * ~ `x` #y"), (Words{"a;b|c", "$HOME", "*", "~", "`x`", "#y"}));
}

TEST(Words, KeepWhatIsQuotedTogether) {
  EXPECT_EQ(split("'a  b' \"c  d\""), (Words{"a  b", "c  d"}));
  EXPECT_EQ(split("a' 'b\" \"c"), (Words{"a b c"}));
  EXPECT_EQ(split("'' \"\""), (Words{"", ""}));
  EXPECT_EQ(split("'\\n\"' \"it's\""), (Words{"\\n\"", "it's"}));
}

TEST(Words, TakeABackslashAsTheShellDoes) {
  EXPECT_EQ(split("a\\ b \\'c\\\" \\\\"), (Words{"a b", "'c\"", "\\"}));
  EXPECT_EQ(split("\"\\\" \\\\ \\n\""), (Words{"\" \\ \\n"}));
  EXPECT_EQ(split("dir c:\\"), (Words{"dir", "c:\\"}));
}

TEST(Words, SayWhereAQuoteWasLeftOpen) {
  auto words = split_words("send é 'abc");
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().fault, base::Fault::usage);
  EXPECT_EQ(words.error().what, "column 8: the quote ' is never closed");
  words = split_words("\"ends in \\\"");
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().what, "column 1: the quote \" is never closed");
}

TEST(Words, RefuseNulsAndLinesWithoutEnd) {
  auto words = split_words(std::string_view("ab\0c", 4));
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().what, "column 3: a NUL byte");
  EXPECT_TRUE(split_words(std::string(kMostCommandLine, 'a')));
  words = split_words(std::string(kMostCommandLine + 1, 'a'));
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().fault, base::Fault::usage);
  EXPECT_EQ(words.error().what, "the command line has 16385 bytes, at most 16384 are taken");
}

TEST(Words, LookAtTheFirstFewAloneWhenAsked) {
  auto words = split_words("send edge1 don't \"", 2);
  ASSERT_TRUE(words);
  EXPECT_EQ(*words, (Words{"send", "edge1"}));
}

TEST(Words, ComeBackFromTheirQuotes) {
  EXPECT_EQ(quote_word("edge1"), "edge1");
  EXPECT_EQ(quote_word(""), "''");
  EXPECT_EQ(quote_word("it's"), "'it'\\''s'");
  for (int a = 1; a < 256; ++a) {
    for (char b : {'\'', '"', '\\', ' ', 'x'}) {
      std::string word{static_cast<char>(a), b, static_cast<char>(a)};
      EXPECT_EQ(split(quote_word(word)), Words{word});
    }
  }
  EXPECT_EQ(split(quote_word("a b") + " " + quote_word("") + " " + quote_word("c'd")),
            (Words{"a b", "", "c'd"}));
}

TEST(Words, LeaveTheTextBehindThemUntouched) {
  EXPECT_EQ(rest_after("send edge1 show  ver", 2), "show  ver");
  EXPECT_EQ(rest_after("  send   edge1  show 'x ", 2), " show 'x ");
  EXPECT_EQ(rest_after("send 'edge 1' a", 2), "a");
  EXPECT_EQ(rest_after("send edge1", 2), "");
  EXPECT_EQ(rest_after("send edge1 ", 2), "");
  EXPECT_EQ(rest_after("send", 2), "");
  EXPECT_EQ(rest_after("send 'edge1 x", 2), "");
  EXPECT_EQ(rest_after(" all", 0), " all");
}

TEST(Words, AreQuotedTwiceWhenAllOfThemStandInOnePairOfQuotes) {
  for (const char* line : {"'echo a; exit 3'", "\"pfctl -f /etc/pf.conf\"", "  'a b'\n", R"("say \"a b\"")"})
    EXPECT_TRUE(is_quoted_whole(line)) << line;
  for (const char* line : {"echo 'a b'", "'a b' 'c d'", "'a b'; echo 'c d'", "'reboot'", "\"a b\" c",
                           "'a b\"", "'", "''", "\"", "\"\\", "\"a b\\\"", "", "a b"})
    EXPECT_FALSE(is_quoted_whole(line)) << line;
}

TEST(Words, AreNotGuessedAtWhenTwoAreAsNear) {
  const std::vector<std::string_view> known = {"status", "on", "off", "cycle", "reset", "soft"};
  EXPECT_EQ(only_nearest("of", known), "");
  EXPECT_EQ(only_nearest("onf", known), "");
  EXPECT_EQ(only_nearest("offf", known), "off");
  EXPECT_EQ(only_nearest("cylce", known), "cycle");
  EXPECT_EQ(only_nearest("stauts", known), "status");
  EXPECT_EQ(only_nearest("shutdown", known), "");
  EXPECT_EQ(only_nearest("on", {}), "");
}

}  // namespace
}  // namespace oob::console

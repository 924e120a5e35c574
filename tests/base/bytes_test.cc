#include "base/bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>

namespace oob::base {
namespace {

TEST(Printable, KeepsTextAndWholeUtf8) {
  EXPECT_EQ(printable("login: "), "login: ");
  EXPECT_EQ(printable("Zürich € 😀"), "Zürich € 😀");
  EXPECT_EQ(printable("a\\b\n\r\t"), "a\\\\b\\n\\r\\t");
}

TEST(Printable, LetsNothingThroughThatDrivesATerminal) {
  EXPECT_EQ(printable("\x1b[2J\x07\x7f"), "\\x1b[2J\\x07\\x7f");
  EXPECT_EQ(printable(Bytes("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m");                               // C1 CSI
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right-to-left override
  EXPECT_EQ(printable("\xe2\x81\xa6"), "\\xe2\\x81\\xa6");  // isolate
  EXPECT_EQ(printable("\xe2\x80\x8f"), "\\xe2\\x80\\x8f");  // right-to-left mark
  EXPECT_EQ(printable("\xd8\x9c"), "\\xd8\\x9c");           // Arabic letter mark
  EXPECT_EQ(printable("\xe2\x80\xa8\xe2\x80\xa9"), "\\xe2\\x80\\xa8\\xe2\\x80\\xa9");  // line ends
  // Their neighbours stay: zero width joiner, dash, narrow space, and what follows the isolates.
  EXPECT_EQ(printable("\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"),
            "\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa");
  EXPECT_EQ(
      printable("\xc0\xaf\xe0\x80\xaf\xed\xa0\x80\xf4\x90\x80\x80\xff"),
      "\\xc0\\xaf\\xe0\\x80\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xff");  // overlong, surrogate, too high
}

TEST(Printable, IsHarmlessForEveryPairOfBytesAndEveryCut) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      std::string raw{static_cast<char>(a), static_cast<char>(b)};
      for (char c : printable(raw)) {
        unsigned char byte = static_cast<unsigned char>(c);
        ASSERT_TRUE(byte >= 0x20 && byte != 0x7f) << a << " " << b;
      }
    }
  }
  std::string whole = "€😀";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string cut = printable(whole.substr(0, size));
    EXPECT_EQ(cut.find('\xe2') != std::string::npos, size >= 3) << size;
  }
}

TEST(Printable, BoundsItsOutput) {
  std::string clean = printable(std::string(100000, '\x01'), 40);
  EXPECT_EQ(clean.size(), 43u);
  EXPECT_TRUE(clean.ends_with("..."));
  EXPECT_EQ(printable("12345", 5), "12345");
  EXPECT_EQ(printable("123456", 5), "12345...");
}

TEST(Glob, MatchesStarsAndQuestionMarks) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("edge*", "edge"));
  EXPECT_TRUE(glob_match("relay?", "relay1"));
  EXPECT_FALSE(glob_match("relay?", "relay"));
  EXPECT_FALSE(glob_match("relay?", "relay10"));
  EXPECT_TRUE(glob_match("*a*b*c", "xxaxxbxxbc"));
  EXPECT_FALSE(glob_match("*a*b*c", "xxaxxbxxb"));
  EXPECT_TRUE(glob_match("a**b", "ab"));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_TRUE(glob_match("[a]", "[a]"));  // no classes
}

TEST(Glob, IsNotSlowedDownByAHostilePattern) {
  std::string pattern, text(20000, 'a');
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  auto before = std::chrono::steady_clock::now();
  EXPECT_FALSE(glob_match(pattern + "*b", text));
  // Milliseconds; one that tries every way would not be over before the sun is.
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(60));
}

TEST(Nearest, FindsTheMistypedWordOrNone) {
  std::array<std::string_view, 3> words = {"from", "restrict", "no-pty"};
  EXPECT_EQ(nearest("form", words), "from");
  EXPECT_EQ(nearest("restict", words), "restrict");
  EXPECT_EQ(nearest("zzzzzzzz", words), "");
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Text, IsJoinedSplitAndEncoded) {
  EXPECT_EQ(str("r1: ", 3, ' ', std::string("lines")), "r1: 3 lines");
  std::string pieces;
  split(",a,,b", ',', [&](std::string_view piece) { pieces += str("[", piece, "]"); });
  EXPECT_EQ(pieces, "[][a][][b]");
  EXPECT_EQ(hex(Bytes("\0\x7f\xff", 3)), "007fff");
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  unsigned number = 0;
  EXPECT_TRUE(parse_number("42", number) && number == 42);
  for (const char* wrong : {"", "-1", "+1", " 1", "1 ", "0x1", "4294967296"})
    EXPECT_FALSE(parse_number(wrong, number)) << wrong;
}

}  // namespace
}  // namespace oob::base

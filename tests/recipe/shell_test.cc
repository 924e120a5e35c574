#include "recipe/shell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/shell_words.h"

namespace oob::recipe {

using testing::ElementsAre;

TEST(Cksum, IsThatOfPosix) {
  EXPECT_EQ(cksum(""), 4294967295u);
  EXPECT_EQ(cksum("oob"), 2882092811u);
}

TEST(ShellWords, HoldNothingThatAShellKnows) {
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  std::string typed = encoded(all);
  EXPECT_EQ(
      typed.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,+-\\"),
      std::string::npos);
  EXPECT_EQ(encoded("a b7 7"), "a\\\\040b7\\\\00407");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
}

TEST(ShellAnswers, AreFoundAmongTheKernelsLinesAndOnlyWhole) {
  std::string answer = base::str("<n 5 ok ", cksum("5 ok"), " 4>");
  std::string message = "\r\n[  123.456789] usb 1-1: <x> gone\r\n";
  for (std::size_t at = 0; at <= answer.size(); ++at) {
    std::string heard = "noise" + answer.substr(0, at) + message + answer.substr(at) + "\r\n";
    auto found = find_answer(heard, "n");
    ASSERT_TRUE(found) << at;
    EXPECT_THAT(found->words, ElementsAre("5", "ok"));
    EXPECT_EQ(heard.substr(found->end), at == answer.size() ? message + "\r\n" : "\r\n");
  }
  for (std::size_t at = 0; at < answer.size(); ++at) {
    EXPECT_FALSE(find_answer(answer.substr(0, at), "n"));
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = answer;
      flipped[at] = static_cast<char>(flipped[at] ^ 1 << bit);
      auto found = find_answer(flipped, "n");
      EXPECT_FALSE(found) << flipped;
    }
  }
  // The one behind a damaged one.
  auto found = find_answer("<n 4 ok 1 4>" + answer, "n");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->words[0], "5");
}

TEST(ShellAnswers, HoldWhatAnyEncoderMakes) {
  auto of = [](const Words& words) { return from_base64(words.data(), words.data() + words.size()); };
  EXPECT_EQ(of({"b29i"}), "oob");
  EXPECT_EQ(of({"b2", "8="}), "oo");
  EXPECT_EQ(of({"begin-base64", "644", "-", "b28=", "===="}), "oo");
  EXPECT_EQ(of({}), "");
  EXPECT_FALSE(of({"b2"}));
  EXPECT_FALSE(of({"b2=8"}));
  EXPECT_FALSE(of({"b2!i"}));
  EXPECT_FALSE(of({"begin-base64", "644", "-", "b28="}));
}

}  // namespace oob::recipe

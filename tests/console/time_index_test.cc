#include "console/time_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace oob::console {
namespace {

TimeIndex over(const std::string& text, std::size_t* read = nullptr) {
  return TimeIndex(
      [&text, read](std::uint64_t at, char* to, std::size_t most) {
        std::size_t size = std::min<std::size_t>(most, text.size() - std::min<std::size_t>(text.size(), at));
        std::memcpy(to, text.data() + at, size);
        if (read) *read += size;
        return size;
      },
      text.size());
}

constexpr base::Micros kStart = 1'795'363'391'123'456;  // 2026-11-22T16:03:11.123456Z

TEST(TimeIndex, LinesReadAsTheyWereWritten) {
  IndexLine line{13402, kStart, "down", "unplugged"};
  std::string text = format(line);
  EXPECT_EQ(text, "00000000000000013402 2026-11-22T16:03:11.123456Z down unplugged\n");
  text.pop_back();
  auto back = parse_index_line(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->offset, 13402u);
  EXPECT_EQ(back->time, kStart);
  EXPECT_EQ(back->kind, "down");
  EXPECT_EQ(back->text, "unplugged");
  EXPECT_EQ(format({0, 0, "at", ""}), "00000000000000000000 1970-01-01T00:00:00.000000Z at\n");
}

TEST(TimeIndex, NoPieceOfALineIsALine) {
  std::string text = format({13402, kStart, "at", ""});
  text.pop_back();
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    auto line = parse_index_line(text.substr(0, cut));
    EXPECT_TRUE(!line || cut == text.size() - 1) << cut;  // "a" is a kind, too
    if (cut > 0) {
      EXPECT_FALSE(parse_index_line(text.substr(cut))) << cut;
    }
  }
  EXPECT_FALSE(parse_index_line("00000000000000013402 2026-13-22T16:03:11.123456Z at"));
  EXPECT_FALSE(parse_index_line("00000000000000013402 2026-11-22T16:03:11.123456Z At"));
  EXPECT_FALSE(parse_index_line("-0000000000000013402 2026-11-22T16:03:11.123456Z at"));
  EXPECT_FALSE(parse_index_line(text + std::string(600, 'x')));
}

TEST(TimeIndex, NoTextMakesALineTooLong) {
  for (const char* piece : {"\x01", "x", "\xf0\x9f\x98\x80", "\n"}) {
    std::string text;
    while (text.size() < 5000) text += piece;
    std::string line = format({~std::uint64_t{0}, kStart, "abcdefghijklmno", text});
    EXPECT_LE(line.size(), IndexLine::kLongest);
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    line.pop_back();
    EXPECT_TRUE(parse_index_line(line));
  }
}

TEST(TimeIndex, TellsHowLongSilenceWas) {
  EXPECT_EQ(silence_text(12'481'302), "12.481302");
  EXPECT_EQ(silence_text(250'007), "0.250007");
  EXPECT_EQ(silence_before({0, 0, "at", "12.481302"}), 12'481'302);
  EXPECT_EQ(silence_before({0, 0, "at", ""}), 0);
  EXPECT_EQ(silence_before({0, 0, "note", "12.481302"}), 0);
  EXPECT_EQ(silence_before({0, 0, "at", "9999999999999999.000000"}), 0);
  EXPECT_EQ(silence_before({0, 0, "at", "1.-00001"}), 0);
}

TEST(TimeIndex, FindsEveryTimeAndOffsetByHalving) {
  std::string text;
  std::vector<std::uint64_t> places;
  for (int i = 0; i < 500; ++i) {
    places.push_back(text.size());
    text +=
        format({static_cast<std::uint64_t>(i) * 10, kStart + i * 100, "at", std::string(i % 7 * 30, 'x')});
  }
  TimeIndex index = over(text);
  for (int i = -1; i < 500; ++i) {
    std::uint64_t wanted = i + 1 < 500 ? places[static_cast<std::size_t>(i + 1)] : text.size();
    EXPECT_EQ(index.first_later(kStart + i * 100), wanted);
    EXPECT_EQ(index.first_later(kStart + i * 100 + 99), wanted);
    if (i >= 0) {
      EXPECT_EQ(index.first_above(static_cast<std::uint64_t>(i) * 10), wanted);
    }
  }
}

TEST(TimeIndex, ReadsLittleOfALongIndex) {
  std::string text;
  while (text.size() < 8 << 20)
    text += format({text.size(), kStart + static_cast<base::Micros>(text.size()), "at", ""});
  std::size_t read = 0;
  TimeIndex index = over(text, &read);
  std::uint64_t place = index.first_later(kStart + (5 << 20));
  auto line = index.next(place);
  ASSERT_TRUE(line);
  EXPECT_GT(line->offset, 5u << 20);
  EXPECT_LE(line->offset, (5u << 20) + 60);
  EXPECT_LT(read, 300'000u);
}

TEST(TimeIndex, EndsAtASensiblePlaceWhereTheClockWasSetBack) {
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text += format({static_cast<std::uint64_t>(i), kStart + (i < 500 ? i : i - 300) * 1'000'000, "at", ""});
  TimeIndex index = over(text);
  for (int second = -1; second < 1000; ++second) {
    std::uint64_t place = index.first_later(kStart + second * 1'000'000);
    auto line = index.next(place);
    if (second < 699) {
      ASSERT_TRUE(line);
      EXPECT_GT(line->time, kStart + second * 1'000'000);
    } else {
      EXPECT_FALSE(line);
    }
  }
}

TEST(TimeIndex, PassesOverWhatIsNoLine) {
  std::string good = format({7, kStart, "at", ""}), late = format({9, kStart + 10, "up", ""});
  for (const std::string& rubbish :
       {std::string("\n\n"), std::string(3000, '\0') + "\n", std::string(40'000, 'x') + "\n",
        std::string("torn 0000\n"), std::string(600, '\n')}) {
    std::string text = good + rubbish + late + "0000000000000";
    TimeIndex index = over(text);
    std::uint64_t place = 0;
    EXPECT_EQ(index.next(place)->offset, 7u);
    EXPECT_EQ(index.next(place)->offset, 9u);
    EXPECT_FALSE(index.next(place));
    place = index.first_later(kStart);
    ASSERT_TRUE(index.next(place));
  }
}

TEST(TimeIndex, TakesALineOnlyWhenItIsWhole) {
  std::string text, whole = format({7, kStart, "attach", "alice"});
  std::string read;
  TimeIndex index(
      [&](std::uint64_t at, char* to, std::size_t most) {
        std::size_t size = std::min<std::size_t>(most, text.size() - at);
        std::memcpy(to, text.data() + at, size);
        return size;
      },
      0);
  std::uint64_t place = 0;
  for (char c : whole) {
    EXPECT_FALSE(index.next(place));
    text += c;
    index.grow(text.size());
  }
  auto line = index.next(place);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->text, "alice");
}

}  // namespace
}  // namespace oob::console

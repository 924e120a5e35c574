#include "console/log_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "console/clean_line.h"
#include "console/segments.h"
#include "console/time_index.h"
#include "tests/support/support.h"

namespace oob::console {
namespace {

constexpr base::Micros kSecond = 1'000'000;
constexpr base::Micros kNoon = 1'795'348'800 * kSecond;  // 2026-11-22T12:00:00Z

std::string clean(base::Bytes raw) {
  std::string out;
  clean_line(raw, out);
  return out;
}

// A transcript made by hand: segments of text, with index lines between.
struct Tape {
  test::TempDir dir;
  std::uint64_t start = 0;
  std::string log, index;

  void say(base::Micros time, const std::string& text, base::Micros silence = 0) {
    index += format({start + log.size(), time, "at", silence ? silence_text(silence) : ""});
    log += text;
  }
  void mark(base::Micros time, const char* kind, const char* text) {
    index += format({start + log.size(), time, kind, text});
  }
  void save() {
    test::write_file(dir / "r1/" + segment_name(start, ".log"), log);
    test::write_file(dir / "r1/" + segment_name(start, ".idx"), index);
  }
  void next_segment() {
    save();
    start += log.size();
    log.clear();
    index.clear();
  }
  std::string read(LogQuery query) {
    save();
    auto reader = LogReader::open(dir.path(), "r1", std::move(query));
    if (!reader) return "error: " + reader.error().what;
    std::string out;
    while (true) {
      auto more = (*reader)->next(out);
      if (!more) return "error: " + more.error().what;
      if (!*more) return out;
    }
  }
};

LogQuery asking(std::int64_t lines, const std::string& grep = "") {
  LogQuery query;
  query.lines = lines;
  query.grep = grep;
  return query;
}

TEST(CleanLine, LeavesWhatAScreenShows) {
  EXPECT_EQ(clean("plain \t text\r"), "plain \t text");
  EXPECT_EQ(clean("\x1b[1;31mred\x1b[0m \x1b]0;title\aend\x1b(B\x1b=."), "red end.");
  EXPECT_EQ(clean("\x1b]0;title\x1b\\x"), "x");
  EXPECT_EQ(clean("10%\r50%\r100%\r\r"), "100%");
  EXPECT_EQ(clean("foobar\rFOO"), "FOObar");
  EXPECT_EQ(clean("pasw\b\x1b[Ksword"), "password");
  EXPECT_EQ(clean("ab\b \bc"), "ac");
  EXPECT_EQ(clean("h\xc3\xa4\bo\xe2\x82\xac"), "ho\xe2\x82\xac");
  EXPECT_EQ(clean("a\x07\x01\x7f\xc2\x9b"
                  "b\xff"),
            "ab\xef\xbf\xbd");
  EXPECT_EQ(clean("\x1b[2J\x1b[1;1HBIOS\x1b[2;1HSetup"), "BIOS Setup");
  EXPECT_EQ(clean("abc\x1b[2D\x1b[P"), "ac");
  EXPECT_EQ(clean("\x1b]0;never ended, still read"), "0;never ended, still read");
}

TEST(CleanLine, LeavesNoControlCharacterHoweverALineIsCut) {
  std::string raw =
      "x\x1b[1;31mred\x1b]0;t\ay\x1bPq\x1b\\z\xe2\x82\xac\xf0\x9f\x98\x80\r\b\v\x1b[3C\x1b[1K\x1b[4Pq\x1b";
  for (std::size_t from = 0; from <= raw.size(); ++from)
    for (std::size_t size = 0; from + size <= raw.size(); ++size) {
      std::string out = clean(base::Bytes(raw).substr(from, size));
      EXPECT_TRUE(plain(out)) << base::printable(out);
    }
}

TEST(CleanLine, IsQuickWhateverALineHolds) {
  for (const char* piece :
       {"\x1b[512P", "\x1b[1K", "\x1b[512Cx", "\r\xc3\xa4\re", "\x1b]", "\b", "\x1b[999999999999G"}) {
    std::string raw(30'000, 'x');
    while (raw.size() < LogReader::kMostLine) raw += piece;
    EXPECT_LE(clean(raw).size(), 2 * LogReader::kMostLine);
  }
}

TEST(LogReader, HasNothingToSayOfADeviceWithoutTranscript) {
  test::TempDir dir;
  auto reader = LogReader::open(dir.path(), "r1", {});
  ASSERT_TRUE(reader);
  std::string out;
  EXPECT_FALSE(*(*reader)->next(out));
  EXPECT_EQ(out, "");
  EXPECT_EQ(*tail(dir.path(), "r1", 100), "");
}

TEST(LogReader, GivesCleanLinesOrRawBytesAcrossSegments) {
  Tape tape;
  tape.say(kNoon, "one\r\ntw");
  tape.next_segment();
  tape.say(kNoon, "o\r\n\x1b[1mlogin: ");
  EXPECT_EQ(tape.read({}), "one\ntwo\nlogin: \n");
  LogQuery raw;
  raw.raw = true;
  EXPECT_EQ(tape.read(raw), "one\r\ntwo\r\n\x1b[1mlogin: ");
}

TEST(LogReader, GivesTheLastLines) {
  Tape tape;
  std::string all;
  for (int i = 0; i < 40'000; ++i) all += base::str("line ", i, "\n");
  tape.say(kNoon, all.substr(0, 100'003));
  tape.next_segment();
  tape.say(kNoon, all.substr(100'003));
  EXPECT_EQ(tape.read(asking(2)), "line 39998\nline 39999\n");
  EXPECT_EQ(tape.read(asking(0)), "");
  EXPECT_EQ(tape.read(asking(40'000)), all);
  EXPECT_EQ(tape.read(asking(50'000)), all);
  EXPECT_EQ(tape.read(asking(3, "^line .*77$")), "line 39777\nline 39877\nline 39977\n");
  EXPECT_EQ(tape.read(asking(1, "line 17\\b")), "line 17\n");
  LogQuery raw = asking(30'000);
  raw.raw = true;
  EXPECT_EQ(tape.read(raw), all.substr(all.find("line 10000\n")));
}

TEST(LogReader, SearchesWhatPeopleRead) {
  Tape tape;
  tape.say(kNoon, "kernel: \x1b[31mpa\x1b[0mnic\r\nall well\r\nanother panic\r\nxpanicx\r\n");
  EXPECT_EQ(tape.read(asking(-1, "panic")), "kernel: panic\nanother panic\nxpanicx\n");
  EXPECT_EQ(tape.read(asking(-1, "panic$")), "kernel: panic\nanother panic\n");
  EXPECT_EQ(tape.read(asking(-1, "^a")), "all well\nanother panic\n");
  EXPECT_EQ(tape.read(asking(-1, "^a[^z]*x")), "");
  EXPECT_EQ(tape.read(asking(-1, "(?i)PANIC\\b")), "kernel: panic\nanother panic\n");
  EXPECT_EQ(tape.read(asking(1, "")), "xpanicx\n");
}

TEST(LogReader, RefusesWhatCannotBeAsked) {
  test::TempDir dir;
  auto bad = LogReader::open(dir.path(), "r1", asking(-1, "a("));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().fault, base::Fault::usage);
  EXPECT_NE(bad.error().what.find("'a(' is no regular expression: missing ): "), std::string::npos)
      << bad.error().what;
  LogQuery query = asking(-1, "a");
  query.raw = true;
  EXPECT_EQ(LogReader::open(dir.path(), "r1", query).error().fault, base::Fault::usage);
}

TEST(LogReader, FindsTimes) {
  Tape tape;
  tape.say(kNoon, "a\n");
  tape.say(kNoon + 10 * kSecond, "b\n", 10 * kSecond);
  tape.next_segment();
  tape.say(kNoon + 20 * kSecond, "c\n", 9 * kSecond);
  tape.say(kNoon + 21 * kSecond, "d\n");
  auto between = [&](base::Micros since, base::Micros until) {
    LogQuery query;
    query.since = kNoon + since;
    query.until = kNoon + until;
    return tape.read(query);
  };
  EXPECT_EQ(between(-100 * kSecond, 100 * kSecond), "a\nb\nc\nd\n");
  EXPECT_EQ(between(1, 100 * kSecond), "b\nc\nd\n");
  EXPECT_EQ(between(10 * kSecond, 100 * kSecond), "b\nc\nd\n");
  EXPECT_EQ(between(12 * kSecond, 100 * kSecond), "c\nd\n");
  EXPECT_EQ(between(20 * kSecond + 1, 100 * kSecond), "c\nd\n");  // output flowed: within a second
  EXPECT_EQ(between(21 * kSecond + 1, 100 * kSecond), "d\n");
  EXPECT_EQ(between(30 * kSecond, 100 * kSecond), "");
  EXPECT_EQ(between(-100 * kSecond, 10 * kSecond), "a\nb\n");
  EXPECT_EQ(between(-100 * kSecond, 9 * kSecond), "a\n");
  EXPECT_EQ(between(-100 * kSecond, -1), "");
}

TEST(LogReader, StampsLinesAndShowsMarks) {
  Tape tape;
  tape.mark(kNoon, "up", "/dev/ttyS0");
  tape.say(kNoon + 123'456, "a\nb");
  tape.mark(kNoon + 2 * kSecond, "gap", "17");
  tape.say(kNoon + 3 * kSecond, "b\n");
  tape.mark(kNoon + 4 * kSecond, "down", "unplugged");
  LogQuery query;
  query.stamp = true;
  EXPECT_EQ(tape.read(query),
            "2026-11-22T12:00:00.000Z [oobd: line up: /dev/ttyS0]\n"
            "2026-11-22T12:00:00.123Z a\n"
            "2026-11-22T12:00:00.123Z bb\n"
            "2026-11-22T12:00:02.000Z [oobd: 17 bytes lost]\n"
            "2026-11-22T12:00:04.000Z [oobd: line down: unplugged]\n");
  query.since = kNoon + 4 * kSecond;
  EXPECT_EQ(tape.read(query), "2026-11-22T12:00:04.000Z [oobd: line down: unplugged]\n");
}

TEST(LogReader, ReadsWithoutAnIndexAndPastMissingSegments) {
  Tape tape;
  tape.say(kNoon, "first\n");
  tape.next_segment();
  tape.say(kNoon, "gone\n");
  tape.next_segment();
  tape.say(kNoon, "last\n");
  tape.save();
  std::filesystem::remove(tape.dir / "r1/" + segment_name(6, ".log"));
  std::filesystem::remove(tape.dir / "r1/" + segment_name(0, ".idx"));
  EXPECT_EQ(tape.read({}), "first\nlast\n");
  EXPECT_EQ(tape.read(asking(2)), "first\nlast\n");
  EXPECT_EQ(tape.read(asking(1)), "last\n");
}

TEST(LogReader, CutsALineThatNeverEnds) {
  Tape tape;
  tape.say(kNoon, std::string(3 * LogReader::kMostLine + 5, 'x') + "\nend\n");
  std::string piece = std::string(LogReader::kMostLine, 'x') + "\n";
  EXPECT_EQ(tape.read({}), piece + piece + piece + "xxxxx\nend\n");
}

TEST(LogReader, FollowsATranscriptThatGrows) {
  Tape tape;
  tape.say(kNoon, "one\ntw");
  tape.save();
  LogQuery query;
  query.follow = true;
  auto reader = LogReader::open(tape.dir.path(), "r1", query);
  ASSERT_TRUE(reader);
  auto drain = [&] {
    std::string out;
    while (*(*reader)->next(out)) {
    }
    return out;
  };
  EXPECT_EQ(drain(), "one\n");
  EXPECT_EQ((*reader)->position(), 4u);
  tape.say(kNoon, "o\nthr");
  tape.next_segment();
  EXPECT_EQ(drain(), "two\n");
  tape.say(kNoon, "ee\nlogin: ");
  tape.save();
  EXPECT_EQ(drain(), "three\n");
  std::string held;
  (*reader)->release(held);
  EXPECT_EQ(held, "login: \n");
  query.follow = false;
  query.from_offset = 4;
  EXPECT_EQ(tape.read(query), "two\nthree\nlogin: \n");
}

TEST(LogReader, ReadsTheTailAsReceived) {
  Tape tape;
  tape.say(kNoon, "one\r\ntwo\r\nthree\r\n");
  tape.save();
  EXPECT_EQ(*tail(tape.dir.path(), "r1", 1000), "one\r\ntwo\r\nthree\r\n");
  EXPECT_EQ(*tail(tape.dir.path(), "r1", 1000, 2), "two\r\nthree\r\n");
  EXPECT_EQ(*tail(tape.dir.path(), "r1", 9), "\r\nthree\r\n");
  EXPECT_EQ(*tail(tape.dir.path(), "r1", 1000, 0), "");
}

// By this thread: those that earlier tests left to themselves may still read something.
std::uint64_t bytes_read() {
  std::ifstream io("/proc/thread-self/io");
  std::string word;
  std::uint64_t count = 0;
  io >> word >> count;
  return count;
}

TEST(LogReader, FindsATimeInAGibibyteWithoutReadingIt) {
  constexpr std::uint64_t kSize = 64 << 20;
  test::TempDir dir;
  for (std::uint64_t segment = 0; segment < 16; ++segment) {
    std::string index;
    for (std::uint64_t at = 0; at < kSize; at += 16 * 1024) {
      std::uint64_t offset = segment * kSize + at;
      index += format({offset, kNoon + static_cast<base::Micros>(offset / (16 * 1024)) * kSecond, "at", ""});
    }
    test::write_file(dir / "r1/" + segment_name(segment * kSize, ".idx"), index);
    std::string log = dir / "r1/" + segment_name(segment * kSize, ".log");
    test::write_file(log, "");
    ASSERT_EQ(::truncate(log.c_str(), kSize), 0);
  }
  std::uint64_t place = 700ull << 20;
  base::Fd file(::open((dir / "r1/" + segment_name(10 * kSize, ".log")).c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(file.get(), "\nhere it is\n", 12, static_cast<off_t>(place - 10 * kSize)), 12);
  LogQuery query;
  query.since = kNoon + static_cast<base::Micros>(place / (16 * 1024)) * kSecond;
  query.until = query.since + kSecond / 2;
  std::uint64_t before = bytes_read();
  auto reader = LogReader::open(dir.path(), "r1", query);
  ASSERT_TRUE(reader);
  std::string out;
  while (*(*reader)->next(out)) {
  }
  std::uint64_t read = bytes_read() - before;
  EXPECT_NE(out.find("here it is\n"), std::string::npos);
  EXPECT_LT(read, 1u << 20);
}

}  // namespace
}  // namespace oob::console

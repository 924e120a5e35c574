#include "console/transcript.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>

#include "console/log_reader.h"
#include "console/segments.h"
#include "console/time_index.h"
#include "tests/support/support.h"

namespace oob::console {
namespace {

namespace fs = std::filesystem;
using test::run_until;

struct House {
  base::Loop loop;
  test::TempDir dir;
  std::string root = dir / "transcripts";
  std::optional<base::Disk> disk;
  std::optional<Archive> archive;
  std::unique_ptr<Transcript> edge;

  explicit House(std::uint64_t segment_size = Archive::kSegmentSize) {
    disk.emplace(loop);
    archive.emplace(loop, *disk, root, segment_size);
    edge = archive->open("edge1");
  }
  void stop() {
    edge.reset();
    archive.reset();
    disk.reset();
  }
  bool settled() {
    archive->flush();
    return run_until(loop, [&] { return edge->written() == edge->end(); });
  }
  std::string file(std::uint64_t start, const char* ending) {
    return test::read_file(root + "/edge1/" + segment_name(start, ending));
  }
};

struct Parsed {
  std::uint64_t offset;
  base::Micros time;
  std::string kind, text;
};

std::vector<Parsed> parse(const std::string& index) {
  std::vector<Parsed> lines;
  base::split(index, '\n', [&](std::string_view text) {
    if (text.empty()) return;
    auto line = parse_index_line(text);
    ASSERT_TRUE(line) << text;
    lines.push_back({line->offset, line->time, std::string(line->kind), std::string(line->text)});
  });
  return lines;
}

// Whether the lines are `wanted`: the offset and kind of each, with a + where there is a text other than how
// long silence was. Where the machine stood still there may be stamps besides, after silence and a second
// after the last one.
testing::AssertionResult has_lines(const std::vector<Parsed>& lines, const std::string& wanted) {
  std::string all;
  base::Micros stamped = lines.empty() ? 0 : lines.front().time;
  for (const Parsed& line : lines) {
    bool is_stamp = line.kind == "at";
    std::string one = base::str(line.offset, line.kind, line.text.empty() || is_stamp ? "" : "+", " ");
    bool stood_still = is_stamp && (!line.text.empty() || line.time - stamped >= 999'000);
    if (is_stamp) stamped = line.time;
    bool is_wanted = wanted.compare(std::min(all.size(), wanted.size()), one.size(), one) == 0;
    if (is_wanted || !stood_still) all += one;
  }
  if (all == wanted) return testing::AssertionSuccess();
  return testing::AssertionFailure() << all << "instead of " << wanted;
}

// A writer that tries again may mark what was lost at one place in pieces: they are one here.
std::vector<Parsed> with_whole_gaps(const std::vector<Parsed>& lines) {
  std::vector<Parsed> all;
  for (const Parsed& line : lines) {
    if (line.kind == "gap" && !all.empty() && all.back().kind == "gap" && all.back().offset == line.offset)
      all.back().text = std::to_string(std::stoull(all.back().text) + std::stoull(line.text));
    else
      all.push_back(line);
  }
  return all;
}

std::string gap_of(const std::vector<Parsed>& lines) {
  for (const Parsed& line : lines)
    if (line.kind == "gap") return line.text;
  return "none";
}

TEST(Transcript, WritesEveryByteAsReceived) {
  House house;
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  house.edge->append(all);
  house.edge->append(all);
  ASSERT_TRUE(house.settled());
  EXPECT_EQ(house.file(0, ".log"), all + all);
  EXPECT_TRUE(has_lines(parse(house.file(0, ".idx")), "0start 0at "));
  EXPECT_EQ(house.archive->trouble(), "");
  EXPECT_FALSE(house.archive->behind());
}

TEST(Transcript, KeepsItsFilesToItself) {
  House house;
  house.edge->append("x");
  ASSERT_TRUE(house.settled());
  for (auto [path, mode] : {std::pair<std::string, unsigned>{"", 0700},
                            {"/edge1", 0700},
                            {"/edge1/" + segment_name(0, ".log"), 0600},
                            {"/edge1/" + segment_name(0, ".idx"), 0600}}) {
    struct stat about {};
    ASSERT_EQ(::lstat((house.root + path).c_str(), &about), 0) << path;
    EXPECT_EQ(about.st_mode & 07777, mode) << path;
  }
}

TEST(Transcript, NeverLeavesItsFolderWhateverTheDeviceIsCalled) {
  EXPECT_EQ(transcript_folder("T", "../../etc"), "T/%2E.%2F..%2Fetc");
  EXPECT_EQ(transcript_folder("T", "."), "T/%2E");
  EXPECT_EQ(transcript_folder("T", "a%2Fb.c"), "T/a%252Fb.c");
}

TEST(Transcript, RefusesToFollowASymbolicLink) {
  House house;
  test::write_file(house.dir / "victim", "");
  fs::create_directories(house.root + "/edge1");
  fs::create_symlink(house.dir / "victim", house.root + "/edge1/" + segment_name(0, ".log"));
  house.edge->append("secret");
  ASSERT_TRUE(house.settled());
  EXPECT_EQ(test::read_file(house.dir / "victim"), "");
  EXPECT_NE(house.archive->trouble().find("edge1/00000000000000000000.log: "), std::string::npos);
}

TEST(Transcript, BeginsANewSegmentExactlyAtTheBound) {
  House house(1000);
  house.edge->append(std::string(1000, 'a'));
  ASSERT_TRUE(house.settled());
  EXPECT_EQ(segment_starts(house.root + "/edge1")->size(), 1u);
  house.edge->append(std::string(2500, 'b'));
  house.edge->mark("up", "again");
  ASSERT_TRUE(house.settled());
  EXPECT_EQ(house.file(0, ".log"), std::string(1000, 'a'));
  EXPECT_EQ(house.file(1000, ".log"), std::string(1000, 'b'));
  EXPECT_EQ(house.file(2000, ".log"), std::string(1000, 'b'));
  EXPECT_EQ(house.file(3000, ".log"), std::string(500, 'b'));
  EXPECT_TRUE(has_lines(parse(house.file(1000, ".idx")), "1000at "));
  EXPECT_TRUE(has_lines(parse(house.file(3000, ".idx")), "3000at 3500up+ "));
}

TEST(Transcript, BoundsASegmentBy64MiB) {
  House house;
  std::string piece(1 << 20, 'x');
  for (int i = 0; i < 65; ++i) {
    house.edge->append(piece);
    ASSERT_TRUE(house.settled());
  }
  EXPECT_EQ(fs::file_size(house.root + "/edge1/" + segment_name(0, ".log")), 64u << 20);
  EXPECT_EQ(fs::file_size(house.root + "/edge1/" + segment_name(64 << 20, ".log")), 1u << 20);
}

TEST(Transcript, GoesOnAfterWhatItsFilesHold) {
  House house(1000);
  house.edge->append(std::string(1300, 'a'));
  house.stop();
  house.disk.emplace(house.loop);
  house.archive.emplace(house.loop, *house.disk, house.root, 1000);
  house.edge = house.archive->open("edge1");
  EXPECT_EQ(house.edge->end(), 0u);
  house.edge->append("later");
  ASSERT_TRUE(house.settled());
  EXPECT_EQ(house.file(1000, ".log"), std::string(300, 'a') + "later");
  EXPECT_TRUE(has_lines(parse(house.file(1000, ".idx")), "1000at 1300start 1300at "));
}

TEST(Transcript, MarksGoToTheIndexAlone) {
  House house;
  house.edge->mark("up", "/dev/ttyUSB0 115200 8N1");
  house.edge->append("boot\n");
  house.edge->mark("attach", "alice\n\x1b[31m");
  house.edge->mark("detach", "");
  ASSERT_TRUE(house.settled());
  EXPECT_EQ(house.file(0, ".log"), "boot\n");
  auto lines = parse(house.file(0, ".idx"));
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[1].text, "/dev/ttyUSB0 115200 8N1");
  EXPECT_EQ(lines[3].text, "alice\\n\\x1b[31m");
  EXPECT_EQ(lines[3].offset, 5u);
  EXPECT_EQ(lines[4].kind, "detach");
}

TEST(Transcript, StampsABurstAfterSilenceWithItsLength) {
  House house;
  house.edge->append("one");
  auto then = base::Clock::now();
  ASSERT_TRUE(run_until(house.loop, [&] { return base::Clock::now() > then + base::milliseconds(300); }));
  base::Micros before = base::wall_now();
  house.edge->append("two");
  base::Micros after = base::wall_now();
  house.edge->append("and on");
  ASSERT_TRUE(house.settled());
  auto lines = parse(house.file(0, ".idx"));
  ASSERT_TRUE(has_lines(lines, "0start 0at 3at "));
  EXPECT_GE(silence_before({0, 0, lines[2].kind, lines[2].text}), 300'000);
  EXPECT_GE(lines[2].time, before);
  EXPECT_LE(lines[2].time, after);
}

TEST(Transcript, StampsOutputThatFlowsOnceASecond) {
  House house;
  struct Said {
    base::Clock::time_point before, after;
  };
  std::vector<Said> said;  // each byte
  base::Timer timer(house.loop);
  std::function<void()> say = [&] {
    auto before = base::Clock::now();
    house.edge->append("x");
    said.push_back({before, base::Clock::now()});
    house.archive->flush();
    timer.after(base::milliseconds(20), say);
  };
  say();
  // Each time the machine pauses there is a stamp for the silence, and the second begins anew.
  ASSERT_TRUE(run_until(house.loop, [&] { return test::count(house.file(0, ".idx"), " at\n") >= 3; }));
  timer.cancel();
  ASSERT_TRUE(house.settled());
  const base::milliseconds silence(250), second(1000);
  std::size_t last = 0;  // byte that has a stamp
  for (const Parsed& line : parse(house.file(0, ".idx"))) {
    if (line.kind != "at" || line.offset == 0) continue;
    auto at = static_cast<std::size_t>(line.offset);
    ASSERT_LT(at, said.size());
    ASSERT_GT(at, last);
    if (line.text.empty()) {
      EXPECT_GE(said[at].after - said[last].before, second) << at;
    } else {
      EXPECT_GE(said[at].after - said[at - 1].before, silence) << at;
    }
    if (at - 1 > last) {
      EXPECT_LT(said[at - 1].before - said[last].after, second) << at;
    }
    last = at;
  }
  EXPECT_LT(said.back().before - said[last].after, second);
}

TEST(Transcript, FlushesByItselfBeforeLong) {
  House house;
  house.edge->append("x");
  EXPECT_TRUE(run_until(house.loop, [&] { return house.edge->written() == 1; }));
}

TEST(Transcript, TellsWhenThereIsMoreToShow) {
  House house;
  int told = 0;
  house.edge->on_showable([&] {
    ++told;
    // People do not wait for a disk that stands still.
    EXPECT_EQ(house.archive->behind() ? 3 : house.file(0, ".log").size(), house.edge->showable());
  });
  house.edge->append("abc");
  EXPECT_EQ(house.edge->showable(), 0u);
  ASSERT_TRUE(house.settled());
  EXPECT_EQ(house.edge->showable(), 3u);
  EXPECT_EQ(told, 1);
}

TEST(Transcript, HandsOverWhatIsLeftWhenItEnds) {
  House house;
  house.edge->append("one ");
  house.archive->flush();
  house.edge->append("two ");  // while the first may be under way
  house.edge.reset();
  house.edge = house.archive->open("edge1");
  house.edge->append("three");
  house.stop();
  EXPECT_EQ(house.file(0, ".log"), "one two three");
}

TEST(Transcript, ShowsPeopleWhatASlowDiskHasNotTaken) {
  House house;
  ASSERT_TRUE(house.settled());
  std::atomic<bool> go = false;
  house.disk->run([&] {
    while (!go) ::usleep(1000);
  });
  house.edge->append("abc");
  house.archive->flush();
  house.edge->append("def");
  int told = 0;
  house.edge->on_showable([&] { ++told; });
  EXPECT_TRUE(run_until(house.loop, [&] { return house.archive->behind(); }));
  EXPECT_EQ(house.edge->showable(), 6u);
  EXPECT_EQ(house.edge->written(), 0u);
  EXPECT_EQ(told, 1);
  house.edge->append("ghi");
  house.archive->flush();
  EXPECT_EQ(told, 2);
  go = true;
  EXPECT_TRUE(run_until(house.loop, [&] { return house.edge->written() == 9; }));
  EXPECT_FALSE(house.archive->behind());
  EXPECT_EQ(house.edge->showable(), 9u);
  EXPECT_EQ(told, 2);
  EXPECT_EQ(house.file(0, ".log"), "abcdefghi");
}

TEST(Transcript, MarksAGapWhereMoreCameThanMayBeHeld) {
  House house;
  std::atomic<bool> go = false;
  house.disk->run([&] {
    while (!go) ::usleep(1000);
  });
  house.edge->append(std::string(Archive::kMostHeld - 10, 'x'));
  EXPECT_TRUE(house.archive->crowded());
  house.edge->append(std::string(30, 'y'));
  house.edge->append("zzz");
  EXPECT_EQ(house.edge->end(), Archive::kMostHeld + 23);
  go = true;
  ASSERT_TRUE(house.settled());
  EXPECT_FALSE(house.archive->crowded());
  house.edge->append("on");
  ASSERT_TRUE(house.settled());
  auto lines = parse(house.file(0, ".idx"));
  EXPECT_TRUE(
      has_lines(lines, base::str("0start 0at ", Archive::kMostHeld, "gap+ ", Archive::kMostHeld, "at ")));
  EXPECT_EQ(gap_of(lines), "23");
  EXPECT_EQ(house.file(0, ".log").substr(Archive::kMostHeld - 10), "yyyyyyyyyyon");
}

// Lets no file grow beyond `bytes`: a write is cut short there, the next one fails.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(Transcript, MarksAsAGapWhatTheDiskDidNotTake) {
  House house;
  house.edge->append(std::string(400, 'a'));
  ASSERT_TRUE(house.settled());
  {
    FileSizeLimit limit(500);
    house.edge->append(std::string(300, 'b'));
    ASSERT_TRUE(house.settled());
    EXPECT_NE(house.archive->trouble().find("edge1/00000000000000000000.log: File too large"),
              std::string::npos)
        << house.archive->trouble();
    house.edge->mark("attach", "alice");
    house.edge->append(std::string(50, 'c'));  // not even tried
    ASSERT_TRUE(house.settled());
  }
  EXPECT_TRUE(run_until(house.loop, [&] { return house.archive->trouble().empty(); }));
  house.edge->append("on");
  ASSERT_TRUE(house.settled());
  EXPECT_EQ(house.file(0, ".log"), std::string(400, 'a') + std::string(100, 'b') + "on");
  EXPECT_EQ(house.edge->written(), 752u);
  auto lines = with_whole_gaps(parse(house.file(0, ".idx")));
  EXPECT_TRUE(has_lines(lines, "0start 0at 500gap+ 500attach+ 500at "));
  EXPECT_EQ(gap_of(lines), "250");
}

TEST(Transcript, WritesBytesEvenWhereTheIndexFails) {
  House house;
  fs::create_directories(house.root + "/edge1/" + segment_name(0, ".idx"));
  house.edge->append("abc");
  ASSERT_TRUE(house.settled());
  EXPECT_EQ(house.file(0, ".log"), "abc");
  EXPECT_NE(house.archive->trouble().find(".idx: Is a directory"), std::string::npos)
      << house.archive->trouble();
  house.edge->append("def");
  fs::remove(house.root + "/edge1/" + segment_name(0, ".idx"));
  ASSERT_TRUE(run_until(house.loop, [&] { return house.archive->trouble().empty(); }));
  EXPECT_EQ(house.file(0, ".log"), "abcdef");
  EXPECT_TRUE(has_lines(parse(house.file(0, ".idx")), "0start 0at "));
}

TEST(Transcript, GoesOnWhenItsFolderIsDeleted) {
  House house;
  house.edge->append("gone");
  ASSERT_TRUE(house.settled());
  fs::remove_all(house.root);
  house.edge->mark("note", "x");
  house.edge->append("here");
  ASSERT_TRUE(house.settled());
  EXPECT_EQ(house.file(4, ".log"), "here");
  EXPECT_EQ(house.archive->trouble(), "");
}

TEST(Transcript, SaysWhatIsInItsWayAndRecovers) {
  House house;
  test::write_file(house.root, "a file");
  house.edge->append("lost");
  ASSERT_TRUE(house.settled());
  EXPECT_NE(house.archive->trouble().find("Not a directory"), std::string::npos) << house.archive->trouble();
  fs::remove(house.root);
  ASSERT_TRUE(run_until(house.loop, [&] { return house.archive->trouble().empty(); }));
  auto lines = parse(house.file(0, ".idx"));
  EXPECT_TRUE(has_lines(lines, "0gap+ 0start "));
  EXPECT_EQ(gap_of(lines), "4");
}

TEST(Transcript, SurvivesAFullDisk) {
  test::TempDir dir;
  if (::mount("none", dir.path().c_str(), "tmpfs", 0, "size=64k") < 0)
    GTEST_SKIP() << "needs the right to mount";
  {
    base::Loop loop;
    base::Disk disk(loop);
    Archive archive(loop, disk, dir / "transcripts");
    auto edge = archive.open("edge1");
    std::string text;
    for (int i = 0; text.size() < 100'000; ++i) text += base::str("line ", i, "\n");
    edge->append(text);
    archive.flush();
    EXPECT_TRUE(run_until(loop, [&] { return edge->written() == text.size(); }));
    EXPECT_NE(archive.trouble().find("No space left on device"), std::string::npos) << archive.trouble();
    std::string log = dir / "transcripts/edge1/" + segment_name(0, ".log");
    std::size_t had = test::read_file(log).size();
    EXPECT_EQ(test::read_file(log), text.substr(0, had));
    ::mount("none", dir.path().c_str(), "tmpfs", MS_REMOUNT, "size=1m");
    EXPECT_TRUE(run_until(loop, [&] { return archive.trouble().empty(); }));
    edge->append("after");
    archive.flush();
    EXPECT_TRUE(run_until(loop, [&] { return edge->written() == edge->end(); }));
    EXPECT_EQ(test::read_file(log), text.substr(0, had) + "after");
    auto lines = parse(test::read_file(dir / "transcripts/edge1/" + segment_name(0, ".idx")));
    std::uint64_t lost = 0, number = 0;
    for (const Parsed& line : lines)
      if (line.kind == "gap" && base::parse_number(line.text, number)) lost += number;
    EXPECT_EQ(lost, text.size() - had);
  }
  ::umount(dir.path().c_str());
}

TEST(Transcript, CutsATornIndexAtEveryByte) {
  House house(1000);
  house.edge->append(std::string(100, 'a'));
  house.stop();
  std::string index = house.file(0, ".idx");
  std::string path = house.root + "/edge1/" + segment_name(0, ".idx");
  for (std::size_t cut = 0; cut <= index.size(); ++cut) {
    test::write_file(path, index.substr(0, cut));
    base::Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    base::Result<IndexRepair> repaired = repair_index(file.get(), 100);
    ASSERT_TRUE(repaired);
    std::size_t newline = index.substr(0, cut).rfind('\n');
    EXPECT_EQ(test::read_file(path), index.substr(0, newline == std::string::npos ? 0 : newline + 1)) << cut;
    EXPECT_EQ(repaired->lost, 0u);
  }
}

TEST(Transcript, MarksAGapWhereTheBoardLostPowerBeforeTheBytesWereKept) {
  House house;
  house.edge->append(std::string(100, 'a'));
  house.edge->mark("note", "x");
  house.stop();
  fs::resize_file(house.root + "/edge1/" + segment_name(0, ".log"), 60);
  house.disk.emplace(house.loop);
  house.archive.emplace(house.loop, *house.disk, house.root);
  house.edge = house.archive->open("edge1");
  house.edge->append("b");
  ASSERT_TRUE(house.settled());
  auto lines = parse(house.file(0, ".idx"));
  EXPECT_TRUE(has_lines(lines, "0start 0at 60gap+ 60start 60at "));
  EXPECT_EQ(gap_of(lines), "40");
}

TEST(Transcript, HoldsWhatAPersonSawAfterSigkill) {
  test::TempDir dir;
  std::string root = dir / "transcripts";
  int seen[2];
  ASSERT_EQ(::pipe(seen), 0);
  pid_t child = ::fork();
  if (child == 0) {
    base::Loop loop;
    base::Disk disk(loop);
    Archive archive(loop, disk, root, 100'000);
    auto edge = archive.open("edge1");
    std::uint64_t said = 0;
    bool was_behind = false;  // then it is shown before it is in the file
    edge->on_showable([&] {
      std::uint64_t showable = edge->showable();
      was_behind = was_behind || archive.behind();
      if (was_behind && showable > edge->written()) return;
      if (::write(seen[1], &showable, sizeof showable) < 0) ::_exit(1);
    });
    base::Timer timer(loop);
    std::function<void()> say = [&] {
      std::string text;
      // Of more than may be held some would be missing.
      for (int i = 0; i < 50 && !archive.crowded(); ++i) text += base::str(said++, "\n");
      edge->append(text);
      archive.flush();
      loop.post(say);
    };
    say();
    loop.run();
    ::_exit(0);
  }
  ::close(seen[1]);
  std::uint64_t showable = 0, last = 0;
  while (showable < 500'000 && ::read(seen[0], &showable, sizeof showable) == sizeof showable)
    last = showable;
  ::kill(child, SIGKILL);
  while (::read(seen[0], &showable, sizeof showable) == sizeof showable) last = showable;
  ::close(seen[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto kept = tail(root, "edge1", 100 << 20);
  ASSERT_TRUE(kept);
  ASSERT_GE(kept->size(), last);
  ASSERT_GE(last, 500'000u);
  std::string whole;
  for (std::uint64_t i = 0; whole.size() < kept->size(); ++i) whole += base::str(i, "\n");
  EXPECT_TRUE(*kept == whole.substr(0, kept->size()));
}

}  // namespace
}  // namespace oob::console

#include "audit/verify.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "auth/journal.h"
#include "tests/audit/verify_trail.h"

namespace oob::audit {
namespace {

using auth::Entry;
using base::Result;
using base::str;
using testing::HasSubstr;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at) + 1;
    lines.push_back(text.substr(at, end - at));
    at = end;
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

// The release build flips every bit. Sanitizers make each look ten times as dear and find the same in a part
// of them; no stride is a multiple of two, so that each of the eight bits comes in turn.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kStride = 9;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr std::size_t kStride = 9;
#else
constexpr std::size_t kStride = 1;
#endif
#else
constexpr std::size_t kStride = 1;
#endif

TEST_F(Verify, FindsEveryFlippedBit) {
  fill();
  ASSERT_TRUE(judge().whole()) << judge().text();
  for (const std::string& path : {journal_, checkpoints_}) {
    std::string whole = test::read_file(path);
    for (std::size_t bit = 0; bit < whole.size() * 8; bit += kStride) {
      std::string flipped = whole;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      test::write_file(path, flipped);
      ASSERT_FALSE(judge().whole()) << path << " bit " << bit;
    }
    test::write_file(path, whole);
  }
  EXPECT_TRUE(judge().whole());
}

// Every 61st bit, so that each of the eight comes in turn: all of them take minutes.
TEST_F(Verify, FindsFlippedBitsAllOverFortyRecordsAndTwoKeys) {
  for (int i = 0; i < 9; ++i) {
    fill();
    if (i == 3 || i == 6) rotate();
  }
  ASSERT_EQ(judge().records, 40u);
  ASSERT_TRUE(judge().whole()) << judge().text();
  for (const std::string& path : {journal_, checkpoints_}) {
    std::string whole = test::read_file(path);
    for (std::size_t bit = 0; bit < whole.size() * 8; bit += 61 * kStride) {
      std::string flipped = whole;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      test::write_file(path, flipped);
      ASSERT_FALSE(judge().whole()) << path << " bit " << bit;
    }
    test::write_file(path, whole);
  }
}

TEST_F(Verify, FindsEveryRecordThatIsDroppedDoubledSwappedOrRenumbered) {
  fill();
  std::vector<std::string> lines = lines_of(test::read_file(journal_));
  auto expect_found = [&](std::vector<std::string> changed, const std::string& what) {
    test::write_file(journal_, joined(changed));
    EXPECT_FALSE(judge().whole()) << what;
  };
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::vector<std::string> changed = lines;
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
    expect_found(changed, str("without ", i));
    for (std::size_t k = i; k < changed.size(); ++k) {
      std::string from = str(",\"n\":", k + 1, ","), to = str(",\"n\":", k, ",");
      changed[k].replace(changed[k].find(from), from.size(), to);
    }
    expect_found(changed, str("without ", i, ", the others renumbered"));
    changed = lines;
    changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(i), lines[i]);
    expect_found(changed, str(i, " twice"));
    if (i == 0) continue;
    changed = lines;
    std::swap(changed[i - 1], changed[i]);
    expect_found(changed, str(i, " before its neighbour"));
  }
}

TEST_F(Verify, FindsEveryCut) {
  fill();
  std::string records = test::read_file(journal_), checkpoints = test::read_file(checkpoints_);
  for (std::size_t size = 0; size < records.size(); ++size) {
    test::write_file(journal_, records.substr(0, size));
    EXPECT_FALSE(judge().whole()) << size;
  }
  test::write_file(journal_, records);
  std::size_t first = checkpoints.size() / 2;
  for (std::size_t size = 1; size < checkpoints.size(); ++size) {
    if (size == first) continue;
    test::write_file(checkpoints_, checkpoints.substr(0, size));
    EXPECT_FALSE(judge().whole()) << size;
  }
  // As a crash leaves it: said, and whole.
  test::write_file(checkpoints_, checkpoints.substr(0, first));
  EXPECT_TRUE(judge().whole());
  EXPECT_EQ(judge().unsealed, 2u);
}

TEST_F(Verify, NamesTheFirstBadRecord) {
  fill();
  std::string whole = test::read_file(journal_);
  std::string changed = whole;
  changed.replace(changed.find("alice"), 5, "bobby");
  test::write_file(journal_, changed);
  expect(Kind::altered, "ALTERED: journal/000000000000.jsonl:4 (record 3): among the records 0 to 3");
  changed = whole;
  changed.replace(changed.find("\"user\":\"alice\""), 14, "\"user\": \"alice\"");
  test::write_file(journal_, changed);
  expect(Kind::altered, "ALTERED: journal/000000000000.jsonl:3 (record 2): is no record: ");
}

TEST_F(Verify, SeesASetBackOnlyWhereSomethingIsRemembered) {
  fill();
  std::string records = test::read_file(journal_), checkpoints = test::read_file(checkpoints_);
  note(Entry("start"));
  seal();
  std::string newest = judge().newest->brief();
  EXPECT_EQ(judge(newest).anchors_matched, 1u);
  test::write_file(journal_, records);
  test::write_file(checkpoints_, checkpoints);
  EXPECT_TRUE(judge().whole());
  EXPECT_THAT(judge().text(), HasSubstr("set back to an earlier state would not be seen"));
  VerifyReport report = judge("[oobd: journal " + newest + "]\n");
  EXPECT_FALSE(report.whole());
  EXPECT_EQ(report.findings[0].kind, Kind::missing);
}

TEST_F(Verify, TrustsWhatAKeyThatWasGivenSigned) {
  fill();
  EXPECT_TRUE(judge("", {key_}).trusted);
  auth::NoteKey other = auth::NoteKey::of(origin_, auth::NoteSigner::make()->public_key());
  EXPECT_FALSE(judge("", {other}).whole());
  EXPECT_FALSE(judge().trusted);
  EXPECT_THAT(judge().text(), HasSubstr("proves nothing against whoever owns it"));
}

TEST_F(Verify, FindsWhatIsSignedAndStillCantBe) {
  note(Entry("session.open").with("session", 7));
  note(Entry("stop"));
  seal();
  expect(Kind::missing, "the end of session 7 (record 2) was not written");
}

TEST_F(Verify, WantsTheClocksStepsTold) {
  note(Entry("note"));
  mono_ += 10'000'000;
  std::string line = auth::journal_line(Entry("note"), {1'795'000'000'000'000, mono_}, tree_.size(), boot_);
  test::write_file(journal_, test::read_file(journal_) + line);
  tree_.add(base::Bytes(line).substr(0, line.size() - 1));
  seal();
  expect(Kind::altered, "no clock.step says so");
}

TEST_F(Verify, KnowsTheEventsThereAre) {
  note(Entry("power.wish"));
  seal();
  expect(Kind::altered, "no version of oobd that this one knows writes 'power.wish'");
}

TEST_F(Verify, CountsWhatACrashCannotHaveLeft) {
  seal();
  for (int i = 0; i < 18; ++i) note(Entry("note"));
  EXPECT_TRUE(judge().whole()) << judge().text();  // two of them came within the last second
  note(Entry("note"));
  expect(Kind::unsealed, "the last 19 records have no checkpoint");
}

TEST_F(Verify, CannotReadWhatIsNotThere) {
  VerifyOptions options;
  options.state = folder_ / "elsewhere";
  EXPECT_FALSE(verify(options));
}

TEST_F(Verify, StopsWhenItIsTold) {
  for (int i = 0; i < 1100; ++i) note(Entry("note"));
  VerifyOptions options;
  options.state = folder_.path();
  options.progress = [](std::uint64_t, std::uint64_t, const char*) { return false; };
  Result<VerifyReport> report = verify(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().what, "stopped");
}

TEST(VerifyJournal, FindsTheDaemonsOwnJournalWhole) {
  test::TempDir folder;
  base::Loop loop;
  base::Disk disk(loop);
  for (int run = 0; run < 3; ++run) {  // each start rotates the key
    auto journal = auth::Journal::open(loop, disk, folder.path());
    ASSERT_TRUE(journal) << journal.error().what;
    for (int i = 0; i < 40; ++i) (*journal)->note(Entry("note").with("text", str("no. ", i)));
    bool sealed = false;
    (*journal)->seal([&](const Result<auth::Checkpoint>& checkpoint) { sealed = checkpoint.has_value(); });
    ASSERT_TRUE(test::run_until(loop, [&] { return sealed; }));
    journal->reset();
    disk.drain();
  }
  VerifyOptions options;
  options.state = folder.path();
  Result<VerifyReport> report = verify(options);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_TRUE(report->whole()) << report->text();
  EXPECT_GE(report->records, 120u);
  EXPECT_EQ(report->unsealed, 0u);
}

TEST(NoteKeys, AreReadOneALineWithComments) {
  auth::NoteKey key = auth::NoteKey::of("board1/oobd/1/1", auth::NoteSigner::make()->public_key());
  auto keys = parse_note_keys("# of the board\n\n " + key.text() + " # 2026\r\n" + key.text());
  ASSERT_TRUE(keys) << keys.error().what;
  EXPECT_EQ(keys->size(), 2u);
  EXPECT_EQ(parse_note_keys("# none\n").error().what, "has no key");
  EXPECT_THAT(parse_note_keys("\nboard1\n").error().what, HasSubstr("line 2: "));
}

}  // namespace
}  // namespace oob::audit

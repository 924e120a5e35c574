#include "audit/transcript_marks.h"

#include <gtest/gtest.h>

#include "auth/journal.h"
#include "tests/support/support.h"

namespace oob::audit {
namespace {

auth::Entry transcript_mark(const char* device, std::int64_t from, std::int64_t to) {
  return auth::Entry("transcript.mark")
      .with("device", device)
      .with("from", from)
      .with("to", to)
      .with("sha256", "");
}

TEST(TranscriptMarks, TellHowFarEachDeviceIsMarked) {
  base::Loop loop;
  test::TempDir dir;
  base::Disk disk(loop);
  auto journal = auth::Journal::open(loop, disk, dir.path());
  ASSERT_TRUE(journal);
  (*journal)->note(transcript_mark("edge1", 0, 100));
  (*journal)->note(transcript_mark("edge2", 0, 7));
  (*journal)->note(transcript_mark("edge1", 100, 250));
  (*journal)->note(auth::Entry("note").with("device", "edge3").with("text", "\"ev\":\"transcript.mark\""));
  (*journal)->note(auth::Entry("transcript.open").with("device", "new"));
  (*journal)->note(auth::Entry("transcript.open").with("device", "edge2"));
  bool sealed = false;
  (*journal)->seal([&](const base::Result<auth::Checkpoint>&) { sealed = true; });
  ASSERT_TRUE(test::run_until(loop, [&] { return sealed; }));
  std::map<std::string, std::uint64_t> marked = marked_transcripts(dir / "journal", (*journal)->written());
  EXPECT_EQ(marked, (std::map<std::string, std::uint64_t>{{"edge1", 250}, {"edge2", 7}, {"new", 0}}));
}

TEST(TranscriptMarks, AreNoneWhereThereIsNoJournal) {
  test::TempDir dir;
  EXPECT_TRUE(marked_transcripts(dir / "journal", 12).empty());
}

}  // namespace
}  // namespace oob::audit

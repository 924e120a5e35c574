#include "console/transcript_seal.h"

#include <gtest/gtest.h>

#include <optional>

#include "console/transcript.h"
#include "tests/support/support.h"

namespace oob::console {
namespace {

using base::Clock;

TEST(TranscriptSeal, BindsExactlyTheBytesOfItsRange) {
  TranscriptSeal seal;
  seal.add(100, "first ", Clock::now());
  seal.add(106, "second", Clock::now());
  EXPECT_TRUE(seal.take().empty());
  EXPECT_TRUE(seal.open());
  seal.finish();
  std::vector<SealedRange> ranges = seal.take();
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0].from, 100u);
  EXPECT_EQ(ranges[0].to, 112u);
  EXPECT_EQ(ranges[0].sha256, base::hex(base::sha256("first second")));
  EXPECT_FALSE(seal.open());
  seal.finish();
  EXPECT_TRUE(seal.take().empty()) << "of nothing there is no range";
}

TEST(TranscriptSeal, BeginsAnewWhereBytesAreMissing) {
  TranscriptSeal seal;
  seal.add(0, "abc", Clock::now());
  seal.add(10, "def", Clock::now());
  seal.finish();
  std::vector<SealedRange> ranges = seal.take();
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].to, 3u);
  EXPECT_EQ(ranges[1].from, 10u);
  EXPECT_EQ(ranges[1].to, 13u);
}

TEST(TranscriptSeal, FinishesARangeThatIsLongOrOld) {
  TranscriptSeal seal;
  Clock::time_point begin = Clock::now();
  seal.add(0, std::string(TranscriptSeal::kBytes - 1, 'x'), begin);
  EXPECT_TRUE(seal.take().empty());
  seal.add(TranscriptSeal::kBytes - 1, "y", begin);
  EXPECT_EQ(seal.take().size(), 1u);
  seal.add(TranscriptSeal::kBytes, "z", begin);
  seal.look(begin + TranscriptSeal::kAfter - std::chrono::seconds(1));
  EXPECT_TRUE(seal.take().empty());
  seal.look(begin + TranscriptSeal::kAfter);
  EXPECT_EQ(seal.take().size(), 1u);
}

TEST(TranscriptSeal, OfAnArchiveCoversAllThatWasSaidBeforeACleanStop) {
  base::Loop loop;
  test::TempDir dir;
  base::Disk disk(loop);
  std::optional<Archive> archive;
  archive.emplace(loop, disk, dir / "transcripts", 1000);  // several segments
  std::vector<std::pair<std::string, SealedRange>> told;
  archive->on_sealed(
      [&](const std::string& device, const SealedRange& range) { told.emplace_back(device, range); });
  std::unique_ptr<Transcript> edge = archive->open("edge1");
  std::string said;
  for (int i = 0; i < 100; ++i) {
    std::string piece = base::str("line ", i, " of what it says\r\n");
    edge->append(piece);
    said += piece;
    if (i == 50) {
      archive->flush();
      ASSERT_TRUE(test::run_until(loop, [&] { return edge->written() == edge->end(); }));
    }
  }
  archive->seal();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].first, "edge1");
  EXPECT_EQ(told[0].second.from, 0u);
  EXPECT_EQ(told[0].second.to, said.size());
  EXPECT_EQ(told[0].second.sha256, base::hex(base::sha256(said)));
  archive->seal();
  EXPECT_EQ(told.size(), 1u) << "nothing is told twice";
}

TEST(TranscriptSeal, GoesOnWhereACrashLeftIt) {
  base::Loop loop;
  test::TempDir dir;
  base::Disk disk(loop);
  {
    Archive archive(loop, disk, dir / "transcripts");
    std::unique_ptr<Transcript> edge = archive.open("edge1");
    edge->append("sealed, and lost in a crash. ");
    archive.flush();
    ASSERT_TRUE(test::run_until(loop, [&] { return edge->written() == edge->end(); }));
  }
  disk.drain();
  Archive archive(loop, disk, dir / "transcripts");
  archive.resume_seals({{"edge1", 8}});
  std::vector<SealedRange> told;
  archive.on_sealed([&](const std::string&, const SealedRange& range) { told.push_back(range); });
  std::unique_ptr<Transcript> edge = archive.open("edge1");
  edge->append("New.");
  archive.seal();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].from, 8u);
  EXPECT_EQ(told[0].to, 33u);
  EXPECT_EQ(told[0].sha256, base::hex(base::sha256("and lost in a crash. New.")));
}

TEST(TranscriptSeal, OfADeviceThatIsTakenAwayIsTold) {
  base::Loop loop;
  test::TempDir dir;
  base::Disk disk(loop);
  Archive archive(loop, disk, dir / "transcripts");
  std::vector<SealedRange> told;
  archive.on_sealed([&](const std::string&, const SealedRange& range) { told.push_back(range); });
  std::unique_ptr<Transcript> edge = archive.open("edge1");
  edge->append("its last words");
  edge.reset();
  disk.drain();
  archive.seal();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].to, 14u);
}

}  // namespace
}  // namespace oob::console

#include "console/sftp_recordings.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "console/sftp_open_file.h"
#include "tests/console/recordings.h"

namespace oob::console {

using base::Fault;
using test::TempDir;

TEST(SftpRecordings, AreFoundByTheFolderThatAPathNames) {
  TempDir dir;
  test::Recorded one("20261122-160311-7", "alice", "r1"), two("20261122-170311-8", "bob", "x1"),
      old("20251122-170311-9", "bob", "r1");
  std::string file = one.device(1, "hello").write(dir.path());
  two.write(dir.path());
  old.write(dir.path());
  test::write_file(dir / "recordings/2026/11/22/20261122-180311-1.cast", "no recording");
  std::filesystem::create_symlink("/etc/passwd", dir / "recordings/2026/11/22/20261122-180311-2.cast");
  SftpRecordings recordings(dir / "recordings");

  auto years = recordings.list({});
  ASSERT_EQ(years->size(), 2u);
  EXPECT_EQ((*years)[1].name, "2026");
  EXPECT_EQ((*years)[0].devices.count("x1"), 0u);
  EXPECT_EQ((*years)[1].devices.count("x1"), 1u);
  auto day = recordings.list({"2026", "11", "22"});
  ASSERT_EQ(day->size(), 2u);
  EXPECT_EQ((*day)[0].name, "20261122-160311-7.cast");
  EXPECT_EQ((*day)[0].devices.at("r1").size, std::filesystem::file_size(file));
  EXPECT_TRUE(recordings.list({"2026", "12"})->empty());
  for (const SftpRecordings::Path& strange :
       {SftpRecordings::Path{"open"}, {"2026", "11", "22", "x"}, {"2026", "1"}, {"..", "11"}})
    EXPECT_EQ(recordings.list(strange).error().fault, Fault::missing);

  auto found = recordings.find({"2026", "11", "22", "20261122-160311-7.cast"});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->device, "r1");
  EXPECT_EQ(found->file, file);
  for (const char* none : {"20261122-160311-6.cast", "20261122-180311-1.cast", "20261122-180311-2.cast",
                           "20251122-170311-9.cast", "20261122-160311-7", ".cast", "../../x.cast"})
    EXPECT_EQ(recordings.find({"2026", "11", "22", none}).error().fault, Fault::missing) << none;
}

TEST(SftpRecordings, AreReadOnceForTheirDevices) {
  TempDir dir;
  std::string file = test::Recorded("20261122-160311-7", "alice", "r1").write(dir.path());
  SftpRecordings recordings(dir / "recordings");
  SftpRecordings::Path path{"2026", "11", "22", "20261122-160311-7.cast"};
  ASSERT_TRUE(recordings.find(path));
  test::write_file(file, "its head is not looked at again");
  auto again = recordings.find(path);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->device, "r1");
  EXPECT_EQ(again->about.size, 31u);
  EXPECT_EQ(recordings.list({"2026", "11", "22"})->size(), 1u);
}

TEST(SftpTranscripts, OneFileIsLookedAtByItself) {
  TempDir dir;
  test::write_file(dir / "00000000000000000000.log", "12345");
  test::write_file(dir / "00000000000000000000.idx", "1");
  test::write_file(dir / "0.log", "not a segment");
  std::filesystem::create_symlink("/etc/passwd", dir / "00000000000000000005.log");
  EXPECT_EQ(transcript_file(dir.path(), "00000000000000000000.log")->size, 5u);
  EXPECT_EQ(transcript_file(dir.path(), "00000000000000000000.idx")->size, 1u);
  for (const char* none : {"0.log", "00000000000000000005.log", "00000000000000000006.log", ".log", "",
                           "00000000000000000000.txt", "../x.log", "0000000000000000000x.log"})
    EXPECT_EQ(transcript_file(dir.path(), none).error().fault, Fault::missing) << none;
}

}  // namespace oob::console

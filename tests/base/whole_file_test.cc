#include "base/whole_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/support.h"

namespace {

// What was on the disk, in order, and whether `watched` had its new text by then.
struct Synced {
  std::string what, watched;
};
std::vector<Synced> synced;
std::string watched;
std::string fails;  // the path whose fsync() does
int with = 0;

}  // namespace

// In the place of the C library's, for this program.
extern "C" int fsync(int descriptor) {
  std::error_code error;
  std::string name = std::filesystem::read_symlink(oob::base::str("/proc/self/fd/", descriptor), error);
  synced.push_back({name, oob::test::read_file(watched)});
  if (name == fails) {
    errno = with;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace oob::base {
namespace {

TEST(WholeFile, IsOnTheDiskWithItsNameOnceItIsWritten) {
  test::TempDir dir;
  watched = dir / "file";
  ASSERT_TRUE(write_whole(watched, "old", 0600));
  synced.clear();
  ASSERT_TRUE(write_whole(watched, "new", 0640));
  ASSERT_EQ(synced.size(), 2u);
  EXPECT_EQ(synced[0].what, dir / "file.new");
  EXPECT_EQ(synced[0].watched, "old");
  EXPECT_EQ(synced[1].what, std::filesystem::canonical(dir.path()));
  EXPECT_EQ(synced[1].watched, "new");
  struct stat status {};
  ASSERT_EQ(::stat(watched.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  EXPECT_FALSE(std::filesystem::exists(dir / "file.new"));
}

TEST(WholeFile, SaysWhenItsFolderCannotBePutOnTheDisk) {
  test::TempDir dir;
  watched = dir / "file";
  fails = std::filesystem::canonical(dir.path());
  with = EIO;
  Result<> written = write_whole(watched, "new", 0600);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().what, str(dir.path(), ": Input/output error"));
  with = EINVAL;  // the file system knows no such thing
  EXPECT_TRUE(write_whole(watched, "newer", 0600));
  fails.clear();
}

TEST(WholeFile, NeedsNoFolderInItsName) {
  test::TempDir dir;
  std::filesystem::path here = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  Result<> written = write_whole("file", "text", 0600);
  std::filesystem::current_path(here);
  EXPECT_TRUE(written) << written.error().what;
  EXPECT_EQ(test::read_file(dir / "file"), "text");
}

TEST(WholeFile, IsTheOldOneWhereItCannotBeWritten) {
  test::TempDir dir;
  watched = dir / "file";
  ASSERT_TRUE(write_whole(watched, "old", 0600));
  std::filesystem::create_directory(dir / "file.new");
  EXPECT_FALSE(write_whole(watched, "new", 0600));
  EXPECT_EQ(test::read_file(watched), "old");
}

}  // namespace
}  // namespace oob::base

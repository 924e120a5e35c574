#include "auth/trusted_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/support.h"

namespace oob::auth {
namespace {

struct TrustedFiles : testing::Test {
  base::Result<std::string> read(const std::string& text, unsigned mode = 0600, std::size_t most = 100) {
    test::write_file(path, text, mode);
    base::Result<TrustedFile> file = TrustedFile::open(path, 077, most);
    if (!file) return file.error();
    return file->read();
  }
  test::TempDir folder;
  std::string path = folder / "file";
};

TEST_F(TrustedFiles, AreReadWhole) {
  for (std::size_t size : {0, 1, 14, 15, 16, 99, 100}) {
    base::Result<std::string> text = read(std::string(size, 'x'));
    ASSERT_TRUE(text) << text.error().what;
    EXPECT_EQ(*text, std::string(size, 'x'));
  }
}

TEST_F(TrustedFiles, AreReadWholeWhenTheyGrowMeanwhile) {
  test::write_file(path, "");
  base::Result<TrustedFile> file = TrustedFile::open(path, 077, 100);
  ASSERT_TRUE(file);
  test::write_file(path, std::string(100, 'y'));
  EXPECT_EQ(*file->read(), std::string(100, 'y'));
  test::write_file(path, std::string(101, 'y'));
  base::Result<std::string> text = file->read();
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().what, path + ": more than the 100 bytes that are taken");
}

TEST_F(TrustedFiles, AreRefusedWhenOthersMayLookIntoThemOrTheyAreTooLong) {
  EXPECT_THAT(read("secret", 0640).error().what, testing::HasSubstr("chmod 0600"));
  EXPECT_THAT(read(std::string(101, 'x')).error().what, testing::HasSubstr("more than the 100"));
}

// A short string that lies inside its object is copied by a move, and what it is moved from is never wiped.
TEST_F(TrustedFiles, LieInOnePlaceHoweverShort) {
  for (std::size_t size : {1, 14, 15}) {
    base::Result<std::string> text = read(std::string(size, 'x'));
    ASSERT_TRUE(text);
    std::less<const void*> before;
    const char* data = text->data();
    EXPECT_TRUE(before(data, &*text) || !before(data, &*text + 1)) << size;
  }
}

}  // namespace
}  // namespace oob::auth

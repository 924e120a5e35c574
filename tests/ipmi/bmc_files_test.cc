#include "ipmi/bmc_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/support.h"

namespace oob::ipmi {
namespace {

using test::TempDir;
using testing::HasSubstr;
using testing::Not;

struct BmcFiles : testing::Test {
  BmcFiles() {
    settings.name = "relay1";
    settings.host = "192.0.2.21";
    settings.password_file = folder / "password";
    settings.memory = folder / "bmc/relay1.suite";
  }
  TempDir folder;
  BmcSettings settings;
};

TEST_F(BmcFiles, ReadsAPasswordWithoutTheEndOfItsLine) {
  for (const char* text : {"geheim", "geheim\n", "geheim\r\n"}) {
    test::write_file(settings.password_file, text);
    base::Result<Credentials> read = read_credentials(settings);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->password.view(), "geheim");
    EXPECT_TRUE(read->kg.empty());
  }
}

TEST_F(BmcFiles, ReadsAKgKeyAsTextOrAsHex) {
  test::write_file(settings.password_file, "geheim\n");
  settings.kg_file = folder / "kg";
  test::write_file(settings.kg_file, "kg-as-text\n");
  EXPECT_EQ(read_credentials(settings)->kg.view(), "kg-as-text");
  test::write_file(settings.kg_file, "0x0102030405060708090a0b0c0d0e0f10111213fF\n");
  EXPECT_EQ(base::hex(read_credentials(settings)->kg.view()), "0102030405060708090a0b0c0d0e0f10111213ff");
}

TEST_F(BmcFiles, RefusesAPasswordThatOthersMayRead) {
  test::write_file(settings.password_file, "geheim\n", 0640);
  base::Result<Credentials> read = read_credentials(settings);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().what, HasSubstr("chmod 0600"));
  EXPECT_THAT(read.error().what, Not(HasSubstr("geheim")));
}

TEST_F(BmcFiles, TellsWhatIsWrongWithoutTellingThePassword) {
  for (const char* text : {"", "\n", "this-password-is-too-long-for-a-bmc\n"}) {
    test::write_file(settings.password_file, text);
    base::Result<Credentials> read = read_credentials(settings);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().what, settings.password_file + ": not one line of 1 to 20 bytes");
  }
}

TEST_F(BmcFiles, RemembersTheSuiteOfThisAddressOnly) {
  EXPECT_EQ(remembered_suite(settings), 0);
  ASSERT_TRUE(remember_suite(settings, 17));
  EXPECT_EQ(remembered_suite(settings), 17);
  settings.host = "192.0.2.21:623";  // the same
  EXPECT_EQ(remembered_suite(settings), 17);
  settings.host = "192.0.2.22";
  EXPECT_EQ(remembered_suite(settings), 0);
  ASSERT_TRUE(remember_suite(settings, 3));
  EXPECT_EQ(remembered_suite(settings), 3);
}

TEST_F(BmcFiles, DoesNotBelieveADamagedMemory) {
  ASSERT_TRUE(remember_suite(settings, 17));
  for (const char* text : {"", "0 192.0.2.21:623\n", "17", "17 192.0.2.21:623", "17 192.0.2.21:623\n17"}) {
    test::write_file(settings.memory, text);
    EXPECT_EQ(remembered_suite(settings), 0) << text;
  }
}

}  // namespace
}  // namespace oob::ipmi

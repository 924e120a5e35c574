#include "ipmi/bmc_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <string>

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

TEST_F(BmcFiles, TakesOneLineOnly) {
  using namespace std::string_literals;
  settings.kg_file = folder / "kg";
  for (const std::string& text : {"two\nlines\n"s, "end\n\n"s, "end\n\r\n"s, "end\r\r\n"s, "\nend\n"s,
                                  "nu\0l\n"s, "0x0102030405060708090a0b0c0d0e0f1011121314\n\n"s}) {
    for (const std::string* path : {&settings.password_file, &settings.kg_file}) {
      test::write_file(settings.password_file, "geheim\n");
      test::write_file(settings.kg_file, "kg\n");
      test::write_file(*path, text);
      base::Result<Credentials> read = read_credentials(settings);
      ASSERT_FALSE(read) << *path << base::printable(text);
      EXPECT_THAT(read.error().what, HasSubstr(*path + ": not one line of 1 to 20 bytes"));
    }
  }
}

TEST_F(BmcFiles, LeavesNeitherPasswordNorKeyOnTheStack) {
  // Short ones, which a string keeps inside itself.
  const std::string password = "Fd7-kQx2_wZ";
  const std::string key("\xa1\xb2\xc3\xd4\xe5\xf6\x17\x28\x39\x4a\x5b\x6c\x7d\x8e\x9f\xa0\xb1\xc2\xd3\xe4");
  test::write_file(settings.password_file, password + "\n");
  settings.kg_file = folder / "kg";
  test::write_file(settings.kg_file, "0x" + base::hex(key) + "\n");
  // A stack of our own may be looked at when its thread is over.
  alignas(4096) static char stack[1 << 20];
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstack(&attributes, stack, sizeof stack), 0);
  struct Read {
    const BmcSettings* settings;
    bool well;
  } read{&settings, false};
  pthread_t thread;
  auto run = [](void* given) -> void* {
    Read& read = *static_cast<Read*>(given);
    read.well = static_cast<bool>(read_credentials(*read.settings));
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &read), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
  ASSERT_TRUE(read.well);
  constexpr std::size_t kPart = 6;  // what lies in a string is partly written over when it grows
  for (const std::string& secret : {password, key})
    for (std::size_t at = 0; at + kPart <= secret.size(); ++at)
      EXPECT_EQ(base::Bytes(stack, sizeof stack).find(secret.substr(at, kPart)), base::Bytes::npos)
          << "from byte " << at << " of " << base::hex(secret);
}

TEST_F(BmcFiles, RemembersTheSuiteOfThisAddressOnly) {
  EXPECT_EQ(*remembered_suite(settings), 0);
  ASSERT_TRUE(remember_suite(settings, 17));
  EXPECT_EQ(*remembered_suite(settings), 17);
  settings.host = "192.0.2.21:623";  // the same
  EXPECT_EQ(*remembered_suite(settings), 17);
  settings.host = "192.0.2.22";
  EXPECT_EQ(*remembered_suite(settings), 0);
  ASSERT_TRUE(remember_suite(settings, 3));
  EXPECT_EQ(*remembered_suite(settings), 3);
}

TEST_F(BmcFiles, DoesNotBelieveADamagedMemory) {
  ASSERT_TRUE(remember_suite(settings, 17));
  for (const char* text : {"", "0 192.0.2.21:623\n", "17", "17 192.0.2.21:623", "17 192.0.2.21:623\n17"}) {
    test::write_file(settings.memory, text);
    EXPECT_FALSE(remembered_suite(settings)) << text;
  }
}

}  // namespace
}  // namespace oob::ipmi

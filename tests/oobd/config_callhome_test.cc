#include <gtest/gtest.h>

#include "oobd/call_home_ssh.h"
#include "tests/oobd/config_folder.h"

namespace oob {
namespace {

std::string with_bastions(unsigned number) {
  std::string text = "[server]\nlisten = [\"127.0.0.1:0\"]\nstate = \"state\"\n";
  for (unsigned i = 0; i < number; ++i) {
    text += base::str("[callhome.b", i, "]\nbastion = \"192.0.2.", i + 1, "\"\nuser = \"oob\"\n",
                      "key_file = \"keys/callhome\"\nhost_key = \"",
                      std::string(test::kAliceKey).substr(0, 80), "\"\nsocket = \"/run/oob/ssh.sock\"\n");
  }
  return text;
}

TEST(CallHomeConfig, HasNoMoreBastionsThanThereIsRoomForTheirSsh) {
  test::ConfigFolder folder;
  ConfigOutcome most = folder.read(with_bastions(kMostBastions));
  ASSERT_TRUE(most.config) << most.faults.front().text();
  EXPECT_EQ(most.config->call_homes.size(), kMostBastions);
  ConfigOutcome more = folder.read(with_bastions(kMostBastions + 1));
  ASSERT_FALSE(more.config);
  EXPECT_NE(more.faults.front().text().find("a board has 16 bastions at most"), std::string::npos)
      << more.faults.front().text();
}

}  // namespace
}  // namespace oob

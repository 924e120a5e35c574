#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/recipe/shell_left.h"
#include "tests/recipe/shell_pull.h"

namespace oob::recipe {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(LastWords, AreThereAlsoWhereTheLineThatStartsTheShellWasDamaged) {
  DeviceTools tools("dash");
  const std::string config = like_pfsense(20000);
  tools.write("config.xml", config);
  RealShell shell(tools, {}, 2);
  ShellPull pull(shell, shell_recipe(tools));
  bool damaged = false;
  unsigned lost = 0;
  // What is to take it back is lost as well, as often as it is waited for.
  shell.spoil = [&](std::string& typed) {
    if (!damaged && typed.starts_with("env ")) {
      damaged = true;
      typed[1] = 'x';
    } else if (damaged && typed == "\x15" && lost < 2) {
      ++lost;
      typed.clear();
    }
  };
  std::string last;
  shell.on_bytes([&] {
    if (last.empty() && !pull.told.empty() && pull.told.back().done > 2000) last = shell.talk().last_words();
  });
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_TRUE(pull.result()) << pull.result().error().what;
  EXPECT_EQ(pull.result()->files.at(0).bytes, config);
  EXPECT_EQ(lost, 2u);
  EXPECT_THAT(last, HasSubstr(kEndShell));
  EXPECT_EQ(shell.talk().last_words(), "");
  expect_as_before(shell, tools);
}

}  // namespace oob::recipe

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/recipe/shell_left.h"
#include "tests/recipe/shell_pull.h"

// Who is asked before a command is run.
namespace oob::recipe {

using namespace std::chrono_literals;
using base::Fault;
using testing::HasSubstr;

namespace {

base::Task<base::Result<>> answered_with(base::Result<> answer) { co_return answer; }

}  // namespace

TEST(MayRun, IsAskedOnceAllIsReadyForTheCommand) {
  DeviceTools tools("dash");
  RealShell shell(tools, {}, 2);
  ShellPull run(shell, shell_recipe(tools), "echo done >marker; echo said", 30'000ms);
  unsigned asked = 0;
  run.may_run = [&] {
    ++asked;
    EXPECT_EQ(tools.read("marker"), "");
    EXPECT_EQ(tools.left_over().size(), 1u);
    return answered_with({});
  };
  ASSERT_TRUE(run.carry(60s));
  ASSERT_TRUE(run.ran()) << run.ran().error().what;
  EXPECT_EQ(asked, 1u);
  EXPECT_EQ(tools.read("marker"), "done\n");
  EXPECT_EQ(run.ran()->out, "said\n");
  EXPECT_EQ(run.ran()->unread, "");
  expect_as_before(shell, tools);
}

TEST(MayRun, EndsItWithItsOwnWords) {
  DeviceTools tools("dash");
  RealShell shell(tools, {}, 2);
  ShellPull run(shell, shell_recipe(tools), "echo done >marker", 30'000ms);
  run.may_run = [] { return answered_with(base::fail(Fault::busy, "it is being confirmed")); };
  ASSERT_TRUE(run.carry(60s));
  ASSERT_FALSE(run.ran());
  EXPECT_EQ(run.ran().error().what, "it is being confirmed");
  EXPECT_EQ(run.ran().error().fault, Fault::busy);
  EXPECT_EQ(tools.read("marker"), "");
  expect_as_before(shell, tools);
}

TEST(MayRun, IsNotAskedWhereTheCommandCannotBeRun) {
  DeviceTools tools("dash");
  tools.script("mkdir", "exit 1\n");
  RealShell shell(tools, {}, 2);
  ShellPull run(shell, shell_recipe(tools), "echo done >marker", 30'000ms);
  bool asked = false;
  run.may_run = [&] {
    asked = true;
    return answered_with({});
  };
  ASSERT_TRUE(run.carry(60s));
  ASSERT_FALSE(run.ran());
  EXPECT_THAT(run.ran().error().what, HasSubstr("no folder of the device can be written to"));
  EXPECT_FALSE(asked);
  expect_as_before(shell, tools);
}

TEST(MayRun, LetsACommandRunWhoseOutputCannotBeRead) {
  for (const char* tool : {"gzip", "sha256sum"}) {
    DeviceTools tools("dash");
    tools.remove(tool);
    if (tool == std::string("sha256sum"))
      for (const char* other : {"openssl", "shasum"}) tools.remove(other);
    for (bool asks : {true, false}) {
      RealShell shell(tools, {}, 2);
      ShellPull run(shell, shell_recipe(tools), "echo done >marker; exit 3", 30'000ms);
      if (asks) run.may_run = [] { return answered_with({}); };
      ASSERT_TRUE(run.carry(60s)) << tool;
      if (asks) {
        ASSERT_TRUE(run.ran()) << tool << ": " << run.ran().error().what;
        EXPECT_EQ(run.ran()->status, 3);
        EXPECT_THAT(run.ran()->unread, HasSubstr("the device has no "));
        EXPECT_EQ(tools.read("marker"), "done\n");
        tools.write("marker", "");
      } else {
        ASSERT_FALSE(run.ran());
        EXPECT_EQ(tools.read("marker"), "");
      }
      expect_as_before(shell, tools);
    }
  }
}

}  // namespace oob::recipe

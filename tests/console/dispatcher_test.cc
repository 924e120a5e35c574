#include "console/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/console/visit.h"

namespace oob::console {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

TEST(Dispatcher, CompletesCommandsDevicesAndOptionsOneMaySee) {
  test::Board board;
  Visitor bob;
  bob.who.user = "bob";
  EXPECT_THAT(complete(board.core, bob, "attach "), ElementsAre("r1"));
  EXPECT_THAT(complete(board.core, bob, "att"), ElementsAre("attach"));
  EXPECT_THAT(complete(board.core, bob, "log r1 --s"), ElementsAre("--safe", "--since", "--stamp"));
  EXPECT_THAT(complete(board.core, bob, ""), Contains("r1"));
  EXPECT_THAT(complete(board.core, bob, ""), Not(Contains("r2")));
  EXPECT_THAT(complete(board.core, bob, "help wh"), ElementsAre("who"));
}

TEST(Dispatcher, HelpComesFromTheRows) {
  for (const CommandRow& row : command_rows()) {
    EXPECT_NE(help_text("").find(row.synopsis), std::string::npos);
    EXPECT_NE(help_text(row.name).find(row.help), std::string::npos);
    EXPECT_TRUE(!row.on_device || row.action) << row.name << " acts on a device and asks nobody";
  }
  EXPECT_EQ(help_text("nonsense"), "");
}

TEST(Dispatcher, LetsNothingActWhereTheDiskIsSoFullThatItIsRefused) {
  test::Board board;
  test::FakeChassis& chassis = board.power("r1");
  test::Visit prompt(board, "root", "");  // was there before the disk was full
  prompt.type("help\n");
  ASSERT_TRUE(prompt.wait_for("power D"));
  board.core.disk.refusal = "THE DISK IS FULL";
  for (const char* command : {"power r1 off --yes r1", "send r1 reboot", "identify r1"}) {
    prompt.out.clear();
    prompt.err.clear();
    prompt.type(std::string(command) + "\n");
    EXPECT_TRUE(prompt.wait_for("THE DISK IS FULL")) << command;
  }
  EXPECT_TRUE(chassis.asked.empty());
  EXPECT_EQ(board.lines["r1"]->typed, "");
  prompt.type("power r1 status\n");  // whoever only looks goes on
  EXPECT_TRUE(prompt.wait_for("r1  on")) << prompt.out << prompt.err;
}

}  // namespace oob::console

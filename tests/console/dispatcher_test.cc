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

}  // namespace oob::console

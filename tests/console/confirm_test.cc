#include "console/confirm.h"

#include <gtest/gtest.h>

#include "tests/console/visit.h"

namespace oob::console {
namespace {

struct Uplinked {
  Uplinked() {
    edge1.name = "edge1";
    edge2.name = "edge2";
    edge2.is_protected = true;
    uplink.name = "uplink";
    uplink.carries_oob = true;
  }
  Device edge1, edge2, uplink;
};

bool confirmed(const std::string& given, const std::string& pattern,
               const std::vector<const Device*>& devices) {
  auto yes =
      confirms(given, confirmation_for(pattern, devices, PowerAction::cycle, Inventory()), pattern, devices);
  return yes && *yes;
}

}  // namespace

TEST(Confirm, AsksNothingForOneDeviceOrToSwitchOn) {
  Uplinked rack;
  EXPECT_EQ(confirmation_for("edge1", {&rack.edge1}, PowerAction::off, Inventory()).names, "");
  EXPECT_EQ(confirmation_for("edge1*", {&rack.edge1}, PowerAction::off, Inventory()).names, "");
  EXPECT_EQ(
      confirmation_for("*", {&rack.edge1, &rack.edge2, &rack.uplink}, PowerAction::on, Inventory()).names,
      "");
  EXPECT_TRUE(confirmed("", "edge1", {&rack.edge1}));
}

TEST(Confirm, WantsAProtectedDeviceNamedAndSaysWhy) {
  Uplinked rack;
  for (PowerAction action : {PowerAction::off, PowerAction::cycle, PowerAction::reset, PowerAction::soft}) {
    Confirmation needed = confirmation_for("edge2", {&rack.edge2}, action, Inventory());
    EXPECT_EQ(needed.names, "edge2");
    EXPECT_EQ(needed.why, "edge2 is protected");
  }
  EXPECT_EQ(confirmation_for("uplink", {&rack.uplink}, PowerAction::soft, Inventory()).why,
            "uplink carries this board's own uplink: you may lock yourself out");
  EXPECT_FALSE(confirmed("", "edge2", {&rack.edge2}));
  EXPECT_TRUE(confirmed("edge2", "edge2", {&rack.edge2}));
}

TEST(Confirm, WantsAGlobAsGivenAndEachProtectedDeviceBesidesIt) {
  Uplinked rack;
  std::vector<const Device*> all = {&rack.edge1, &rack.edge2, &rack.uplink};
  Confirmation needed = confirmation_for("*", all, PowerAction::cycle, Inventory());
  EXPECT_EQ(needed.names, "*,edge2,uplink");
  EXPECT_EQ(needed.why,
            "3 devices; edge2 is protected; uplink carries this board's own uplink: you may lock yourself "
            "out");
  EXPECT_FALSE(confirmed("*", "*", all));
  EXPECT_FALSE(confirmed("*,edge2", "*", all));
  EXPECT_FALSE(confirmed("edge1,edge2,uplink", "*", all));
  EXPECT_TRUE(confirmed("uplink,*,edge2", "*", all));
  EXPECT_EQ(confirmation_for("e*", {&rack.edge1, &rack.edge1}, PowerAction::cycle, Inventory()).names, "e*");
}

TEST(Confirm, WantsTheGuardedDevicesOfTheSameBmcNamedToo) {
  test::Board board;
  board.power("r1", "t7");
  board.power("r2", "t7");
  board.power("x1", "t8");
  Device &free = *board.inventory.find("r1"), &other = *board.inventory.find("r2"),
         &apart = *board.inventory.find("x1");
  apart.is_protected = true;
  auto needed = [&](const std::string& pattern, const std::vector<const Device*>& devices,
                    PowerAction action = PowerAction::off) {
    return confirmation_for(pattern, devices, action, board.inventory);
  };
  EXPECT_EQ(needed("r1", {&free}).names, "");
  other.is_protected = true;
  EXPECT_EQ(needed("r1", {&free}).names, "r2");
  EXPECT_EQ(needed("r1", {&free}).why, "r2 is powered by the same BMC");
  EXPECT_EQ(needed("r1", {&free}, PowerAction::on).names, "");
  EXPECT_EQ(needed("r*", {&free, &other}).names, "r*,r2");
  EXPECT_EQ(needed("r*", {&free, &other}).why, "2 devices; r2 is protected");
  auto yes = confirms("r2", needed("r1", {&free}), "r1", {&free});
  EXPECT_TRUE(yes && *yes);
  yes = confirms("r1", needed("r1", {&free}), "r1", {&free});
  EXPECT_TRUE(yes && !*yes);
  free.is_protected = true;
  EXPECT_EQ(needed("r1", {&free}).names, "r1,r2");
  other.carries_oob = true;
  EXPECT_EQ(needed("r1", {&free}).why,
            "r1 is protected; r2, which carries this board's own uplink, is powered by the same BMC: you may "
            "lock yourself out");
  other.chassis = nullptr;
  EXPECT_EQ(needed("r1", {&free}).names, "r1");
}

TEST(Confirm, DoesNotStandWhenADeviceIsGuardedBeforeTheAnswer) {
  test::Board board;
  board.power("r1", "t7");
  board.power("r2", "t7");
  Device &one = *board.inventory.find("r1"), &other = *board.inventory.find("r2");
  EXPECT_TRUE(still_confirmed({}, {"r1", "gone"}, PowerAction::off, board.inventory));
  one.is_protected = true;
  base::Result<> still = still_confirmed({}, {"r1"}, PowerAction::off, board.inventory);
  ASSERT_FALSE(still);
  EXPECT_EQ(still.error().fault, base::Fault::failed);
  EXPECT_EQ(still.error().what, "not done: now r1 is protected");
  EXPECT_TRUE(still_confirmed({}, {"r1"}, PowerAction::on, board.inventory));
  EXPECT_TRUE(still_confirmed({"r1", ""}, {"r1"}, PowerAction::off, board.inventory));
  other.is_protected = true;
  still = still_confirmed({"r1", ""}, {"r1"}, PowerAction::off, board.inventory);
  ASSERT_FALSE(still);
  EXPECT_EQ(still.error().what, "not done: now r2 is powered by the same BMC");
  one.is_protected = false;  // wants less than was confirmed
  EXPECT_TRUE(still_confirmed({"r1,r2", ""}, {"r1"}, PowerAction::off, board.inventory));
}

TEST(Confirm, RefusesANameOfSomethingElse) {
  Uplinked rack;
  auto other = confirms("edge2", {}, "edge1", {&rack.edge1});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().fault, base::Fault::usage);
  EXPECT_EQ(other.error().what, "--yes names edge2, which is not what this acts on");
  EXPECT_FALSE(confirms("edge*", {}, "edge1", {&rack.edge1}));
}

}  // namespace oob::console

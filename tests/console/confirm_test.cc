#include "console/confirm.h"

#include <gtest/gtest.h>

namespace oob::console {
namespace {

struct Rack {
  Rack() {
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
  auto yes = confirms(given, confirmation_for(pattern, devices, PowerAction::cycle), pattern, devices);
  return yes && *yes;
}

}  // namespace

TEST(Confirm, AsksNothingForOneDeviceOrToSwitchOn) {
  Rack rack;
  EXPECT_EQ(confirmation_for("edge1", {&rack.edge1}, PowerAction::off).names, "");
  EXPECT_EQ(confirmation_for("edge1*", {&rack.edge1}, PowerAction::off).names, "");
  EXPECT_EQ(confirmation_for("*", {&rack.edge1, &rack.edge2, &rack.uplink}, PowerAction::on).names, "");
  EXPECT_TRUE(confirmed("", "edge1", {&rack.edge1}));
}

TEST(Confirm, WantsAProtectedDeviceNamedAndSaysWhy) {
  Rack rack;
  for (PowerAction action : {PowerAction::off, PowerAction::cycle, PowerAction::reset, PowerAction::soft}) {
    Confirmation needed = confirmation_for("edge2", {&rack.edge2}, action);
    EXPECT_EQ(needed.names, "edge2");
    EXPECT_EQ(needed.why, "edge2 is protected");
  }
  EXPECT_EQ(confirmation_for("uplink", {&rack.uplink}, PowerAction::soft).why,
            "uplink carries this board's own uplink: you may lock yourself out");
  EXPECT_FALSE(confirmed("", "edge2", {&rack.edge2}));
  EXPECT_TRUE(confirmed("edge2", "edge2", {&rack.edge2}));
}

TEST(Confirm, WantsAGlobAsGivenAndEachProtectedDeviceBesidesIt) {
  Rack rack;
  std::vector<const Device*> all = {&rack.edge1, &rack.edge2, &rack.uplink};
  Confirmation needed = confirmation_for("*", all, PowerAction::cycle);
  EXPECT_EQ(needed.names, "*,edge2,uplink");
  EXPECT_EQ(needed.why,
            "3 devices; edge2 is protected; uplink carries this board's own uplink: you may lock yourself "
            "out");
  EXPECT_FALSE(confirmed("*", "*", all));
  EXPECT_FALSE(confirmed("*,edge2", "*", all));
  EXPECT_FALSE(confirmed("edge1,edge2,uplink", "*", all));
  EXPECT_TRUE(confirmed("uplink,*,edge2", "*", all));
  EXPECT_EQ(confirmation_for("e*", {&rack.edge1, &rack.edge1}, PowerAction::cycle).names, "e*");
}

TEST(Confirm, RefusesANameOfSomethingElse) {
  Rack rack;
  auto other = confirms("edge2", {}, "edge1", {&rack.edge1});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().fault, base::Fault::usage);
  EXPECT_EQ(other.error().what, "--yes names edge2, which is not what this acts on");
  EXPECT_FALSE(confirms("edge*", {}, "edge1", {&rack.edge1}));
}

}  // namespace oob::console

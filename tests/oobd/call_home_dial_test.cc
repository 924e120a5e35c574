#include "oobd/call_home_dial.h"

#include <gtest/gtest.h>

namespace oob {
namespace {

TEST(CallHomeWays, BeginWithTheWayOutAndEndWithWhatIsDown) {
  using uplink::Health;
  auto one = [](const char* interface, Health health, bool metered, bool way_out) {
    uplink::Figures figures;
    figures.interface = interface;
    figures.health = health;
    figures.metered = metered;
    figures.is_way_out = way_out;
    figures.addresses = {"198.51.100.10"};
    return figures;
  };
  const std::string bastion = "203.0.113.7:22";
  std::vector<CallHomeWay> ways =
      call_home_ways(bastion, {one("dead0", Health::down, false, false), one("lte0", Health::up, true, false),
                               one("dsl0", Health::up, false, false), one("oob0", Health::up, false, true)});
  std::vector<std::string> names;
  for (const CallHomeWay& way : ways) names.push_back(way.interface);
  EXPECT_EQ(names, (std::vector<std::string>{"oob0", "dsl0", "lte0", "dead0", ""}));
  EXPECT_TRUE(ways[2].metered);
  EXPECT_TRUE(ways[4].metered) << "the routing table may lead by lte0";
  EXPECT_EQ(call_home_ways(bastion, {}), std::vector<CallHomeWay>{CallHomeWay{}});
  ways = call_home_ways(bastion, {one("dead0", Health::down, false, false)});
  EXPECT_EQ(ways, (std::vector<CallHomeWay>{{"dead0", false}, {}}));
  // Of another family, and on the board itself.
  for (const char* other : {"[2001:db8::7]:22", "127.0.0.1:22"})
    EXPECT_EQ(call_home_ways(other, {one("lte0", Health::up, true, true)}),
              std::vector<CallHomeWay>{CallHomeWay{}})
        << other;
}

}  // namespace
}  // namespace oob

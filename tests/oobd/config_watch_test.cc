#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oobd/watch_settings.h"
#include "recipe/book.h"
#include "tests/oobd/config_folder.h"

namespace oob {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kWatchServer[] = R"([server]
listen = ["127.0.0.1:0"]
state = "state"
[device.edge1]
line = { serial = "/dev/ttyUSB0" }
model = "linux"
)";

TEST(WatchConfig, BecomesWhatWatchesAreTold) {
  test::ConfigFolder folder;
  ConfigOutcome outcome = folder.read(std::string(kWatchServer) + R"(
[watch.upstream1]
device    = "edge1"
daemon    = "frr"
neighbour = "2001:db8::1"
command   = "doas vtysh -c 'show bgp summary json'"
every     = "10s"
[watch.beyond]
probe     = ["icmp:192.0.2.1", "tcp:[2001:db8::1]:443"]
interface = "lan0"
)");
  ASSERT_TRUE(outcome.config) << outcome.faults.front().text();
  auto all = watch_settings(*outcome.config);
  ASSERT_EQ(all.size(), 2U);
  const console::WatchSettings &console = all.at("upstream1"), &probes = all.at("beyond");
  EXPECT_EQ(console.device, "edge1");
  EXPECT_EQ(console.daemon, console::RoutingDaemon::frr);
  EXPECT_EQ(console.neighbour, "2001:db8::1");
  EXPECT_EQ(console.command, "doas vtysh -c 'show bgp summary json'");
  EXPECT_EQ(console.every, std::chrono::seconds(10));
  EXPECT_TRUE(console.targets.empty());
  EXPECT_EQ(probes.device, "");
  ASSERT_EQ(probes.targets.size(), 2U);
  EXPECT_EQ(probes.targets[1].text, "tcp:[2001:db8::1]:443");
  EXPECT_EQ(probes.interface, "lan0");
  EXPECT_EQ(probes.every, std::chrono::seconds(60));
}

TEST(WatchConfig, OfADeviceHasTheAlarmsOfItsModelBesideItsOwn) {
  test::ConfigFolder folder;
  ConfigOutcome outcome =
      folder.read(std::string(kWatchServer) + "alarms = [\"(?i)fan\", \"EXT4-fs error \\\\(device\"]\n");
  ASSERT_TRUE(outcome.config) << outcome.faults.front().text();
  EXPECT_THAT(outcome.config->devices.at("edge1").alarms,
              ElementsAre("(?i)fan", "EXT4-fs error \\(device", "I/O error, dev \\w+, sector"));
  outcome = folder.read(std::string(kWatchServer));
  ASSERT_TRUE(outcome.config);
  EXPECT_THAT(outcome.config->devices.at("edge1").alarms, Contains("EXT4-fs error \\(device"));
}

TEST(WatchConfig, HasNoMoreAlarmsThanADeviceMayHaveTogether) {
  test::ConfigFolder folder;
  std::string many;
  for (int i = 0; i < 63; ++i) many += base::str(i ? ", " : "", "\"fan ", i, "\"");
  ConfigOutcome outcome = folder.read(base::str(kWatchServer, "alarms = [", many, "]\n"));
  ASSERT_FALSE(outcome.config);
  EXPECT_THAT(outcome.faults.front().text(),
              HasSubstr("alarms with those of the model: 65 patterns; a device has at most 64"));
}

TEST(WatchConfig, KnowsNoShippedRecipeWhoseAlarmsCantBeUsed) {
  for (const auto& [name, text] : recipe::shipped_recipes()) {
    test::ConfigFolder folder;
    std::string config = kWatchServer;
    config.replace(config.find("linux"), 5, name);
    EXPECT_TRUE(folder.read(config).config) << name;
  }
}

}  // namespace
}  // namespace oob

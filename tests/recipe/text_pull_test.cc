#include <gtest/gtest.h>

#include "base/sha256.h"
#include "tests/recipe/simulated_visit.h"

namespace oob::recipe {
namespace {

using base::Fault;

std::string ios_config(const char* last = "end\n") {
  std::string text = "!\nversion 15.2\nhostname router1\n";
  for (int i = 0; i < 60; ++i) text += base::str("interface Vlan", i, "\n ip address 192.0.2.", i, "\n!\n");
  return text + last;
}

struct PulledOnce {
  explicit PulledOnce(std::string config, bool pages = false)
      : device(Talk::Time{} + std::chrono::hours(1), SimulatedCli::Kind::ios, std::move(config)),
        visit(device, "ios", cli_credentials()) {
    device.pages = pages;
    visit.work = SimulatedVisit::Work::pull;
    EXPECT_TRUE(visit.carry());
    EXPECT_TRUE(visit.left);
    EXPECT_FALSE(device.somebody_is_logged_in());
  }
  SimulatedCli device;
  SimulatedVisit visit;
};

TEST(PullText, ReadsAConfigurationTwice) {
  PulledOnce once(ios_config());
  ASSERT_TRUE(once.visit.pulled && *once.visit.pulled)
      << (once.visit.pulled ? once.visit.pulled->error().what : once.visit.arrived.error().what);
  const Pulled& pulled = **once.visit.pulled;
  EXPECT_EQ(pulled.method, "text-twice");
  EXPECT_EQ(pulled.device_version, "Cisco IOS Software, Version 15.2(4)E10");
  ASSERT_EQ(pulled.files.size(), 1u);
  EXPECT_EQ(pulled.files[0].name, "running-config");
  EXPECT_EQ(pulled.files[0].bytes, "Building configuration...\n\n" + ios_config());
  EXPECT_EQ(pulled.files[0].sha256, base::hex(base::sha256(pulled.files[0].bytes)));
  EXPECT_EQ(pulled.absent, std::vector<std::string>{"startup-config"});
  EXPECT_EQ(pulled.retries, 0u);
  EXPECT_GT(pulled.wire_bytes, 2 * ios_config().size());
}

TEST(PullText, StoresNothingThatWasCut) {
  PulledOnce once(ios_config(""));
  ASSERT_TRUE(once.visit.pulled);
  ASSERT_FALSE(*once.visit.pulled);
  EXPECT_EQ(once.visit.pulled->error().fault, Fault::failed);
  EXPECT_EQ(once.visit.pulled->error().what,
            "running-config was cut: its last line is '!', not what the recipe ends it with");
}

// The shipped recipe leaves a pager by Ctrl-C, so that what it shows is cut, and is seen to be.
TEST(PullText, StoresNothingOfAPagerThatStays) {
  PulledOnce once(ios_config(), true);
  ASSERT_TRUE(once.visit.pulled);
  EXPECT_FALSE(*once.visit.pulled);
}

// As long as Ctrl-C leads back from a pager, what it shows is cut; `run` pages through it.
TEST(RunText, GivesEveryLineAlsoBehindAPager) {
  SimulatedCli device(Talk::Time{} + std::chrono::hours(1), SimulatedCli::Kind::ios, ios_config());
  device.pages = true;
  SimulatedVisit visit(device, "ios", cli_credentials());
  visit.work = SimulatedVisit::Work::run;
  visit.command = "show running-config";
  ASSERT_TRUE(visit.carry());
  ASSERT_TRUE(visit.ran && *visit.ran);
  EXPECT_EQ((*visit.ran)->out, "Building configuration...\n\n" + ios_config());
  EXPECT_EQ((*visit.ran)->status, 0);
  EXPECT_TRUE(visit.left);
}

TEST(RunText, GivesLinesThatAreNoiseInAConfiguration) {
  SimulatedCli device(Talk::Time{} + std::chrono::hours(1), SimulatedCli::Kind::ios, ios_config());
  SimulatedVisit visit(device, "ios", cli_credentials());
  visit.work = SimulatedVisit::Work::run;
  visit.command = "show logging";
  ASSERT_TRUE(visit.carry());
  ASSERT_TRUE(visit.ran && *visit.ran);
  EXPECT_EQ((*visit.ran)->out,
            "Log Buffer (4096 bytes):\n\n*Mar  1 00:00:07.123: %LINK-3-UPDOWN: Interface Gi0/1, up\n");
}

TEST(PullText, WaitsForADeviceThatPauses) {
  for (int seconds : {5, 10, 25, 40}) {
    SimulatedCli device(Talk::Time{} + std::chrono::hours(1), SimulatedCli::Kind::ios, ios_config());
    device.pause = std::chrono::seconds(seconds);
    SimulatedVisit visit(device, "ios", cli_credentials());
    visit.work = SimulatedVisit::Work::pull;
    ASSERT_TRUE(visit.carry());
    ASSERT_TRUE(visit.pulled && *visit.pulled) << seconds << visit.pulled->error().what;
    EXPECT_EQ((*visit.pulled)->files[0].bytes, "Building configuration...\n\n" + ios_config()) << seconds;
    EXPECT_TRUE(visit.left);
  }
}

TEST(PullText, TakesALineOfABannerForNoError) {
  std::string config =
      "!\nversion 15.2\nhostname router1\nbanner motd ^C\n!\n!\n% Invalid users keep out\n^C\nend\n";
  PulledOnce once(config);
  ASSERT_TRUE(once.visit.pulled && *once.visit.pulled);
  EXPECT_EQ((*once.visit.pulled)->files[0].bytes, "Building configuration...\n\n" + config);
}

TEST(PullText, LeavesASessionThatWasOpenAsItWas) {
  for (auto kind : {SimulatedCli::Kind::ios, SimulatedCli::Kind::junos}) {
    bool ios = kind == SimulatedCli::Kind::ios;
    SimulatedCli device(Talk::Time{} + std::chrono::hours(1), kind, ios ? ios_config() : "system {\n}\n");
    device.log_in();
    SimulatedVisit visit(device, ios ? "ios" : "junos", cli_credentials());
    visit.work = SimulatedVisit::Work::pull;
    ASSERT_TRUE(visit.carry());
    EXPECT_TRUE(visit.pulled && *visit.pulled);
    EXPECT_TRUE(visit.left);
    EXPECT_NE(visit.line.typed.find(ios ? "terminal length 0\r" : "screen-length 0\r"), std::string::npos);
    if (visit.visit.found_open()) {
      EXPECT_EQ(device.length(), 24u);
    }
    EXPECT_EQ(visit.visit.found_open(), !ios);  // IOS was found at router1>, where no commands are run
  }
}

}  // namespace
}  // namespace oob::recipe

#include "uplink/ways.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/loop.h"
#include "tests/uplink/two_namespaces.h"

namespace oob::uplink {
namespace {

using testing::Contains;
using testing::ElementsAre;

Ip ip(const char* text) {
  std::optional<Ip> found = ip_of(text);
  EXPECT_TRUE(found) << text;
  return found.value_or(Ip());
}

Figures one(const char* interface, Health health, std::vector<std::string> addresses) {
  Figures figures;
  figures.name = figures.interface = interface;
  figures.health = health;
  figures.addresses = std::move(addresses);
  return figures;
}

// A board with two fixed uplinks, a modem without IPv6, and a leg in the provider's network that is none.
class Ways : public testing::Test {
 protected:
  Ways() {
    uplinks_ = {one("lte0", Health::up, {"100.64.0.10"}), one("oob0", Health::up, {"198.51.100.10"}),
                one("oob1", Health::up, {"10.1.0.2", "2001:db8:3::10", "fe80::1%oob1"})};
    uplinks_[0].metered = true;
    uplinks_[1].is_way_out = true;
  }
  std::vector<std::string> to(const char* address) { return ways_to(ip(address), uplinks_, networks_); }

  std::vector<Figures> uplinks_;
  std::vector<Network> networks_ = {{"lo", ip("127.0.0.1"), 8},        {"lte0", ip("100.64.0.10"), 30},
                                    {"oob0", ip("198.51.100.10"), 25}, {"oob1", ip("2001:db8:3::10"), 64},
                                    {"oob1", ip("10.1.0.2"), 24},      {"lan0", ip("203.0.113.5"), 24},
                                    {"lan0", ip("2001:db8:2::5"), 64}};
};

TEST_F(Ways, BeginWithTheWayOutAndEndWithTheRoutingTable) {
  EXPECT_THAT(to("192.0.2.1"), ElementsAre("oob0", "oob1", "lte0", ""));
  uplinks_[1].health = Health::degraded;
  EXPECT_THAT(to("192.0.2.1"), ElementsAre("oob0", "oob1", "lte0", ""));
  uplinks_[1].is_way_out = false;
  uplinks_[0].metered = false;
  EXPECT_THAT(to("192.0.2.1"), ElementsAre("lte0", "oob1", "oob0", ""));
}

// Probes may be wrong; without an address there is no way.
TEST_F(Ways, HaveWhatIsDownAfterTheOthers) {
  uplinks_[1].health = Health::down;
  EXPECT_THAT(to("192.0.2.1"), ElementsAre("oob1", "lte0", "oob0", ""));
  for (Figures& each : uplinks_) each.health = Health::down;
  EXPECT_THAT(to("192.0.2.1"), ElementsAre("oob0", "oob1", "lte0", ""));
  for (Figures& each : uplinks_) each.addresses.clear();
  EXPECT_THAT(to("192.0.2.1"), ElementsAre(""));
  uplinks_.clear();
  EXPECT_THAT(to("192.0.2.1"), ElementsAre(""));
}

TEST_F(Ways, LeaveOutWhatHasNoAddressOfTheFamily) {
  EXPECT_THAT(to("2001:db8:9::9"), ElementsAre("oob1", ""));
  uplinks_[2].addresses = {"10.1.0.2", "fe80::1%oob1"};
  EXPECT_THAT(to("2001:db8:9::9"), ElementsAre(""));
}

TEST_F(Ways, AreUnboundToTheBoardItself) {
  for (const char* here : {"127.0.0.1", "127.8.9.10", "::1", "198.51.100.10", "203.0.113.5", "fe80::7%lan0"})
    EXPECT_THAT(to(here), ElementsAre("")) << here;
}

TEST_F(Ways, AreUnboundIntoANetworkOfALegThatIsNoUplink) {
  EXPECT_THAT(to("203.0.113.200"), ElementsAre(""));
  EXPECT_THAT(to("2001:db8:2::77"), ElementsAre(""));
  EXPECT_THAT(to("2001:db8:2:1::77"), ElementsAre("oob1", ""));
  std::erase_if(networks_, [](const Network& each) { return each.interface == "lan0"; });  // no carrier
  EXPECT_THAT(to("203.0.113.200"), ElementsAre("oob0", "oob1", "lte0", ""));
}

TEST_F(Ways, BeginWithTheUplinkInWhoseNetworkItIs) {
  EXPECT_THAT(to("10.1.0.9"), ElementsAre("oob1", "oob0", "lte0", ""));
  uplinks_[2].health = Health::down;
  EXPECT_THAT(to("10.1.0.9"), ElementsAre("oob0", "lte0", "oob1", ""));
}

TEST_F(Ways, TakeANetworkOfEverythingForNone) {
  networks_.push_back({"tun0", ip("10.8.0.1"), 0});
  EXPECT_THAT(to("192.0.2.1"), ElementsAre("oob0", "oob1", "lte0", ""));
}

TEST_F(Ways, AreOfEachFamilyToWhatIsNoAddress) {
  EXPECT_THAT(ways_to("collector.example.net", uplinks_), ElementsAre("oob0", "oob1", "lte0", ""));
  EXPECT_THAT(ways_to("127.0.0.1", uplinks_), ElementsAre(""));
}

TEST(Networks, AreThoseOfThisBoard) {
  auto here = networks();
  ASSERT_TRUE(here) << here.error().what;
  EXPECT_THAT(*here, Contains(Network{"lo", ip("127.0.0.1"), 8}));
}

TEST(Networks, AreOfInterfacesThatCarry) {
  if (std::string missing = test::TwoNamespaces::missing(); !missing.empty()) GTEST_SKIP() << missing;
  test::TwoNamespaces lab;
  Network v4{"oob0", ip("10.1.0.2"), 24}, v6{"lte0", ip("2001:db8:2::2"), 64};
  auto now = networks();
  ASSERT_TRUE(now) << now.error().what;
  EXPECT_THAT(*now, Contains(v4));
  EXPECT_THAT(*now, Contains(v6));
  for (const Network& each : *now) EXPECT_FALSE(each.address.is_link_local());
  lab.outside("ip link set far1 down");  // the address stays, the carrier goes
  // The kernel tells of a carrier in its own time, which is at most a second.
  const auto limit = base::Clock::now() + std::chrono::seconds(10);
  do {
    ::poll(nullptr, 0, 10);
    now = networks();
    ASSERT_TRUE(now) << now.error().what;
  } while (base::Clock::now() < limit && std::find(now->begin(), now->end(), v4) != now->end());
  EXPECT_THAT(*now, testing::Not(Contains(v4)));
  EXPECT_THAT(*now, Contains(v6));
}

}  // namespace
}  // namespace oob::uplink

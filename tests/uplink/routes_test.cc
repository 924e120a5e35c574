#include "uplink/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#ifdef __linux__
#include <sched.h>
#endif

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>

#include "base/bytes.h"
#include "tests/uplink/two_namespaces.h"
#include "uplink/ip.h"

namespace oob::uplink {
namespace {

using testing::Contains;
using testing::IsEmpty;

TEST(Ip, IsReadFromEndpointsAndProbesOfBothFamilies) {
  EXPECT_EQ(ip_of_endpoint("192.0.2.1:2222"), ip_of("192.0.2.1"));
  EXPECT_EQ(ip_of_endpoint("[2001:db8::1]:2222"), ip_of("2001:DB8:0::1"));
  EXPECT_EQ(ip_of_probe("tcp:[2001:db8::1]:443"), ip_of("2001:db8::1"));
  EXPECT_EQ(ip_of_probe("tcp:192.0.2.1:443"), ip_of("192.0.2.1"));
  EXPECT_EQ(ip_of_probe("icmp:192.0.2.1"), ip_of("192.0.2.1"));
  EXPECT_EQ(ip_of_probe("icmp:2001:db8::1"), ip_of("2001:db8::1"));
  EXPECT_EQ(ip_of_probe("icmp:[2001:db8::1]"), ip_of("2001:db8::1"));
  EXPECT_EQ(ip_of("fe80::1%lte0"), ip_of("fe80::1"));
  for (const char* text :
       {"", "oob.example.net", "192.0.2", "192.0.2.1.1", "udp:192.0.2.1:5", "icmp:", "tcp:"})
    EXPECT_FALSE(ip_of_probe(text)) << text;
}

TEST(Ip, KnowsNetworksBitByBit) {
  auto same = [](const char* one, const char* other, unsigned prefix) {
    return same_network(*ip_of(one), *ip_of(other), prefix);
  };
  EXPECT_TRUE(same("10.1.2.3", "10.1.3.4", 23));
  EXPECT_FALSE(same("10.1.2.3", "10.1.3.4", 24));
  EXPECT_TRUE(same("10.1.2.3", "192.0.2.1", 0));
  EXPECT_TRUE(same("10.1.2.3", "10.1.2.3", 32));
  EXPECT_FALSE(same("10.1.2.3", "10.1.2.2", 32));
  EXPECT_TRUE(same("2001:db8::1", "2001:db8:0:0:ffff::1", 64));
  EXPECT_FALSE(same("2001:db8::1", "2001:db8:0:1::1", 64));
  EXPECT_FALSE(same("2001:db8::1", "32.1.13.184", 0));
  EXPECT_FALSE(same("10.1.2.3", "10.1.2.3", 33));
}

TEST(Ip, KnowsWhatNobodyOutsideDials) {
  EXPECT_TRUE(ip_of("0.0.0.0")->is_any());
  EXPECT_TRUE(ip_of("::")->is_any());
  EXPECT_TRUE(ip_of("::1")->is_loopback());
  EXPECT_TRUE(ip_of("127.0.0.2")->is_loopback());
  EXPECT_FALSE(ip_of("::")->is_loopback());
  EXPECT_TRUE(ip_of("169.254.3.4")->is_link_local());
  EXPECT_TRUE(ip_of("febf::1")->is_link_local());
  EXPECT_FALSE(ip_of("fec0::1")->is_link_local());
  EXPECT_TRUE(ip_of("fd12::1")->is_unique_local());
  EXPECT_FALSE(ip_of("2001:db8::1")->is_unique_local());
}

TEST(Routes, AskForSomebodyWhoIsInNoNetworkOfTheBoard) {
  std::map<std::string, Leg> legs;
  std::string first = somebody_outside(legs, false);
  legs["eth0"].addresses = {{first, 24}};
  EXPECT_NE(somebody_outside(legs, false), first);
  EXPECT_EQ(somebody_outside(legs, true), somebody_outside({}, true));
}

#ifdef __linux__

bool ip_command(const std::string& words) {
  return std::system(base::str("ip ", words, " 2>/dev/null").c_str()) == 0;
}

// Runs `what` in a network namespace of its own, which goes with its thread; false where that can't be had.
bool in_a_namespace(const std::function<void()>& what) {
  bool had = false;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) < 0 || !ip_command("link set lo up")) return;
    had = true;
    what();
  }).join();
  return had;
}

void add_leg(const std::string& name, const std::string& address) {
  ASSERT_TRUE(ip_command(base::str("link add name ", name, " type veth peer name far-", name)));
  ASSERT_TRUE(ip_command(base::str("link set far-", name, " up")));
  ASSERT_TRUE(ip_command(base::str("link set ", name, " up")));
  ASSERT_TRUE(ip_command(base::str("address add ", address, " dev ", name, " nodad")));
}

// From `address`, as a socket bound to `interface` would send, or one that is not.
Way way_from(const Board& board, const std::string& address, const std::string& interface) {
  for (const Way& each : board.ways)
    if (each.from == address && each.bound == interface) return each;
  ADD_FAILURE() << "not asked: " << address;
  return {};
}

Board looked(const std::vector<Errand>& errands = {}) {
  base::Result<Board> board = look(errands);
  EXPECT_TRUE(board) << board.error().what;
  if (!board) return {};
  EXPECT_EQ(board->trouble, "");
  return *board;
}

TEST(Routes, OfABoundSocketAreThoseByItsInterfaceAlone) {
  bool had = in_a_namespace([] {
    add_leg("lan0", "10.20.0.5/24");
    add_leg("oob0", "198.51.100.10/24");
    ASSERT_TRUE(ip_command("route add default via 10.20.0.1"));
    // Linux's own answer to a bound socket would be that 9.9.9.9 is on this wire.
    Board board = looked({{"oob0", "192.0.2.1"}, {"no0", "192.0.2.1"}, {"oob0", "198.51.100.7"}});
    EXPECT_FALSE(way_from(board, "198.51.100.10", "oob0").exists);
    EXPECT_EQ(way_from(board, "198.51.100.10", "").interface, "lan0");
    EXPECT_EQ(way_from(board, "10.20.0.5", "lan0").gateway, "10.20.0.1");
    ASSERT_GE(board.ways.size(), 3U);
    EXPECT_FALSE(board.ways[board.ways.size() - 3].exists);
    EXPECT_FALSE(board.ways[board.ways.size() - 2].exists);
    EXPECT_TRUE(board.ways.back().exists);

    ASSERT_TRUE(ip_command("route add default via 198.51.100.1 metric 1000"));
    board = looked();
    EXPECT_EQ(way_from(board, "198.51.100.10", "oob0").gateway, "198.51.100.1");
    EXPECT_EQ(way_from(board, "198.51.100.10", "").interface, "lan0") << "only what is bound goes by it";
    EXPECT_THAT(board.defaults, Contains(DefaultRoute{false, "lan0", "10.20.0.1", 0, 254}));
    EXPECT_THAT(board.defaults, Contains(DefaultRoute{false, "oob0", "198.51.100.1", 1000, 254}));
  });
  if (!had) GTEST_SKIP() << "needs root and iproute2, for a network namespace";
}

TEST(Routes, FollowRulesIntoOtherTablesInBothFamilies) {
  bool had = in_a_namespace([] {
    add_leg("oob0", "198.51.100.10/24");
    add_leg("lte0", "2001:db8:7::10/64");
    ASSERT_TRUE(ip_command("route add default via 198.51.100.1 table 110"));
    ASSERT_TRUE(ip_command("-6 route add 2000::/3 via 2001:db8:7::1 dev lte0 table 1200"));
    Board board = looked();
    EXPECT_FALSE(way_from(board, "198.51.100.10", "oob0").exists) << "no rule leads to that table";
    EXPECT_FALSE(way_from(board, "2001:db8:7::10", "lte0").exists);
    EXPECT_THAT(board.defaults, Contains(DefaultRoute{false, "oob0", "198.51.100.1", 0, 110}));
    EXPECT_THAT(board.defaults, Contains(DefaultRoute{true, "lte0", "2001:db8:7::1", 1024, 1200}));

    ASSERT_TRUE(ip_command("rule add from 198.51.100.10 lookup 110"));
    ASSERT_TRUE(ip_command("-6 rule add oif lte0 lookup 1200"));
    board = looked();
    EXPECT_EQ(way_from(board, "198.51.100.10", "oob0").gateway, "198.51.100.1");
    EXPECT_EQ(way_from(board, "198.51.100.10", "").interface, "oob0");
    EXPECT_EQ(way_from(board, "2001:db8:7::10", "lte0").gateway, "2001:db8:7::1");
    EXPECT_FALSE(way_from(board, "2001:db8:7::10", "").exists);
  });
  if (!had) GTEST_SKIP() << "needs root and iproute2, for a network namespace";
}

TEST(Routes, TakeTheHopOfTheBoundInterfaceAndDefaultsInHalvesAndWithoutGateway) {
  bool had = in_a_namespace([] {
    add_leg("oob0", "198.51.100.10/24");
    add_leg("ppp0", "100.64.0.9/32");
    ASSERT_TRUE(ip_command("route add default nexthop via 198.51.100.1 dev oob0 nexthop dev ppp0"));
    ASSERT_TRUE(ip_command("route add 128.0.0.0/1 dev ppp0 table 7"));
    ASSERT_TRUE(ip_command("route add unreachable default metric 4000"));
    Board board = looked();
    EXPECT_EQ(way_from(board, "100.64.0.9", "ppp0").interface, "ppp0");
    EXPECT_EQ(way_from(board, "198.51.100.10", "oob0").gateway, "198.51.100.1");
    EXPECT_THAT(board.defaults, Contains(DefaultRoute{false, "oob0", "198.51.100.1", 0, 254}));
    EXPECT_THAT(board.defaults, Contains(DefaultRoute{false, "ppp0", "", 0, 254}));
    EXPECT_THAT(board.defaults, Contains(DefaultRoute{false, "ppp0", "", 0, 7}));
    EXPECT_EQ(board.defaults.size(), 3U);
  });
  if (!had) GTEST_SKIP() << "needs root and iproute2, for a network namespace";
}

// As with the Internet's own by the provider's router.
TEST(Routes, AreNotAllReadWhereThereAreVeryMany) {
  bool had = in_a_namespace([] {
    add_leg("lan0", "10.20.0.5/16");
    add_leg("oob0", "198.51.100.10/24");
    ASSERT_TRUE(ip_command("address add 2001:db8:20::5/64 dev lan0 nodad"));
    ASSERT_TRUE(ip_command("address add 2001:db8:51::10/64 dev oob0 nodad"));
    ASSERT_TRUE(ip_command("route add default via 10.20.0.1 metric 50"));
    ASSERT_TRUE(ip_command("route add default via 198.51.100.1 table 110"));
    ASSERT_TRUE(ip_command("-6 route add default via 2001:db8:51::1 dev oob0 metric 100"));
    FILE* batch = ::popen("ip -batch -", "w");
    ASSERT_TRUE(batch);
    for (std::size_t i = 0; i < kMostRoutes; ++i) {
      std::fprintf(batch, "route add 11.%zu.%zu.0/24 via 10.20.0.1\n", i / 256, i % 256);
      std::fprintf(batch, "route add 2001:db8:%zx::/48 via 2001:db8:20::1\n", 0x1000 + i);
    }
    ASSERT_EQ(::pclose(batch), 0);
    base::Result<Board> board = look({});
    ASSERT_TRUE(board);
    EXPECT_TRUE(board->defaults_cut);
    EXPECT_EQ(board->trouble,
              "there are more than 10000 IPv6 routes by lan0, so default routes by it may be missed");
    EXPECT_THAT(board->defaults, Contains(DefaultRoute{false, "lan0", "10.20.0.1", 50, 254}));
    EXPECT_THAT(board->defaults, Contains(DefaultRoute{false, "oob0", "198.51.100.1", 0, 110}));
    EXPECT_THAT(board->defaults, Contains(DefaultRoute{true, "oob0", "2001:db8:51::1", 100, 254}));
    EXPECT_EQ(board->defaults.size(), 3U);
  });
  if (!had) GTEST_SKIP() << "needs root and iproute2, for a network namespace";
}

TEST(Routes, TellOfInterfacesWithoutTheLoopbackAndLinkLocalAddresses) {
  bool had = in_a_namespace([] {
    add_leg("oob0", "198.51.100.10/25");
    ASSERT_TRUE(ip_command("link add name lte0 type veth peer name modem"));
    ASSERT_TRUE(ip_command("address add 169.254.3.4/16 dev oob0"));
    ASSERT_TRUE(test::comes_to_carry("oob0"));
    Board board = looked();
    EXPECT_EQ(board.legs.count("lo"), 0U);
    EXPECT_TRUE(board.legs["oob0"].is_up);
    EXPECT_FALSE(board.legs["lte0"].is_up);
    EXPECT_THAT(board.legs["lte0"].addresses, IsEmpty());
    EXPECT_THAT(board.legs["oob0"].addresses, testing::ElementsAre(Leg::Address{"198.51.100.10", 25}));
    EXPECT_TRUE(board.legs["oob0"].rp_filter);
    EXPECT_TRUE(board.legs["oob0"].arp_ignore);
    EXPECT_FALSE(board.forwards_ipv4);
  });
  if (!had) GTEST_SKIP() << "needs root and iproute2, for a network namespace";
}

#endif

}  // namespace
}  // namespace oob::uplink

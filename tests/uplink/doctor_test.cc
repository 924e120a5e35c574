#include "uplink/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/bytes.h"

namespace oob::uplink {
namespace {

using testing::HasSubstr;

// A board as docs/uplinks.md wants it: a fixed uplink, a modem, and a leg in the provider's network.
Plan good_plan() {
  Plan plan;
  plan.uplinks = {{"fixed", "oob0", {"198.51.100.10:2222"}, {"icmp:192.0.2.1"}, false},
                  {"lte", "lte0", {"0.0.0.0:2222"}, {"tcp:192.0.2.1:443"}, true}};
  plan.listen = {"127.0.0.1:2222"};
  return plan;
}

constexpr const char* kOutside = "9.9.9.9";

void set_way(Board& board, const std::string& from, const std::string& bound, const std::string& leaves_by) {
  for (Way& each : board.ways)
    if (each.from == from && each.bound == bound) {
      each.exists = !leaves_by.empty();
      each.interface = leaves_by;
      return;
    }
  board.ways.push_back({from, kOutside, bound, !leaves_by.empty(), leaves_by, ""});
}

Board good_board() {
  Board board;
  board.legs["oob0"] = {true, {{"198.51.100.10", 24}}, 2, 0, 0};
  board.legs["lte0"] = {true, {{"100.64.3.9", 30}}, 2, 0, 0};
  board.legs["lan0"] = {true, {{"10.20.0.5", 16}}, 2, 0, 0};
  board.defaults = {{false, "oob0", "198.51.100.1", 100, 254}, {false, "lte0", "", 2000, 254}};
  for (const char* interface : {"oob0", "lte0", "lan0"})
    for (const Leg::Address& each : board.legs[interface].addresses) {
      set_way(board, each.address, interface, std::string(interface) == "lan0" ? "" : interface);
      set_way(board, each.address, "", "oob0");
    }
  for (const char* interface : {"oob0", "lte0"})
    board.ways.push_back({"", "192.0.2.1", interface, true, interface, ""});
  return board;
}

TEST(Doctor, HasNothingToSayOfAGoodBoard) {
  for (const Finding& each : diagnose(good_plan(), good_board())) ADD_FAILURE() << each.line();
}

// What is changed on the good board, and the one thing that is then said.
struct DoctorCase {
  const char* name;
  std::function<void(Plan&, Board&)> change;
  bool is_error;
  const char *what, *cure;
};

class Doctor : public testing::TestWithParam<DoctorCase> {};

TEST_P(Doctor, SaysWhatIsWrongAndItsCure) {
  Plan plan = good_plan();
  Board board = good_board();
  GetParam().change(plan, board);
  std::vector<Finding> findings = diagnose(plan, board);
  for (const Finding& each : findings) {
    SCOPED_TRACE(each.line());
    EXPECT_EQ(each.what.find_first_of("\n\r"), std::string::npos);
    EXPECT_FALSE(each.cure.empty());
  }
  ASSERT_EQ(findings.size(), 1U) << (findings.empty() ? "" : findings[1].line());
  EXPECT_EQ(findings[0].is_error, GetParam().is_error);
  EXPECT_THAT(findings[0].what, HasSubstr(GetParam().what));
  EXPECT_THAT(findings[0].cure, HasSubstr(GetParam().cure));
}

const DoctorCase kDoctorCases[] = {
    {"no_route_for_a_bound_listener",
     [](Plan&, Board& board) {
       set_way(board, "198.51.100.10", "oob0", "");
       board.defaults.erase(board.defaults.begin());
     },
     true, "uplink fixed: no IPv4 route to the outside leaves by oob0, so whoever dials 198.51.100.10",
     "ip route add default via GATEWAY dev oob0 metric 1000"},
    {"a_table_without_a_rule",
     [](Plan&, Board& board) {
       set_way(board, "198.51.100.10", "oob0", "");
       board.defaults[0].table = 110;
     },
     true, "no IPv4 route to the outside leaves by oob0", "ip rule add oif oob0 lookup 110"},
    {"no_route_of_the_other_family",
     [](Plan& plan, Board& board) {
       plan.uplinks[0].listen.push_back("[::]:2222");
       board.legs["oob0"].addresses.push_back({"2001:db8:1::10", 64});
       set_way(board, "2001:db8:1::10", "oob0", "");
     },
     true, "uplink fixed: no IPv6 route to the outside leaves by oob0, so whoever dials 2001:db8:1::10",
     "ip -6 route add default via GATEWAY dev oob0"},
    {"no_way_out_of_an_uplink_that_is_not_dialled",
     [](Plan& plan, Board& board) {
       plan.uplinks[1].listen.clear();
       plan.calls_home = true;
       set_way(board, "100.64.3.9", "lte0", "");
     },
     true, "uplink lte: no route to the outside leaves by lte0, so neither its probes nor what goes out",
     "ip route add default"},
    {"strict_filter_and_another_way_back", [](Plan&, Board& board) { board.legs["lte0"].rp_filter = 1; },
     true, "uplink lte: rp_filter is 1 on lte0 and the route back from 100.64.3.9 is by oob0",
     "sysctl -w net.ipv4.conf.lte0.rp_filter=2"},
    {"loose_filter_and_no_way_back", [](Plan&, Board& board) { set_way(board, "100.64.3.9", "", ""); }, true,
     "uplink lte: rp_filter is 2 on lte0 and nothing but a bound socket has a route from 100.64.3.9",
     "ip route add default dev lte0 metric 1000"},
    {"only_the_providers_default",
     [](Plan&, Board& board) {
       board.defaults = {{false, "lan0", "10.20.0.1", 0, 254}};
     },
     true, "the only default route is by lan0, which is no uplink: when that network fails",
     "ip route add default via GATEWAY dev oob0 metric 1000"},
    {"no_default_at_all", [](Plan&, Board& board) { board.defaults.clear(); }, true,
     "there is no default route at all", "ip route add default"},
    {"one_interface_twice",
     [](Plan& plan, Board&) {
       plan.uplinks.push_back({"spare", "oob0", {"0.0.0.0:2223"}, {"icmp:192.0.2.1"}, false});
     },
     true, "uplink spare: its interface oob0 is that of uplink fixed as well", "take [uplink.spare] out"},
    {"an_interface_that_is_not_there", [](Plan& plan, Board&) { plan.uplinks[1].interface = "lte1"; }, false,
     "uplink lte: there is no interface lte1 now", "did you mean lte0?"},
    {"an_interface_without_carrier", [](Plan&, Board& board) { board.legs["lte0"].is_up = false; }, false,
     "uplink lte: lte0 is switched off or has no carrier", "ip link set lte0 up"},
    {"an_interface_without_address", [](Plan&, Board& board) { board.legs["lte0"].addresses.clear(); }, false,
     "uplink lte: lte0 has no address", "networkctl status"},
    {"an_address_that_is_elsewhere",
     [](Plan& plan, Board&) { plan.uplinks[0].listen = {"198.51.100.11:2222"}; }, true,
     "uplink fixed: it listens on 198.51.100.11:2222, an address that oob0 does not have; it has "
     "198.51.100.10",
     "uplink.fixed.listen = [\"0.0.0.0:2222\"]"},
    {"overlapping_networks",
     [](Plan&, Board& board) {
       board.legs["lan0"].addresses.push_back({"198.51.0.7", 16});
     },
     true, "the networks of lan0 (198.51.0.7/16) and oob0 (198.51.100.10/24) overlap",
     "give one of them another network; until then sysctl -w net.ipv4.conf.all.arp_ignore=1"},
    {"overlapping_networks_elsewhere",
     [](Plan&, Board& board) {
       board.legs["docker0"] = {true, {{"10.20.7.1", 24}}, 2, 1, 2};
     },
     false, "the networks of docker0 (10.20.7.1/24) and lan0 (10.20.0.5/16) overlap",
     "give one of them another network"},
    {"no_probe", [](Plan& plan, Board&) { plan.uplinks[0].probe.clear(); }, false,
     "uplink fixed: it has no probe", "uplink.fixed.probe = [\"icmp:ADDRESS\"]"},
    {"a_probe_of_the_board_itself",
     [](Plan& plan, Board&) { plan.uplinks[1].probe = {"tcp:198.51.100.10:2222"}; }, true,
     "its probe tcp:198.51.100.10:2222 is this board itself", "beyond the first router"},
    {"a_probe_of_the_first_router", [](Plan& plan, Board&) { plan.uplinks[0].probe = {"icmp:198.51.100.1"}; },
     false, "its probe icmp:198.51.100.1 is in oob0's own network", "beyond the first router"},
    {"a_probe_in_the_other_uplinks_network",
     [](Plan& plan, Board&) { plan.uplinks[1].probe = {"icmp:198.51.100.1"}; }, false,
     "is in the network of oob0, so it fails with that as well", "an address that neither of them has"},
    {"a_probe_without_a_route",
     [](Plan&, Board& board) { board.ways.back() = {"", "192.0.2.1", "lte0", false, "", ""}; }, true,
     "its probe tcp:192.0.2.1:443 has no route by lte0", "oif lte0"},
    {"a_probe_of_a_family_that_is_not_there",
     [](Plan& plan, Board& board) {
       plan.uplinks[0].probe.push_back("icmp:2001:db8:9::1");
       board.ways.push_back({"", "2001:db8:9::1", "oob0", false, "", ""});
     },
     true, "its probe icmp:2001:db8:9::1 is IPv6, of which oob0 has no address", "the other family"},
    {"all_metered", [](Plan& plan, Board&) { plan.uplinks[0].metered = true; }, false,
     "all uplinks are metered", "metered = false"},
    {"a_door_that_is_not_bound",
     [](Plan& plan, Board&) {
       plan.uplinks[1].listen.clear();
       plan.listen = {"100.64.3.9:2222"};
     },
     true, "server.listen 100.64.3.9:2222: replies from 100.64.3.9 on lte0 leave by oob0",
     "uplink.lte.listen = [\"100.64.3.9:2222\"] in place of it"},
    {"a_door_to_everywhere_that_is_not_bound",
     [](Plan& plan, Board&) {
       plan.uplinks[1].listen.clear();
       plan.listen = {"0.0.0.0:22"};
     },
     true, "server.listen 0.0.0.0:22: replies from 100.64.3.9 on lte0 leave by oob0",
     "uplink.lte.listen = [\"100.64.3.9:22\"]"},
    {"a_door_for_whoever_is_near", [](Plan& plan, Board&) { plan.listen = {"10.20.0.5:2222"}; }, false,
     "server.listen 10.20.0.5:2222: replies from 10.20.0.5 on lan0 leave by oob0",
     "ip rule add from 10.20.0.5 lookup 110, if somebody far away"},
    {"a_door_at_an_address_that_nobody_has", [](Plan& plan, Board&) { plan.listen = {"203.0.113.1:22"}; },
     true, "server.listen: no interface has the address of 203.0.113.1:22 now", "as soon as it is back"},
    {"nobody_gets_in",
     [](Plan& plan, Board&) {
       for (Plan::Uplink& each : plan.uplinks) each.listen.clear();
     },
     true, "no uplink is listened on and there is no [callhome.NAME]", "uplink.fixed.listen"},
    {"one_that_nobody_dials", [](Plan& plan, Board&) { plan.uplinks[1].listen.clear(); }, false,
     "uplink lte: nobody can dial it", "[callhome.NAME]"},
    {"a_board_that_forwards", [](Plan&, Board& board) { board.forwards_ipv4 = true; }, false,
     "this board forwards IPv4", "net.ipv4.ip_forward=0"},
    {"a_board_that_forwards_ipv6", [](Plan&, Board& board) { board.forwards_ipv6 = true; }, false,
     "this board forwards IPv6", "net.ipv6.conf.all.forwarding=0"},
    {"a_login_that_goes_by_the_clock",
     [](Plan& plan, Board&) {
       plan.by_the_clock = {"certificates (server.user_ca)", "codes (user.alice.totp_file)"};
       plan.clock = {false, "the kernel's clock is not synchronised"};
     },
     true,
     "logins with certificates (server.user_ca) and codes (user.alice.totp_file) need the right time, and "
     "nobody sets",
     "an NTP server by its address"},
    {"a_login_that_goes_by_a_clock_that_is_set",
     [](Plan& plan, Board&) { plan.by_the_clock = {"role day (hours)"}; }, false,
     "logins with role day (hours) need the right time", "an NTP server by its address"},
    {"a_login_that_goes_by_a_clock_that_nobody_may_ask_about",
     [](Plan& plan, Board&) {
       plan.by_the_clock = {"role day (hours)"};
       plan.clock = {false, "the kernel does not tell of its clock: Operation not permitted", false};
     },
     false,
     "need the right time, and whether anybody sets this board's clock can't be seen (the kernel does not "
     "tell",
     "'oobd check --uplink'"},
    {"an_onion_service_as_the_only_way_in",
     [](Plan& plan, Board&) {
       for (Plan::Uplink& each : plan.uplinks) each.listen.clear();
       plan.has_onion = true;
     },
     false, "the onion service is the only way in from outside", "[callhome.NAME]"},
    {"what_could_not_be_seen",
     [](Plan&, Board& board) { board.trouble = "more routes than can be read in 5 s"; }, false,
     "not all could be looked at: more routes", "by hand"},
};

INSTANTIATE_TEST_SUITE_P(Board, Doctor, testing::ValuesIn(kDoctorCases),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Doctor, LetsADialledAddressBeWhereARuleLeadsItBack) {
  Plan plan = good_plan();
  plan.uplinks[1].listen.clear();
  plan.listen = {"0.0.0.0:2222"};
  Board board = good_board();
  board.legs["lte0"].rp_filter = 1;
  set_way(board, "100.64.3.9", "", "lte0");
  for (const Finding& each : diagnose(plan, board)) ADD_FAILURE() << each.line();
}

TEST(Doctor, TellsErrorsBeforeRemarks) {
  Plan plan = good_plan();
  plan.uplinks[0].probe.clear();
  plan.uplinks.push_back({"spare", "oob0", {}, {"icmp:192.0.2.1"}, false});
  std::vector<Finding> findings = diagnose(plan, good_board());
  ASSERT_GE(findings.size(), 2U);
  EXPECT_TRUE(findings.front().is_error);
  EXPECT_FALSE(findings.back().is_error);
}

TEST(Doctor, BlamesNoRouteForUplinksThatAreDown) {
  Board board = good_board();
  board.legs["oob0"].is_up = false;
  board.legs["lte0"].addresses.clear();
  board.defaults = {{false, "lan0", "203.0.113.1", 0, 130}};
  for (Way& each : board.ways) each.exists = false;
  for (const Finding& each : diagnose(good_plan(), board)) EXPECT_FALSE(each.is_error) << each.line();
}

TEST(Doctor, TakesAllInterfacesMissingForAnError) {
  Plan plan = good_plan();
  plan.uplinks[0].interface = "fiber0";
  plan.uplinks[1].interface = "wwan0";
  std::vector<Finding> findings = diagnose(plan, good_board());
  ASSERT_GE(findings.size(), 2U);
  for (const Finding& each : findings) EXPECT_TRUE(each.is_error) << each.line();
}

TEST(Doctor, LooksAtServerListenWhereThereAreNoUplinks) {
  Plan plan;
  plan.listen = {"198.51.100.10:22"};
  Board board = good_board();
  set_way(board, "198.51.100.10", "", "lan0");
  std::vector<Finding> findings = diagnose(plan, board);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_TRUE(findings[0].is_error);
  EXPECT_THAT(findings[0].what, HasSubstr("replies from 198.51.100.10 on oob0 leave by lan0"));
  EXPECT_THAT(findings[1].what, HasSubstr("there is no [uplink.NAME]"));
}

TEST(Doctor, TakesMadeUpTextForNothing) {
  Plan plan = good_plan();
  plan.uplinks[0].listen.push_back("nonsense");
  plan.uplinks[0].probe.push_back("nonsense");
  plan.listen.push_back("");
  for (const Finding& each : diagnose(plan, good_board())) ADD_FAILURE() << each.line();
}

}  // namespace
}  // namespace oob::uplink

#include "console/peering.h"

#include <gtest/gtest.h>

namespace oob::console {
namespace {

using State = Peering::State;

// What BIRD 2.0.12 printed.
const char kBirdUp[] =
    "BIRD 2.0.12 ready.\n"
    "Access restricted\n"
    "Name       Proto      Table      State  Since         Info\n"
    "upstream1  BGP        ---        up     12:44:53.971  Established   \n"
    "  Description:    Upstream one\n"
    "  BGP state:          Established\n"
    "    Neighbor address: 192.0.2.2\n"
    "    Neighbor AS:      64501\n"
    "    Local AS:         64500\n"
    "    Hold timer:       146.218/180\n"
    "  Channel ipv4\n"
    "    State:          UP\n"
    "    Table:          master4\n"
    "    Routes:         1 imported, 2 exported, 1 preferred\n"
    "    Route change stats:     received   rejected   filtered    ignored   accepted\n"
    "      Import updates:              1          0          0          0          1\n"
    "    BGP Next hop:   192.0.2.1\n"
    "  Channel ipv6\n"
    "    State:          UP\n"
    "    Routes:         40 imported, 2 exported, 1 preferred\n"
    "\n";
const char kBirdLost[] =
    "BIRD 2.0.12 ready.\r\n"
    "Access restricted\r\n"
    "Name       Proto      Table      State  Since         Info\r\n"
    "upstream1  BGP        ---        start  12:44:56.286  Active        Received: Administrative "
    "shutdown\r\n"
    "  Description:    Upstream one\r\n"
    "  BGP state:          Active\r\n"
    "    Neighbor address: 192.0.2.2\r\n"
    "    Connect delay:    2.856/5\r\n"
    "    Last error:       Received: Administrative shutdown\r\n"
    "  Channel ipv4\r\n"
    "    State:          DOWN\r\n";
const char kBirdDisabled[] =
    "Name       Proto      Table      State  Since         Info\n"
    "upstream1  BGP        ---        down   12:44:57.458  \n"
    "  BGP state:          Down\n";
const char kBirdNone[] =
    "BIRD 2.0.12 ready.\n"
    "syntax error, unexpected CF_SYM_UNDEFINED, expecting END or CF_SYM_KNOWN or TEXT\n";

// What FRR 8.4.4 printed, shortened.
const char kFrrUp[] = R"({
  "192.0.2.1":{"remoteAs":64500,"bgpState":"Established","bgpTimerUpMsec":3000,"bgpTimerUpString":"00:00:03",
    "addressFamilyInfo":{"ipv4Unicast":{"updateGroupId":1,"acceptedPrefixCounter":2,"sentPrefixCounter":3},
                         "ipv6Unicast":{"acceptedPrefixCounter":5}},
    "lastResetDueTo":"No AFI\/SAFI activated for peer","lastResetCode":30}
}
)";
const char kFrrDown[] = R"({"192.0.2.1":{"adminShutDown":true,"bgpState":"Idle",
  "addressFamilyInfo":{"ipv4Unicast":{"acceptedPrefixCounter":0}},"lastResetDueTo":"Admin. shutdown"}})";
const char kFrrNone[] = "{\n  \"bgpNoSuchNeighbor\":true\n}\n";
const char kFrrSummary[] = R"json({
"ipv4Unicast":{"routerId":"192.0.2.2","peers":{
  "192.0.2.1":{"remoteAs":64500,"peerUptime":"00:00:02","pfxRcd":2,"state":"Established","peerState":"OK"},
  "192.0.2.7":{"peerUptime":"never","pfxRcd":0,"state":"Idle (Admin)"}},"totalPeers":2}
,
"ipv6Unicast":{"peers":{"2001:db8::1":{"peerUptime":"00:00:02","pfxRcd":7,"state":"Established"}}}
}
)json";
// As its source has it.
const char kOpenbgpd[] = R"json({
	"neighbors": [ { "remote_as": "64501", "remote_addr": "192.0.2.2", "state": "Established",
	  "last_updown": "01:02:03", "last_updown_sec": 3723,
	  "stats": { "last_read": "00:00:12", "prefixes": { "sent": 3, "received": 21 } } },
	{ "remote_addr": "2001:db8::2", "state": "Active", "last_updown": "00:00:09",
	  "stats": { "prefixes": { "sent": 0, "received": 0 } }, "last_error_received": "Cease, administratively down" } ]
}
)json";

Peering read(RoutingDaemon daemon, const std::string& neighbour, base::Bytes answer) {
  base::Result<Peering> peering = read_peering(daemon, neighbour, answer);
  EXPECT_TRUE(peering) << (peering ? "" : peering.error().what);
  return peering ? *peering : Peering{};
}
std::string said(RoutingDaemon daemon, const std::string& neighbour, base::Bytes answer) {
  return describe(read(daemon, neighbour, answer));
}
std::string fault(RoutingDaemon daemon, base::Bytes answer) {
  base::Result<Peering> peering =
      read_peering(daemon, daemon == RoutingDaemon::bird ? "upstream1" : "192.0.2.1", answer);
  return peering ? "none" : peering.error().what;
}

TEST(Peering, IsReadFromBird) {
  EXPECT_EQ(said(RoutingDaemon::bird, "upstream1", kBirdUp), "established since 12:44:53.971, 41 prefixes");
  EXPECT_EQ(said(RoutingDaemon::bird, "upstream1", kBirdLost),
            "active, since 12:44:56.286; last error: Received: Administrative shutdown");
  EXPECT_EQ(said(RoutingDaemon::bird, "upstream1", kBirdDisabled), "down, since 12:44:57.458");
  EXPECT_EQ(said(RoutingDaemon::bird, "upstream1", kBirdNone), "not found");
}

TEST(Peering, OfBirdMayHaveADateInItsTime) {
  std::string text = kBirdUp;
  text.replace(text.find("12:44:53.971"), 12, "2026-11-23 12:44:53");
  EXPECT_EQ(said(RoutingDaemon::bird, "upstream1", text),
            "established since 2026-11-23 12:44:53, 41 prefixes");
}

TEST(Peering, OfBirdIsThatOfTheNeighbourAlone) {
  std::string text = std::string(kBirdLost) +
                     "upstream2  BGP        ---        up     11:00:00.000  Established   \n"
                     "  BGP state:          Established\n"
                     "    Routes:         9 imported, 2 exported, 1 preferred\n";
  EXPECT_EQ(read(RoutingDaemon::bird, "upstream1", text).state, State::active);
  Peering other = read(RoutingDaemon::bird, "upstream2", text);
  EXPECT_EQ(other.state, State::established);
  EXPECT_EQ(other.prefixes, 9u);
}

TEST(Peering, IsReadFromFrr) {
  EXPECT_EQ(said(RoutingDaemon::frr, "192.0.2.1", kFrrUp), "established since 00:00:03, 7 prefixes");
  EXPECT_EQ(said(RoutingDaemon::frr, "192.0.2.1", kFrrDown), "idle; last error: Admin. shutdown");
  EXPECT_EQ(said(RoutingDaemon::frr, "192.0.2.1", kFrrNone), "not found");
}

TEST(Peering, IsReadFromFrrsSummary) {
  EXPECT_EQ(said(RoutingDaemon::frr, "192.0.2.1", kFrrSummary), "established since 00:00:02, 2 prefixes");
  EXPECT_EQ(said(RoutingDaemon::frr, "2001:DB8:0::1", kFrrSummary), "established since 00:00:02, 7 prefixes");
  EXPECT_EQ(said(RoutingDaemon::frr, "192.0.2.7", kFrrSummary), "idle");
  EXPECT_EQ(said(RoutingDaemon::frr, "192.0.2.9", kFrrSummary), "not found");
}

TEST(Peering, IsReadFromOpenbgpd) {
  EXPECT_EQ(said(RoutingDaemon::openbgpd, "192.0.2.2", kOpenbgpd), "established since 01:02:03, 21 prefixes");
  EXPECT_EQ(said(RoutingDaemon::openbgpd, "2001:db8::2", kOpenbgpd),
            "active, since 00:00:09; last error: Cease, administratively down");
  EXPECT_EQ(said(RoutingDaemon::openbgpd, "192.0.2.9", kOpenbgpd), "not found");
}

TEST(Peering, IsNotMadeUpFromOtherText) {
  EXPECT_EQ(fault(RoutingDaemon::bird, ""), "birdc said nothing");
  EXPECT_EQ(fault(RoutingDaemon::bird, "\nUnable to connect to server control socket\n"),
            "that is not what birdc says: Unable to connect to server control socket");
  EXPECT_EQ(fault(RoutingDaemon::frr, "failed to connect to any daemons.\n"),
            "that is not what vtysh with json says: failed to connect to any daemons.");
  EXPECT_EQ(fault(RoutingDaemon::frr, R"({"warning":"x"})"),
            R"(that is not what vtysh with json says: {"warning":"x"})");
  EXPECT_EQ(fault(RoutingDaemon::openbgpd, "[1]"), "that is not what bgpctl -j says: [1]");
  std::string deep(100, '{');
  EXPECT_NE(fault(RoutingDaemon::openbgpd, deep + std::string(100, '}')), "none");
  EXPECT_NE(fault(RoutingDaemon::bird, std::string(kMostPeeringText + 1, 'x')), "none");
}

// As BIRD 2.0.12 and FRR 8.4.4 print it; bgpctl after its source.
TEST(Peering, IsNotEstablishedWhereTheDaemonDoesNotRun) {
  struct Sample {
    RoutingDaemon daemon;
    const char *said, *line;
  };
  constexpr Sample kSamples[] = {
      {RoutingDaemon::bird,
       "Unable to connect to server control socket (/run/bird/bird.ctl): No such file or directory\n",
       "Unable to connect to server control socket (/run/bird/bird.ctl): No such file or directory"},
      {RoutingDaemon::bird,
       "Unable to connect to server control socket (/run/bird/bird.ctl): Connection refused\n",
       "Unable to connect to server control socket (/run/bird/bird.ctl): Connection refused"},
      {RoutingDaemon::bird, "BIRD 2.0.12 ready.\r\nConnection closed by server\r\n",
       "Connection closed by server"},
      {RoutingDaemon::frr, "Exiting: failed to connect to any daemons.\n",
       "Exiting: failed to connect to any daemons."},
      {RoutingDaemon::frr,
       "% Can't open configuration file /etc/frr/vtysh.conf due to 'Permission denied'.\n"
       "bgpd is not running\n",
       "bgpd is not running"},
      {RoutingDaemon::openbgpd, "bgpctl: connect: /var/run/bgpd.sock.0: No such file or directory\n",
       "bgpctl: connect: /var/run/bgpd.sock.0: No such file or directory"},
  };
  for (const Sample& sample : kSamples)
    EXPECT_EQ(unreached(sample.daemon, sample.said), (Unreached{Unreached::Why::not_running, sample.line}));
  for (RoutingDaemon daemon : {RoutingDaemon::bird, RoutingDaemon::frr, RoutingDaemon::openbgpd})
    for (const char* text : {"", "sh: birdc: not found\n", kBirdUp, kFrrUp, kOpenbgpd, kBirdLost})
      EXPECT_FALSE(unreached(daemon, text)) << text;
}

TEST(Peering, IsNotKnownWhereWhoIsLoggedInMayNotAsk) {
  const char kVtysh[] =
      "% Can't open configuration file /etc/frr/vtysh.conf due to 'Permission denied'.\r\n"
      "Exiting: failed to connect to any daemons.\r\n"
      "Hint: if this seems wrong, try running me as a privileged user!\r\n";
  auto why = [](RoutingDaemon daemon, const char* said) { return unreached(daemon, said).value().why; };
  EXPECT_EQ(why(RoutingDaemon::bird,
                "Unable to connect to server control socket (/run/bird/bird.ctl): Permission denied\n"),
            Unreached::Why::not_allowed);
  EXPECT_EQ(why(RoutingDaemon::openbgpd, "bgpctl: connect: /var/run/bgpd.sock.0: Permission denied\n"),
            Unreached::Why::not_allowed);
  EXPECT_EQ(why(RoutingDaemon::frr, kVtysh), Unreached::Why::either);
  EXPECT_FALSE(unreached(RoutingDaemon::bird,
                         "Unable to connect to server control socket (x): Too many open files\n"));
}

TEST(Peering, OfADaemonThatSpeaksInControlCharactersIsPrintable) {
  std::string text = kBirdLost;
  text.replace(text.rfind("Received"), 8, "\x1b[2J\x07\xff\x80");
  EXPECT_EQ(read(RoutingDaemon::bird, "upstream1", text).last_error.find('\x1b'), std::string::npos);
}

// A line that says "Established" of what was lost would be the one thing that must not be.
TEST(Peering, CutAnywhereIsItselfOrNotUnderstood) {
  struct Sample {
    RoutingDaemon daemon;
    const char *neighbour, *text;
    State state;
  } samples[] = {{RoutingDaemon::bird, "upstream1", kBirdUp, State::established},
                 {RoutingDaemon::bird, "upstream1", kBirdLost, State::active},
                 {RoutingDaemon::frr, "192.0.2.1", kFrrUp, State::established},
                 {RoutingDaemon::frr, "192.0.2.1", kFrrDown, State::idle},
                 {RoutingDaemon::frr, "192.0.2.7", kFrrSummary, State::idle},
                 {RoutingDaemon::openbgpd, "2001:db8::2", kOpenbgpd, State::active}};
  for (const Sample& sample : samples) {
    base::Bytes whole = sample.text;
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      base::Result<Peering> peering = read_peering(sample.daemon, sample.neighbour, whole.substr(0, size));
      if (peering) {
        EXPECT_EQ(peering->state, sample.state) << size;
      }
      base::Result<Peering> rest = read_peering(sample.daemon, sample.neighbour, whole.substr(size));
      if (rest && rest->state != State::missing) {
        EXPECT_EQ(rest->state, sample.state) << size;
      }
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string flipped(whole);
      flipped[at] = static_cast<char>(flipped[at] ^ 0x15);
      base::Result<Peering> peering = read_peering(sample.daemon, sample.neighbour, flipped);
      EXPECT_LT(peering ? describe(*peering).size() : peering.error().what.size(), 500u) << at;
    }
  }
}

TEST(Peering, IsAskedForWithNothingAShellWouldTakeForMore) {
  EXPECT_EQ(peering_command(RoutingDaemon::bird, "upstream1"), "birdc -r show protocols all upstream1");
  EXPECT_EQ(peering_command(RoutingDaemon::frr, "192.0.2.1"),
            "vtysh -c \"show bgp neighbors 192.0.2.1 json\"");
  EXPECT_EQ(peering_command(RoutingDaemon::openbgpd, "2001:db8::1"), "bgpctl -j show neighbor 2001:db8::1");
  EXPECT_TRUE(check_neighbour(RoutingDaemon::bird, "upstream_1"));
  for (const char* bad : {"", "1up", "a b", "a;reboot", "a'b", "$(reboot)", "a\nb", "a\"b"}) {
    EXPECT_FALSE(check_neighbour(RoutingDaemon::bird, bad)) << bad;
    EXPECT_FALSE(check_neighbour(RoutingDaemon::frr, bad)) << bad;
  }
  EXPECT_FALSE(check_neighbour(RoutingDaemon::bird, std::string(129, 'a')));
  EXPECT_TRUE(check_neighbour(RoutingDaemon::frr, "2001:db8::1"));
  EXPECT_FALSE(check_neighbour(RoutingDaemon::openbgpd, "upstream1"));
  EXPECT_FALSE(check_neighbour(RoutingDaemon::frr, std::string_view("192.0.2.1\0;x", 12)));
}

}  // namespace
}  // namespace oob::console

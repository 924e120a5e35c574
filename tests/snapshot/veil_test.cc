#include "snapshot/veil.h"

#include <gtest/gtest.h>

#include "recipe/book.h"
#include "tests/support/support.h"

namespace oob::snapshot {
namespace {

const recipe::Book& shipped() {
  static const recipe::Book book(recipe::shipped_book());
  return book;
}

std::string shown(const std::string& recipe, const std::string& file, const std::string& text) {
  return Veil("0123456789abcdef").masked(*shipped().find(recipe), file, text);
}

TEST(Veil, LeavesNothingOfASecret) {
  struct Line {
    const char *recipe, *file, *before, *secret, *after;
  };
  const Line lines[] = {
      {"ios", "running-config", "ntp authentication-key 1 md5 ", "0822455D0A16", " 7\n"},
      {"ios", "running-config", " ip ospf authentication-key 7 ", "0822455D0A16", "\n"},
      {"ios", "running-config", " ip ospf message-digest-key 1 md5 7 ", "0822455D0A16", "\n"},
      {"ios", "running-config", "crypto isakmp key 6 ", "VpnSecret1", " address 203.0.113.1\n"},
      {"ios", "running-config", "  pre-shared-key address 203.0.113.1 key ", "VpnSecret1", "\n"},
      {"ios", "running-config", "  pre-shared-key hostname peer.example key 6 ", "VpnSecret1", "\n"},
      {"ios", "running-config", "  pre-shared-key local ", "VpnSecret1", "\n"},
      {"ios", "running-config", " client 192.0.2.1 server-key 7 ", "0822455D0A16", "\n"},
      {"ios", "running-config", " server-private 192.0.2.1 auth-port 1812 key 7 ", "0822455D0A16", "\n"},
      {"ios", "running-config", " ip nhrp authentication ", "nhrpword", "\n"},
      {"ios", "running-config", " isis password ", "isisword", " level-2\n"},
      {"ios", "running-config", "ip ftp password 7 ", "0822455D0A16", "\n"},
      {"ios", "running-config", "  authentication mode hmac-sha-256 7 ", "0822455D0A16", "\n"},
      {"ios", "running-config", " ospfv3 authentication ipsec spi 256 md5 ", "0 0123456789ABCDEF", "\n"},
      {"ios", "running-config", "radius server r1\n key 7 ", "0822455D0A16", "\n"},
      {"eos", "running-config", "ntp authentication-key 1 md5 7 ", "0822455D0A16", "\n"},
      {"eos", "running-config", "   shared-key 7 ", "0822455D0A16", "\n"},
      {"eos", "running-config", "   isis authentication key 7 ", "0822455D0A16", "\n"},
      {"eos", "running-config", "mac security\n   profile p\n      key 0abc 7 ", "0822455D0A16", "\n"},
      {"linux", "etc/frr/frr.conf", " isis password md5 ", "isisword", "\n"},
      {"linux", "etc/frr/frr.conf", " area-password clear ", "isisword", "\n"},
      {"linux", "etc/frr/frr.conf", " ip ospf message-digest-key 1 md5 ", "ospfword", "\n"},
      {"linux", "etc/frr/frr.conf", " neighbor 192.0.2.1 password ", "bgpword", "\n"},
      {"linux", "etc/netplan/50-uplink.yaml",
       "      key: ", "mNb7OIIXTdgW4khM7OFlzJ+UPs7lmcWHV7xjPgakMkQ=", "\n"},
      {"linux", "etc/netplan/50-uplink.yaml", "          shared: ", "mNb7OIIXTdgW4khM=", "\n"},
      {"linux", "etc/netplan/50-uplink.yaml", "          password: \"", "two words", "\"\n"},
      {"linux", "etc/haproxy/haproxy.cfg", "  user admin insecure-password ", "hapword", "\n"},
      {"linux", "etc/haproxy/haproxy.cfg", "  stats auth ", "admin:hapword", "\n"},
      {"linux", "etc/config/wireless", "\toption key1 '", "wepword", "'\n"},
      {"linux", "etc/config/wireless", "\toption acct_secret '", "radword", "'\n"},
      {"linux", "etc/NetworkManager/system-connections/up", "psk=", "two words", "\n"},
      {"linux", "etc/ipsec.secrets", "@a @b : PSK \"", "two words", "\"\n"},
      {"linux", "etc/ppp/chap-secrets", "\"oob\" * ", "pppword", " *\n"},
      {"linux", "etc/app.json", "  \"password\": \"", "jsonword", "\",\n"},
      {"linux", "etc/app.conf", "# password = ", "oldword", "\n"},
      {"freebsd", "usr/local/etc/frr/frr.conf", " isis password md5 ", "isisword", "\n"},
      {"freebsd", "usr/local/etc/racoon/psk.txt", "192.0.2.1 ", "two words", "\n"},
      {"routeros", "export.rsc", "add name=vpn password=", "\"a \\\"b\\\" c\"", " profile=x\n"},
      {"routeros", "export.rsc", "add name=vpn password=\\\n    ", "\"a b\"", " profile=x\n"},
      {"routeros", "export.rsc", "add name=vpn private-key=\\\r\n    ", "mNb7OIIXTdgW4khM=", " mtu=1420\n"},
      {"routeros", "export.rsc", "add name=vpn password=", "\"first\\\n    second\"", " mtu=1420\n"},
      {"routeros", "export.rsc", "add authentication-key=", "ospfword", " area=a\n"},
      {"routeros", "export.rsc", "/snmp community\nset [ find default=yes ] ", "name=snmpword", "\n/ip\n"},
      {"routeros", "export.rsc", "/snmp community\nadd name=a\n", "add name=snmpword", "\n/ip\n"},
  };
  for (const Line& line : lines) {
    std::string text = shown(line.recipe, line.file, base::str(line.before, line.secret, line.after));
    EXPECT_NE(text.find("[secret "), std::string::npos) << line.recipe << ": " << text;
    // Not even a part of it that counts.
    base::split(line.secret, ' ', [&](std::string_view part) {
      if (part.size() > 3) {
        EXPECT_EQ(text.find(part), std::string::npos) << line.recipe << ": " << text;
      }
    });
    EXPECT_EQ(text.find("]["), std::string::npos) << text;
    EXPECT_EQ(text.find("[secret [secret"), std::string::npos) << text;
  }
}

TEST(Veil, LeavesWhatIsNoSecret) {
  const std::string plain =
      "hostname r1\nservice password-encryption\ninterface Gi0/1\n description key 7 in the door\n no "
      "shutdown\n"
      "crypto isakmp policy 1\n authentication pre-share\n";
  EXPECT_EQ(shown("ios", "running-config", plain), plain);
  const std::string daemons = "bgpd=yes\nospfd=no\nvtysh_enable=yes\n";
  EXPECT_EQ(shown("linux", "etc/frr/daemons", daemons), daemons);
  EXPECT_EQ(shown("linux", "etc/ssh/sshd_config", "PasswordAuthentication no\n"),
            "PasswordAuthentication no\n");
  EXPECT_EQ(shown("routeros", "export.rsc", "/ip address\nadd address=192.0.2.1/24\n"),
            "/ip address\nadd address=192.0.2.1/24\n");
}

TEST(Veil, FindsEverySecretInTheFileAsItIsAndMasksThoseThatOverlapAsOne) {
  auto read = recipe::read_recipe(R"(recipe box version 1
method text-twice
state login tail /login: $/ home go "{user}\r"
state shell tail /box# $/ work leave "exit\r"
cmd a "show" end /^end$/
secret * /key (\S+)/
secret * /key md5 (\S+)/
secret * /md5 (\S+ \S+)/
)");
  for (const recipe::RecipeFault& fault : read.faults) ADD_FAILURE() << fault.line << ": " << fault.message;
  ASSERT_TRUE(read.recipe);
  Veil veil("0123456789abcdef");
  std::string text = veil.masked(*read.recipe, "a", "key md5 one two\n");
  std::string other = veil.masked(*read.recipe, "a", "key md5 one three\n");
  EXPECT_EQ(text.find("md5"), std::string::npos) << text;
  EXPECT_EQ(text.find("two"), std::string::npos) << text;
  EXPECT_TRUE(text.starts_with("key [secret ")) << text;
  EXPECT_TRUE(text.ends_with("]\n")) << text;
  EXPECT_NE(text, other) << "a change shows";
}

}  // namespace
}  // namespace oob::snapshot

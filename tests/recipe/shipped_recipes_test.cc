#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "recipe/book.h"
#include "recipe/screen.h"

namespace oob::recipe {
namespace {

const Recipe& shipped(const std::string& name) { return *shipped_book().at(name); }

TEST(ShippedRecipes, HaveNoFault) {
  BookOutcome book = read_book(shipped_recipes());
  for (const BookFault& fault : book.faults)
    ADD_FAILURE() << fault.name << ".recipe:" << fault.fault.line << ":" << fault.fault.column << ": "
                  << fault.fault.message;
  EXPECT_EQ(book.recipes.size(), 9u);
}

TEST(ShippedRecipes, UndoWhatTheySetUp) {
  for (const auto& [name, recipe] : shipped_book())
    EXPECT_EQ(recipe->undo.size(), recipe->setup.size()) << name;
}

// What a device's console shows, as a person sees it, and at which state that is; empty: at none.
struct OnScreen {
  const char *recipe, *typed_at, *screen, *state;
};

constexpr char kPfsense[] =
    "*** Welcome to pfSense 2.7.2-RELEASE (amd64) on fw1 ***\n\n WAN (wan)       -> em0        -> v4: "
    "192.0.2.1/24\n\n"
    " 0) Logout (SSH only)                  9) pfTop\n"
    " 1) Assign Interfaces                 10) Filter Logs\n"
    " 2) Set interface(s) IP address       11) Restart webConfigurator\n"
    " 3) Reset webConfigurator password    12) PHP shell + pfSense tools\n"
    " 4) Reset to factory defaults         13) Update from console\n"
    " 5) Reboot system                     14) Enable Secure Shell (sshd)\n"
    " 6) Halt system                       15) Restore recent configuration\n"
    " 7) Ping host                         16) Restart PHP-FPM\n"
    " 8) Shell\n\nEnter an option: ";
// The same, when 5 was chosen.
constexpr char kPfsenseReboots[] =
    " 0) Logout (SSH only)                  9) pfTop\n"
    " 4) Reset to factory defaults         13) Update from console\n"
    " 5) Reboot system                     14) Enable Secure Shell (sshd)\n"
    " 6) Halt system                       15) Restore recent configuration\n"
    " 8) Shell\n\nEnter an option: 5\n\npfSense will reboot. This may take one or more minutes.\n\n"
    "Do you want to proceed?\n\n    Y/y: Reboot normally\n    R/r: Reroot (Stop processes, remount disks)\n"
    "    S: Reboot into Single User Mode\n    F: Reboot and run a filesystem check\n\nEnter an option: ";
constexpr char kOpnsense[] =
    "*** OPNsense.example.net: OPNsense 24.7 (amd64) ***\n\n"
    "  0) Logout                              7) Ping host\n"
    "  1) Assign interfaces                   8) Shell\n"
    "  2) Set interface IP address            9) pfTop\n"
    "  3) Reset the root password            10) Firewall log\n"
    "  4) Reset to factory defaults          11) Reload all services\n"
    "  5) Power off system                   12) Upgrade from console\n"
    "  6) Reboot system                      13) Restore a backup\n\nEnter an option: ";

TEST(ShippedRecipes, KnowWhereADeviceIs) {
  const OnScreen all[] = {
      {"linux", "", "Debian GNU/Linux 12 relay1 ttyS0\n\nrelay1 login: ", "login"},
      {"linux", "", "login: ", "login"},
      {"linux", "login", "relay1 login: root\nPassword: ", "passwd"},
      {"linux", "", "Password: ", ""},
      {"linux", "passwd", "Last login: Mon Nov 23\nroot@relay1:~# ", "shell"},
      {"linux", "", "$ ", "shell"},
      {"linux", "", "# ", "shell"},
      {"linux", "", "~ # ", "shell"},
      {"linux", "", "[root@relay1 ~]# ", "shell"},
      {"linux", "", "relay1% ", "shell"},
      {"linux", "", "root@relay1:/etc/tor# ", "shell"},
      {"linux", "", "root@relay1:~# ls", ""},
      {"linux", "", "% ", "shell"},
      {"linux", "", "relay1:~% ", "shell"},
      {"linux", "", "web-01% ", "shell"},
      {"linux", "", "45%", ""},
      {"linux", "", "Copying 12%", ""},
      {"linux", "", "Copying 12 %", ""},
      {"linux", "", "Copying [12.5%", ""},
      {"freebsd", "", "relay1% ", "shell"},
      {"freebsd", "", "Fetching base.txz 99%", ""},
      {"linux", "", "login: root", ""},
      {"linux", "", "Do you want to continue? [Y/n] ", ""},
      {"linux", "", "(initramfs) ", ""},
      {"freebsd", "", "\nFreeBSD/amd64 (relay1) (ttyu0)\n\nlogin: ", "login"},
      {"freebsd", "login", "login: root\nPassword:", "passwd"},
      {"freebsd", "", "root@relay1:~ # ", "shell"},
      {"freebsd", "", "alice@relay1:~ $ ", "shell"},
      {"pfsense", "", kPfsense, "menu"},
      {"pfsense", "", kOpnsense, ""},
      {"pfsense", "", "Enter an option: ", ""},
      {"pfsense", "", kPfsenseReboots, ""},
      {"pfsense", "menu", kPfsenseReboots, ""},
      {"pfsense", "menu", "[2.7.2-RELEASE][root@fw1.example.net]/root: ", "shell"},
      {"pfsense", "menu", "[24.03-RELEASE][admin@fw1.example.net]/usr/local/etc: ", "shell"},
      {"pfsense", "", "[2.7.2-RELEASE][root@fw1.example.net]/root: reboot", ""},
      {"pfsense", "", "FreeBSD/amd64 (fw1) (ttyu0)\n\nlogin: ", "login"},
      {"opnsense", "", kOpnsense, "menu"},
      {"opnsense", "", kPfsense, ""},
      {"opnsense", "menu", "root@OPNsense:~ # ", "shell"},
      {"opnsense", "", "OPNsense login: ", "login"},
      {"vyos", "", "vyos login: ", "login"},
      {"vyos", "", "vyos@vyos:~$ ", "shell"},
      {"vyos", "", "[edit]\nvyos@vyos# ", ""},
      {"ios", "", "\n\nrouter1 con0 is now available\n\n\nPress RETURN to get started.\n\n\n", "ready"},
      {"ios", "", "User Access Verification\n\nUsername: ", "user"},
      {"ios", "user", "Username: oob\nPassword: ", "passwd"},
      {"ios", "", "User Access Verification\n\nPassword: ", "line"},
      {"ios", "exec", "router1>enable\nPassword: ", "enable"},
      {"ios", "", "Password: ", "asked"},
      {"ios", "", "router1>", "exec"},
      {"ios", "", "router1#", "commands"},
      {"ios", "commands", "interface Gi0/1\n --More-- ", "more"},
      {"ios", "", "router1(config)#", ""},
      {"ios", "", "Would you like to enter the initial configuration dialog? [yes/no]: ", ""},
      {"eos", "", "leaf1 login: ", "login"},
      {"eos", "", "leaf1>", "exec"},
      {"eos", "", "leaf1#", "commands"},
      {"eos", "", "leaf1(config)#", ""},
      {"eos", "", "Press Control-C now to enter Aboot shell\nAboot# ", "boot"},
      {"eos", "", "Aboot1#", "commands"},
      {"junos", "", "edge1 (ttyu0)\n\nlogin: ", "login"},
      {"junos", "", "root@edge1% ", "shell"},
      {"junos", "", "root@edge1:RE:0% ", "shell"},
      {"junos", "", "root@edge1:~ # ", "shell"},
      {"junos", "", "[edit]\nroot@edge1# ", ""},
      {"junos", "", "loader> ", "boot"},
      {"junos", "", "db> ", "boot"},
      {"junos", "", "root> ", "commands"},
      {"junos", "", "{master}\noob@edge1> ", "commands"},
      {"junos", "", "[edit]\noob@edge1# ", ""},
      {"junos", "", "---(more 42%)---", "more"},
      {"routeros", "", "MikroTik 7.16 (stable)\nMikroTik Login: ", "login"},
      {"routeros", "login", "Password: ", "passwd"},
      {"routeros", "passwd", "Do you want to see the software license? [Y/n]: ", "license"},
      {"routeros", "passwd", "Change your password\n\nnew password> ", "new-password"},
      {"routeros", "passwd", "[oob@edge1] > ", "commands"},
      {"routeros", "", "[oob@edge1] /ip address> ", "commands"},
      {"routeros", "", "[oob@edge1] <SAFE> ", ""},
  };
  for (const OnScreen& seen : all) {
    Recognition recognition(shipped(seen.recipe));
    const State* state = recognition.at(seen.screen, seen.typed_at);
    EXPECT_EQ(state ? state->name : "", seen.state) << seen.recipe << ": " << seen.screen;
  }
}

TEST(ShippedRecipes, KnowThePfsenseMenuUnderTheKernelsMessages) {
  Recognition recognition(shipped("pfsense"));
  std::string screen = kPfsense;
  screen += "em0: link state changed to DOWN\npid 123 (php), jid 0, uid 0: exited on signal 11\n";
  const State* state = recognition.at(screen, "");
  ASSERT_NE(state, nullptr);
  EXPECT_EQ(state->name, "menu");
  EXPECT_EQ(recognition.at(std::string(kPfsense) + "8\n\n", ""), nullptr);
}

TEST(ShippedRecipes, SeeWhatSomebodyHasLeftHalfTyped) {
  const std::map<std::string, std::vector<std::string>> begun = {
      {"linux",
       {"root@relay1:~# vi /etc/x", "$ rm", "relay1 login: ali", "# [", "# [ -f /etc/x ] && rm /etc/x",
        "# [[ $a", "# [ 12", "# [12.5", "# [1.5-"}},
      {"freebsd", {"root@relay1:~ # shutdown", "login: r", "root@relay1:~ # [ -d /x ]"}},
      {"pfsense", {"Enter an option: 1", "[2.7.2-RELEASE][root@fw1.example.net]/root: halt"}},
      {"opnsense", {"Enter an option: 6", "root@OPNsense:~ # halt"}},
      {"vyos", {"vyos@vyos:~$ reboot", "vyos@vyos# commit"}},
      {"ios", {"router1#reload", "router1(config-if)# shut", "Username: o"}},
      {"eos", {"leaf1#reload", "leaf1(config-if-Et1)#shut"}},
      {"junos", {"oob@edge1> request", "oob@edge1# commit"}},
      {"routeros",
       {"[oob@edge1] > /system reboot", "[admin@R1] <SAFE> /system reboot",
        "[admin@R1] /ip address<SAFE> remove 0", "MikroTik Login: a"}},
  };
  const char* quiet[] = {"root@relay1:~# ",
                         "relay1 login: ",
                         "relay1 login: [   12.345678] random: crng init done",
                         "",
                         "router1#",
                         "Enter an option: ",
                         "[oob@edge1] > ",
                         "[oob@edge1] <SAFE> ",
                         "root@relay1:~# [   12.345678] random: crng init done",
                         "root@relay1:~# [12.345678][    T0] x",
                         "oob@edge1> ",
                         "Press RETURN to get started."};
  for (const auto& [name, lines] : begun) {
    Recognition recognition(shipped(name));
    for (const std::string& line : lines) EXPECT_TRUE(recognition.begun(line)) << name << ": " << line;
    for (const char* line : quiet) EXPECT_FALSE(recognition.begun(line)) << name << ": " << line;
  }
}

TEST(ShippedRecipes, ForbidWhatTakesAFirewallAway) {
  using testing::IsSupersetOf;
  EXPECT_THAT(shipped("pfsense").state("menu")->forbid,
              IsSupersetOf({"", "3", "4", "5", "6", "11", "13", "14", "15", "16", "y", "r", "s", "f", "Y",
                            "R", "S", "F"}));
  EXPECT_TRUE(shipped("pfsense").state("menu")->no_enter);
  EXPECT_THAT(shipped("opnsense").state("menu")->forbid,
              IsSupersetOf({"3", "4", "5", "6", "11", "12", "13"}));
}

bool is_hidden(const Recipe& recipe, const std::string& file, const std::string& text, Hidden::Kind kind) {
  for (const Hidden& hidden : recipe.hidden)
    if (hidden.kind == kind && hidden.pattern && base::glob_match(hidden.files, file) &&
        hidden.pattern->search(text))
      return true;
  return false;
}

TEST(ShippedRecipes, HideWhatOscillatesAndMaskSecrets) {
  struct Line {
    const char *recipe, *file, *text;
    bool secret;
  };
  const Line lines[] = {
      {"pfsense", "config.xml", "\t<revision>\n\t\t<time>1</time>\n\t</revision>\n", false},
      {"ios", "running-config", "!\nntp clock-period 17180152\n", false},
      {"ios", "running-config", "! Last configuration change at 07:00:00 UTC by oob\n", false},
      {"junos", "junos.conf", "## Last commit: 2026-11-23 07:00:00 UTC by root\n", false},
      {"ios", "running-config", "enable secret 5 $1$abcd$efgh\n", true},
      {"ios", "running-config", "username oob privilege 15 secret 9 $9$abc\n", true},
      {"ios", "running-config", "username oob password 7 0822455D0A16\n", true},
      {"ios", "running-config", "snmp-server community public RO\n", true},
      {"ios", "running-config", "line vty 0 4\n password 7 0822455D0A16\n", true},
      {"eos", "running-config", "username oob privilege 15 role network-admin secret sha512 $6$abc\n", true},
      {"junos", "junos.conf", "    encrypted-password \"$6$abc\"; ## SECRET-DATA\n", true},
      {"junos", "junos.set", "set system root-authentication encrypted-password \"$9$abc\"\n", true},
      {"routeros", "export-sensitive.rsc", "add name=vpn password=\"a b\" profile=x\n", true},
      {"vyos", "config.boot", "            encrypted-password \"$6$abc\"\n", true},
      {"vyos", "commands.txt", "set service snmp community 'public' authorization 'ro'\n", true},
      {"linux", "etc/wireguard/wg0.conf", "PrivateKey = abcdefg=\n", true},
      {"linux", "etc/tor/torrc", "HashedControlPassword 16:ABC\n", true},
      {"linux", "etc/NetworkManager/system-connections/uplink", "psk=letmein\n", true},
      {"freebsd", "usr/local/etc/tor/torrc", "HashedControlPassword 16:ABC\n", true},
  };
  for (const Line& line : lines)
    EXPECT_TRUE(is_hidden(shipped(line.recipe), line.file, line.text,
                          line.secret ? Hidden::Kind::secret : Hidden::Kind::oscillating))
        << line.recipe << ": " << line.text;
  EXPECT_FALSE(
      is_hidden(shipped("ios"), "running-config", "interface Gi0/1\n no shutdown\n", Hidden::Kind::secret));
}

TEST(ShippedRecipes, KnowTheLinesOfTheConsoleLog) {
  auto is_noise = [](const char* recipe, const char* line) {
    for (const Pattern& pattern : shipped(recipe).noise)
      if (pattern.search(line)) return true;
    return false;
  };
  EXPECT_TRUE(is_noise("ios", "*Mar  1 00:01:02.123: %LINK-3-UPDOWN: Interface Gi0/1, changed state to up"));
  EXPECT_TRUE(
      is_noise("ios", "000042: Nov 23 2026 07:00:00.123 UTC: %SYS-5-CONFIG_I: Configured from console"));
  EXPECT_TRUE(
      is_noise("ios", "4d04h: %LINEPROTO-5-UPDOWN: Line protocol on Interface Serial0, changed state"));
  EXPECT_TRUE(is_noise("eos", "Nov 23 07:00:00 leaf1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface"));
  EXPECT_TRUE(is_noise("junos", "{master}"));
  EXPECT_TRUE(is_noise("routeros", "07:00:00 echo: system,error,critical login failure for user x"));
  EXPECT_TRUE(is_noise("routeros", "# 2026-11-23 07:00:00 by RouterOS 7.16"));
  EXPECT_FALSE(is_noise("ios", "interface GigabitEthernet0/1"));
  EXPECT_FALSE(is_noise("routeros", "/ip address"));
}

}  // namespace
}  // namespace oob::recipe

#include "oobd/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "console/dispatcher.h"
#include "oobd/config_files.h"
#include "oobd/config_tree.h"
#include "oobd/config_values.h"
#include "oobd/config_words.h"
#include "tests/oobd/config_folder.h"

namespace oob {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kWhole[] = R"([server]
listen = ["0.0.0.0:2222", "[::]:2222"]     # numeric
state  = "/var/lib/oobd"

[user.alice]
keys  = "keys/alice"
roles = ["operator"]

[role.operator]
on  = ["edge*", "relay?"]
may = ["watch", "write", "power", "snapshot", "forward"]

[role.auditor]
on  = ["*"]
may = ["watch", "audit"]

[bmc.relay1]
host          = "192.0.2.21"
user          = "oob"
password_file = "secrets/relay1"
cipher_suite  = 17

[bmc.edge1]
host          = "[2001:db8::21]:6230"
user          = "oob"
password_file = "secrets/edge1"

[device.edge1]
line  = { serial = "/dev/serial/by-path/pci-0", baud = 115200, format = "8N1", flow = "none" }
power = { bmc = "edge1" }
model = "pfsense"

[device.relay1]
line  = { sol = "relay1" }
power = { bmc = "relay1" }

[device.vm1]
line = { unix = "/run/vm1.sock" }

[device.switch1]
line = { tcp = "192.0.2.40:4001" }

[device.switch2]
line = { telnet = "[2001:db8::40]:4001", baud = 9600 }
)";

constexpr char kServerOnly[] = "[server]\nlisten = [\"127.0.0.1:0\"]\nstate = \"state\"\n";

std::string all(const ConfigOutcome& outcome) {
  std::string text;
  for (const ConfigFault& fault : outcome.faults) text += fault.text() + "\n";
  return text;
}

// Files that are all there and all in order, with nothing in them.
class NoFiles : public ConfigFiles {
 public:
  base::Result<std::string> read_keys(const std::string&, std::size_t) override { return std::string(); }
  base::Result<std::string> read_secret(const std::string&) override { return std::string("secret\n"); }
  base::Result<std::vector<std::string>> names_in(const std::string&) override {
    return std::vector<std::string>();
  }
  std::string real(const std::string& path) override { return path; }
  std::string state_fault(const std::string&) override { return {}; }
};

ConfigOutcome read_text(const std::string& text) {
  NoFiles files;
  return read_config_text(text, "/etc/oobd/oobd.toml", files);
}

TEST(Config, ReadsAWholeOne) {
  test::ConfigFolder folder;
  ConfigOutcome outcome = folder.read(kWhole);
  ASSERT_TRUE(outcome.config) << all(outcome);
  EXPECT_THAT(outcome.faults, IsEmpty());
  const Config& config = *outcome.config;
  EXPECT_THAT(config.listen, ElementsAre("0.0.0.0:2222", "[::]:2222"));
  EXPECT_EQ(config.state, "/var/lib/oobd");
  EXPECT_EQ(config.users.at("alice").keys, folder / "keys/alice");
  EXPECT_THAT(config.users.at("alice").roles, ElementsAre("operator"));
  EXPECT_THAT(config.roles.at("operator").on, ElementsAre("edge*", "relay?"));
  EXPECT_THAT(config.roles.at("auditor").may, ElementsAre(auth::Action::watch, auth::Action::audit));
  BmcConfig relay1{"192.0.2.21", "oob", folder / "secrets/relay1", 17, "", ""};
  EXPECT_EQ(config.bmcs.at("relay1"), relay1);
  EXPECT_EQ(config.bmcs.at("edge1").cipher_suite, 0);
  DeviceConfig edge1{SerialLine{"/dev/serial/by-path/pci-0", 115200, "8N1", "none"}, "edge1", "pfsense",
                     false, false};
  edge1.alarms = {"swap_pager: out of swap space", "g_vfs_done\\(\\):.*error = \\d"};  // its model's
  EXPECT_EQ(config.devices.at("edge1"), edge1);
  EXPECT_EQ(config.devices.at("relay1"),
            (DeviceConfig{SolLine{"relay1", {}, {}, {}, {}, {}}, "relay1", "", false, false}));
  EXPECT_EQ(config.devices.at("vm1"), (DeviceConfig{UnixLine{"/run/vm1.sock"}, "", "", false, false}));
  EXPECT_EQ(config.devices.at("switch1"), (DeviceConfig{TcpLine{"192.0.2.40:4001"}, "", "", false, false}));
  EXPECT_EQ(config.devices.at("switch2"),
            (DeviceConfig{TelnetLine{"[2001:db8::40]:4001", 9600u, "", ""}, "", "", false, false}));
}

TEST(Config, ReadsWhatIsKeptAndWhereTheJournalIsSent) {
  test::ConfigFolder folder;
  ConfigOutcome plain = folder.read(kServerOnly);
  ASSERT_TRUE(plain.config) << all(plain);
  EXPECT_EQ(plain.config->audit, AuditConfig());
  EXPECT_FALSE(plain.config->syslog);
  ConfigOutcome outcome = folder.read(base::str(kServerOnly, R"(
[audit]
on_audit_failure = "refuse"
checkpoint_line  = false
reserve          = "1g"
recordings_keep  = "1h"
recordings_most  = 65536
transcripts_keep = "0"
journal_most     = "3g"
disk_warn        = 94
disk_shed        = 95
disk_critical    = 96
[syslog]
server      = "[2001:db8::50]"
ca          = "keys/syslog_ca.pem"
name        = "log.example"
certificate = "keys/board.pem"
key         = "secrets/board.pem"
[device.edge1]
line = { tcp = "192.0.2.40:4001" }
record_input = true
[role.watched]
on = ["*"]
may = ["write"]
record_input = true
)"));
  ASSERT_TRUE(outcome.config) << all(outcome);
  AuditConfig audit;
  audit.refuse = true;
  audit.checkpoint_line = false;
  audit.reserve = 1 << 30;
  audit.recordings = {3'600'000'000, 65536, 64 << 20};
  audit.transcripts.keep = 0;
  audit.journal.most = std::uint64_t{3} << 30;
  audit.disk_warn = 94, audit.disk_shed = 95, audit.disk_critical = 96;
  EXPECT_EQ(outcome.config->audit, audit);
  SyslogConfig syslog{"[2001:db8::50]:6514", folder / "keys/syslog_ca.pem", "log.example",
                      folder / "keys/board.pem", folder / "secrets/board.pem"};
  EXPECT_EQ(outcome.config->syslog, syslog);
  EXPECT_TRUE(outcome.config->devices.at("edge1").record_input);
  EXPECT_TRUE(outcome.config->roles.at("watched").record_input);
}

TEST(Config, ReadsTheUplinks) {
  test::ConfigFolder folder;
  ConfigOutcome outcome = folder.read(R"(
[server]
listen = ["127.0.0.1:2222", "192.0.2.1:2222", "[::]:2223"]
state = "state"
[uplink.fixed]
interface = "oob0"
listen    = ["198.51.100.7:2222", "0.0.0.0:22", "[::]:2222", "[::]:0"]
probe     = ["tcp:192.0.2.1:443", "icmp:2001:db8::1"]
[uplink.lte]
interface = "wwan0"
listen    = ["198.51.100.7:2222", "0.0.0.0:22"]   # of another interface: no clash
metered   = true
)");
  ASSERT_TRUE(outcome.config) << all(outcome);
  UplinkConfig fixed{"oob0",
                     {"198.51.100.7:2222", "0.0.0.0:22", "[::]:2222", "[::]:0"},
                     {"tcp:192.0.2.1:443", "icmp:2001:db8::1"},
                     false};
  UplinkConfig lte{"wwan0", {"198.51.100.7:2222", "0.0.0.0:22"}, {}, true};
  EXPECT_EQ(outcome.config->uplinks.at("fixed"), fixed);
  EXPECT_EQ(outcome.config->uplinks.at("lte"), lte);
}

TEST(Config, SpreadsSnapshotsOverAQuarterOfTheirTimeUnlessItSaysOtherwise) {
  auto snapshot = [](const std::string& lines) {
    test::ConfigFolder folder;
    ConfigOutcome outcome = folder.read(base::str(kServerOnly, "[snapshot]\n", lines));
    return outcome.config ? outcome.config->snapshot : SnapshotConfig{-1, -1, ""};
  };
  constexpr base::Micros kMinute = 60'000'000;
  EXPECT_EQ(snapshot(""), SnapshotConfig());
  EXPECT_EQ(snapshot("every = \"0\"\n"), SnapshotConfig());
  EXPECT_EQ(snapshot("every = \"20m\"\n"), (SnapshotConfig{20 * kMinute, 5 * kMinute, ""}));
  EXPECT_EQ(snapshot("every = \"1d\"\n"), (SnapshotConfig{1440 * kMinute, 60 * kMinute, ""}));
  EXPECT_EQ(snapshot("every = \"10m\"\nspread = \"10m\"\n"),
            (SnapshotConfig{10 * kMinute, 10 * kMinute, ""}));
}

TEST(Config, ReadsTheTermsOfABmcAndItsConsole) {
  ConfigOutcome outcome = read_text(std::string(kServerOnly) + R"([bmc.b]
host = "192.0.2.1"
user = "oob"
password_file = "secret"
kg_file = "kg"
privilege = "admin"
[device.d]
line = { sol = "b", accumulate = 20, threshold = 60, retries = 7, retry_interval = 500, baud = 57600 }
power = { bmc = "b" }
protected = true
carries = "oob"
)");
  ASSERT_TRUE(outcome.config) << all(outcome);
  EXPECT_EQ(outcome.config->bmcs.at("b"),
            (BmcConfig{"192.0.2.1", "oob", "/etc/oobd/secret", 0, "/etc/oobd/kg", "admin"}));
  EXPECT_EQ(outcome.config->devices.at("d"),
            (DeviceConfig{SolLine{"b", 20u, 60u, 7u, 500u, 57600u}, "b", "", true, true}));
}

TEST(Config, ReadsHowADeviceIsLoggedInto) {
  ConfigOutcome outcome = read_text(std::string(kServerOnly) + R"([device.d]
line = { serial = "/dev/ttyS0" }
model = "linux"
login = { user = "root", password_file = "secrets/d", enable_file = "/run/enable" }
fetch = ["/etc/*.conf", "/usr/local/etc/[a-c]?/x@1,2%=+:-_"]
ssh = { host = "[2001:db8::1]", host_key = "SHA256:8qJPWpB6QmV7Ml4VN8cCJ5jzTsVdyxUQZW5p2Y0rXgE", user = "oob", password_file = "p" }
)");
  ASSERT_TRUE(outcome.config) << all(outcome);
  const DeviceConfig& device = outcome.config->devices.at("d");
  EXPECT_EQ(device.login, (DeviceConfig::Login{"root", "/etc/oobd/secrets/d", "/run/enable"}));
  EXPECT_EQ(device.fetch, (std::vector<std::string>{"/etc/*.conf", "/usr/local/etc/[a-c]?/x@1,2%=+:-_"}));
  EXPECT_EQ(device.ssh.host, "[2001:db8::1]:22");
  EXPECT_EQ(device.ssh.password_file, "/etc/oobd/p");
  EXPECT_FALSE(device.guard_power);
}

TEST(Config, TakesAPasswordFromTheServiceManager) {
  ::setenv("CREDENTIALS_DIRECTORY", "/run/credentials/oobd.service", 1);
  ConfigOutcome outcome = read_text(std::string(kServerOnly) +
                                    "[bmc.b]\nhost = \"192.0.2.1\"\nuser = \"oob\"\n"
                                    "password_file = \"credential:relay1\"\n");
  ::unsetenv("CREDENTIALS_DIRECTORY");
  ASSERT_TRUE(outcome.config) << all(outcome);
  EXPECT_EQ(outcome.config->bmcs.at("b").password_file, "/run/credentials/oobd.service/relay1");
}

TEST(Config, KnowsWhatAKgKeyLooksLike) {
  for (const char* right : {"k", "12345678901234567890\n", "0x0102030405060708090a0b0c0d0e0f1011121314\n"})
    EXPECT_TRUE(check_kg(right)) << right;
  for (const char* wrong : {"", "\n", "123456789012345678901", "0x0102030405060708090a0b0c0d0e0f10111213",
                            "0x0102030405060708090a0b0c0d0e0f101112131g", "a\nb\n"})
    EXPECT_FALSE(check_kg(wrong)) << wrong;
}

TEST(Config, HasTheDefaultsThatTheDocumentationNames) {
  ConfigOutcome outcome =
      read_text(std::string(kServerOnly) + "[device.a]\nline = { serial = \"/dev/a\" }\n");
  ASSERT_TRUE(outcome.config) << all(outcome);
  EXPECT_EQ(outcome.config->escape,
            "\x05"
            "c");
  EXPECT_EQ(outcome.config->scrollback, 4u * 1024);
  EXPECT_FALSE(outcome.config->rsa_host_key);
  EXPECT_EQ(std::get<SerialLine>(outcome.config->devices.at("a").line),
            (SerialLine{"/dev/a", 115200, "8N1", "none"}));
}

TEST(Config, TakesTheExtraKeysOfTheServer) {
  ConfigOutcome outcome =
      read_text(std::string(kServerOnly) + "escape = \"^]q\"\nscrollback = \"64k\"\nrsa_host_key = true\n");
  ASSERT_TRUE(outcome.config) << all(outcome);
  EXPECT_EQ(outcome.config->escape, "\x1dq");
  EXPECT_EQ(outcome.config->scrollback, 65536u);
  EXPECT_TRUE(outcome.config->rsa_host_key);
}

TEST(Config, RelativePathsBeginAtTheFoldersOfTheFile) {
  ConfigOutcome outcome = read_text(
      "[server]\nlisten = [\"127.0.0.1:0\"]\nstate = \"../lib/state/\"\n"
      "[device.a]\nline = { serial = \"./pty/a\" }\n[device.b]\nline = { unix = \"b.sock\" }\n");
  ASSERT_TRUE(outcome.config) << all(outcome);
  EXPECT_EQ(outcome.config->state, "/etc/lib/state");
  EXPECT_EQ(std::get<SerialLine>(outcome.config->devices.at("a").line).path, "/etc/oobd/pty/a");
  EXPECT_EQ(std::get<UnixLine>(outcome.config->devices.at("b").line).path, "/etc/oobd/b.sock");
}

TEST(Config, TwoNamesOfOneSerialPortAreTheSamePort) {
  test::ConfigFolder folder;
  test::write_file(folder / "tty", "");
  fs::create_symlink("tty", folder / "by-path");
  ConfigOutcome outcome = folder.read(std::string(kServerOnly) +
                                      "[device.a]\nline = { serial = \"tty\" }\n"
                                      "[device.b]\nline = { serial = \"by-path\" }\n");
  EXPECT_EQ(all(outcome), folder.file() + ":7:19: devices 'a' and 'b' have the same serial line 'by-path'\n");
}

TEST(Config, FollowsASymlink) {
  test::ConfigFolder folder;
  test::write_file(folder / "real.toml", kServerOnly);
  fs::create_symlink("real.toml", folder.file());
  EXPECT_TRUE(read_config(folder.file()).config);
}

TEST(Config, TakesAByteOrderMarkAndCrlf) {
  std::string text = "\xef\xbb\xbf";
  for (char c : std::string(kServerOnly)) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_TRUE(read_text(text).config) << all(read_text(text));
  EXPECT_THAT(all(read_text(text + "x = 1\r\n")), HasSubstr("oobd.toml:4:1: unknown key 'x'"));
}

TEST(Config, SaysWhatIsWrongWithFilesThatAreNoText) {
  EXPECT_THAT(all(read_text(std::string("\xff\xfe[\0", 4))),
              HasSubstr(":1:1: this is UTF-16: save it as UTF-8"));
  EXPECT_THAT(all(read_text("a = 1\nb = \"x\xff\"\n")), HasSubstr(":2:"));
  EXPECT_THAT(all(read_text("a = 1\nb = \"x\xff\"\n")), HasSubstr("utf-8"));
  EXPECT_THAT(all(read_text(std::string("a\0b", 3))), HasSubstr(":1:2: TOML:"));
  EXPECT_THAT(all(read_text("")), HasSubstr(":1:1: the configuration has no 'server'"));
}

TEST(Config, SaysWhyAFileCantBeRead) {
  test::ConfigFolder folder;
  EXPECT_THAT(all(read_config(folder / "none")), HasSubstr("No such file or directory"));
  EXPECT_THAT(all(read_config(folder.path())), HasSubstr("Is a directory"));
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(all(read_config(folder / "fifo")), HasSubstr("Not a regular file"));
  EXPECT_THAT(all(read_config("/dev/null")), HasSubstr("Not a regular file"));
  test::write_file(folder / "large", std::string(kMostConfig + 1, '#'));
  EXPECT_THAT(all(read_config(folder / "large")), HasSubstr("larger than 4194304 bytes"));
  test::write_file(folder / "just", kServerOnly + std::string(kMostConfig - sizeof kServerOnly, '#'));
  EXPECT_TRUE(read_config(folder / "just").config);
  if (::geteuid() != 0) {
    test::write_file(folder / "closed", kServerOnly, 0);
    EXPECT_THAT(all(read_config(folder / "closed")), HasSubstr("Permission denied"));
  }
}

TEST(Config, AStateThatIsAFileIsAFault) {
  test::ConfigFolder folder;
  test::write_file(folder / "state", "");
  EXPECT_EQ(all(folder.read(kServerOnly)),
            folder.file() + ":3:9: state 'state' is there and is not a folder\n");
}

TEST(Config, CutAnywhereItIsReadOrHasAFaultWithAPlace) {
  std::string whole = kWhole;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    ConfigOutcome outcome = read_text(whole.substr(0, size));
    ASSERT_NE(outcome.config.has_value(), !outcome.faults.empty()) << size;
    for (const ConfigFault& fault : outcome.faults) ASSERT_FALSE(fault.message.empty()) << size;
  }
}

TEST(Config, AnyByteChangedItIsReadOrHasAFault) {
  std::string whole = kWhole;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (char wrong : {'\0', '"', '[', '\n', '\xff', '.'}) {
      std::string changed = whole;
      changed[at] = wrong;
      ConfigOutcome outcome = read_text(changed);
      ASSERT_NE(outcome.config.has_value(), !outcome.faults.empty()) << at;
    }
  }
}

TEST(Config, DeepNestingIsAFaultAndNoCrash) {
  std::string dots;
  for (int i = 0; i < 1'000'000; ++i) dots += "a.";
  for (const std::string& text : {dots + "a = 1\n", "[" + dots + "a]\n", "'#'." + dots + "a = 1\n"}) {
    EXPECT_THAT(all(read_text(text)), HasSubstr("more than 16 dots in one key"));
  }
  EXPECT_THAT(all(read_text("a = " + std::string(1'000'000, '['))), HasSubstr("nested value depth"));
}

TEST(Config, DotsInTextsAndCommentsAreNoKeys) {
  std::string dots(100, '.');
  std::string text = "# " + dots + " it's\n" + kServerOnly + "[device.a] # " + dots + "\nline = { unix = '/" +
                     dots + "' } # " + dots + "\n";
  EXPECT_TRUE(read_text(text).config) << all(read_text(text));
}

TEST(Config, NonAsciiStandsInQuotesAndCommentsOnly) {
  EXPECT_TRUE(
      read_text("# é\n" + std::string(kServerOnly) + "[device.a] # é\nline = { unix = '/é' }\n").config);
  for (const char* text : {"é = 1\n", "a = é\n", "a\u00a0= 1\n", "[é]\n", "a.é = 1\n"}) {
    EXPECT_THAT(all(read_text(text)), HasSubstr("a character that is not ASCII, outside of quotes")) << text;
  }
  for (std::string quotes : {"\"\"\"", "'''"}) {
    EXPECT_THAT(all(read_text("x = " + quotes + "\\\né" + quotes + "\n")),
                HasSubstr(":1:5: a text in three quotes"));
  }
}

TEST(Config, NothingOfTheFileReachesTheTerminalUnescaped) {
  std::string text =
      all(read_text(std::string(kServerOnly) +
                    "\"\\u001b[2J\" = 1\n[device.\"\\u009b\"]\nmodel = \"\\u001b]0;x\\u0007\"\n"));
  test::ConfigFolder folder;
  text += all(folder.read(std::string(kServerOnly) +
                          "[bmc.b]\nhost = \"192.0.2.1\"\nuser = \"oob\"\npassword_file = \"s\\u001b[2J\"\n"
                          "[user.a]\nkeys = \"k\\u009b\\t\"\nroles = [\"\\u001b\"]\n"));
  EXPECT_THAT(text, HasSubstr("s\\x1b[2J: No such file"));
  for (unsigned char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c != 0x7f && c != 0x9b)) << text;
}

TEST(Config, EscapesAreWrittenWithACaretOrAsTheyAre) {
  EXPECT_EQ(*parse_escape("^Ec"), "\005c");
  EXPECT_EQ(*parse_escape("^ec"), "\005c");
  EXPECT_EQ(*parse_escape("\005c"), "\005c");
  EXPECT_EQ(*parse_escape("^E^C"), "\005\003");
  EXPECT_EQ(*parse_escape("^?x"), "\x7fx");
  EXPECT_EQ(*parse_escape("~."), "~.");
  for (const char* wrong : {"", "^", "^E", "c", "^Ecc", "^M.", ".^J", "^@x", "^1x", "é"}) {
    EXPECT_FALSE(parse_escape(wrong)) << wrong;
  }
}

TEST(Config, SizesHaveUnitsAndBounds) {
  EXPECT_EQ(*parse_scrollback("4096"), 4096u);
  EXPECT_EQ(*parse_scrollback("4k"), 4096u);
  EXPECT_EQ(*parse_scrollback("16M"), kMostScrollback);
  for (const char* wrong : {"", "k", "3k", "17m", "-64k", "64 k", "64kb", "1e4", "9223372036854775807k"}) {
    EXPECT_FALSE(parse_scrollback(wrong)) << wrong;
  }
}

TEST(ConfigValues, TakeAUnixSocketForTheServerAlone) {
  EXPECT_TRUE(check_server_listen("0.0.0.0:2222"));
  EXPECT_TRUE(check_server_listen("unix:/run/oobd/onion.sock"));
  for (const char* wrong : {"unix:", "unix:onion.sock", "unix:/", "unix:/run/", "unix://", "UNIX:/x", "x:/x"})
    EXPECT_FALSE(check_server_listen(wrong)) << wrong;
  EXPECT_FALSE(check_server_listen(base::str("unix:/", std::string(110, 'x'))));
  EXPECT_FALSE(check_listen("unix:/run/oobd/onion.sock"));
}

TEST(Config, AddressesAreNumericOnly) {
  for (const char* right : {"0.0.0.0:0", "127.0.0.1:65535", "[::]:22", "[2001:db8::1]:2222"}) {
    EXPECT_TRUE(check_listen(right)) << right;
  }
  for (const char* wrong :
       {"", ":22", "*:22", "host:22", "1.2.3:22", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:+1",
        "1.2.3.4:0x16", "::1:22", "[::1]", "[::1", "[1.2.3.4]:22", "[::1]:22 "}) {
    EXPECT_FALSE(check_listen(wrong)) << wrong;
  }
  EXPECT_FALSE(check_listen(std::string_view("1.2.3.4\0x:22", 12)));
  for (const char* right : {"192.0.2.21", "192.0.2.21:623", "[2001:db8::21]", "[2001:db8::21]:1"}) {
    EXPECT_TRUE(check_bmc_host(right)) << right;
  }
  for (const char* wrong : {"", "bmc", "192.0.2.21:0", "192.0.2.21:", "2001:db8::21", "[2001:db8::21]623"}) {
    EXPECT_FALSE(check_bmc_host(wrong)) << wrong;
  }
}

TEST(Config, NoDeviceIsCalledLikeACommand) {
  for (const std::string& word : reserved_words()) EXPECT_FALSE(check_device_name(word)) << word;
  EXPECT_TRUE(check_device_name("edge1"));
  EXPECT_TRUE(check_device_name(std::string(kMostName, 'a')));
  EXPECT_FALSE(check_device_name(std::string(kMostName + 1, 'a')));
}

TEST(Config, TheExampleThatIsShippedHasNoFault) {
  test::ConfigFolder folder;
  std::string text = test::read_file(test::source_tree() + "/etc/oobd.toml");
  ConfigOutcome outcome = folder.read(text);
  EXPECT_TRUE(outcome.config) << all(outcome);
}

TEST(Config, TheDocumentationNamesEveryKey) {
  std::string page = test::read_file(test::source_tree() + "/docs/configuration.md");
  ASSERT_FALSE(page.empty());
  for (const Section* section : kSections) {
    for (const Key& key : section->keys) {
      std::string name =
          section == &kTop ? base::str("[", key.name) : base::str("### `", section->name, ".", key.name, "`");
      EXPECT_THAT(page, HasSubstr(name));
    }
  }
  for (const auto& [model, text] : recipe::shipped_recipes())
    EXPECT_THAT(page, HasSubstr(base::str("`", model, "`")));
  for (auth::Action action : auth::kActions) {
    EXPECT_THAT(page, HasSubstr(base::str("`", auth::name_of(action), "`")));
  }
}

// Each example of docs/configuration.md, added to a configuration that is right, leaves it right.
TEST(Config, TheExamplesOfTheDocumentationHaveNoFault) {
  std::string page = test::read_file(test::source_tree() + "/docs/configuration.md");
  int examples = 0;
  constexpr char kBegin[] = "```toml\n";
  for (std::size_t at = page.find(kBegin); at != std::string::npos; at = page.find(kBegin, at)) {
    at += sizeof kBegin - 1;
    std::string example = page.substr(at, page.find("```", at) - at);
    if (example.find("[server]") == std::string::npos) example = kServerOnly + example;
    test::ConfigFolder folder;
    ConfigOutcome outcome = folder.read(example);
    EXPECT_TRUE(outcome.config) << example << all(outcome);
    ++examples;
  }
  EXPECT_GE(examples, 5);
}

TEST(Config, NoDeviceMayBeCalledAsACommand) {
  const std::vector<std::string>& reserved = reserved_words();
  for (const console::CommandRow& row : console::command_rows())
    EXPECT_NE(std::find(reserved.begin(), reserved.end(), row.name), reserved.end()) << row.name;
}

}  // namespace
}  // namespace oob

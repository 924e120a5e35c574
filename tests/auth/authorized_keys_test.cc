#include "auth/authorized_keys.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "auth/key_options.h"
#include "auth/trusted_file.h"
#include "tests/support/support.h"

namespace oob::auth {
namespace {

using testing::HasSubstr;

// Made by ssh-keygen -t ed25519.
const std::string kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFJOJmlbSYENiEf/YCjAeTRABgJ3gSXgD3DdJnyRuzXh";

std::string fault(const std::string& text) {
  AuthorizedKeys found = parse_authorized_keys(text);
  if (found.faults.size() != 1) return "faults: " + std::to_string(found.faults.size());
  EXPECT_TRUE(found.keys.empty()) << text;
  return base::str(found.faults[0].line, ":", found.faults[0].column, ": ", found.faults[0].message);
}

AuthorizedKey one(const std::string& text) {
  AuthorizedKeys found = parse_authorized_keys(text);
  for (const KeyFault& fault : found.faults) ADD_FAILURE() << text << ": " << fault.message;
  EXPECT_EQ(found.keys.size(), 1u) << text;
  return found.keys.empty() ? AuthorizedKey() : found.keys[0];
}

TEST(AuthorizedKeys, ReadsPlainLinesCommentsBlankLinesAndCrLf) {
  AuthorizedKeys found = parse_authorized_keys("# edge keys\r\n\r\n  \t\n\t" + kKey + " alice at home \r\n#" +
                                               kKey + "\n" + kKey);
  ASSERT_EQ(found.keys.size(), 2u);
  EXPECT_TRUE(found.faults.empty());
  EXPECT_EQ(found.keys[0].terms.comment, "alice at home");
  EXPECT_EQ(found.keys[0].line, 4u);
  EXPECT_EQ(found.keys[1].line, 6u);
  EXPECT_EQ(found.keys[1].terms.fingerprint, found.keys[1].key.fingerprint());
  EXPECT_FALSE(found.keys[0].terms.no_pty || found.keys[0].terms.no_forwarding);
}

TEST(AuthorizedKeys, ReadsEveryOptionItHonours) {
  AuthorizedKey key = one(
      "from=\"192.0.2.0/24,!192.0.2.9\",expiry-time=\"20270102030405Z\",command=\"log \\\"edge1\\\" --lines "
      "5, ok\","
      "no-pty,permitopen=\"edge1:443\",permitopen=\"[2001:db8::1]:*\",no-port-forwarding,no-agent-forwarding,"
      "No-X11-Forwarding,no-user-rc " +
      kKey);
  EXPECT_TRUE(key.from && key.from->matches("192.0.2.8") && !key.from->matches("192.0.2.9"));
  EXPECT_EQ(base::rfc3339(key.expires.value_or(0), base::Precision::seconds), "2027-01-02T03:04:05Z");
  EXPECT_TRUE(key.terms.has_forced_command && key.terms.no_pty && key.terms.no_forwarding);
  EXPECT_EQ(key.terms.forced_command, "log \"edge1\" --lines 5, ok");
  ASSERT_EQ(key.terms.permit_open.size(), 2u);
  EXPECT_EQ(key.terms.permit_open[0].host, "edge1");
  EXPECT_EQ(key.terms.permit_open[0].port, 443u);
  EXPECT_EQ(key.terms.permit_open[1].host, "2001:db8::1");
  EXPECT_EQ(key.terms.permit_open[1].port, 0u);
}

TEST(AuthorizedKeys, LetsTheOrderOfRestrictCountAsSshdDoes) {
  EXPECT_TRUE(one("restrict " + kKey).terms.no_pty);
  EXPECT_TRUE(one("restrict " + kKey).terms.no_forwarding);
  EXPECT_FALSE(one("restrict,pty " + kKey).terms.no_pty);
  EXPECT_TRUE(one("restrict,pty " + kKey).terms.no_forwarding);
  EXPECT_TRUE(one("pty,restrict " + kKey).terms.no_pty);
  EXPECT_FALSE(one("RESTRICT,port-forwarding " + kKey).terms.no_forwarding);
}

TEST(AuthorizedKeys, KnowsTheLineOfACaAndWhomItCertifies) {
  EXPECT_FALSE(one(kKey).is_ca);
  AuthorizedKey any = one("cert-authority " + kKey);
  EXPECT_TRUE(any.is_ca && any.principals.empty());
  AuthorizedKey some = one("principals=\"ops,night shift\",restrict,Cert-Authority " + kKey);
  EXPECT_TRUE(some.is_ca && some.terms.no_pty && some.terms.no_forwarding);
  EXPECT_EQ(some.principals, (std::vector<std::string>{"ops", "night shift"}));
  EXPECT_EQ(fault("no-pty,principals=\"a\" " + kKey),
            "1:8: principals says something only beside cert-authority");
  EXPECT_EQ(fault("cert-authority,principals=\"a\",principals=\"b\" " + kKey),
            "1:31: principals stands twice");
  for (const char* bad : {"", ",", "a,", ",a", "a,,b", "a, b", " a", "a\t"})
    EXPECT_THAT(fault("cert-authority,principals=\"" + std::string(bad) + "\" " + kKey),
                HasSubstr("1:16: principals: '"))
        << bad;
  EXPECT_EQ(fault("cert-authority=\"1\" " + kKey), "1:1: cert-authority takes no value");
  EXPECT_EQ(fault("principals,cert-authority " + kKey), "1:1: principals needs a value: principals=\"…\"");
}

TEST(AuthorizedKeys, ReadsCaKeysWithoutOptions) {
  CaKeys found = parse_ca_keys("# trusted for all\n\n " + kKey + " the CA \r\n" + kKey);
  EXPECT_EQ(found.keys.size(), 2u);
  EXPECT_TRUE(found.faults.empty());
  found = parse_ca_keys("from=\"192.0.2.1\" " + kKey + "\n" + kKey + "\ncert-authority " + kKey +
                        "\nssh-dss AAAA\n" + kKey.substr(0, 40));
  EXPECT_EQ(found.keys.size(), 1u);
  ASSERT_EQ(found.faults.size(), 4u);
  EXPECT_EQ(found.faults[0].message, "options are not taken here: what limits a certificate stands in it");
  EXPECT_EQ(found.faults[0].line, 1u);
  EXPECT_EQ(found.faults[0].column, 1u);
  EXPECT_EQ(found.faults[1].line, 3u);
  EXPECT_THAT(found.faults[1].message, HasSubstr("options are not taken here"));
  EXPECT_EQ(found.faults[2].message, "ssh-dss: DSA keys are not accepted");
  EXPECT_EQ(found.faults[3].line, 5u);
}

TEST(AuthorizedKeys, KeepsABackslashThatEscapesNoQuote) {
  EXPECT_EQ(one("command=\"a\\b \\\\ \" " + kKey).terms.forced_command, "a\\b \\\\ ");
}

TEST(AuthorizedKeys, NamesAnUnknownOptionWithItsPlaceAndTheNearestOne) {
  EXPECT_EQ(fault("\n restrict,expiry=\"20270101\" " + kKey), "2:11: unknown option 'expiry'");
  EXPECT_EQ(fault("no-ptty " + kKey), "1:1: unknown option 'no-ptty', did you mean no-pty?");
  EXPECT_EQ(fault("restrict,fron=\"*\" " + kKey), "1:10: unknown option 'fron', did you mean from?");
  EXPECT_EQ(fault("ssh-ed2519 AAAA"), "1:1: unknown option 'ssh-ed2519', did you mean ssh-ed25519?");
  EXPECT_EQ(fault(kKey.substr(12)).substr(0, 28), "1:1: unknown option 'AAAAC3N");
  EXPECT_THAT(fault(kKey.substr(12)), HasSubstr("the type of the key is missing before it"));
}

TEST(AuthorizedKeys, RefusesWhatItCannotEnforceAndSaysWhy) {
  for (const char* option : {"verify-required", "no-touch-required"})
    EXPECT_THAT(fault(option + (" " + kKey)), HasSubstr("security key"));
  for (const char* option : {"agent-forwarding", "x11-forwarding", "restrict,user-rc",
                             "permitlisten=\"8080\"", "tunnel=\"0\"", "environment=\"A=B\""})
    EXPECT_THAT(fault(option + (" " + kKey)), HasSubstr("oobd never allows it")) << option;
}

TEST(AuthorizedKeys, NamesEveryKindOfBrokenLine) {
  EXPECT_EQ(fault("from=192.0.2.1 " + kKey), "1:1: the value of from must stand in double quotes");
  EXPECT_EQ(fault("restrict,command=\"x " + kKey), "1:18: the quote is not closed");
  EXPECT_EQ(fault("command=\"x\"y " + kKey), "1:1: a comma is missing after the value of command");
  EXPECT_EQ(fault("from " + kKey), "1:1: from needs a value: from=\"…\"");
  EXPECT_EQ(fault("no-pty=\"1\" " + kKey), "1:1: no-pty takes no value");
  EXPECT_EQ(fault("no-pty, " + kKey), "1:8: an option is missing here");
  EXPECT_EQ(fault(",no-pty " + kKey), "1:1: an option is missing here");
  EXPECT_EQ(fault("from=\"*\",from=\"*\" " + kKey), "1:10: from stands twice");
  EXPECT_EQ(fault("command=\"a\",command=\"b\" " + kKey), "1:13: command stands twice");
  EXPECT_EQ(fault("command=\" \" " + kKey), "1:1: command: the command is empty");
  EXPECT_EQ(fault("restrict"), "1:9: no key follows the options");
  EXPECT_EQ(fault("restrict ssh-ed25519"), "1:10: ssh-ed25519: the key itself is missing");
  EXPECT_EQ(fault("ssh-ed25519 AAAA"), "1:1: the key is not of the type ssh-ed25519 that stands before it");
  EXPECT_THAT(fault("from=\"host.example\" " + kKey),
              HasSubstr("1:1: from: 'host.example' is not a numeric address"));
  EXPECT_THAT(fault("permitopen=\"edge1\" " + kKey), HasSubstr("is not HOST:PORT"));
  for (const char* bad : {"edge1:0", "edge1:65536", ":22", "a:b:1", "ed*:1", "[::1:1", "edge1:1x"})
    EXPECT_THAT(fault("permitopen=\"" + std::string(bad) + "\" " + kKey), HasSubstr("is not HOST:PORT"))
        << bad;
  EXPECT_EQ(fault("no-pty " + kKey + " a\x1b[2J"),
            "1:" + std::to_string(8 + kKey.size() + 2) + ": a control character stands in the line");
  EXPECT_THAT(fault("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb\n"), HasSubstr(".pub"));
}

TEST(AuthorizedKeys, ReadsExpiryTimesAsSshdDoes) {
  base::Micros time = 0, now = 0;
  ASSERT_TRUE(parse_expiry("20270102Z", time));
  EXPECT_EQ(base::rfc3339(time, base::Precision::seconds), "2027-01-02T00:00:00Z");
  ASSERT_TRUE(parse_expiry("202702282359Z", time));
  EXPECT_EQ(base::rfc3339(time, base::Precision::seconds), "2027-02-28T23:59:00Z");
  ::setenv("TZ", "EST5", 1);
  ::tzset();
  EXPECT_TRUE(parse_expiry("20270102120000", now));
  EXPECT_EQ(base::rfc3339(now, base::Precision::seconds), "2027-01-02T17:00:00Z");
  ::unsetenv("TZ");
  ::tzset();
  for (const char* bad :
       {"", "Z", "2027", "20270229", "20271301", "20270100", "2027010224", "202701022400", "202701021260",
        "20270102120060", "2027-01-02", "20270102T12", "+2027010", "20270102ZZ", "19691231Z", "20270102 "})
    EXPECT_FALSE(parse_expiry(bad, time)) << bad;
  AuthorizedKey both = one("expiry-time=\"20300101Z\",expiry-time=\"20270101Z\" " + kKey);
  EXPECT_EQ(base::rfc3339(both.expires.value_or(0), base::Precision::seconds), "2027-01-01T00:00:00Z");
}

TEST(AuthorizedKeys, IsNeverMoreGenerousWhenALineIsCut) {
  std::string line = "restrict,from=\"192.0.2.1\",command=\"list\" " + kKey;
  for (std::size_t size = 0; size < line.size(); ++size)
    EXPECT_TRUE(parse_authorized_keys(line.substr(0, size)).keys.empty()) << size;
  for (std::size_t at = 0; at < line.size(); ++at) {
    AuthorizedKeys found = parse_authorized_keys(line.substr(0, at) + '\0' + line.substr(at + 1));
    EXPECT_TRUE(found.keys.empty() && found.faults.size() == 1) << at;
  }
  // Every byte replaced: the line is invalid, or it still has what limits it.
  for (std::size_t at = 0; at < line.size(); ++at) {
    std::string changed = line;
    changed[at] = changed[at] == 'x' ? 'y' : 'x';
    for (const AuthorizedKey& key : parse_authorized_keys(changed).keys)
      EXPECT_TRUE(key.terms.no_pty && key.from && key.terms.has_forced_command) << changed;
  }
}

TEST(AuthorizedKeys, BoundsLinesAndFiles) {
  EXPECT_THAT(fault("command=\"" + std::string(17000, 'x') + "\" " + kKey), HasSubstr("at most 16384"));
  EXPECT_THAT(fault(std::string((1 << 20) + 1, '\n')), HasSubstr("0:0: the file has 1048577 bytes"));
  AuthorizedKeys many = parse_authorized_keys(std::string(10'000, '\n') + kKey);
  EXPECT_TRUE(many.keys.empty());
  ASSERT_EQ(many.faults.size(), 1u);
  EXPECT_EQ(many.faults[0].line, 10'001u);
  EXPECT_EQ(parse_authorized_keys(std::string(9'999, '\n') + kKey).keys.size(), 1u);
}

TEST(AuthorizedKeys, BelievesAFileOnlyWhenNobodyElseCanWriteIt) {
  test::TempDir folder;
  std::string path = folder / "alice";
  auto open = [](const std::string& file) { return TrustedFile::open(file, 022, kMostKeyFile); };
  EXPECT_EQ(open(path).error().what, path + ": No such file or directory");
  test::write_file(path, kKey + "\n", 0644);
  EXPECT_TRUE(open(path));
  ::chmod(path.c_str(), 0664);
  EXPECT_EQ(open(path).error().what, path + ": mode 0664 lets others write it; chmod go-w it");
  ::chmod(path.c_str(), 0602);
  EXPECT_FALSE(open(path));
  ::chmod(path.c_str(), 0600);
  EXPECT_EQ(open(folder.path()).error().what, folder.path() + ": not a plain file");
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_FALSE(open(folder / "fifo"));
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path.c_str(), 4711, 0), 0);
    EXPECT_EQ(open(path).error().what, path + ": belongs to uid 4711, must be root's or the daemon's own");
  }
}

}  // namespace
}  // namespace oob::auth

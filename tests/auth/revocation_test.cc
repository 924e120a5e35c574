#include "auth/revocation.h"

#include <gmock/gmock.h>

#include <ctime>

#include "tests/auth/ssh_keygen.h"

namespace oob::auth {
namespace {

using test::blob_of;
using testing::HasSubstr;
using testing::StartsWith;

class RevocationText : public testing::Test {
 protected:
  void SetUp() override {
    user_ = test::new_key(folder_ / "id", "ed25519");
    ca_ = test::new_key(folder_ / "ca", "ed25519", "ca");
    key_ = blob_of(user_);
    ca_blob_ = blob_of(ca_);
  }
  // Why the user's certificate is revoked by the text, which must be right.
  std::string why(const std::string& text, std::uint64_t serial = 7, const std::string& key_id = "laptop") {
    RevocationFile file = parse_revocations(text);
    for (const KeyFault& fault : file.faults) ADD_FAILURE() << text << ": " << fault.message;
    return file.revoked.why({key_, ca_blob_, serial, key_id});
  }
  std::string why_key(const std::string& text) {
    return parse_revocations(text).revoked.why({key_, {}, 0, {}});
  }
  std::string fault(const std::string& text) {
    RevocationFile file = parse_revocations(text);
    if (file.faults.size() != 1) return "faults: " + std::to_string(file.faults.size());
    return base::str(file.faults[0].line, ":", file.faults[0].column, ": ", file.faults[0].message);
  }

  test::TempDir folder_;
  std::string user_, ca_, key_, ca_blob_;
};

TEST_F(RevocationText, RevokesNothingWhenItSaysNothing) {
  EXPECT_EQ(why(""), "");
  EXPECT_EQ(why("# nothing\n\n  \t\r\n   # yet"), "");
  EXPECT_EQ(why_key("# nothing"), "");
}

TEST_F(RevocationText, RevokesAKeyByItselfAndByItsFingerprintInEveryForm) {
  std::string print = fingerprint_of(key_);
  for (const std::string& line :
       {user_, "  " + user_ + "\r", "key: " + user_, "sha1: " + user_, "sha256: " + user_, "SHA1:" + user_,
        print, print + "=", print + " alice, who lost it", print + " # lost", "hash: " + print,
        "Hash:" + print, "from=\"192.0.2.1,2001:db8::1\",no-pty " + user_}) {
    EXPECT_EQ(why_key("# a\n" + line + "\n"), "its key is revoked") << line;
    EXPECT_EQ(why(line), "its key is revoked") << line;
  }
  EXPECT_EQ(why_key(ca_), "");
  EXPECT_EQ(why_key("hash: " + fingerprint_of(ca_blob_)), "");
}

TEST_F(RevocationText, RevokesAllThatACaSigned) {
  EXPECT_EQ(why(ca_), "the key of its CA is revoked");
  EXPECT_EQ(why(fingerprint_of(ca_blob_)), "the key of its CA is revoked");
}

TEST_F(RevocationText, RevokesSerialsOfEveryCaOrOfOne) {
  for (const char* line :
       {"7", "7-7", "1-9", "serial: 7", "serial:0x7", "serial: 7-0xff", "SERIAL: 1-18446744073709551615"})
    EXPECT_EQ(why(line), "its serial 7 is revoked") << line;
  for (const char* line : {"8", "1-6", "serial: 8-9"}) EXPECT_EQ(why(line), "") << line;
  EXPECT_EQ(why("1-18446744073709551615", 0), "");
  EXPECT_EQ(why("18446744073709551615", 18446744073709551615u), "its serial 18446744073709551615 is revoked");
  EXPECT_EQ(why_key("1-18446744073709551615"), "");
  EXPECT_EQ(why("serial: 7 " + ca_), "its serial 7 is revoked");
  EXPECT_EQ(why("serial: 5-7 " + fingerprint_of(ca_blob_)), "its serial 7 is revoked");
  EXPECT_EQ(why("7 " + fingerprint_of(ca_blob_) + " # lost"), "its serial 7 is revoked");
  EXPECT_EQ(why("serial: 7 " + user_), "");
  EXPECT_EQ(why("serial: 7 " + fingerprint_of(key_)), "");
}

TEST_F(RevocationText, RevokesKeyIdsWithTheirBlanksAndHashes) {
  EXPECT_EQ(why("id: laptop"), "its key id is revoked");
  EXPECT_EQ(why("id:laptop  # lost", 0), "its key id is revoked");
  EXPECT_EQ(why("id: lap"), "");
  EXPECT_EQ(why("id:  alice's old laptop ", 7, "alice's old laptop"), "its key id is revoked");
  EXPECT_EQ(why("id: laptop#2", 7, "laptop#2"), "its key id is revoked");
  EXPECT_EQ(why("id: laptop#2"), "");
}

TEST_F(RevocationText, TakesACertificateAsSshKeygenDoes) {
  std::string numbered = folder_ / "id-cert.pub";
  test::certify(folder_ / "ca", folder_ / "id", "-n alice -z 7");
  std::string line = test::read_file(numbered);
  EXPECT_EQ(why(line), "its serial 7 is revoked");
  EXPECT_EQ(why(line, 8), "");
  EXPECT_EQ(why_key(line), "");
  EXPECT_EQ(why_key("key: " + line), "its key is revoked");
  test::certify(folder_ / "ca", folder_ / "id", "-h -n alice");
  line = test::read_file(numbered);
  EXPECT_EQ(why(line, 0), "its key id is revoked");
  EXPECT_EQ(why(line, 0, "other"), "");
}

TEST_F(RevocationText, NamesKeysThatCouldNeverComeIn) {
  std::string dsa = test::new_key(folder_ / "dsa", "dsa"),
              small = test::new_key(folder_ / "rsa", "rsa -b 1024");
  EXPECT_EQ(why(dsa + "\n" + small + "\n" + user_), "its key is revoked");
}

TEST_F(RevocationText, NamesEveryKindOfFaultWithItsPlace) {
  EXPECT_EQ(fault("\n  seral: 5"), "2:3: unknown word 'seral:', did you mean serial:?");
  EXPECT_EQ(fault("x: 5"), "1:1: unknown word 'x:'");
  EXPECT_EQ(fault("MD5:00:11"), "1:1: MD5 fingerprints are not taken, only SHA256:…");
  EXPECT_EQ(fault("serial:"), "1:1: nothing follows serial:");
  EXPECT_EQ(fault(" id: # lost"), "1:2: nothing follows id:");
  EXPECT_THAT(fault("serial: 0"), StartsWith("1:9: serial 0 stands for no number"));
  EXPECT_THAT(fault("0-5"), StartsWith("1:1: serial 0 stands for no number"));
  EXPECT_EQ(fault("serial: 010"), "1:9: '010' could be octal or decimal: write it without the zero in front");
  EXPECT_EQ(fault("serial: 9-5"), "1:9: the range ends before it begins: 9-5");
  for (const char* bad : {"x", "5x", "5-", "-5", "5-6-7", "0x", "18446744073709551616", "+5", "5,6"})
    EXPECT_THAT(fault("serial: " + std::string(bad)), HasSubstr("is not a serial number of 64 bits")) << bad;
  EXPECT_THAT(fault("serial: 5 SHA256:abc"), StartsWith("1:11: one CA's SHA256"));
  EXPECT_THAT(fault("serial: 5 6"), StartsWith("1:11: '6' is no key type"));
  EXPECT_THAT(fault("hash: SHA256:abc"), HasSubstr("1:7: 'SHA256:abc' is not SHA256: and 43 letters"));
  EXPECT_THAT(fault("hash: " + fingerprint_of(key_).substr(0, 49)), HasSubstr("43 letters of base64"));
  EXPECT_THAT(fault(fingerprint_of(key_) + "A"), HasSubstr("43 letters of base64"));
  EXPECT_EQ(fault("ssh-ed25519"), "1:1: ssh-ed25519: the key itself is missing");
  EXPECT_EQ(fault("key: ssh-ed25519 AAA"), "1:6: ssh-ed25519: the key is not whole base64");
  EXPECT_EQ(fault("ssh-rsa " + user_.substr(12)), "1:1: this is not a whole key of the type ssh-rsa");
  EXPECT_EQ(fault("shh-ed25519 " + user_.substr(12)),
            "1:1: 'shh-ed25519' is no key type, fingerprint, serial number or word known here");
  EXPECT_EQ(fault("id: a\x1b[2J"), "1:6: a control character stands in the line");
  EXPECT_EQ(fault(std::string("5\0", 2)), "1:2: a control character stands in the line");
  EXPECT_THAT(fault("id: " + std::string(20000, 'x')), HasSubstr("at most 16384"));
  EXPECT_THAT(fault(std::string(kMostRevocationFile + 1, '\n')),
              StartsWith("0:0: the file has 4194305 bytes"));
  EXPECT_EQ(fault(std::string(100'000, '\n') + "5"), "100001:1: more than 100000 lines");
  std::string rubbish;
  for (int i = 0; i < 1000; ++i) rubbish += "x\n";
  EXPECT_EQ(parse_revocations(rubbish).faults.size(), kMostRevocationFaults);
}

TEST_F(RevocationText, IsAFaultOrStillRevokesWhenAKeyIsCut) {
  std::string type_and_key = user_.substr(0, user_.rfind(' '));
  for (std::size_t size = 1; size < type_and_key.size(); ++size)
    EXPECT_EQ(parse_revocations(type_and_key.substr(0, size)).faults.size(), 1u) << size;
  std::string print = fingerprint_of(key_);
  for (std::size_t size = 1; size < print.size(); ++size)
    EXPECT_EQ(parse_revocations(print.substr(0, size)).faults.size(), 1u) << size;
}

TEST_F(RevocationText, ReadsALongListWithoutHoldingTheLoop) {
  // 80,000 lines: 0.2 s once, about 0.05 s now. Processor time, and room for a debugging build.
  std::string text;
  for (unsigned i = 0; i < 80'000; ++i) text += fingerprint_of(std::to_string(i)) + "\n";
  std::clock_t start = std::clock();
  RevocationFile file = parse_revocations(text);
  double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_TRUE(file.faults.empty());
  EXPECT_LT(seconds, 20);
  EXPECT_EQ(file.revoked.why({"79999", {}, 0, {}}), "its key is revoked");
  EXPECT_EQ(file.revoked.why({"80000", {}, 0, {}}), "");
}

}  // namespace
}  // namespace oob::auth

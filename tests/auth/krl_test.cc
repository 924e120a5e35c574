#include "auth/krl.h"

#include <gmock/gmock.h>

#include "auth/certificate.h"
#include "base/wire.h"
#include "tests/auth/ssh_keygen.h"

namespace oob::auth {
namespace {

using base::wire::Writer;
using test::blob_of;
using testing::HasSubstr;

std::string header() {
  return std::string("SSHKRL\n\0", 8) + Writer().u32(1).u64(0).u64(0).u64(0).text("").text("").take();
}
std::string section(unsigned type, const std::string& body) {
  return Writer().u8(static_cast<std::uint8_t>(type)).text(body).take();
}
std::string krl_fault(const std::string& content) {
  RevocationFile file = parse_krl(content);
  if (file.faults.size() != 1) return "faults: " + std::to_string(file.faults.size());
  EXPECT_EQ(file.faults[0].line, 0u);
  return file.faults[0].message;
}

// Two CAs, and what ssh-keygen -Q says of a KRL beside what is said here.
class Krl : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"ca", "ca2", "id", "id2"})
      lines_[name] = test::new_key(folder_ / name, "ed25519", name);
  }
  // `specification` as ssh-keygen reads it, revoked under the CA ("NONE": every CA).
  std::string make(const std::string& specification, const std::string& ca = "ca", bool update = false) {
    test::write_file(folder_ / "spec", specification);
    std::string path = ca == "NONE" ? ca : folder_ / (ca + ".pub");
    test::ssh_keygen("-q -k " + std::string(update ? "-u " : "") + "-s " + path + " -f " + krl_ + " " +
                     (folder_ / "spec"));
    return test::read_file(krl_);
  }
  // A certificate by `ca` for `key`, its public file remembered by its content.
  std::string certificate(const std::string& ca, std::uint64_t serial, const std::string& id,
                          const std::string& key = "id") {
    std::string made = folder_ / base::str(ca, "-", serial, "-", id, "-", key);
    test::write_file(made + ".pub", lines_[key] + "\n");
    test::ssh_keygen("-q -s " + (folder_ / ca) + " -I " + id + " -z " + std::to_string(serial) +
                     " -n alice " + made + ".pub");
    return made + "-cert.pub";
  }
  void expect_agreement(const std::string& public_file) {
    std::string content = test::read_file(krl_), blob = blob_of(test::read_file(public_file));
    RevocationFile file = parse_revocations(content);
    ASSERT_TRUE(file.faults.empty()) << file.faults[0].message;
    std::string why;
    if (is_certificate(blob)) {
      auto read = parse_certificate(blob);
      ASSERT_TRUE(read) << read.error().what;
      why = file.revoked.why({read->key.blob, read->ca.blob, read->serial, read->key_id});
    } else {
      why = file.revoked.why({blob, {}, 0, {}});
    }
    EXPECT_EQ(why.empty(), test::ssh_keygen_says("-Q -f " + krl_ + " " + public_file))
        << public_file << ": " << why;
    revoked_ += !why.empty();
    asked_ += 1;
  }

  test::TempDir folder_;
  std::string krl_ = folder_ / "krl";
  std::map<std::string, std::string> lines_;
  int asked_ = 0, revoked_ = 0;
};

TEST_F(Krl, AgreesWithSshKeygenOnSerialsInEveryForm) {
  // A list, a range and bitmaps: what ssh-keygen writes for serials far apart, in a row, and every other one.
  std::string specification =
      "serial: 5\nserial: 1000000\nserial: 10000000000\nserial: 2000-3000\nserial: 18446744073709551615\n";
  for (int i = 0; i < 400; i += 3) specification += "serial: " + std::to_string(50000 + i) + "\n";
  std::string content = make(specification);
  for (char kind : {'\x20', '\x21', '\x22'}) EXPECT_NE(content.find(kind, 44), std::string::npos);
  for (std::uint64_t serial : {0ul,
                               1ul,
                               4ul,
                               5ul,
                               6ul,
                               1999ul,
                               2000ul,
                               2500ul,
                               3000ul,
                               3001ul,
                               49999ul,
                               50000ul,
                               50001ul,
                               50002ul,
                               50003ul,
                               50398ul,
                               50399ul,
                               50400ul,
                               999999ul,
                               1000000ul,
                               10000000000ul,
                               18446744073709551614ul,
                               18446744073709551615ul})
    expect_agreement(certificate("ca", serial, "x"));
  expect_agreement(certificate("ca2", 5, "x"));
  expect_agreement(folder_ / "id.pub");
  EXPECT_EQ(revoked_, 10);
}

TEST_F(Krl, ReadsEverySerialOfABitmap) {
  std::string specification;
  for (int i = 1; i < 700; ++i)
    if (i * i % 7 == 2) specification += "serial: " + std::to_string(i) + "\n";
  RevocationFile file = parse_krl(make(specification));
  ASSERT_TRUE(file.faults.empty());
  std::string ca = blob_of(lines_["ca"]);
  for (std::uint64_t i = 0; i < 1000; ++i)
    EXPECT_EQ(!file.revoked.why({"key", ca, i, "x"}).empty(), i > 0 && i < 700 && i * i % 7 == 2) << i;
}

TEST_F(Krl, AgreesWithSshKeygenOnKeyIdsAndOnEveryCa) {
  make("id: lost\nid: old\nserial: 9\n");
  for (const char* ca : {"ca", "ca2"}) {
    for (const char* id : {"lost", "old", "los", "lost2"}) expect_agreement(certificate(ca, 0, id));
    expect_agreement(certificate(ca, 9, "x"));
  }
  EXPECT_EQ(revoked_, 3);
  make("id: gone\nserial: 11\n", "ca2", true);
  for (const char* ca : {"ca", "ca2"})
    for (const char* id : {"lost", "gone"}) expect_agreement(certificate(ca, 11, id));
  EXPECT_EQ(revoked_, 6);
  make("id: lost\nserial: 9-10\n", "NONE");
  for (const char* ca : {"ca", "ca2"}) {
    expect_agreement(certificate(ca, 0, "lost"));
    expect_agreement(certificate(ca, 10, "x"));
    expect_agreement(certificate(ca, 0, "x"));
  }
  EXPECT_EQ(revoked_, 10);
}

TEST_F(Krl, AgreesWithSshKeygenOnKeysAndFingerprints) {
  std::string print = fingerprint_of(blob_of(lines_["id"]));
  for (const std::string& line : {"key: " + lines_["id"], "sha1: " + lines_["id"], "sha256: " + lines_["id"],
                                  "hash: " + print, lines_["id"]}) {
    SCOPED_TRACE(line);
    revoked_ = asked_ = 0;
    make(line + "\n");
    expect_agreement(folder_ / "id.pub");
    expect_agreement(folder_ / "id2.pub");
    expect_agreement(certificate("ca", 1, "x"));
    expect_agreement(certificate("ca", 1, "x", "id2"));
    EXPECT_EQ(revoked_, 2);
  }
  for (const std::string& line : {"key: " + lines_["ca"], "hash: " + fingerprint_of(blob_of(lines_["ca"]))}) {
    revoked_ = 0;
    make(line + "\n");
    expect_agreement(certificate("ca", 1, "x"));
    expect_agreement(certificate("ca2", 1, "x"));
    EXPECT_EQ(revoked_, 1);
  }
}

TEST_F(Krl, AgreesWithSshKeygenOnCertificatesThatWereListed) {
  for (std::uint64_t serial : {0u, 12u}) {
    std::string listed = certificate("ca", serial, "x");
    test::ssh_keygen("-q -k -f " + krl_ + " " + listed);
    revoked_ = 0;
    expect_agreement(listed);
    expect_agreement(certificate("ca", serial, "y", "id2"));
    expect_agreement(certificate("ca", 13, "x", "id2"));
    expect_agreement(certificate("ca2", serial, "x"));
    expect_agreement(folder_ / "id.pub");
    EXPECT_EQ(revoked_, 2);
  }
}

TEST_F(Krl, IsAFaultCutAnywhereButBetweenItsSections) {
  make("serial: 5\nserial: 100-200\nid: lost\nkey: " + lines_["id"] + "\nsha1: " + lines_["id2"] + "\n");
  std::string content = test::read_file(krl_);
  int whole = 0;
  for (std::size_t size = 0; size < content.size(); ++size) {
    RevocationFile file = parse_revocations(content.substr(0, size));
    // Nothing at all is an empty list; the format itself can't show that a last section is missing.
    if (!file.faults.empty()) continue;
    ++whole;
    test::write_file(folder_ / "cut", content.substr(0, size));
    EXPECT_TRUE(size == 0 || test::ssh_keygen_says("-Q -l -f " + (folder_ / "cut"))) << size;
  }
  EXPECT_LE(whole, 4);
  for (std::size_t bit = 0; bit < 8 * content.size(); ++bit) {
    std::string flipped = content;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    parse_revocations(flipped);
  }
}

TEST_F(Krl, RefusesWhatItDoesNotKnow) {
  std::string ca = blob_of(lines_["ca"]);
  auto of_ca = [&](unsigned type, const std::string& body) {
    return header() + section(1, Writer().text(ca).text("").take() + section(type, body));
  };
  EXPECT_EQ(parse_krl(header()).faults.size(), 0u);
  EXPECT_EQ(krl_fault(std::string("SSHKRL\n\0\0\0\0\2", 12) + header().substr(12)),
            "KRL format version 2, known is 1 (from byte 0)");
  EXPECT_EQ(krl_fault(header().substr(0, 30)), "the KRL's header is cut off (from byte 0)");
  EXPECT_EQ(krl_fault(header() + '\1'), "the KRL is cut off in a section (from byte 0)");
  EXPECT_EQ(krl_fault(header() + section(6, "")), "KRL section 6 is not known (from byte 49)");
  EXPECT_THAT(krl_fault(header() + section(4, ca) + Writer().text("signature").take()),
              HasSubstr("the KRL is signed"));
  EXPECT_THAT(krl_fault(of_ca(0x24, "")), HasSubstr("KRL section 36 of certificates is not known"));
  std::string optional = Writer().text("x@example.com").u8(0).text("1").take();
  std::string critical = Writer().text("x@example.com").u8(1).text("1").take();
  EXPECT_EQ(parse_krl(header() + section(255, optional)).faults.size(), 0u);
  EXPECT_EQ(parse_krl(of_ca(0x39, optional)).faults.size(), 0u);
  EXPECT_THAT(krl_fault(header() + section(255, critical)), HasSubstr("critical extension 'x@example.com'"));
  EXPECT_THAT(krl_fault(of_ca(0x39, critical)), HasSubstr("critical extension 'x@example.com'"));
  EXPECT_THAT(krl_fault(header() + section(255, "x")),
              HasSubstr("an extension of the KRL has a wrong length"));
}

TEST_F(Krl, RefusesWhatIsNotWhatItClaims) {
  std::string ca = blob_of(lines_["ca"]);
  auto of_ca = [&](unsigned type, const std::string& body) {
    return header() + section(1, Writer().text(ca).text("").take() + section(type, body));
  };
  EXPECT_THAT(krl_fault(header() + section(1, Writer().text("rubbish").text("").take())),
              HasSubstr("is no public key"));
  EXPECT_THAT(krl_fault(header() + section(1, "x")), HasSubstr("cut off"));
  EXPECT_THAT(krl_fault(of_ca(0x20, Writer().u64(0).take())), HasSubstr("serials 0 to 0 are no range"));
  EXPECT_THAT(krl_fault(of_ca(0x20, "1234567")), HasSubstr("wrong length"));
  EXPECT_THAT(krl_fault(of_ca(0x21, Writer().u64(5).u64(4).take())),
              HasSubstr("serials 5 to 4 are no range"));
  EXPECT_THAT(krl_fault(of_ca(0x21, Writer().u64(5).u64(6).u8(0).take())), HasSubstr("wrong length"));
  auto bitmap = [&](std::uint64_t first, const std::string& bits) {
    return of_ca(0x22, Writer().u64(first).text(bits).take());
  };
  EXPECT_EQ(parse_krl(bitmap(0, "\2")).faults.size(), 0u);
  EXPECT_THAT(krl_fault(bitmap(0, "\3")), HasSubstr("holds 0"));
  EXPECT_THAT(krl_fault(bitmap(5, "")), HasSubstr("no positive number"));
  EXPECT_THAT(krl_fault(bitmap(5, "\xff")), HasSubstr("no positive number"));
  EXPECT_THAT(krl_fault(bitmap(5, std::string(2049, '\1'))),
              HasSubstr("no positive number of up to 2048 bytes"));
  EXPECT_EQ(parse_krl(bitmap(UINT64_MAX - 2, "\7")).faults.size(), 0u);
  EXPECT_THAT(krl_fault(bitmap(UINT64_MAX - 2, "\x0f")), HasSubstr("beyond 64 bits"));
  EXPECT_THAT(krl_fault(header() + section(3, Writer().text(std::string(19, 'x')).take())),
              HasSubstr("not 20 bytes"));
  EXPECT_THAT(krl_fault(header() + section(5, Writer().text(std::string(20, 'x')).take())),
              HasSubstr("not 32 bytes"));
  EXPECT_THAT(krl_fault(header() + section(2, Writer().text("").take())),
              HasSubstr("a key has a wrong length"));
  EXPECT_THAT(krl_fault(of_ca(0x23, "\1")), HasSubstr("a key id has a wrong length"));
}

}  // namespace
}  // namespace oob::auth

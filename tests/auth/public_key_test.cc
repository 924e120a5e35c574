#include "auth/public_key.h"

#include <gmock/gmock.h>

#include "base/wire.h"
#include "tests/auth/ssh_keygen.h"

namespace oob::auth {
namespace {

using base::wire::Writer;
using testing::HasSubstr;
using testing::StartsWith;

std::string type_of(const std::string& line) { return line.substr(0, line.find(' ')); }
std::string base64_of(const std::string& line) {
  std::size_t from = line.find(' ') + 1;
  return line.substr(from, line.find(' ', from) - from);
}

std::string refusal(base::Bytes blob) {
  auto key = parse_key_blob(blob);
  return key ? "" : key.error().what;
}

TEST(PublicKey, AgreesWithSshKeygenOnBitsAndFingerprintOfEveryKind) {
  test::TempDir folder;
  for (const char* kind :
       {"ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048", "rsa -b 3071"}) {
    SCOPED_TRACE(kind);
    std::string path =
        folder / ("key" + std::to_string(std::string(kind).size()) + std::string(kind).substr(0, 2) +
                  std::string(kind).substr(std::string(kind).size() - 3));
    std::string line = test::new_key(path, kind);
    auto key = parse_key_text(type_of(line), base64_of(line));
    ASSERT_TRUE(key) << key.error().what;
    EXPECT_THAT(test::ssh_keygen("-l -f " + path + ".pub"),
                StartsWith(std::to_string(key->bits) + " " + key->fingerprint() + " "));
    EXPECT_EQ(key->text(), line.substr(0, line.rfind(' ')));
  }
}

TEST(PublicKey, TakesSecurityKeysThatSshKeygenTakes) {
  test::TempDir folder;
  std::string line = test::new_key(folder / "ec", "ecdsa -b 256");
  std::string blob;
  ASSERT_TRUE(decode_base64(base64_of(line), blob));
  base::wire::Reader reader(blob);
  reader.text();
  reader.text();
  std::string point(reader.text());
  std::string sk_ecdsa =
      Writer().text("sk-ecdsa-sha2-nistp256@openssh.com").text("nistp256").text(point).text("ssh:").take();
  std::string sk_ed25519 =
      Writer().text("sk-ssh-ed25519@openssh.com").text(std::string(32, 'k')).text("ssh:").take();
  for (const std::string& made : {sk_ecdsa, sk_ed25519}) {
    auto key = parse_key_blob(made);
    ASSERT_TRUE(key) << key.error().what;
    test::write_file(folder / "sk.pub", key->text() + "\n", 0644);
    EXPECT_THAT(test::ssh_keygen("-l -f " + (folder / "sk.pub")), HasSubstr(key->fingerprint()));
  }
  std::string without =
      Writer().text("sk-ssh-ed25519@openssh.com").text(std::string(32, 'k')).text("").take();
  EXPECT_EQ(refusal(without), "sk-ssh-ed25519@openssh.com: the application is missing");
}

TEST(PublicKey, RefusesABlobCutAnywhereOrWithBytesAfterIt) {
  test::TempDir folder;
  for (const char* kind : {"ed25519", "ecdsa", "rsa -b 2048"}) {
    std::string line = test::new_key(folder / std::string(kind).substr(0, 3), kind), blob;
    ASSERT_TRUE(decode_base64(base64_of(line), blob));
    ASSERT_TRUE(parse_key_blob(blob));
    for (std::size_t size = 0; size < blob.size(); ++size)
      EXPECT_FALSE(parse_key_blob(blob.substr(0, size))) << size;
    EXPECT_THAT(refusal(blob + '\0'), HasSubstr("left over"));
  }
}

TEST(PublicKey, NamesWhatIsNotAccepted) {
  test::TempDir folder;
  std::string small = test::new_key(folder / "small", "rsa -b 1024"), blob;
  EXPECT_EQ(parse_key_text("ssh-rsa", base64_of(small)).error().what,
            "ssh-rsa: the key has 1024 bits, at least 2048 are needed");
  test::new_key(folder / "ca", "ed25519");
  test::new_key(folder / "user", "ed25519");
  test::ssh_keygen("-q -s " + (folder / "ca") + " -I x -n alice " + (folder / "user.pub"));
  std::string certificate = test::read_file(folder / "user-cert.pub");
  ASSERT_TRUE(decode_base64(base64_of(certificate), blob));
  EXPECT_EQ(refusal(blob), "ssh-ed25519-cert-v01@openssh.com: a certificate is not accepted as a plain key");
  EXPECT_EQ(refusal(Writer().text("ssh-dss").take()), "ssh-dss: DSA keys are not accepted");
  EXPECT_EQ(parse_key_text("ssh-ed2551", "AAAA").error().what,
            "unknown key type 'ssh-ed2551', did you mean ssh-ed25519?");
  EXPECT_EQ(parse_key_text("ssh-rsa", "AAA").error().what, "ssh-rsa: the key is not whole base64");
  EXPECT_THAT(parse_key_text("ssh-ed25519", base64_of(small)).error().what,
              HasSubstr("not of the type ssh-ed25519"));
  EXPECT_THAT(refusal(std::string(20000, 'x')), HasSubstr("at most 16384"));
}

TEST(PublicKey, RefusesNumbersAndPointsThatAreNotWhatTheyClaim) {
  std::string modulus = '\0' + std::string(256, '\xc1');
  auto rsa = [](std::string e, std::string n) {
    return refusal(Writer().text("ssh-rsa").text(e).text(n).take());
  };
  EXPECT_EQ(rsa("\x03", modulus), "");
  EXPECT_THAT(rsa("\x01", modulus), HasSubstr("exponent"));
  EXPECT_THAT(rsa("\x04", modulus), HasSubstr("exponent"));
  EXPECT_THAT(rsa(std::string("\0\x03", 2), modulus), HasSubstr("shortest"));
  EXPECT_THAT(rsa("\x03", std::string(256, '\xc1')), HasSubstr("shortest"));
  EXPECT_THAT(rsa("\x03", '\0' + std::string(255, '\xc1') + '\xc2'), HasSubstr("even"));
  EXPECT_THAT(rsa("\x03", '\0' + std::string(2049, '\xc1')), HasSubstr("at most"));
  EXPECT_THAT(rsa("", modulus), HasSubstr("missing"));
  auto ecdsa = [](std::string curve, std::string point) {
    return refusal(Writer().text("ecdsa-sha2-nistp256").text(curve).text(point).take());
  };
  EXPECT_THAT(ecdsa("nistp256", '\x04' + std::string(64, 'x')), HasSubstr("not on the curve"));
  EXPECT_THAT(ecdsa("nistp384", '\x04' + std::string(96, 'x')), HasSubstr("curve"));
  EXPECT_THAT(ecdsa("nistp256", '\x02' + std::string(32, 'x')), HasSubstr("length"));
  EXPECT_THAT(refusal(Writer().text("ssh-ed25519").text(std::string(31, 'x')).take()), HasSubstr("32 bytes"));
}

TEST(PublicKey, DecodesOnlyWholeBase64) {
  std::string bytes;
  for (std::size_t size = 0; size < 70; ++size) {
    std::string raw;
    for (std::size_t i = 0; i < size; ++i) raw += static_cast<char>(i * 37);
    EXPECT_TRUE(decode_base64(base::base64(raw), bytes));
    EXPECT_EQ(bytes, raw);
  }
  for (const char* wrong :
       {"A", "AA", "AAA", "=", "====", "A===", "AB==", "AAB=", "AA=A", "AAAA=", "AA A", "A-A_"})
    EXPECT_FALSE(decode_base64(wrong, bytes)) << wrong;
}

}  // namespace
}  // namespace oob::auth

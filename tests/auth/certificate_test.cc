#include "auth/certificate.h"

#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <memory>

#include "auth/signature.h"
#include "base/wire.h"
#include "tests/auth/ssh_keygen.h"

namespace oob::auth {
namespace {

using base::wire::Writer;
using test::blob_of;
using testing::HasSubstr;

std::string sha256(const std::string& bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

// An Ed25519 key that signs whatever a test wants signed.
class Signer {
 public:
  Signer() : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free) {}
  std::string point() const {
    std::string bytes(32, '\0');
    std::size_t size = bytes.size();
    EXPECT_EQ(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size),
              1);
    return bytes;
  }
  std::string blob() const { return Writer().text("ssh-ed25519").text(point()).take(); }
  std::string sign(const std::string& message) const {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::string bytes(64, '\0');
    std::size_t size = bytes.size();
    EXPECT_EQ(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()), 1);
    EXPECT_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size,
                             reinterpret_cast<const unsigned char*>(message.data()), message.size()),
              1);
    return bytes;
  }

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

std::string strings(const std::vector<std::string>& all) {
  Writer writer;
  for (const std::string& one : all) writer.text(one);
  return writer.take();
}

// A certificate that ssh-keygen would not make.
struct Draft {
  std::string type = "ssh-ed25519-cert-v01@openssh.com", nonce = std::string(32, 'n');
  std::string fields = strings({std::string(32, 'k')});
  std::uint64_t serial = 7;
  std::uint32_t kind = 1;
  std::string key_id = "laptop", principals = strings({"alice"});
  std::uint64_t from = 0, to = UINT64_MAX;
  std::string critical, extensions, reserved;

  std::string unsigned_blob(const std::string& ca) const {
    return Writer().text(type).text(nonce).take() + fields +
           Writer()
               .u64(serial)
               .u32(kind)
               .text(key_id)
               .text(principals)
               .u64(from)
               .u64(to)
               .text(critical)
               .text(extensions)
               .text(reserved)
               .text(ca)
               .take();
  }
  std::string blob(const Signer& ca = Signer()) const {
    std::string message = unsigned_blob(ca.blob());
    return message + Writer().text(strings({"ssh-ed25519", ca.sign(message)})).take();
  }
};

std::string refusal(const std::string& blob) {
  auto certificate = parse_certificate(blob);
  EXPECT_TRUE(certificate || certificate.error().fault == base::Fault::denied);
  return certificate ? "" : certificate.error().what;
}
std::string refusal(const Draft& draft) { return refusal(draft.blob()); }

TEST(Certificate, ReadsWhatSshKeygenWrote) {
  test::TempDir folder;
  std::string ca = test::new_key(folder / "ca", "ecdsa"), user = test::new_key(folder / "id", "rsa -b 2048");
  std::string blob = test::certify(folder / "ca", folder / "id",
                                   "-n alice,bob -z 12 -V 20300101000000Z:20310101000000Z -O "
                                   "force-command=list -O source-address=192.0.2.0/24,2001:db8::1 "
                                   "-O no-x11-forwarding -O no-port-forwarding");
  auto read = parse_certificate(blob);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->type, "ssh-rsa-cert-v01@openssh.com");
  EXPECT_EQ(read->key.blob, blob_of(user));
  EXPECT_EQ(read->ca.blob, blob_of(ca));
  EXPECT_EQ(read->serial, 12u);
  EXPECT_EQ(read->key_id, "laptop");
  EXPECT_EQ(read->principals, (std::vector<std::string>{"alice", "bob"}));
  EXPECT_EQ(read->force_command.value_or(""), "list");
  EXPECT_TRUE(read->source && read->source->matches("192.0.2.1") && read->source->matches("2001:db8::1") &&
              !read->source->matches("192.0.3.1"));
  EXPECT_TRUE(read->permit_pty);
  EXPECT_FALSE(read->permit_port_forwarding);
  EXPECT_EQ(read->valid_after, 1893456000u);
  EXPECT_EQ(read->valid_before, 1924992000u);
  EXPECT_TRUE(check_ca_signature(*read));
  auto marks = marks_of_certificate(blob);
  ASSERT_TRUE(marks);
  EXPECT_TRUE(marks->key == read->key.blob && marks->ca == read->ca.blob && marks->serial == 12 &&
              marks->key_id == "laptop");
}

TEST(Certificate, IsOneByItsType) {
  test::TempDir folder;
  EXPECT_FALSE(is_certificate(blob_of(test::new_key(folder / "id", "ed25519"))));
  EXPECT_TRUE(is_certificate(Draft().blob()));
  EXPECT_TRUE(is_certificate(Writer().text("ssh-dss-cert-v01@openssh.com").take()));
  EXPECT_FALSE(is_certificate("rubbish"));
  EXPECT_EQ(refusal(Writer().text("ssh-dss-cert-v01@openssh.com").take()),
            "certificate: DSA keys are not accepted");
  EXPECT_EQ(refusal(Writer().text("x-cert-v01@openssh.com").take()),
            "unknown certificate type 'x-cert-v01@openssh.com'");
}

TEST(Certificate, TakesTheKindsOfSecurityKeys) {
  Draft draft;
  draft.type = "sk-ssh-ed25519-cert-v01@openssh.com";
  draft.fields = strings({std::string(32, 'k'), "ssh:"});
  auto read = parse_certificate(draft.blob());
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->key.type, "sk-ssh-ed25519@openssh.com");
  test::TempDir folder;
  test::new_key(folder / "ec", "ecdsa -b 256");
  std::string plain = blob_of(test::read_file(folder / "ec.pub"));
  base::wire::Reader parts(plain);
  parts.text();
  parts.text();
  draft.type = "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com";
  draft.fields = strings({"nistp256", std::string(parts.text()), "ssh:"});
  read = parse_certificate(draft.blob());
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->key.type, "sk-ecdsa-sha2-nistp256@openssh.com");
  draft.fields = strings({"nistp256", std::string(65, '\4'), "ssh:"});
  EXPECT_THAT(refusal(draft), HasSubstr("not on the curve"));
}

TEST(Certificate, ChecksWhatASecurityKeySignedAsACa) {
  Signer token;
  std::string ca = strings({"sk-ssh-ed25519@openssh.com", token.point(), "ssh:ca"});
  std::string message = Draft().unsigned_blob(ca);
  std::string tail = Writer().u8(1).u32(41).take();
  std::string said = sha256("ssh:ca") + tail + sha256(message);
  auto certificate = [&](const std::string& signature) {
    auto read = parse_certificate(message + Writer().text(signature).take());
    if (!read) return read.error().what;
    base::Result<> made = check_ca_signature(*read);
    return made ? "right" : made.error().what;
  };
  std::string name = "sk-ssh-ed25519@openssh.com", right = strings({name, token.sign(said)}) + tail;
  EXPECT_EQ(certificate(right), "right");
  EXPECT_EQ(certificate(strings({name, token.sign(said)}) + Writer().u8(1).u32(42).take()),
            "the signature is wrong");
  EXPECT_EQ(certificate(strings({name, token.sign(said)}) + Writer().u8(5).u32(41).take()),
            "the signature is wrong");
  EXPECT_EQ(certificate(strings({name, token.sign(message)}) + tail), "the signature is wrong");
  EXPECT_EQ(certificate(strings({name, token.sign(said)})), "the signature's parts have wrong lengths");
  EXPECT_EQ(certificate(right + "x"), "the signature's parts have wrong lengths");
}

TEST(Certificate, RefusesASignatureOfAnotherTypeThanItsCa) {
  Signer ca;
  std::string message = Draft().unsigned_blob(ca.blob());
  auto check = [&](const std::string& signature) {
    auto read = parse_certificate(message + Writer().text(signature).take());
    if (!read) return read.error().what;
    base::Result<> made = check_ca_signature(*read);
    return made ? "right" : made.error().what;
  };
  EXPECT_EQ(check(strings({"ssh-ed25519", ca.sign(message)})), "right");
  EXPECT_EQ(check(strings({"ssh-ed25519", Signer().sign(message)})), "the signature is wrong");
  EXPECT_EQ(check(strings({"rsa-sha2-256", ca.sign(message)})),
            "the signature is of type 'rsa-sha2-256', the key of ssh-ed25519");
  EXPECT_EQ(check(strings({"ssh-ed25519", ca.sign(message).substr(1)})), "the signature is wrong");
  EXPECT_EQ(check(strings({"ssh-ed25519", ca.sign(message), ""})),
            "the signature's parts have wrong lengths");
  EXPECT_EQ(check(""), "the signature's parts have wrong lengths");
}

TEST(Certificate, RefusesACaThatIsNone) {
  Signer signer;
  auto by = [&](const std::string& ca) {
    std::string message = Draft().unsigned_blob(ca);
    return refusal(message + Writer().text(strings({"ssh-ed25519", signer.sign(message)})).take());
  };
  EXPECT_EQ(by(signer.blob()), "");
  EXPECT_EQ(by(Draft().blob(signer)), "certificate: its CA is itself a certificate");
  EXPECT_EQ(by("rubbish"), "certificate: its CA: not a public key");
  EXPECT_EQ(by(Writer().text("ssh-dss").take()), "certificate: its CA: ssh-dss: DSA keys are not accepted");
  test::TempDir folder;
  std::string small = blob_of(test::new_key(folder / "small", "rsa -b 1024"));
  EXPECT_EQ(by(small), "certificate: its CA: ssh-rsa: the key has 1024 bits, at least 2048 are needed");
}

TEST(Certificate, IsAUsersOrNothing) {
  Draft draft;
  EXPECT_EQ(refusal(draft), "");
  draft.kind = 2;
  EXPECT_EQ(refusal(draft), "certificate: it is a host's, and lets nobody in");
  EXPECT_TRUE(marks_of_certificate(draft.blob()));
  draft.kind = 3;
  EXPECT_EQ(refusal(draft), "certificate: type 3 is neither a user's nor a host's");
}

TEST(Certificate, TakesCriticalOptionsInOrderOnceAndAllKnown) {
  auto critical = [](const std::vector<std::string>& all) {
    Draft draft;
    draft.critical = strings(all);
    return refusal(draft);
  };
  std::string list = strings({"list"}), here = strings({"192.0.2.1"});
  EXPECT_EQ(critical({"force-command", list, "source-address", here}), "");
  EXPECT_EQ(critical({"source-address", here, "force-command", list}),
            "certificate: its critical options are not in order at 'force-command'");
  EXPECT_EQ(critical({"force-command", list, "force-command", list}),
            "certificate: its critical options have 'force-command' twice");
  EXPECT_EQ(critical({"a\n@x", ""}), "certificate: critical option 'a\\n@x' is not known here");
  EXPECT_EQ(critical({"Force-command", list}),
            "certificate: critical option 'Force-command' is not known here");
  EXPECT_THAT(critical({"verify-required", ""}), HasSubstr("verify-required: what a security key says"));
  EXPECT_EQ(critical({"force-command"}), "certificate: its critical options have wrong lengths");
  EXPECT_EQ(critical({"", ""}), "certificate: the name of one of its critical options is no name");
  EXPECT_EQ(critical({std::string("a\0", 2), ""}),
            "certificate: the name of one of its critical options is no name");
  EXPECT_EQ(critical({"force-command", "list"}), "certificate: force-command has a wrong length");
  EXPECT_EQ(critical({"force-command", strings({"list", ""})}),
            "certificate: force-command has a wrong length");
  EXPECT_EQ(critical({"force-command", strings({std::string("li\0st", 5)})}),
            "certificate: force-command has a wrong length");
  EXPECT_EQ(critical({"force-command", strings({" "})}), "certificate: force-command is empty");
}

TEST(Certificate, TakesSourceAddressesAsNumbersOnly) {
  auto source = [](const std::string& text) {
    Draft draft;
    draft.critical = strings({"source-address", strings({text})});
    return refusal(draft);
  };
  EXPECT_EQ(source("192.0.2.0/24,2001:DB8::/32,198.51.100.7"), "");
  for (const char* bad : {"", ",", "192.0.2.1,", "!192.0.2.1", "192.0.2.*", "*", "host.example",
                          "192.0.2.1/24", "192.0.2.0/33", "192.0.2.1 ", "192.0.2", "fe80::1%eth0"})
    EXPECT_THAT(source(bad), HasSubstr("certificate: source-address: ")) << bad;
}

TEST(Certificate, PassesOverExtensionsItDoesNotKnow) {
  Draft draft;
  draft.extensions = strings({"no-touch-required", "", "permit-X11-forwarding", "", "permit-port-forwarding",
                              "", "permit-pty", "", "x@example.com", strings({"1"})});
  auto read = parse_certificate(draft.blob());
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_TRUE(read->permit_pty && read->permit_port_forwarding);
  draft.extensions = strings({"permit-pty", "x"});
  EXPECT_EQ(refusal(draft), "certificate: permit-pty has a value, and takes none");
  draft.extensions = strings({"permit-pty", "", "permit-pty", ""});
  EXPECT_EQ(refusal(draft), "certificate: its extensions have 'permit-pty' twice");
  draft.extensions = strings({"x", "", "a", ""});
  EXPECT_EQ(refusal(draft), "certificate: its extensions are not in order at 'a'");
  draft.extensions = "\1";
  EXPECT_EQ(refusal(draft), "certificate: its extensions have wrong lengths");
}

TEST(Certificate, BoundsPrincipalsAndItself) {
  Draft draft;
  draft.principals = strings(std::vector<std::string>(256, "a"));
  EXPECT_EQ(refusal(draft), "");
  draft.principals = strings(std::vector<std::string>(257, "a"));
  EXPECT_EQ(refusal(draft), "certificate: more than 256 principals");
  draft.principals = "\1";
  EXPECT_EQ(refusal(draft), "certificate: its principals have wrong lengths");
  draft.principals = strings({std::string("alice\0x", 7)});
  EXPECT_EQ(refusal(draft), "certificate: a NUL stands in the name of a principal");
  draft = {};
  draft.key_id = std::string("a\0b", 3);
  EXPECT_EQ(refusal(draft), "certificate: a NUL stands in its key id");
  draft.key_id = std::string(17000, 'x');
  EXPECT_THAT(refusal(draft), HasSubstr("at most 16384 are taken"));
}

TEST(Certificate, IsRefusedCutAnywhereOrWithBytesAfterIt) {
  Draft draft;
  draft.critical = strings({"force-command", strings({"list"})});
  std::string blob = draft.blob();
  for (std::size_t size = 0; size < blob.size(); ++size) {
    EXPECT_NE(refusal(blob.substr(0, size)), "") << size;
    EXPECT_FALSE(marks_of_certificate(blob.substr(0, size))) << size;
  }
  EXPECT_EQ(refusal(blob + '\0'), "certificate: bytes are left over after its signature");
}

TEST(Certificate, SaysOfItsTimesWhatNoDateCanSay) {
  Draft draft;
  draft.from = 300'000'000'000;
  auto read = parse_certificate(draft.blob());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->out_of_time(0),
            "not yet valid: it is good from 300000000000 s after 1970 to for ever, and the clock "
            "here says 1970-01-01T00:00:00Z");
  draft.from = 5;
  draft.to = 5;
  EXPECT_THAT(parse_certificate(draft.blob())->out_of_time(5'000'000), HasSubstr("expired"));
  EXPECT_THAT(parse_certificate(draft.blob())->out_of_time(4'999'999), HasSubstr("not yet valid"));
}

}  // namespace
}  // namespace oob::auth

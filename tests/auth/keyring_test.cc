#include "auth/keyring.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "auth/public_key.h"
#include "base/fd.h"
#include "tests/auth/ssh_keygen.h"

namespace oob::auth {
namespace {

using test::blob_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class KeyringTest : public testing::Test {
 protected:
  void SetUp() override {
    line_ = test::new_key(folder_ / "id", "ed25519");
    other_ = test::new_key(folder_ / "id2", "ed25519", "other");
    blob_ = blob_of(line_);
    keys(line_);
  }
  void keys(const std::string& text) { test::write_file(path_, text + "\n"); }
  std::string find(const std::string& address = "192.0.2.9", base::Micros now = base::wall_now()) {
    auto terms = ring_.find("alice", blob_, address, now);
    return terms ? "in: " + terms->comment : terms.error().what;
  }

  test::TempDir folder_;
  std::string line_, other_, blob_;
  std::string path_ = folder_ / "alice";
  base::Clock::time_point moment_ = base::Clock::now();
  Keyring ring_{{{"alice", path_}}, {}, [this] { return moment_; }};
};

TEST_F(KeyringTest, LetsInWhoHasTheKeyAndNobodyElse) {
  EXPECT_EQ(find(), "in: alice");
  EXPECT_EQ(ring_.find("bob\n", blob_, "192.0.2.9", 0).error().what, "unknown user 'bob\\n'");
  auto other = ring_.find("alice", blob_of(other_), "192.0.2.9", 0);
  EXPECT_EQ(other.error().what, "alice: key " + fingerprint_of(blob_of(other_)) + " is not in " + path_);
  EXPECT_EQ(other.error().fault, base::Fault::denied);
  EXPECT_EQ(ring_.find("alice", "rubbish", "192.0.2.9", 0).error().what, "alice: not a public key");
}

TEST_F(KeyringTest, SeesAChangedFileAtTheNextLogin) {
  for (int i = 0; i < 20; ++i) {
    keys("#" + line_);
    EXPECT_THAT(find(), HasSubstr("is not in")) << i;
    keys(line_);
    EXPECT_EQ(find(), "in: alice") << i;
  }
  ::unlink(path_.c_str());
  EXPECT_EQ(find(), "alice: " + path_ + ": No such file or directory");
  keys(line_);
  EXPECT_EQ(find(), "in: alice");
}

TEST_F(KeyringTest, SeesAChangeThatNothingShowsATickLater) {
  for (std::size_t i = 1; i <= 20; ++i) {
    moment_ += Keyring::kTick;
    keys(std::string(i, '#') + line_);  // of another size, which shows
    EXPECT_THAT(find(), HasSubstr("is not in")) << i;
    keys(std::string(i, ' ') + line_);  // of the same, and mostly within one tick of the clock
    moment_ += Keyring::kTick;
    EXPECT_EQ(find(), "in: alice") << i;
  }
}

TEST_F(KeyringTest, ChecksTheModeEachTime) {
  EXPECT_EQ(find(), "in: alice");
  ::chmod(path_.c_str(), 0622);
  EXPECT_EQ(find(), "alice: " + path_ + ": mode 0622 lets others write it; chmod go-w it");
  ::chmod(path_.c_str(), 0644);
  EXPECT_EQ(find(), "in: alice");
}

TEST_F(KeyringTest, TakesTheFirstLineThatLetsTheKeyIn) {
  keys("from=\"10.0.0.0/8\",no-pty " + line_ + "1\nexpiry-time=\"20200101Z\" " + line_ + "2\n" + line_ +
       "3\n" + line_ + "4");
  EXPECT_EQ(find("10.1.1.1"), "in: alice1");
  EXPECT_EQ(find("192.0.2.9"), "in: alice3");
  EXPECT_EQ(find("10.1.1.1", 0), "in: alice1");
  EXPECT_EQ(find("192.0.2.9", 0), "in: alice2");
}

TEST_F(KeyringTest, SaysWhyAKnownKeyIsRefused) {
  std::string key = "alice: key " + fingerprint_of(blob_) + " is ";
  keys("from=\"10.0.0.0/8\" " + line_);
  EXPECT_EQ(find(), key + "not allowed from 192.0.2.9 (" + path_ + ":1)");
  EXPECT_EQ(find("::ffff:10.2.3.4"), "in: alice");
  keys("\nexpiry-time=\"20200101Z\" " + line_);
  EXPECT_EQ(find(), key + "expired 2020-01-01T00:00:00Z (" + path_ + ":2)");
  base::Micros edge = *base::parse_time("2020-01-01T00:00:00Z", 0);
  EXPECT_EQ(find("192.0.2.9", edge), "in: alice");
  EXPECT_THAT(find("192.0.2.9", edge + 1), HasSubstr("expired"));
  keys("no-such " + line_);
  EXPECT_THAT(find(), HasSubstr("; a fault there: 1:1: unknown option 'no-such'"));
}

TEST_F(KeyringTest, CarriesTheTermsOfTheLine) {
  keys("restrict,command=\"list\" " + line_);
  auto terms = ring_.find("alice", blob_, "192.0.2.9", 0);
  ASSERT_TRUE(terms);
  EXPECT_TRUE(terms->no_pty && terms->no_forwarding && terms->has_forced_command);
  EXPECT_EQ(terms->forced_command, "list");
  EXPECT_THAT(test::ssh_keygen("-l -f " + (folder_ / "id.pub")), HasSubstr(terms->fingerprint));
}

TEST_F(KeyringTest, KeepsWhatItReadWhileAnOldFileStaysTheSame) {
  timeval old[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
  ASSERT_EQ(::utimes(path_.c_str(), old), 0);
  EXPECT_EQ(find(), "in: alice");
  // A replacement with the same size and time is another inode.
  test::write_file(path_ + ".new", "#" + line_.substr(1) + "\n");
  ASSERT_EQ(::utimes((path_ + ".new").c_str(), old), 0);
  ASSERT_EQ(::rename((path_ + ".new").c_str(), path_.c_str()), 0);
  EXPECT_THAT(find(), HasSubstr("is not in"));
}

TEST_F(KeyringTest, ParsesAFileOfTheFutureTwiceHoweverManyAsk) {
  struct timespec ahead[2] = {{4'000'000'000, 0}, {4'000'000'000, 0}};  // as on a board in 1970
  ASSERT_EQ(::utimensat(AT_FDCWD, path_.c_str(), ahead, 0), 0);
  base::Fd reads(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_GE(::inotify_add_watch(reads.get(), path_.c_str(), IN_ACCESS), 0);
  // How many of the questions had it read, and so parsed.
  auto parses = [&](int questions) {
    int times = 0;
    char events[4096];
    for (int i = 0; i < questions; ++i) {
      EXPECT_EQ(find(), "in: alice");
      times += ::read(reads.get(), events, sizeof events) > 0;
    }
    return times;
  };
  EXPECT_EQ(parses(1), 1);
  EXPECT_EQ(parses(100), 0);  // it is fresh
  moment_ += Keyring::kTick;
  EXPECT_EQ(parses(100), 1);
  for (int i = 0; i < 5; ++i) {  // and known from now on, however old
    moment_ += Keyring::kTick;
    EXPECT_EQ(parses(20), 0);
  }
}

// alice with a certificate of a CA; the CA in her file, or trusted for all.
class CertificateLogin : public testing::Test {
 protected:
  void SetUp() override {
    user_ = test::new_key(key_, "ed25519");
    ca_ = test::new_key(ca_key_, "ed25519", "ca");
    other_ca_ = test::new_key(folder_ / "ca2", "ed25519", "ca2");
    keys("cert-authority " + ca_);
  }
  void keys(const std::string& text) { test::write_file(path_, text + "\n"); }
  void revoke(const std::string& text) { test::write_file(revoked_, text); }
  std::string certify(const std::string& how = "-n alice -z 7") { return test::certify(ca_key_, key_, how); }
  // "in", or why not.
  std::string find(const std::string& blob, const std::string& user = "alice",
                   const std::string& address = "192.0.2.9", base::Micros now = base::wall_now()) {
    auto terms = ring_.find(user, blob, address, now);
    EXPECT_TRUE(terms || terms.error().fault == base::Fault::denied);
    return terms ? "in" : terms.error().what;
  }
  KeyTerms terms(const std::string& how) {
    auto found = ring_.find("alice", certify(how), "192.0.2.9", base::wall_now());
    if (!found) ADD_FAILURE() << found.error().what;
    return found ? *found : KeyTerms();
  }

  test::TempDir folder_;
  std::string key_ = folder_ / "id", ca_key_ = folder_ / "ca", path_ = folder_ / "alice";
  std::string user_ca_ = folder_ / "user_ca", revoked_ = folder_ / "revoked";
  std::string user_, ca_, other_ca_;
  Keyring ring_{{{"alice", path_}, {"bob", ""}}};
  Keyring for_all_{{{"alice", path_}, {"bob", ""}}, {user_ca_, ""}};
  Keyring revoking_{{{"alice", path_}}, {"", revoked_}};
};

TEST_F(CertificateLogin, LetsInByALineOfItsCaAndTellsWhichItWas) {
  std::string blob = certify("-n bob,alice -z 18446744073709551615");
  auto terms = ring_.find("alice", blob, "192.0.2.9", base::wall_now());
  ASSERT_TRUE(terms) << terms.error().what;
  EXPECT_TRUE(terms->is_certificate);
  EXPECT_EQ(terms->serial, 18446744073709551615u);
  EXPECT_EQ(terms->key_id, "laptop");
  EXPECT_EQ(terms->ca, fingerprint_of(blob_of(ca_)));
  EXPECT_EQ(terms->fingerprint, fingerprint_of(blob_of(user_)));
  EXPECT_THAT(test::ssh_keygen("-l -f " + key_ + "-cert.pub"), HasSubstr(terms->fingerprint));
  EXPECT_EQ(terms->comment, "ca");
  keys(user_);
  terms = ring_.find("alice", blob_of(user_), "192.0.2.9", base::wall_now());
  ASSERT_TRUE(terms);
  EXPECT_FALSE(terms->is_certificate);
}

TEST_F(CertificateLogin, TakesEveryKindOfKeyFromEveryKindOfCa) {
  for (const char* ca : {"ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048"}) {
    std::string ca_path =
        folder_ / ("ca_" + std::string(ca).substr(0, 3) + std::string(ca).substr(std::string(ca).size() - 3));
    keys("cert-authority " + test::new_key(ca_path, ca));
    for (const char* kind : {"ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048"}) {
      std::string path =
          folder_ / (std::string(kind).substr(0, 3) + std::string(kind).substr(std::string(kind).size() - 3));
      if (::access(path.c_str(), F_OK) != 0) test::new_key(path, kind);
      EXPECT_EQ(find(test::certify(ca_path, path)), "in") << kind << " by " << ca;
    }
    if (std::string(ca).substr(0, 3) != "rsa") continue;
    EXPECT_EQ(find(test::certify(ca_path, key_, "-n alice -t rsa-sha2-256")), "in");
    EXPECT_THAT(find(test::certify(ca_path, key_, "-n alice -t ssh-rsa")),
                HasSubstr("not what its CA signed: the signature is by SHA-1 (ssh-rsa)"));
  }
}

TEST_F(CertificateLogin, NeverTakesACertificateForItsKeyNorAKeyForACertificate) {
  std::string blob = certify();
  keys(user_);
  EXPECT_THAT(find(blob), HasSubstr("its CA is not trusted here"));
  EXPECT_EQ(find(blob_of(user_)), "in");
  keys("cert-authority " + user_);
  EXPECT_THAT(find(blob), HasSubstr("its CA is not trusted here"));
  EXPECT_THAT(find(blob_of(user_)), HasSubstr("a CA's, which lets in by its certificates only"));
  keys("cert-authority " + ca_);
  EXPECT_EQ(find(blob), "in");
  EXPECT_THAT(find(blob_of(user_)), HasSubstr("is not in " + path_));
  EXPECT_THAT(find(blob_of(ca_)), HasSubstr("a CA's, which lets in by its certificates only"));
  keys(ca_);  // a CA's key in a plain line certifies nothing
  EXPECT_THAT(find(blob), HasSubstr("its CA is not trusted here"));
}

TEST_F(CertificateLogin, RefusesAnotherCaEvenWithTheSameWords) {
  std::string foreign = test::certify(folder_ / "ca2", key_, "-n alice -z 7");
  EXPECT_EQ(find(foreign), "alice: certificate 'laptop' (serial 7, CA " + fingerprint_of(blob_of(other_ca_)) +
                               ") of key " + fingerprint_of(blob_of(user_)) + ": its CA is not trusted here");
  keys("no-such " + ca_);
  EXPECT_THAT(find(certify()), HasSubstr("; a fault in " + path_ + ":1:1: unknown option 'no-such'"));
}

TEST_F(CertificateLogin, RefusesOneWhoseCaNamesItselfButDidNotSign) {
  std::string blob = test::certify(folder_ / "ca2", key_, "-n alice");
  std::string real = blob_of(ca_), other = blob_of(other_ca_);
  std::size_t at = blob.find(other);
  ASSERT_NE(at, std::string::npos);
  EXPECT_THAT(find(blob.replace(at, real.size(), real)),
              HasSubstr("not what its CA signed: the signature is wrong"));
}

TEST_F(CertificateLogin, IsValidFromItsFirstSecondToBeforeItsLast) {
  std::string blob = certify("-n alice -V 20300101000000Z:20300102000000Z");
  base::Micros from = *base::parse_time("2030-01-01T00:00:00Z", 0),
               to = *base::parse_time("2030-01-02T00:00:00Z", 0);
  auto at = [&](base::Micros now) { return find(blob, "alice", "192.0.2.9", now); };
  EXPECT_EQ(at(from), "in");
  EXPECT_EQ(at(to - 1), "in");
  EXPECT_THAT(at(from - 1),
              HasSubstr("not yet valid: it is good from 2030-01-01T00:00:00Z to 2030-01-02T00:00:00Z, "
                        "and the clock here says 2029-12-31T23:59:59Z"));
  EXPECT_THAT(at(to),
              HasSubstr("expired: it is good from 2030-01-01T00:00:00Z to 2030-01-02T00:00:00Z, and the "
                        "clock here says 2030-01-02T00:00:00Z"));
  EXPECT_THAT(at(-5), HasSubstr("not yet valid"));
  EXPECT_EQ(find(certify("-n alice -V always:forever"), "alice", "192.0.2.9", -5), "in");
  blob = certify("-n alice -V 20300101000000Z:forever");
  EXPECT_THAT(at(0), HasSubstr("to for ever, and the clock here says 1970-01-01T00:00:00Z"));
  EXPECT_EQ(at(9'000'000'000'000'000'000), "in");
}

TEST_F(CertificateLogin, LetsInOnlyWhomItNames) {
  EXPECT_THAT(find(certify("-n bob,alic,alice2")),
              HasSubstr("not for the principal 'alice' (" + path_ + ":1)"));
  EXPECT_THAT(find(certify("")), HasSubstr("for nobody: it names no principal"));
  keys("cert-authority,principals=\"ops,noc\" " + ca_);
  EXPECT_THAT(find(certify("-n alice")), HasSubstr("for none of the line's principals"));
  EXPECT_EQ(find(certify("-n x,noc")), "in");
  EXPECT_THAT(find(certify("")), HasSubstr("for nobody"));
  keys("cert-authority,principals=\"ops\" " + ca_ + "\ncert-authority " + ca_);
  EXPECT_EQ(find(certify("-n alice")), "in");
  EXPECT_THAT(find(certify("-n bob")), HasSubstr("for none of the line's principals (" + path_ +
                                                 ":1), not for the principal 'alice' (" + path_ + ":2)"));
}

TEST_F(CertificateLogin, RefusesHostCertificatesAndCriticalOptionsItCannotKeep) {
  EXPECT_THAT(find(certify("-h -n alice")), HasSubstr("certificate: it is a host's, and lets nobody in"));
  EXPECT_THAT(find(certify("-n alice -O critical:x@example.com=1")),
              HasSubstr("critical option 'x@example.com' is not known here"));
  EXPECT_THAT(find(certify("-n alice -O verify-required")),
              HasSubstr("verify-required: what a security key says"));
  EXPECT_EQ(find(certify("-n alice -O extension:x@example.com=1")), "in");
}

TEST_F(CertificateLogin, LetsTheLineAndTheCertificateLimitTheSource) {
  std::string blob = certify("-n alice -O source-address=10.0.0.0/8,192.0.2.9");
  EXPECT_EQ(find(blob), "in");
  EXPECT_EQ(find(blob, "alice", "10.2.3.4"), "in");
  EXPECT_THAT(find(blob, "alice", "192.0.2.8"),
              HasSubstr("not allowed from 192.0.2.8 by its source-address"));
  keys("cert-authority,from=\"10.0.0.0/8\" " + ca_);
  EXPECT_THAT(find(blob), HasSubstr("not allowed from 192.0.2.9 (" + path_ + ":1)"));
  EXPECT_EQ(find(blob, "alice", "10.2.3.4"), "in");
  EXPECT_THAT(find(certify("-n alice -O source-address=192.0.2.9"), "alice", "10.2.3.4"),
              HasSubstr("by its source-address"));
  keys("cert-authority,expiry-time=\"20200101Z\" " + ca_);
  EXPECT_THAT(find(blob), HasSubstr("expired 2020-01-01T00:00:00Z (" + path_ + ":1)"));
}

TEST_F(CertificateLogin, LetsTheStricterOfLineAndCertificateWin) {
  KeyTerms plain = terms("-n alice");
  EXPECT_FALSE(plain.no_pty || plain.no_forwarding || plain.has_forced_command);
  EXPECT_TRUE(terms("-n alice -O no-pty").no_pty);
  EXPECT_FALSE(terms("-n alice -O no-pty").no_forwarding);
  EXPECT_TRUE(terms("-n alice -O no-port-forwarding").no_forwarding);
  EXPECT_TRUE(terms("-n alice -O clear").no_pty && terms("-n alice -O clear").no_forwarding);
  keys("cert-authority,restrict,permitopen=\"edge1:443\" " + ca_);
  EXPECT_TRUE(terms("-n alice").no_pty && terms("-n alice").no_forwarding);
  EXPECT_EQ(terms("-n alice").permit_open.size(), 1u);
}

TEST_F(CertificateLogin, ForcesACommandOfEitherAndRefusesTwoThatDiffer) {
  KeyTerms forced = terms("-n alice -O force-command=list");
  EXPECT_TRUE(forced.has_forced_command);
  EXPECT_EQ(forced.forced_command, "list");
  keys("cert-authority,command=\"list\" " + ca_);
  EXPECT_EQ(terms("-n alice").forced_command, "list");
  EXPECT_EQ(terms("-n alice -O force-command=list").forced_command, "list");
  EXPECT_THAT(find(certify("-n alice -O force-command=version")),
              HasSubstr("forced to another command than the line (" + path_ + ":1)"));
}

TEST_F(CertificateLogin, TrustsTheCasOfAllUsersForTheNamesInTheCertificate) {
  test::write_file(user_ca_, "# all\n" + ca_ + "\n");
  keys(user_);
  auto all = [&](const std::string& user, const std::string& blob) {
    auto terms = for_all_.find(user, blob, "192.0.2.9", base::wall_now());
    return terms ? "in" : terms.error().what;
  };
  std::string blob = certify("-n alice,bob");
  EXPECT_EQ(all("alice", blob), "in");
  EXPECT_EQ(all("bob", blob), "in");  // who has no file
  EXPECT_EQ(find(blob, "bob"), "bob: " + find(blob).substr(7));
  EXPECT_THAT(all("carol", blob), HasSubstr("unknown user"));
  EXPECT_THAT(all("alice", certify("-n bob")), HasSubstr("not for the principal 'alice' (" + user_ca_ + ")"));
  EXPECT_THAT(all("bob", blob_of(ca_)), HasSubstr("is in no file: the user has none"));
  EXPECT_EQ(all("alice", blob_of(user_)), "in");
  // A line of the user's counts first, but never shuts out what all trust.
  keys("cert-authority,no-pty " + ca_);
  EXPECT_TRUE(for_all_.find("alice", blob, "192.0.2.9", base::wall_now())->no_pty);
  EXPECT_FALSE(for_all_.find("bob", blob, "192.0.2.9", base::wall_now())->no_pty);
  ::chmod(user_ca_.c_str(), 0666);
  EXPECT_THAT(all("bob", blob),
              AllOf(HasSubstr("its CA is not trusted here"), HasSubstr(user_ca_ + ": mode 0666")));
  EXPECT_EQ(all("alice", blob), "in");
  test::write_file(user_ca_, "from=\"10.0.0.0/8\" " + ca_ + "\n");
  EXPECT_THAT(all("bob", blob), HasSubstr("a fault in " + user_ca_ + ":1:1: options are not taken here"));
  ::unlink(user_ca_.c_str());
  EXPECT_THAT(all("bob", blob), HasSubstr("No such file"));
}

TEST_F(CertificateLogin, RefusesWhatIsRevokedAtTheNextLogin) {
  keys("cert-authority " + ca_ + "\n" + user_);
  std::string blob = certify();
  auto now = [&](const std::string& of) {
    auto terms = revoking_.find("alice", of, "192.0.2.9", base::wall_now());
    return terms ? "in" : terms.error().what;
  };
  revoke("");
  EXPECT_EQ(now(blob), "in");
  EXPECT_EQ(now(blob_of(user_)), "in");
  revoke(user_ + "\n");
  EXPECT_EQ(now(blob_of(user_)),
            "alice: key " + fingerprint_of(blob_of(user_)) + ": its key is revoked (" + revoked_ + ")");
  EXPECT_THAT(now(blob), AllOf(StartsWith("alice: certificate 'laptop' (serial 7, CA "),
                               HasSubstr(": its key is revoked (" + revoked_ + ")")));
  revoke(fingerprint_of(blob_of(ca_)) + " # the CA was stolen\n");
  EXPECT_THAT(now(blob), HasSubstr("the key of its CA is revoked"));
  EXPECT_EQ(now(blob_of(user_)), "in");
  for (const char* by : {"7", "serial: 5-9", "id: laptop"}) {
    revoke(std::string(by) + "\n");
    EXPECT_THAT(now(blob), HasSubstr("is revoked")) << by;
    EXPECT_EQ(now(blob_of(user_)), "in") << by;
  }
  test::ssh_keygen("-q -k -f " + revoked_ + ".krl " + key_ + "-cert.pub");
  revoke(test::read_file(revoked_ + ".krl"));
  EXPECT_THAT(now(blob), HasSubstr("its serial 7 is revoked"));
  EXPECT_EQ(now(blob_of(user_)), "in");
}

TEST_F(CertificateLogin, LetsNobodyInWhileTheRevocationsAreInDoubt) {
  keys("cert-authority " + ca_ + "\n" + user_);
  std::string blob = certify();
  auto expect = [&](const std::string& why) {
    for (const std::string& of : {blob, blob_of(user_)}) {
      auto terms = revoking_.find("alice", of, "192.0.2.9", base::wall_now());
      ASSERT_FALSE(terms) << why;
      EXPECT_THAT(terms.error().what, HasSubstr(why));
    }
  };
  expect("nobody comes in while the revocations can't be read: " + revoked_ + ": No such file or directory");
  // A stranger's probe does not even touch them.
  auto stranger = revoking_.find("alice", blob_of(other_ca_), "192.0.2.9", base::wall_now());
  EXPECT_THAT(stranger.error().what, HasSubstr("is not in " + path_));
  revoke("# stolen\n  seral: 5\n");
  expect("nobody comes in while the revocations have a fault: " + revoked_ +
         ":2:3: unknown word 'seral:', did you mean serial:?");
  revoke(std::string("SSHKRL\n\0\0\0\0\1", 12));
  expect("the revocations have a fault: " + revoked_ + ": the KRL's header is cut off");
  revoke("");
  ::chmod(revoked_.c_str(), 0622);
  expect(revoked_ + ": mode 0622 lets others write it; chmod go-w it");
}

TEST_F(CertificateLogin, IsRefusedCutAnywhereAndWithAnyBitFlipped) {
  std::string blob = certify("-n alice -O force-command=list -O source-address=192.0.2.0/24");
  ASSERT_EQ(find(blob), "in");
  for (std::size_t size = 0; size < blob.size(); ++size) EXPECT_NE(find(blob.substr(0, size)), "in") << size;
  for (std::size_t bit = 0; bit < 8 * blob.size(); ++bit) {
    std::string flipped = blob;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    EXPECT_NE(find(flipped), "in") << bit;
  }
  EXPECT_NE(find(blob + '\0'), "in");
}

}  // namespace
}  // namespace oob::auth

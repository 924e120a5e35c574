#include "auth/keyring.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "auth/public_key.h"
#include "tests/auth/ssh_keygen.h"

namespace oob::auth {
namespace {

using testing::HasSubstr;

class KeyringTest : public testing::Test {
 protected:
  void SetUp() override {
    line_ = test::new_key(folder_ / "id", "ed25519");
    other_ = test::new_key(folder_ / "id2", "ed25519", "other");
    blob_ = blob_of(line_);
    keys(line_);
  }
  static std::string blob_of(const std::string& line) {
    std::string blob;
    decode_base64(line.substr(12, line.rfind(' ') - 12), blob);
    return blob;
  }
  void keys(const std::string& text) { test::write_file(path_, text + "\n"); }
  std::string find(const std::string& address = "192.0.2.9", base::Micros now = base::wall_now()) {
    auto terms = ring_.find("alice", blob_, address, now);
    return terms ? "in: " + terms->comment : terms.error().what;
  }

  test::TempDir folder_;
  std::string line_, other_, blob_;
  std::string path_ = folder_ / "alice";
  Keyring ring_{{{"alice", path_}}};
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
  for (int i = 0; i < 20; ++i) {  // changes within one tick of the clock too, and of the same size
    keys("#" + line_);
    EXPECT_THAT(find(), HasSubstr("is not in")) << i;
    keys(" " + line_);
    EXPECT_EQ(find(), "in: alice") << i;
  }
  ::unlink(path_.c_str());
  EXPECT_EQ(find(), "alice: " + path_ + ": No such file or directory");
  keys(line_);
  EXPECT_EQ(find(), "in: alice");
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

}  // namespace
}  // namespace oob::auth

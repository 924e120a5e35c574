#include "auth/host_key.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/auth/ssh_keygen.h"

namespace oob::auth {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Case {
  HostKeyKind kind;
  const char* file;
  const char* type;
  const char* ssh_keygen;  // how OpenSSH makes one
};
constexpr Case kCases[] = {{HostKeyKind::ed25519, "host_ed25519", "ssh-ed25519", "ed25519"},
                           {HostKeyKind::rsa, "host_rsa", "ssh-rsa", "rsa -b 3072"}};

unsigned mode_of(const std::string& path) {
  struct stat status {};
  ::stat(path.c_str(), &status);
  return status.st_mode & 07777;
}

TEST(HostKey, IsMadeOnceAndAcceptedBySshKeygen) {
  test::TempDir folder;
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.file);
    std::string path = folder / c.file;
    auto made = HostKey::load_or_make(folder.path(), c.kind);
    ASSERT_TRUE(made) << made.error().what;
    EXPECT_EQ(made->type(), c.type);
    EXPECT_EQ(mode_of(path), 0600u);
    EXPECT_EQ(mode_of(path + ".pub"), 0644u);
    EXPECT_EQ(test::read_file(path), made->text());
    EXPECT_THAT(test::ssh_keygen("-l -f " + path), HasSubstr(made->fingerprint()));
    EXPECT_EQ(test::ssh_keygen("-y -f " + path), made->public_line() + " oobd\n");
    EXPECT_EQ(test::read_file(path + ".pub"), made->public_line() + " oobd\n");
    // It signs, and its public half verifies.
    test::write_file(folder / "text", "text");
    test::write_file(folder / "allowed", "oobd " + made->public_line() + "\n");
    ::unlink((folder / "text.sig").c_str());
    test::ssh_keygen("-Y sign -n file -f " + path + " " + (folder / "text"));
    EXPECT_THAT(test::ssh_keygen("-Y verify -n file -I oobd -f " + (folder / "allowed") + " -s " +
                                 (folder / "text.sig") + " < " + (folder / "text") + " #"),
                HasSubstr("Good"));
    auto again = HostKey::load_or_make(folder.path(), c.kind);
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(again->text(), made->text());
    EXPECT_EQ(again->fingerprint(), made->fingerprint());
  }
}

TEST(HostKey, TakesKeysThatSshKeygenMade) {
  test::TempDir folder;
  for (const Case& c : kCases) {
    std::string line = test::new_key(folder / c.file, c.ssh_keygen, "root@box");
    auto key = HostKey::load_or_make(folder.path(), c.kind);
    ASSERT_TRUE(key) << key.error().what;
    EXPECT_EQ(key->public_line() + " root@box", line);
  }
}

TEST(HostKey, MakesManyThatAllReadBack) {
  // Numbers with leading zeros come up now and then.
  for (int i = 0; i < 200; ++i) {
    test::TempDir folder;
    auto key = HostKey::load_or_make(folder.path(), i < 3 ? HostKeyKind::rsa : HostKeyKind::ed25519);
    ASSERT_TRUE(key) << key.error().what;
  }
}

TEST(HostKey, RefusesAFileThatOthersMayReadOrThatIsNoSuchKey) {
  test::TempDir folder;
  std::string path = folder / "host_ed25519";
  auto refusal = [&] {
    auto key = HostKey::load_or_make(folder.path(), HostKeyKind::ed25519);
    return key ? "" : key.error().what;
  };
  test::new_key(path, "ed25519");
  ::chmod(path.c_str(), 0640);
  EXPECT_EQ(refusal(), path + ": mode 0640 lets others read it; chmod 0600 it");
  ::chmod(path.c_str(), 0600);
  EXPECT_EQ(refusal(), "");
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path.c_str(), 4711, 0), 0);
    EXPECT_THAT(refusal(), HasSubstr("belongs to uid 4711"));
  }
  std::string whole = test::read_file(path);
  for (const char* wrong : {"", "rubbish\n"}) {
    ::unlink(path.c_str());
    test::write_file(path, wrong);
    EXPECT_EQ(refusal(), path + ": not a usable OpenSSH private key: the BEGIN or END line is missing");
    EXPECT_EQ(test::read_file(path), wrong);  // stays as it is
  }
  ::unlink(path.c_str());
  test::new_key(path, "ecdsa");
  EXPECT_EQ(refusal(), path +
                           ": not a usable OpenSSH private key: it is of the type "
                           "ecdsa-sha2-nistp256, and a host key is ssh-ed25519 or ssh-rsa");
  ::unlink(path.c_str());
  test::ssh_keygen("-q -t ed25519 -N secret -f " + (folder / "locked"));
  EXPECT_THAT(HostKey::parse(test::read_file(folder / "locked")).error().what, HasSubstr("passphrase"));
  test::ssh_keygen("-q -t rsa -b 2048 -m PEM -N '' -f " + (folder / "pem"));
  EXPECT_THAT(HostKey::parse(test::read_file(folder / "pem")).error().what, HasSubstr("ssh-keygen -p"));
  EXPECT_THAT(HostKey::load_or_make(folder / "none", HostKeyKind::ed25519).error().what,
              HasSubstr("No such file or directory"));
}

TEST(HostKey, RefusesATextThatIsCutOrChangedAnywhere) {
  test::TempDir folder;
  for (const char* kind : {"ed25519"}) {
    test::new_key(folder / kind, kind, "x");
    std::string text = test::read_file(folder / kind);
    ASSERT_TRUE(HostKey::parse(text));
    for (std::size_t size = 0; size + 1 < text.size(); ++size)
      EXPECT_FALSE(HostKey::parse(text.substr(0, size))) << size;
    std::size_t from = text.find('\n') + 1, to = text.find("-----END");
    int taken = 0;
    for (std::size_t at = from; at < to; ++at) {
      std::string changed = text;
      changed[at] = changed[at] == 'A' ? 'B' : 'A';
      if (HostKey::parse(changed)) ++taken;
    }
    EXPECT_LE(taken, 3) << "only the comment, which nothing covers, may change";
  }
}

TEST(HostKey, ReplacesWhatACrashLeftAndAPublicFileThatIsWrong) {
  test::TempDir folder;
  test::write_file(folder / "host_ed25519.new", "half of a k");
  auto key = HostKey::load_or_make(folder.path(), HostKeyKind::ed25519);
  ASSERT_TRUE(key);
  EXPECT_EQ(::access((folder / "host_ed25519.new").c_str(), F_OK), -1);
  test::write_file(folder / "host_ed25519.pub", "old", 0644);
  ASSERT_TRUE(HostKey::load_or_make(folder.path(), HostKeyKind::ed25519));
  EXPECT_THAT(test::read_file(folder / "host_ed25519.pub"), StartsWith(key->public_line()));
}

}  // namespace
}  // namespace oob::auth

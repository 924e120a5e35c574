#include "oobd/onion_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/support.h"

namespace oob {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

const std::string kService(56, 'a');

// A folder as tor keeps it for a service.
struct OnionFolder {
  explicit OnionFolder(const std::string& hostname = kService + ".onion\n") {
    std::filesystem::create_directories(clients);
    if (!hostname.empty()) test::write_file(dir / "hostname", hostname);
  }
  int run(std::vector<std::string> words) {
    words.insert(words.end(), {"--dir", dir / ""});
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    int status = run_onion(words);
    out = testing::internal::GetCapturedStdout();
    err = testing::internal::GetCapturedStderr();
    return status;
  }
  std::string file(const std::string& name) const { return clients + "/" + name; }

  test::TempDir dir;
  const std::string clients = dir / "authorized_clients";
  std::string out, err;
};

TEST(OnionCommand, GivesTheUserTheSecretAndTorTheRest) {
  OnionFolder onion;
  ASSERT_EQ(onion.run({"add", "alice"}), 0) << onion.err;
  EXPECT_THAT(onion.out, MatchesRegex(kService + ":descriptor:x25519:[A-Z2-7]{52}\n"));
  const std::string kept = test::read_file(onion.file("alice.auth"));
  EXPECT_THAT(kept, MatchesRegex("descriptor:x25519:[A-Z2-7]{52}\n"));
  EXPECT_NE(onion.out.substr(kService.size() + 1), kept);
  const std::string secret = onion.out.substr(onion.out.rfind(':') + 1, 52);
  EXPECT_THAT(onion.err, Not(HasSubstr(secret)));
  EXPECT_THAT(onion.err, HasSubstr("kill -HUP"));
  EXPECT_THAT(onion.err, HasSubstr("ClientOnionAuthDir"));
  struct stat status {};
  ASSERT_EQ(::stat(onion.file("alice.auth").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  EXPECT_FALSE(std::filesystem::exists(onion.file("alice.auth.new")));
}

TEST(OnionCommand, MakesAnotherKeyOnlyWhenToldTo) {
  OnionFolder onion;
  ASSERT_EQ(onion.run({"add", "alice"}), 0);
  const std::string first = test::read_file(onion.file("alice.auth"));
  EXPECT_EQ(onion.run({"add", "alice"}), 1);
  EXPECT_THAT(onion.out, IsEmpty());
  EXPECT_THAT(onion.err, HasSubstr("alice.auth is there already; --replace"));
  EXPECT_EQ(test::read_file(onion.file("alice.auth")), first);
  EXPECT_EQ(onion.run({"add", "--replace", "alice"}), 0);
  EXPECT_NE(test::read_file(onion.file("alice.auth")), first);
}

TEST(OnionCommand, ListsAndRemoves) {
  OnionFolder onion;
  EXPECT_EQ(onion.run({"list"}), 0);
  EXPECT_THAT(onion.err, HasSubstr("whoever knows the address"));
  ASSERT_EQ(onion.run({"add", "bob"}), 0);
  ASSERT_EQ(onion.run({"add", "alice"}), 0);
  test::write_file(onion.file("carol.auth"), "descriptor:x25519:short\n");
  test::write_file(onion.file("notes"), "not tor's");
  EXPECT_EQ(onion.run({"list"}), 0);
  EXPECT_THAT(onion.out,
              MatchesRegex("alice descriptor:x25519:[A-Z2-7]{52}\nbob descriptor:x25519:[A-Z2-7]{52}\n"
                           "carol DAMAGED: tor does not take it\n"));
  EXPECT_EQ(onion.run({"remove", "alice"}), 0);
  EXPECT_FALSE(std::filesystem::exists(onion.file("alice.auth")));
  EXPECT_THAT(onion.err, HasSubstr("kill -HUP"));
  EXPECT_THAT(onion.err, Not(HasSubstr("NOBODY")));
  EXPECT_EQ(onion.run({"remove", "alice"}), 66);
  EXPECT_THAT(onion.err, HasSubstr("'oobd onion list' tells who is there"));
  EXPECT_EQ(onion.run({"remove", "bob"}), 0);
  EXPECT_EQ(onion.run({"remove", "carol"}), 0);
  EXPECT_THAT(onion.err, HasSubstr("NOBODY IS NAMED ANY MORE"));
}

TEST(OnionCommand, MakesTheFolderOfClientsWhereTorHasNotYet) {
  OnionFolder onion;
  std::filesystem::remove(onion.clients);
  EXPECT_EQ(onion.run({"add", "alice"}), 0) << onion.err;
  struct stat status {};
  ASSERT_EQ(::stat(onion.clients.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u) << "tor takes it only if nobody else may look into it";
}

TEST(OnionCommand, WantsTheFolderOfAService) {
  OnionFolder none(""), other("example.org\n"), garbled(std::string(56, '1') + ".onion\n");
  EXPECT_EQ(none.run({"add", "alice"}), 66);
  EXPECT_THAT(none.err, HasSubstr("tor writes it when it is started with HiddenServiceDir"));
  EXPECT_EQ(other.run({"add", "alice"}), 78);
  EXPECT_THAT(other.err, HasSubstr("'example.org' is no address of an onion service"));
  EXPECT_EQ(garbled.run({"add", "alice"}), 78);
  for (OnionFolder* each : {&none, &other, &garbled}) EXPECT_TRUE(std::filesystem::is_empty(each->clients));
}

TEST(OnionCommand, LooksWhetherOobdKnowsTheUser) {
  OnionFolder onion;
  const std::string config = onion.dir / "oobd.toml";
  test::write_file(config, "[server]\nlisten = [\"127.0.0.1:0\"]\nstate = \"state\"\n");
  EXPECT_EQ(onion.run({"add", "alice", "-c", config}), 0);
  EXPECT_THAT(onion.err, HasSubstr("has no [user.alice]"));
  EXPECT_THAT(onion.err, HasSubstr("has no \"unix:/run/oobd/onion.sock\" in server.listen"));
  test::write_file(config, "nonsense");
  EXPECT_EQ(onion.run({"add", "bob", "-c", config}), 0);
  EXPECT_THAT(onion.err, HasSubstr("has faults"));
}

TEST(OnionCommand, TakesNoNameThatIsAPath) {
  OnionFolder onion;
  for (const char* name : {"../alice", "a/b", ".alice", "", "a b", "alice\n"})
    EXPECT_EQ(onion.run({"add", name}), 64) << name;
  EXPECT_EQ(onion.run({"add"}), 64);
  EXPECT_EQ(onion.run({"add", "alice", "bob"}), 64);
  EXPECT_EQ(onion.run({"list", "alice"}), 64);
  EXPECT_EQ(onion.run({"list", "--replace"}), 64);
  EXPECT_EQ(onion.run({}), 64);
  EXPECT_TRUE(std::filesystem::is_empty(onion.clients));
}

}  // namespace
}  // namespace oob

#include "oobd/call_home_ssh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace oob {
namespace {

using ::testing::HasSubstr;

CallHomeConfig fra() {
  return {"192.0.2.7:22", "oob-board1", "/etc/oobd/keys/call home", "ssh-ed25519 AAAA", "/run/oob/ssh.sock"};
}

bool follows(const std::vector<std::string>& words, const std::string& first, const std::string& second) {
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == first && words[i + 1] == second) return true;
  return false;
}

TEST(CallHomeWords, TakeNothingFromAnybodysConfigurationOrAgent) {
  std::vector<std::string> words = call_home_words(fra(), call_home_paths("/s", "fra", 0));
  EXPECT_TRUE(follows(words, "-F", "/dev/null"));
  for (const char* option : {"BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "ControlPath=none",
                             "ForwardAgent=no", "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null",
                             "ExitOnForwardFailure=yes", "IdentityFile=\"/etc/oobd/keys/call home\"",
                             "HostKeyAlgorithms=ssh-ed25519", "UserKnownHostsFile=/dev/stdin"})
    EXPECT_TRUE(follows(words, "-o", option)) << option;
  EXPECT_EQ(known_hosts_text(fra()), "oobd-bastion ssh-ed25519 AAAA\n");
}

TEST(CallHomeWords, KeepAPathOneWordWhateverIsInIt) {
  CallHomeConfig config = fra();
  config.key_file = R"(/k/a "b\c 5%)";
  std::vector<std::string> words = call_home_words(config, {"/h", "/c"});
  EXPECT_TRUE(follows(words, "-o", R"(IdentityFile="/k/a \"b\\c 5%%")"));
}

TEST(CallHomeWords, LeadTheSocketHereAndTheLookThere) {
  std::vector<std::string> words = call_home_words(fra(), {"/s:t/home.sock", "/s:t/50%.check"});
  EXPECT_TRUE(follows(words, "-R", "/run/oob/ssh.sock:/s\\:t/home.sock"));
  EXPECT_TRUE(follows(words, "-L", "/s\\:t/50%%.check:/run/oob/ssh.sock"));
  EXPECT_TRUE(follows(words, "-l", "oob-board1"));
  EXPECT_EQ(words.back(), "bastion");
}

TEST(CallHomePaths, AreApartForEachPlaceButForWhatIsTheBastions) {
  CallHomePaths one = call_home_paths("/s", "fra", 0), two = call_home_paths("/s", "fra", 1);
  EXPECT_EQ(one.check, "/s/homes/fra.0.check");
  EXPECT_EQ(two.check, "/s/homes/fra.1.check");
  EXPECT_EQ(one.home, two.home);
}

TEST(CallHomeWords, TakeRsaWithoutSha1) {
  CallHomeConfig config = fra();
  config.host_key = "ssh-rsa AAAA";
  EXPECT_TRUE(
      follows(call_home_words(config, {"/h", "/c"}), "-o", "HostKeyAlgorithms=rsa-sha2-512,rsa-sha2-256"));
}

TEST(CallHomeWords, QuoteTheProgramForTheShellAndForSsh) {
  EXPECT_EQ(proxy_option("/opt/it's 5%/oobd"), "ProxyCommand='/opt/it'\\''s 5%%/oobd' pass-socket");
}

TEST(CallHomeWords, RunThisProgramWhichBecomesSsh) {
  std::vector<std::string> program = call_home_program(fra(), {"/h", "/c"}, "/proc/self/exe");
  EXPECT_EQ(program[0], "/proc/self/exe");
  EXPECT_EQ(program[1], "dial");
  EXPECT_EQ(program[2], known_hosts_text(fra()));
  EXPECT_EQ(program.size(), 3 + call_home_words(fra(), {"/h", "/c"}).size());
}

TEST(CallHomeTrouble, HasTheCureOfWhatIsKnown) {
  auto trouble = [](const char* words) { return call_home_trouble(fra(), words); };
  EXPECT_THAT(trouble("Error: remote port forwarding failed for listen path /run/oob/ssh.sock"),
              HasSubstr("StreamLocalBindUnlink yes"));
  EXPECT_THAT(trouble("oob-board1@bastion: Permission denied (publickey)."),
              HasSubstr("refuses oob-board1 with the key of /etc/oobd/keys/call home"));
  EXPECT_THAT(trouble("Host key verification failed."), HasSubstr("another key than host_key"));
  EXPECT_THAT(trouble("channel 1: open failed: connect failed: open failed"),
              HasSubstr("PermitOpen [/run/oob/ssh.sock]:*"));
  EXPECT_EQ(trouble("Connection closed by UNKNOWN port 65535"),
            "ssh: Connection closed by UNKNOWN port 65535");
  EXPECT_THAT(trouble("Write failed flushing stderr buffer."), HasSubstr("closed the connection"));
  EXPECT_EQ(trouble(""), "ssh ended without a word");
  EXPECT_LE(trouble(std::string(5000, 'x').c_str()).size(), 320u);
}

}  // namespace
}  // namespace oob

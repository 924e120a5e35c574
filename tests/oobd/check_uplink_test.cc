#include "oobd/check_uplink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/support.h"

namespace oob {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Config with_uplink(const std::string& interface) {
  Config config;
  config.listen = {"127.0.0.1:2222"};
  config.uplinks["fixed"] = {interface, {"0.0.0.0:2223"}, {"icmp:192.0.2.7"}, false};
  return config;
}

TEST(CheckUplink, NamesWhatOfALoginGoesByTheClock) {
  Config config = with_uplink("oob0");
  EXPECT_THAT(uplink_plan(config).by_the_clock, IsEmpty());
  config.user_ca = "/etc/oobd/keys/user_ca.pub";
  config.users["alice"].totp_file = "/etc/oobd/secrets/alice.totp";
  config.users["bob"];
  config.roles["day"].hours.emplace_back();
  config.roles["guest"].expires = 1;
  config.roles["operator"];
  EXPECT_THAT(uplink_plan(config).by_the_clock,
              ElementsAre("certificates (server.user_ca)", "codes (user.alice.totp_file)", "role day (hours)",
                          "role guest (expires)"));
  for (int i = 0; i < 10; ++i) config.users[base::str("u", i)].totp_file = "/x";
  EXPECT_THAT(uplink_plan(config).by_the_clock, testing::SizeIs(6));
  EXPECT_EQ(uplink_plan(config).by_the_clock.back(), "9 others");
}

constexpr const char* kKey =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP4Xs3hgLsTBQsX7KQTXKzOUeNlUmiL6vE5PWNxJ6pN5";

TEST(CheckUplink, NamesKeysAndOnionServicesThatGoByTheClock) {
  test::TempDir folder;
  auto keys = [&](const char* user, const std::string& text) {
    test::write_file(folder / user, text);
    return folder / user;
  };
  Config config = with_uplink("oob0");
  config.users["alice"].keys = keys("alice", base::str(kKey, " alice\n"));
  EXPECT_THAT(uplink_plan(config).by_the_clock, IsEmpty());
  config.users["bob"].keys = keys("bob", base::str("expiry-time=\"20301231\" ", kKey, "\n"));
  config.users["carol"].keys = keys("carol", base::str("cert-authority ", kKey, "\n"));
  config.users["gone"].keys = folder / "gone";
  config.listen.push_back("unix:/run/oobd/onion.sock");
  EXPECT_THAT(uplink_plan(config).by_the_clock,
              ElementsAre("the onion service (tor)", "keys with expiry-time= (user.bob.keys)",
                          "certificates (cert-authority in user.carol.keys)"));
}

TEST(CheckUplink, KnowsCallingHomeFromTheOnionService) {
  Config config = with_uplink("oob0");
  EXPECT_FALSE(uplink_plan(config).calls_home);
  config.call_homes["bastion"];
  EXPECT_TRUE(uplink_plan(config).calls_home);
  EXPECT_FALSE(uplink_plan(config).has_onion);
  config.listen.push_back("unix:/run/oobd/onion.sock");
  EXPECT_TRUE(uplink_plan(config).has_onion);
}

TEST(UplinkCheckup, KeepsWhatWasWrongWhileTheBoardCantBeLookedAt) {
  base::Loop loop;
  base::Blocking blocking(loop);
  using Findings = base::Result<std::vector<uplink::Finding>>;
  std::atomic<int> looks{0};
  UplinkCheckup checkup(loop, blocking, [&](const uplink::Plan&) -> Findings {
    if (++looks == 2)
      return base::fail(base::Fault::unavailable, "the routes of this system: Too many open files");
    return Findings(std::vector<uplink::Finding>{{true, "rp_filter is 1", "sysctl"}});
  });
  checkup.adopt(with_uplink("oob0"));
  ASSERT_TRUE(test::run_until(loop, [&] { return !checkup.errors().empty(); }));
  EXPECT_THAT(checkup.errors(), ElementsAre("rp_filter is 1; cure: sysctl"));
  checkup.look();
  ASSERT_TRUE(test::run_until(loop, [&] { return checkup.errors().size() == 2; }));
  EXPECT_EQ(checkup.errors()[0],
            "this board's routing could not be looked at: the routes of this system: Too many open files");
  checkup.look();
  ASSERT_TRUE(test::run_until(loop, [&] { return looks == 3 && checkup.errors().size() == 1; }));
}

TEST(UplinkCheckup, LooksAtKeysThatHaveChangedSince) {
  base::Loop loop;
  base::Blocking blocking(loop);
  test::TempDir folder;
  test::write_file(folder / "bob", base::str(kKey, "\n"));
  UplinkCheckup checkup(loop, blocking, [](const uplink::Plan& plan) {
    std::vector<uplink::Finding> found;
    for (const std::string& each : plan.by_the_clock) found.push_back({true, each, "none"});
    return base::Result<std::vector<uplink::Finding>>(found);
  });
  Config config = with_uplink("oob0");
  config.users["bob"].keys = folder / "bob";
  checkup.adopt(config);
  test::write_file(folder / "bob", base::str("expiry-time=\"20301231\" ", kKey, "\n"));
  ASSERT_TRUE(test::run_until(loop, [&] {
    checkup.look();
    return !checkup.errors().empty();
  }));
  EXPECT_THAT(checkup.errors(), ElementsAre(HasSubstr("keys with expiry-time= (user.bob.keys)")));
}

TEST(UplinkCheckup, TellsTheErrorsOfWhatRunsNow) {
  base::Loop loop;
  base::Blocking blocking(loop);
  UplinkCheckup checkup(loop, blocking);
  checkup.adopt(with_uplink("no-such0"));
#ifdef __linux__
  ASSERT_TRUE(test::run_until(loop, [&] { return !checkup.errors().empty(); }));
  EXPECT_THAT(checkup.errors().front(),
              HasSubstr("uplink fixed: there is no interface no-such0 now; cure: "));
#endif
  checkup.adopt(Config{});
  EXPECT_THAT(checkup.errors(), IsEmpty()) << "without uplinks there is nothing to look at";
}

TEST(UplinkCheckup, TellsEightErrorsAtMost) {
  base::Loop loop;
  base::Blocking blocking(loop);
  UplinkCheckup checkup(loop, blocking);
  Config config = with_uplink("no-such0");
  for (int i = 0; i < 20; ++i)
    config.uplinks[base::str("more", i)] = {base::str("no-such", i), {}, {}, false};
  checkup.adopt(config);
#ifdef __linux__
  ASSERT_TRUE(test::run_until(loop, [&] { return !checkup.errors().empty(); }));
  EXPECT_EQ(checkup.errors().size(), UplinkCheckup::kMost);
  EXPECT_THAT(checkup.errors().back(), HasSubstr("'oobd check --uplink' tells them all"));
#endif
}

}  // namespace
}  // namespace oob

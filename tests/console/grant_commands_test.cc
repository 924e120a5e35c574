#include "console/grant_commands.h"

#include <gtest/gtest.h>

#include "console/rights_clock.h"
#include "tests/console/visit.h"

namespace oob::console {

using test::Board;
using test::run_until;
using test::Visit;

namespace {

struct Desk : Board {
  Desk() {
    rights.load(dir / "grants", 0);
    rights.adopt();
    rights.look();
  }
  std::string says(const std::string& user, const std::string& command, int status) {
    Visit visit(*this, user, command);
    EXPECT_EQ(visit.wait(), status) << user << ": " << command << "\n" << visit.out << visit.err;
    return visit.out + visit.err;
  }
  RightsClock rights{core};
};

}  // namespace

TEST(Grants, LetSomebodyTypeUntilTheirTimeIsOver) {
  Desk desk;
  Visit bob(desk, "bob", "attach r1", true);
  ASSERT_TRUE(bob.wait_for("r1"));
  EXPECT_EQ(desk.says("root", "grant bob write r1 5s", 0).substr(0, 31), "grant 1: bob may write r1 until");
  ASSERT_TRUE(bob.wait_for("bob may write r1 until"));
  bob.type("\005ca");
  ASSERT_TRUE(bob.wait_for("you may type"));
  auto told = [&] {
    bob.hear();
    return bob.out.find("you may no longer type here") != std::string::npos;
  };
  ASSERT_TRUE(run_until(desk.loop, told, base::milliseconds(30'000)));
  EXPECT_FALSE(bob.closed);
  EXPECT_TRUE(desk.journalled("\"ev\":\"grant.ended\""));
  EXPECT_LT(desk.journal_text().find("\"ev\":\"grant\""), desk.journal_text().find("\"ev\":\"grant.ended\""));
}

TEST(Grants, ShowADeviceWhileTheyLast) {
  Desk desk;
  EXPECT_EQ(desk.says("bob", "log x1", 66), "oobd: no such device: x1\n");
  desk.says("root", "grant bob watch x1 1h", 0);
  desk.says("bob", "log x1", 0);
  Visit watch(desk, "bob", "watch x1");
  ASSERT_TRUE(
      run_until(desk.loop, [&] { return desk.core.inventory.find("x1")->console->watcher_count() == 1; }));
  desk.says("bob", "revoke 1", 0);
  EXPECT_NE(watch.wait(), 0);
  EXPECT_EQ(desk.says("bob", "log x1", 66), "oobd: no such device: x1\n");
  EXPECT_TRUE(desk.journalled("\"ev\":\"grant.revoked\""));
}

TEST(Grants, AreListedToWhoHasThemAndToAdmins) {
  Desk desk;
  desk.says("root", "grant bob write,power r1 2h", 0);
  desk.says("root", "grant alice power 'r*' 30d", 0);
  std::string all = desk.says("root", "grants", 0), own = desk.says("bob", "grants --json", 0);
  EXPECT_NE(all.find("1   bob    write,power  r1       root  20"), std::string::npos) << all;
  EXPECT_NE(all.find("2   alice  power        r*       root  20"), std::string::npos) << all;
  EXPECT_EQ(
      own.substr(0, own.find("\"until\"")),
      "{\"id\":1,\"user\":\"bob\",\"actions\":[\"write\",\"power\"],\"devices\":\"r1\",\"by\":\"root\",");
  EXPECT_EQ(desk.says("bob", "revoke 2", 66), "oobd: no such grant: 2 ('grants' lists them)\n");
  desk.says("root", "revoke 2", 0);
  EXPECT_EQ(desk.says("alice", "grants", 0), "oobd: no grants\n");
}

TEST(Grants, AreRefusedWithAReason) {
  Desk desk;
  EXPECT_EQ(desk.says("alice", "grant alice power r1 2h", 77), "oobd: alice may not admin\n");
  EXPECT_EQ(desk.says("root", "grant zoe write r1 2h", 66), "oobd: no such user: zoe\n");
  EXPECT_EQ(desk.says("root", "grant bob wirte r1 2h", 64),
            "oobd: grant: no such action: wirte; did you mean 'write'?\n");
  EXPECT_EQ(desk.says("root", "grant bob write q* 2h", 66), "oobd: no such device: q*\n");
  EXPECT_EQ(desk.says("root", "grant bob admin r1 2h", 77),
            "oobd: admin is not given by a grant: only by a role\n");
  for (const char* span : {"0.5s", "31d", "soon", "-1h"})
    desk.says("root", base::str("grant bob write r1 ", span), 64);
  desk.says("root", "revoke x", 64);
  EXPECT_TRUE(desk.core.grants->all().empty());
}

TEST(Grants, AreNoWayAroundASecondFactor) {
  Desk desk;
  auth::Role coded{{"r*"}, {auth::Action::watch, auth::Action::power, auth::Action::admin}},
      plain{{"r*"}, {auth::Action::watch}}, elsewhere{{"x1"}, {auth::Action::watch}};
  coded.second_factor = elsewhere.second_factor = true;
  desk.core.policy = std::make_unique<auth::Policy>(
      std::map<std::string, std::vector<std::string>>{
          {"root", {"coded"}}, {"bob", {"plain"}}, {"alice", {"elsewhere"}}},
      std::map<std::string, auth::Role>{{"coded", coded}, {"plain", plain}, {"elsewhere", elsewhere}});
  desk.rights.adopt();
  EXPECT_EQ(desk.says("root", "grant bob power r1 2h", 77),
            "oobd: every role with power on r1 wants a second factor, and bob logs in without one\n");
  desk.says("root", "grant bob watch,power 'r*' 2h", 77);
  EXPECT_TRUE(desk.core.grants->all().empty());
  desk.says("root", "grant bob watch r1 2h", 0);
  desk.says("root", "grant alice power r1 2h", 0);  // she gives a code for a role of her own
}

TEST(Grants, OfADamagedFileNoneHoldsAndItIsSaid) {
  Desk desk;
  desk.says("root", "grant bob write r1 2h", 0);
  test::write_file(desk.dir / "grants", "half a li");
  desk.core.grants = std::make_unique<auth::TimedGrants>();
  desk.rights.load(desk.dir / "grants", 0);
  desk.rights.adopt();
  EXPECT_TRUE(desk.journalled("\"ev\":\"grants.damaged\""));
  EXPECT_EQ(desk.says("bob", "grants", 0), "oobd: no grants\n");
}

}  // namespace oob::console

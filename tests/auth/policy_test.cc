#include "auth/policy.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace oob::auth {
namespace {

Policy example() {
  return Policy(
      {{"alice", {"operator", "watcher"}}, {"bob", {"watcher"}}, {"eve", {}}, {"mallory", {"gone"}}},
      {{"operator", {{"edge*", "relay?"}, {Action::watch, Action::write, Action::power}}},
       {"watcher", {{"*"}, {Action::watch, Action::audit}}},
       {"nowhere", {{}, {Action::admin}}}});
}

std::string answer(const Principal& who, Action action, const std::string& device) {
  auto grant = example().decide(who, action, device);
  return grant ? "yes" : grant.error().what;
}

const Principal kAlice{"alice", "SHA256:x", "192.0.2.9"};
const Principal kBob{"bob", "SHA256:y", "192.0.2.9"};

TEST(Policy, AllowsOnlyWhatARoleOfTheUserAllows) {
  EXPECT_EQ(answer(kAlice, Action::power, "edge1"), "yes");
  EXPECT_EQ(answer(kAlice, Action::write, "relay1"), "yes");
  EXPECT_EQ(answer(kAlice, Action::write, "relay10"), "alice may not write relay10");
  EXPECT_EQ(answer(kAlice, Action::forward, "edge1"), "alice may not forward edge1");
  EXPECT_EQ(answer(kBob, Action::watch, "switch1"), "yes");
  EXPECT_EQ(answer(kBob, Action::write, "edge1"), "bob may not write edge1");
  EXPECT_EQ(example().decide(kBob, Action::write, "edge1").error().fault, base::Fault::denied);
}

TEST(Policy, HidesADeviceFromWhoMayDoNothingWithIt) {
  for (const char* name : {"eve", "mallory", "stranger", ""}) {
    Principal who{name, "SHA256:z", "192.0.2.9"};
    EXPECT_EQ(answer(who, Action::watch, "edge1"), Policy::no_such_device("edge1").what);
    EXPECT_EQ(example().decide(who, Action::watch, "edge1").error().fault, base::Fault::missing);
    EXPECT_FALSE(example().may_see(who, "edge1"));
    EXPECT_FALSE(Policy().may_see(who, "edge1"));
  }
  EXPECT_TRUE(example().may_see(kBob, "edge1"));
}

TEST(Policy, DecidesWhatIsNotAboutOneDevice) {
  EXPECT_TRUE(example().decide(kBob, Action::audit));
  EXPECT_EQ(example().decide(kBob, Action::admin).error().what, "bob may not admin");
  EXPECT_FALSE(example().decide({"stranger", "", ""}, Action::audit));
}

TEST(Policy, AllowsEverythingToLocalPeopleAndNobodyWhoOnlyCallsHimselfSo) {
  Principal root = Policy::local(0);
  EXPECT_EQ(root.user, "local:root");
  EXPECT_EQ(root.key, "uid 0");
  EXPECT_EQ(root.source, "local");
  for (Action action : kActions)
    EXPECT_TRUE(Policy().decide(root, action, "edge1") && Policy().decide(root, action));
  EXPECT_EQ(Policy::local(3'999'999'999).user, "local:3999999999");
  Principal false_root{"local:root", "SHA256:x", "192.0.2.9"};
  EXPECT_FALSE(Policy().decide(false_root, Action::watch, "edge1"));
  EXPECT_FALSE(Policy().decide(false_root, Action::admin));
}

TEST(Policy, PutsIntoAGrantWhatWasDecided) {
  auto grant = example().decide(kAlice, Action::power, "edge1");
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->who().user, "alice");
  EXPECT_EQ(grant->action(), Action::power);
  EXPECT_EQ(grant->device(), "edge1");
  EXPECT_EQ(example().decide(kBob, Action::audit)->device(), "");
  EXPECT_TRUE(example().knows("eve") && !example().knows("stranger"));
}

TEST(Policy, EscapesWhatItRepeats) {
  EXPECT_EQ(Policy::no_such_device("a\x1b[2J").what, "no such device: a\\x1b[2J");
}

TEST(Action, HasANameBothWays) {
  for (Action action : kActions) {
    Action again = Action::admin;
    EXPECT_TRUE(action_named(name_of(action), again));
    EXPECT_EQ(again, action);
  }
  Action none = Action::watch;
  for (const char* word : {"", "Watch", "watching", "wat"}) EXPECT_FALSE(action_named(word, none)) << word;
}

}  // namespace
}  // namespace oob::auth

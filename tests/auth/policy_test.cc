#include "auth/policy.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/timed_grants.h"

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

TEST(Policy, LetsTheScheduleTakeSnapshotsAndNothingElse) {
  Policy policy({{"oobd", {"all"}}}, {{"all", {{"*"}, {std::begin(kActions), std::end(kActions)}}}});
  for (Action action : kActions) {
    EXPECT_EQ(policy.decide(Policy::schedule(), action, "edge1").has_value(), action == Action::snapshot);
    EXPECT_FALSE(policy.decide(Policy::schedule(), action));
  }
  EXPECT_FALSE(policy.decide(Policy::schedule(), Action::power, "edge1"));
  // A user of that name, who came with a key, is whoever the configuration says.
  Principal person{"oobd", "SHA256:x", "192.0.2.9"}, liar{"oobd", "schedule", "192.0.2.9"};
  EXPECT_TRUE(policy.decide(person, Action::power, "edge1"));
  EXPECT_FALSE(Policy().decide(person, Action::snapshot, "edge1"));
  EXPECT_FALSE(Policy().decide(liar, Action::snapshot, "edge1"));
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

// A policy whose clock and grants the test sets. carol is an admin of edge*, dave's power takes two.
struct Timed {
  Timed() {
    using Roles = std::map<std::string, Role>;
    Role day{{"edge*"}, {Action::watch, Action::write}},
        guest = day, two{{"edge*"}, {Action::power}},
        admin{{"edge*"}, {Action::watch, Action::write, Action::admin}};
    day.hours = {Hours::parse("Mon-Fri 08:00-18:00").value()};
    day.second_factor = true;
    guest.expires = at("2026-11-25T12:00:00Z");
    two.two_person = true;
    Role safe{{"edge*"}, {Action::watch}};
    safe.safe = true;
    ::setenv("TZ", "UTC0", 1);
    policy = Policy({{"alice", {"day"}},
                     {"bob", {"guest"}},
                     {"carol", {"admin"}},
                     {"dave", {"two", "watch"}},
                     {"erin", {"two", "safe"}},
                     {"frank", {"plain power", "two"}},
                     {"gail", {"watch"}}},
                    Roles{{"day", day},
                          {"guest", guest},
                          {"two", two},
                          {"admin", admin},
                          {"safe", safe},
                          {"watch", {{"relay1"}, {Action::watch}}},
                          {"plain power", {{"edge1"}, {Action::power}}}});
    policy.consult([this] { return moment; }, &grants);
  }
  static base::Micros at(const char* time) { return base::parse_time(time, 0).value(); }
  void go(const char* time) { moment = {at(time), std::max(moment.latest, at(time)), false}; }
  bool may(const char* user, Action action, const char* device = "edge1") const {
    return policy.decide(of(user), action, device).has_value();
  }
  static Principal of(const char* user) { return {user, std::string("SHA256:") + user, "192.0.2.9"}; }
  void give(const char* user, Action action, const char* glob, base::Micros span) {
    auto grant = grants.reserve(user, {action}, glob, "carol", span, moment);
    ASSERT_TRUE(grant);
    grants.add(*grant, [](const base::Result<>&) {});
  }
  TimedGrants grants;
  Policy policy;
  Moment moment;
};

TEST(Policy, KeepsTheHoursOfARole) {
  Timed timed;
  timed.go("2026-11-23T07:59:59Z");
  EXPECT_FALSE(timed.may("alice", Action::write) || timed.policy.may_see(Timed::of("alice"), "edge1"));
  EXPECT_TRUE(timed.policy.needs_second_factor("alice"));
  EXPECT_EQ(timed.policy.next_change(), 1'000'000);
  timed.go("2026-11-23T08:00:00Z");
  EXPECT_TRUE(timed.may("alice", Action::write));
  timed.go("2026-11-23T17:30:30Z");
  EXPECT_EQ(timed.policy.next_change(), (29 * 60 + 30) * 1'000'000LL);
  timed.go("2026-11-23T18:00:00Z");
  EXPECT_FALSE(timed.may("alice", Action::write));
  EXPECT_EQ(timed.policy.next_change(), Policy::kLookAhead);
}

TEST(Policy, LocksNobodyOutByHoursWhenTheClockIsEvidentlyWrong) {
  Timed timed;
  timed.go("2026-11-28T12:00:00Z");  // a Saturday
  EXPECT_FALSE(timed.may("alice", Action::write));
  timed.moment = {0, timed.moment.latest, true};
  EXPECT_TRUE(timed.may("alice", Action::write));
}

TEST(Policy, EndsARoleThatExpiresAndDoesNotReviveItWhenTheClockIsSetBack) {
  Timed timed;
  timed.go("2026-11-25T11:59:59Z");
  EXPECT_TRUE(timed.may("bob", Action::write));
  EXPECT_EQ(timed.policy.next_change(), 1'000'000);
  timed.go("2026-11-25T12:00:00Z");
  EXPECT_FALSE(timed.may("bob", Action::write) || timed.may("bob", Action::watch));
  timed.go("2026-11-24T12:00:00Z");
  EXPECT_FALSE(timed.may("bob", Action::write));
  timed.moment = {0, timed.moment.latest, true};
  EXPECT_FALSE(timed.may("bob", Action::write));
}

TEST(Policy, TakesTimedGrantsBesideTheRoles) {
  Timed timed;
  timed.go("2026-11-23T20:00:00Z");
  EXPECT_FALSE(timed.policy.may_see(Timed::of("gail"), "edge1"));
  timed.give("gail", Action::write, "edge?", 60'000'000);
  timed.give("stranger", Action::write, "edge1", 60'000'000);
  timed.give("gail", Action::audit, "relay1", 60'000'000);
  EXPECT_TRUE(timed.may("gail", Action::write) && timed.policy.may_see(Timed::of("gail"), "edge1"));
  EXPECT_FALSE(timed.may("gail", Action::write, "relay1") || timed.may("gail", Action::power));
  EXPECT_TRUE(timed.policy.decide(Timed::of("gail"), Action::audit));
  EXPECT_FALSE(timed.may("stranger", Action::write));
  EXPECT_LE(timed.policy.next_change(), 60'000'000);
  timed.go("2026-11-23T20:01:00Z");
  EXPECT_FALSE(timed.may("gail", Action::write) || timed.policy.decide(Timed::of("gail"), Action::audit));
  EXPECT_FALSE(timed.policy.may_see(Timed::of("gail"), "edge1"));
}

// Grants are held against the policy of now: a reload may have made roles want a code since they were given.
TEST(Policy, LetsNoGrantBeAWayAroundASecondFactor) {
  Role coded{{"edge*"}, {Action::watch, Action::power, Action::audit}}, other{{"relay1"}, {Action::watch}};
  coded.second_factor = other.second_factor = true;
  Role plain{{"edge2"}, {Action::power}};
  const std::map<std::string, std::vector<std::string>> users = {
      {"alice", {"coded"}}, {"bob", {}}, {"carol", {"other"}}};
  Policy policy(users, {{"coded", coded}, {"other", other}, {"plain", plain}});
  TimedGrants grants;
  Moment moment{Timed::at("2026-11-23T12:00:00Z"), Timed::at("2026-11-23T12:00:00Z"), false};
  policy.consult([&] { return moment; }, &grants);
  for (const char* user : {"bob", "carol"})
    grants.add(grants.reserve(user, {Action::power, Action::audit}, "*", "root", 60'000'000, moment).value(),
               [](const base::Result<>&) {});
  auto may = [&](const char* user, const char* device) {
    bool yes = policy.decide(Timed::of(user), Action::power, device).has_value();
    EXPECT_EQ(policy.may_have(user, Action::power, device).has_value(), yes) << user << device;
    return yes;
  };
  EXPECT_FALSE(may("bob", "edge1") || policy.may_see(Timed::of("bob"), "edge1"));
  EXPECT_EQ(policy.may_have("bob", Action::power, "edge1").error().what,
            "every role with power on edge1 wants a second factor, and bob logs in without one");
  EXPECT_FALSE(policy.decide(Timed::of("bob"), Action::audit));
  EXPECT_TRUE(may("bob", "edge2"));   // a role does without
  EXPECT_TRUE(may("bob", "relay1"));  // no role has it
  EXPECT_TRUE(may("carol", "edge1") && policy.decide(Timed::of("carol"), Action::audit));  // gives a code
  coded.second_factor = false;
  policy = Policy(users, {{"coded", coded}, {"other", other}});
  policy.consult([&] { return moment; }, &grants);
  EXPECT_TRUE(may("bob", "edge1") && policy.decide(Timed::of("bob"), Action::audit));
}

TEST(Policy, ShowsSafelyByAGrantWhatItWouldShowSafelyByARole) {
  Timed timed;
  timed.go("2026-11-23T20:00:00Z");
  EXPECT_TRUE(timed.policy.safe_for(Timed::of("erin"), "edge1"));
  timed.give("erin", Action::watch, "*", 60'000'000);
  timed.give("gail", Action::watch, "*", 60'000'000);
  EXPECT_TRUE(timed.policy.safe_for(Timed::of("erin"), "edge1"));
  EXPECT_TRUE(timed.policy.safe_for(Timed::of("erin"), "relay1"));
  EXPECT_FALSE(timed.policy.safe_for(Timed::of("gail"), "edge1"));
}

TEST(Policy, SaysWhenPowerTakesTwo) {
  Timed timed;
  timed.go("2026-11-23T12:00:00Z");
  auto needs = [&](const char* user, const char* device) {
    return timed.policy.decide(Timed::of(user), Action::power, device)->needs_second();
  };
  EXPECT_TRUE(needs("dave", "edge1"));
  EXPECT_FALSE(needs("frank", "edge1"));  // another role lets him do it alone
  EXPECT_TRUE(needs("frank", "edge2"));
  EXPECT_FALSE(timed.policy.decide(Policy::local(0), Action::power, "edge1")->needs_second());
  // A grant is no way around it.
  timed.give("dave", Action::power, "*", 60'000'000);
  timed.give("gail", Action::power, "*", 60'000'000);
  EXPECT_TRUE(needs("dave", "edge1") && needs("gail", "edge1"));
  EXPECT_FALSE(needs("gail", "relay1"));
}

TEST(Policy, LetsTwoDoTogetherWhatBothMay) {
  Timed timed;
  timed.go("2026-11-23T12:00:00Z");
  Principal dave = Timed::of("dave"), erin = Timed::of("erin");
  auto grant = timed.policy.decide_together(dave, erin, "edge1");
  ASSERT_TRUE(grant);
  EXPECT_FALSE(grant->needs_second());
  EXPECT_EQ(grant->second(), "erin");
  EXPECT_EQ(grant->who().user, "dave");
  EXPECT_TRUE(timed.policy.decide_together(dave, Policy::local(0), "edge1"));
  EXPECT_EQ(timed.policy.decide_together(dave, dave, "edge1").error().what,
            "a second person has to approve, not dave");
  Principal twin = erin;
  twin.key = dave.key;
  EXPECT_EQ(timed.policy.decide_together(dave, twin, "edge1").error().what,
            "erin came with the same key as dave: a second person has a key of their own");
  EXPECT_FALSE(timed.policy.decide_together(dave, Timed::of("alice"), "edge1"));
  EXPECT_FALSE(timed.policy.decide_together(Timed::of("alice"), dave, "edge1"));
}

TEST(Policy, LetsNobodyGiveMoreThanTheyHave) {
  Timed timed;
  timed.go("2026-11-23T12:00:00Z");
  auto gives = [&](const Principal& who, Action action, const char* glob) {
    return timed.policy.may_give(who, action, glob).has_value();
  };
  Principal carol = Timed::of("carol");
  EXPECT_TRUE(gives(carol, Action::write, "edge1") && gives(carol, Action::write, "edge*") &&
              gives(carol, Action::watch, "edge?x*"));
  EXPECT_FALSE(gives(carol, Action::power, "edge1") || gives(carol, Action::write, "*") ||
               gives(carol, Action::write, "e*") || gives(carol, Action::write, "relay1"));
  EXPECT_FALSE(gives(Timed::of("alice"), Action::write, "edge1"));
  EXPECT_TRUE(gives(Policy::local(0), Action::power, "*"));
  EXPECT_FALSE(gives(Policy::local(0), Action::admin, "edge1") || gives(carol, Action::admin, "edge1"));
  timed.give("carol", Action::power, "*", 60'000'000);
  EXPECT_FALSE(gives(carol, Action::power, "edge1"));  // what was given is not given on
  Policy narrow({{"carol", {"a"}}}, {{"a", {{"edge??"}, {Action::write, Action::admin}}}});
  EXPECT_TRUE(narrow.may_give(carol, Action::write, "edge1?"));
  EXPECT_FALSE(narrow.may_give(carol, Action::write, "edge*"));
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

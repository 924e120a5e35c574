#include "auth/refusals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oob::auth {
namespace {

using base::Clock;
using base::str;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

std::string text_of(const Entry& entry, const std::string& key) {
  auto found = entry.fields.find(key);
  return found == entry.fields.end() ? "" : std::get<std::string>(found->second);
}
std::int64_t number_of(const Entry& entry, const std::string& key) {
  return std::get<std::int64_t>(entry.fields.at(key));
}

struct Told {
  base::Loop loop;
  std::vector<Entry> entries;
  std::vector<std::string> lines;
  Clock::time_point now = Clock::now();
  std::unique_ptr<Refusals> refusals = std::make_unique<Refusals>(
      loop, Refusals::Out{[this](Entry entry) { entries.push_back(std::move(entry)); },
                          [this](const std::string& line) { lines.push_back(line); }});

  void refuse(const std::string& peer, const std::string& user = "root") {
    refusals->add({peer, str("6 keys refused for user ", user), "no such user", user}, now);
  }
  std::size_t many() const {
    return static_cast<std::size_t>(std::count_if(
        entries.begin(), entries.end(), [](const Entry& each) { return each.ev == "login.refused.many"; }));
  }
};

TEST(Refusals, TellsTheFirstOnesSingly) {
  Told told;
  told.refuse("[2001:db8::9]:50122", "oracle");
  ASSERT_EQ(told.entries.size(), 1u);
  EXPECT_EQ(told.entries[0].ev, "login.refused");
  EXPECT_EQ(text_of(told.entries[0], "source"), "2001:db8::/64");
  EXPECT_EQ(text_of(told.entries[0], "peer"), "[2001:db8::9]:50122");
  EXPECT_EQ(text_of(told.entries[0], "user"), "oracle");
  EXPECT_EQ(text_of(told.entries[0], "why"), "no such user");
  EXPECT_EQ(told.lines,
            std::vector<std::string>{"[2001:db8::9]:50122: 6 keys refused for user oracle (no such user)"});
}

TEST(Refusals, CountsWhatIsBeyondTheBurstAndTellsItOnceAMinute) {
  Told told;
  for (int i = 0; i < 30 + 500; ++i) told.refuse(str("192.0.2.", i % 5, ":", 1000 + i));
  EXPECT_EQ(told.entries.size(), 30u);
  EXPECT_EQ(told.lines.size(), 30u);
  told.refusals->tick(told.now + seconds(59));
  EXPECT_EQ(told.many(), 0u);
  told.refusals->tick(told.now + seconds(60));
  ASSERT_EQ(told.many(), 1u);
  const Entry& many = told.entries.back();
  EXPECT_EQ(number_of(many, "count"), 500);
  EXPECT_EQ(number_of(many, "seconds"), 60);
  EXPECT_EQ(number_of(many, "sources"), 5);
  EXPECT_THAT(text_of(many, "most_sources"), HasSubstr("192.0.2.0 (100), 192.0.2.1 (100), 192.0.2.2 (100)"));
  EXPECT_EQ(text_of(many, "most_users"), "root (500)");
  EXPECT_THAT(told.lines.back(), HasSubstr("500 more logins refused in 60 s, from 5 sources"));
  told.refusals->tick(told.now + seconds(200));
  EXPECT_EQ(told.many(), 1u);
}

TEST(Refusals, TellsThirtyAMinuteOfAnAttackThatGoesOn) {
  Told told;
  for (int i = 0; i < 100'000; ++i) {
    told.refuse(str("10.0.", i % 4, ".", i % 250, ":1"), str("user", i));
    told.now += milliseconds(6);  // ten minutes
  }
  EXPECT_LE(told.entries.size(), 30u + 301u + 10u);
  EXPECT_EQ(told.many(), 9u);  // the tenth minute is not over
  EXPECT_EQ(told.lines.size(), told.entries.size());
}

TEST(Refusals, NamesTheFrequentAmongVeryMany) {
  Told told;
  for (int i = 0; i < 30; ++i) told.refuse("127.0.0.1:1");
  for (int i = 0; i < 30'000; ++i) {
    told.refuse(str("10.", i / 65'536, ".", i / 256 % 256, ".", i % 256, ":1"), str("u", i));
    if (i % 3 == 0) told.refuse("192.0.2.66:7", "root");
  }
  told.refusals->tick(told.now + seconds(60));
  const Entry& many = told.entries.back();
  EXPECT_EQ(number_of(many, "count"), 40'000);
  EXPECT_NEAR(static_cast<double>(number_of(many, "sources")), 30'001, 900);
  EXPECT_TRUE(text_of(many, "most_sources").starts_with("192.0.2.66 (")) << text_of(many, "most_sources");
  EXPECT_TRUE(text_of(many, "most_users").starts_with("root (")) << text_of(many, "most_users");
}

TEST(Refusals, TellsSinglyAgainWhenTheAttackIsOver) {
  Told told;
  for (int i = 0; i < 100; ++i) told.refuse("192.0.2.1:1");
  told.now += seconds(61);
  told.refuse("192.0.2.2:1");
  ASSERT_EQ(told.entries.size(), 32u);
  EXPECT_EQ(number_of(told.entries[30], "count"), 70);
  EXPECT_EQ(told.entries[31].ev, "login.refused");
}

TEST(Refusals, TellsAtItsEndWhatItHasNotTold) {
  Told told;
  for (int i = 0; i < 31; ++i) told.refuse("192.0.2.1:1");
  told.refusals.reset();
  EXPECT_EQ(told.many(), 1u);
}

}  // namespace
}  // namespace oob::auth

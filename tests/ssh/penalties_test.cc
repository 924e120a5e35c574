#include "ssh/penalties.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace oob::ssh {
namespace {

using base::str;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Penalties::Time kNow{std::chrono::hours(1000)};
constexpr milliseconds kBriefly{100};

TEST(Penalties, ForgetASingleMistake) {
  Penalties penalties;
  penalties.add("192.0.2.1", Offence::refused, kBriefly, kNow);
  EXPECT_FALSE(penalties.keeps_out("192.0.2.1", kNow));
  EXPECT_EQ(penalties.size(kNow), 1u);
  EXPECT_EQ(penalties.size(kNow + seconds(5)), 0u);
}

TEST(Penalties, KeepOutWhoFailsAgainAndAgain) {
  Penalties penalties;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(penalties.keeps_out("192.0.2.1", kNow));
    penalties.add("192.0.2.1", Offence::refused, kBriefly, kNow);
  }
  EXPECT_TRUE(penalties.keeps_out("192.0.2.1", kNow));
  EXPECT_FALSE(penalties.keeps_out("192.0.2.2", kNow));
  EXPECT_EQ(penalties.kept_out(kNow), 1u);
  EXPECT_TRUE(penalties.keeps_out("192.0.2.1", kNow + milliseconds(14'999)));
  EXPECT_FALSE(penalties.keeps_out("192.0.2.1", kNow + seconds(15)));
  EXPECT_EQ(penalties.kept_out(kNow + seconds(15)), 0u);
}

TEST(Penalties, SpareThoseWhoShareTheAddressOfATunnel) {
  Penalties penalties;
  for (int i = 0; i < 100; ++i)
    for (const char* here : {"127.0.0.1", "::/64"}) penalties.add(here, Offence::refused, kBriefly, kNow);
  EXPECT_FALSE(penalties.keeps_out("127.0.0.1", kNow));
  EXPECT_FALSE(penalties.keeps_out("::/64", kNow));
  EXPECT_EQ(penalties.size(kNow), 0u);
}

TEST(Penalties, AreTakenOffByTimeAlone) {
  Penalties penalties;
  for (int i = 0; i < 100; ++i) penalties.add("192.0.2.1", Offence::refused, kBriefly, kNow + i * seconds(5));
  EXPECT_FALSE(penalties.keeps_out("192.0.2.1", kNow + 99 * seconds(5)));
  for (int i = 0; i < 100; ++i)
    penalties.add("192.0.2.2", Offence::nothing_tried, kBriefly, kNow + i * seconds(1));
  EXPECT_FALSE(penalties.keeps_out("192.0.2.2", kNow + seconds(99)));
}

TEST(Penalties, LastTenMinutesAtMost) {
  Penalties penalties;
  for (int i = 0; i < 10'000; ++i) penalties.add("192.0.2.1", Offence::garbage, kBriefly, kNow);
  EXPECT_TRUE(penalties.keeps_out("192.0.2.1", kNow + seconds(599)));
  EXPECT_FALSE(penalties.keeps_out("192.0.2.1", kNow + seconds(600)));
}

TEST(Penalties, HoldUntilAllIsOverOnceTheyHold) {
  Penalties penalties;
  for (int i = 0; i < 2; ++i) penalties.add("192.0.2.1", Offence::grace, kBriefly, kNow);
  EXPECT_TRUE(penalties.keeps_out("192.0.2.1", kNow + seconds(19)));  // though less than 15 s are left
}

TEST(Penalties, WeighWhatWasDone) {
  for (auto [offence, times] : {std::pair{Offence::nothing_tried, 15},
                                {Offence::refused, 3},
                                {Offence::grace, 2},
                                {Offence::garbage, 2}}) {
    Penalties penalties;
    for (int i = 1; i < times; ++i) penalties.add("192.0.2.1", offence, kBriefly, kNow);
    EXPECT_FALSE(penalties.keeps_out("192.0.2.1", kNow)) << times;
    penalties.add("192.0.2.1", offence, kBriefly, kNow);
    EXPECT_TRUE(penalties.keeps_out("192.0.2.1", kNow)) << times;
  }
  Penalties penalties;
  for (int i = 0; i < 1000; ++i) penalties.add("192.0.2.1", Offence::none, kBriefly, kNow);
  EXPECT_EQ(penalties.size(kNow), 0u);
}

TEST(Penalties, ChargeForThePlaceThatWasHeld) {
  Penalties penalties;
  penalties.add("192.0.2.1", Offence::nothing_tried, seconds(8), kNow);  // 7 s
  EXPECT_EQ(penalties.size(kNow + milliseconds(6999)), 1u);
  EXPECT_EQ(penalties.size(kNow + seconds(7)), 0u);
  penalties.add("192.0.2.1", Offence::refused, seconds(30), kNow);  // more than the 5 s of a refused key
  EXPECT_EQ(penalties.size(kNow + milliseconds(13'999)), 1u);
  EXPECT_FALSE(penalties.keeps_out("192.0.2.1", kNow)) << "one connection alone keeps nobody out";
  penalties.add("192.0.2.1", Offence::nothing_tried, kBriefly, kNow);
  EXPECT_TRUE(penalties.keeps_out("192.0.2.1", kNow));
}

TEST(Penalties, ChargeAQuarterToTheWholeNetworkOfWhoChangesHisAddress) {
  Penalties penalties;
  for (int i = 0; i < 6; ++i) {
    EXPECT_FALSE(penalties.keeps_out("2001:db8:0:ff::/64", kNow)) << i;
    penalties.add(str("2001:db8:0:", i, "::/64"), Offence::garbage, kBriefly, kNow);
  }
  EXPECT_TRUE(penalties.keeps_out("2001:db8:0:ff::/64", kNow));
  EXPECT_FALSE(penalties.keeps_out("2001:db8:1::/64", kNow));
  EXPECT_FALSE(penalties.keeps_out("2001:db8:0:ff::/64", kNow + seconds(20)));
}

TEST(Penalties, RememberForTenMinutesWhoWastedAPlace) {
  Penalties penalties;
  for (const char* source : {"192.0.2.1", "2001:db8::/64"}) {
    penalties.add(source, Offence::nothing_tried, milliseconds(999), kNow);
    EXPECT_FALSE(penalties.has_wasted(source, kNow));
    penalties.add(source, Offence::nothing_tried, seconds(1), kNow);
    EXPECT_TRUE(penalties.has_wasted(source, kNow + seconds(599)));
    EXPECT_FALSE(penalties.has_wasted(source, kNow + seconds(600)));
    penalties.forgive(source);
    EXPECT_FALSE(penalties.has_wasted(source, kNow));
  }
}

TEST(Penalties, AreForgiven) {
  Penalties penalties;
  for (int i = 0; i < 10; ++i) penalties.add("2001:db8::/64", Offence::garbage, kBriefly, kNow);
  EXPECT_TRUE(penalties.keeps_out("2001:db8::/64", kNow));
  penalties.forgive("2001:db8::/64");
  EXPECT_FALSE(penalties.keeps_out("2001:db8::/64", kNow));
  EXPECT_EQ(penalties.kept_out(kNow), 0u);
}

TEST(Penalties, HaveABoundThatIsPermissiveAndSetForEachFamily) {
  Penalties penalties;
  for (int i = 0; i < 2; ++i) penalties.add("192.0.2.1", Offence::garbage, kBriefly, kNow);
  for (int network = 0; network < 70'000; ++network) {
    std::string source = str("2001:", base::hex(std::string{char(network >> 16 & 1)}), ":",
                             base::hex(std::string{char(network >> 8), char(network)}), "::/64");
    penalties.add(source, Offence::garbage, kBriefly, kNow + microseconds(network));
    penalties.add(source, Offence::garbage, kBriefly, kNow + microseconds(network));
  }
  EXPECT_EQ(penalties.size(kNow), 2 * Penalties::kSources + 1) << "with the /48s";
  EXPECT_EQ(penalties.kept_out(kNow), Penalties::kSources + 1);
  EXPECT_TRUE(penalties.keeps_out("192.0.2.1", kNow));
  EXPECT_FALSE(penalties.keeps_out("2001:0:1::/64", kNow)) << "the nearest to its end went first";
}

TEST(Penalties, AreOfOneCircuitAndPushNobodyElseOut) {
  Penalties penalties;
  for (const char* source : {"192.0.2.1", "2001:db8::/64", "onion-circuit-41"})
    for (int i = 0; i < 2; ++i) penalties.add(source, Offence::garbage, seconds(1), kNow);
  EXPECT_TRUE(penalties.keeps_out("onion-circuit-41", kNow));
  EXPECT_TRUE(penalties.has_wasted("onion-circuit-41", kNow));
  EXPECT_FALSE(penalties.keeps_out("onion-circuit-42", kNow));
  EXPECT_EQ(penalties.kept_out(kNow), 3u);
  for (int circuit = 100; circuit < 50'000; ++circuit)
    for (int i = 0; i < 2; ++i)
      penalties.add(str("onion-circuit-", circuit), Offence::garbage, seconds(1),
                    kNow + microseconds(circuit));
  EXPECT_TRUE(penalties.keeps_out("192.0.2.1", kNow));
  EXPECT_TRUE(penalties.has_wasted("192.0.2.1", kNow));
  EXPECT_TRUE(penalties.keeps_out("2001:db8::/64", kNow));
  EXPECT_FALSE(penalties.keeps_out("onion-circuit-41", kNow)) << "the nearest to its end went first";
  EXPECT_EQ(penalties.kept_out(kNow), Penalties::kCircuits + 2);
  penalties.forgive("onion-circuit-49999");
  EXPECT_FALSE(penalties.keeps_out("onion-circuit-49999", kNow));
}

TEST(Penalties, OfCircuitsAreForgottenAlone) {
  Penalties penalties;
  for (const char* source : {"192.0.2.1", "2001:db8::/64", "onion-circuit-41"})
    for (int i = 0; i < 2; ++i) penalties.add(source, Offence::garbage, seconds(1), kNow);
  penalties.forget_circuits();
  EXPECT_FALSE(penalties.keeps_out("onion-circuit-41", kNow));
  EXPECT_FALSE(penalties.has_wasted("onion-circuit-41", kNow));
  EXPECT_TRUE(penalties.keeps_out("192.0.2.1", kNow));
  EXPECT_TRUE(penalties.keeps_out("2001:db8::/64", kNow));
  EXPECT_EQ(penalties.kept_out(kNow), 2u);
}

TEST(Penalties, DoNotHoldAgainstWhatIsNoSource) {
  Penalties penalties;
  for (int i = 0; i < 10; ++i)
    for (const char* text : {"?", "", "host", "192.0.2.1:22", "2001:db8::", "/64", "call-home-fra",
                             "onion-circuit-", "onion-circuit-x"})
      penalties.add(text, Offence::garbage, kBriefly, kNow);
  EXPECT_EQ(penalties.size(kNow), 0u);
}

}  // namespace
}  // namespace oob::ssh

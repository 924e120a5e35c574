#include "auth/address_list.h"

#include <gtest/gtest.h>

namespace oob::auth {
namespace {

bool in(const char* address, const char* patterns) {
  auto list = AddressList::parse(patterns);
  EXPECT_TRUE(list) << patterns << ": " << list.error().what;
  return list && list->matches(address);
}

std::string wrong(const char* patterns) {
  auto list = AddressList::parse(patterns);
  return list ? "" : list.error().what;
}

TEST(AddressList, ComparesNetworksBitByBit) {
  EXPECT_TRUE(in("192.0.2.255", "192.0.2.0/24"));
  EXPECT_FALSE(in("192.0.3.0", "192.0.2.0/24"));
  EXPECT_TRUE(in("192.0.2.129", "192.0.2.128/25"));
  EXPECT_FALSE(in("192.0.2.127", "192.0.2.128/25"));
  EXPECT_TRUE(in("10.0.0.1", "0.0.0.0/0"));
  EXPECT_FALSE(in("2001:db8::1", "0.0.0.0/0"));
  EXPECT_FALSE(in("10.0.0.1", "::/0"));
  EXPECT_TRUE(in("192.0.2.1", "192.0.2.1/32"));
  EXPECT_TRUE(in("2001:db8:7fff::1", "2001:db8::/33"));
  EXPECT_FALSE(in("2001:db8:8000::1", "2001:db8::/33"));
  EXPECT_TRUE(in("2001:db8::1", "2001:DB8:0:0::1"));
  EXPECT_TRUE(in("2001:db8::1", "2001:db8::1/128"));
}

TEST(AddressList, TakesAMappedAddressForIpv4) {
  EXPECT_TRUE(in("::ffff:192.0.2.1", "192.0.2.0/24"));
  EXPECT_TRUE(in("::ffff:c000:201", "192.0.2.*"));
  EXPECT_TRUE(in("192.0.2.1", "::ffff:192.0.2.0/120"));
  EXPECT_TRUE(in("192.0.2.1", "::ffff:192.0.2.1"));
  EXPECT_FALSE(in("::ffff:192.0.2.1", "::/0"));
}

TEST(AddressList, LetsANegatedPatternShutOutWhereverItStands) {
  EXPECT_FALSE(in("192.0.2.9", "192.0.2.0/24,!192.0.2.9"));
  EXPECT_FALSE(in("192.0.2.9", "!192.0.2.9,192.0.2.0/24"));
  EXPECT_TRUE(in("192.0.2.8", "!192.0.2.9,192.0.2.0/24"));
  EXPECT_FALSE(in("10.1.2.3", "*,!10.*"));
}

TEST(AddressList, MatchesWildcardsOnTheShortestText) {
  EXPECT_TRUE(in("192.0.2.1", "192.0.2.?"));
  EXPECT_FALSE(in("192.0.2.10", "192.0.2.?"));
  EXPECT_TRUE(in("2001:0DB8:0::5", "2001:db8:*"));
  EXPECT_TRUE(in("2001:db8::5", "2001:DB8:*"));
  EXPECT_TRUE(in("fe80::1%eth0", "fe80::/10"));
  EXPECT_FALSE(in("", "*"));
  EXPECT_FALSE(in("local", "*"));
  EXPECT_FALSE(in("192.0.2.1:22", "*"));
}

TEST(AddressList, RefusesWhatCanNeverMatchAndSaysWhy) {
  EXPECT_EQ(wrong("bastion.example.com"),
            "'bastion.example.com' is not a numeric address: names are not looked up, so it can never match");
  EXPECT_EQ(wrong("*.example.com"),
            "'*.example.com' can never match: only numeric addresses are compared, names are not looked up");
  EXPECT_NE(wrong("*.de"), "");
  EXPECT_EQ(wrong("192.0.2.1/24"),
            "'192.0.2.1/24' has bits set after its prefix, did you mean 192.0.2.0/24?");
  EXPECT_EQ(wrong("192.0.2.0/33"), "'192.0.2.0/33' has a prefix length that is not from 0 to 32");
  EXPECT_EQ(wrong("2001:db8::/129"), "'2001:db8::/129' has a prefix length that is not from 0 to 128");
  EXPECT_EQ(wrong("::ffff:10.0.0.0/95"),
            "'::ffff:10.0.0.0/95' has a prefix length that is not from 96 to 128");
  EXPECT_EQ(wrong("!10.0.0.1"),
            "every pattern shuts out, so nobody could come in; add one that lets in, such as *");
  EXPECT_EQ(wrong("fe80::1%eth0"), "'fe80::1%eth0' has a zone, which is not compared");
  for (const char* bad : {"", ",", "10.0.0.1,", "!", "10.0.0/8", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1",
                          "10.0.0.*/8", " 10.0.0.1", "1.2.3.4.5", "face", "010.0.0.1", "300.1.1.1"})
    EXPECT_NE(wrong(bad), "") << bad;
}

}  // namespace
}  // namespace oob::auth

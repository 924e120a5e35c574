#include "base/peer_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace oob::base {
namespace {

sockaddr_storage v4(const char* text, std::uint16_t port) {
  sockaddr_storage storage{};
  auto& address = reinterpret_cast<sockaddr_in&>(storage);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, text, &address.sin_addr);
  return storage;
}

sockaddr_storage v6(const char* text, std::uint16_t port, std::uint32_t zone = 0) {
  sockaddr_storage storage{};
  auto& address = reinterpret_cast<sockaddr_in6&>(storage);
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_scope_id = zone;
  ::inet_pton(AF_INET6, text, &address.sin6_addr);
  return storage;
}

TEST(PeerAddress, IsWrittenAsPeopleWriteIt) {
  EXPECT_EQ(peer_text(v4("192.0.2.9", 50122)), "192.0.2.9:50122");
  EXPECT_EQ(peer_text(v6("2001:db8:0:0::9", 65535)), "[2001:db8::9]:65535");
  EXPECT_EQ(peer_text(v6("fe80::1", 22, 3)), "[fe80::1%3]:22");
  EXPECT_EQ(peer_text(v6("::ffff:192.0.2.9", 22)), "192.0.2.9:22");
  EXPECT_EQ(peer_text(sockaddr_storage{}), "?");
}

TEST(PeerAddress, IsTakenOutOfItsText) {
  EXPECT_EQ(address_of("192.0.2.9:50122"), "192.0.2.9");
  EXPECT_EQ(address_of("[2001:db8::9]:65535"), "2001:db8::9");
  EXPECT_EQ(address_of("[fe80::1%3]:22"), "fe80::1%3");
  EXPECT_EQ(address_of(""), "");
}

TEST(PeerAddress, CountsAsOneSourceWithItsSubscriber) {
  EXPECT_EQ(source_of("192.0.2.9:50122"), "192.0.2.9");
  EXPECT_EQ(source_of("[2001:db8:1:2:3:4:5:6]:1"), "2001:db8:1:2::/64");
  EXPECT_EQ(source_of("[2001:db8:1:2:ffff::]:1"), source_of("[2001:db8:1:2::1]:2"));
  EXPECT_NE(source_of("[2001:db8:1:3::1]:1"), source_of("[2001:db8:1:2::1]:1"));
  EXPECT_EQ(source_of("[fe80::1%3]:22"), "fe80::/64");
  EXPECT_EQ(source_of(peer_text(v6("::ffff:192.0.2.9", 22))), "192.0.2.9");
  for (const char* text : {"", "?", ":", "[", "[]:1", "[:1", "host:1", "192.0.2.300:1"})
    EXPECT_EQ(source_of(text), "?") << text;
}

TEST(PeerAddress, NamesCircuitsAndCallHomes) {
  EXPECT_EQ(onion_text(41, 7), "onion-circuit-41:7");
  EXPECT_EQ(address_of(onion_text(41, 7)), "onion-circuit-41");
  EXPECT_EQ(source_of(onion_text(4294967295, 65535)), "onion-circuit-4294967295");
  EXPECT_NE(source_of(onion_text(41, 7)), source_of(onion_text(42, 7)));
  EXPECT_TRUE(is_onion(source_of(onion_text(0, 0))));
  EXPECT_EQ(home_text("fra", 7), "call-home-fra:7");
  EXPECT_EQ(source_of(home_text("fra", 7)), "call-home-fra");
  EXPECT_NE(source_of(home_text("fra", 7)), source_of(home_text("ams", 7)));
  EXPECT_TRUE(is_home(source_of(home_text("FRA-1.b_c", 0))));
  for (const std::string& text :
       {std::string("call-home"), std::string("call-home-"), std::string("call-home-f ra"),
        "call-home-" + std::string(65, 'a'), std::string("onion-circuit-1")})
    EXPECT_FALSE(is_home(text)) << text;
  EXPECT_EQ(source_of("call-home:7"), "?");
  for (const char* text :
       {"", "onion-circuit-", "onion-circuit-041", "onion-circuit-4294967296", "onion-circuit--1",
        "onion-circuit-1 ", "call-home-fra", "192.0.2.9", "2001:db8::/64"})
    EXPECT_FALSE(is_onion(text)) << text;
  EXPECT_EQ(source_of("onion-circuit-041:1"), "?");
}

}  // namespace
}  // namespace oob::base

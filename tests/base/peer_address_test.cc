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

}  // namespace
}  // namespace oob::base

#include "uplink/echo.h"

#include <gtest/gtest.h>

namespace oob::uplink {
namespace {

const Echo kEcho{0x1234, 7, "sixteen bytes...."};

// What a host makes of a request: the reply, as it comes from a socket.
std::string reply_to(EchoFamily family, const Echo& echo) {
  std::string packet = echo_request(family, echo);
  bool v4 = family == EchoFamily::v4;
  packet[0] = static_cast<char>(v4 ? 0 : 129);
  if (v4) {  // type 8 became 0: the checksum grows by that (RFC 1624)
    unsigned sum =
        (static_cast<unsigned char>(packet[2]) << 8 | static_cast<unsigned char>(packet[3])) + 0x800;
    sum = (sum & 0xffff) + (sum >> 16);
    packet[2] = static_cast<char>(sum >> 8);
    packet[3] = static_cast<char>(sum & 0xff);
  }
  return packet;
}

std::string with_ip_header(const std::string& packet) {
  std::string header(24, '\0');  // with options
  header[0] = 0x46;
  header[9] = 1;
  return header + packet;
}

TEST(EchoReply, BringsBackWhatWasSent) {
  EXPECT_EQ(echo_reply(EchoFamily::v4, reply_to(EchoFamily::v4, kEcho), false), kEcho);
  EXPECT_EQ(echo_reply(EchoFamily::v6, reply_to(EchoFamily::v6, kEcho), false), kEcho);
  EXPECT_EQ(echo_reply(EchoFamily::v4, with_ip_header(reply_to(EchoFamily::v4, kEcho)), true), kEcho);
}

TEST(EchoReply, IsNoRequest) {
  EXPECT_FALSE(echo_reply(EchoFamily::v4, echo_request(EchoFamily::v4, kEcho), false));
  EXPECT_FALSE(echo_reply(EchoFamily::v6, echo_request(EchoFamily::v6, kEcho), false));
}

// RFC 1071's example in the place of an echo: an odd length counts as if a zero followed.
TEST(EchoRequest, HasTheChecksumOfItsBytes) {
  std::string packet = echo_request(EchoFamily::v4, {0, 0, "a"});
  EXPECT_EQ(packet, std::string("\x08\x00\x96\xff\x00\x00\x00\x00"
                                "a",
                                9));
}

TEST(EchoReply, CutAnywhereIsNoneOrAnother) {
  for (bool header : {false, true}) {
    std::string whole = reply_to(EchoFamily::v4, kEcho);
    if (header) whole = with_ip_header(whole);
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_NE(echo_reply(EchoFamily::v4, base::Bytes(whole).substr(0, size), header), kEcho) << size;
  }
  std::string whole = reply_to(EchoFamily::v6, kEcho);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(echo_reply(EchoFamily::v6, base::Bytes(whole).substr(0, size), false), kEcho) << size;
}

TEST(EchoReply, WithAFlippedBitIsNone) {
  std::string whole = reply_to(EchoFamily::v4, kEcho);
  for (std::size_t i = 0; i < whole.size() * 8; ++i) {
    std::string flipped = whole;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << i % 8));
    EXPECT_FALSE(echo_reply(EchoFamily::v4, flipped, false)) << i;
  }
}

TEST(EchoReply, BehindABrokenHeaderIsNone) {
  std::string whole = with_ip_header(reply_to(EchoFamily::v4, kEcho));
  for (char first : {'\x41', '\x4f', '\x66', '\x00'}) {
    std::string broken = whole;
    broken[0] = first;
    EXPECT_FALSE(echo_reply(EchoFamily::v4, broken, true));
  }
  whole[9] = 6;
  EXPECT_FALSE(echo_reply(EchoFamily::v4, whole, true));
}

}  // namespace
}  // namespace oob::uplink

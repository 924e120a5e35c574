#include "oobd/host_key_look.h"

#include <gtest/gtest.h>

#include "base/wire.h"

namespace oob {
namespace {

using base::Result;
using base::wire::Writer;

std::string look_packet(const std::string& payload) {
  std::string pad(8 - (5 + payload.size()) % 8 + 8, '\0');
  return Writer()
             .u32(static_cast<std::uint32_t>(1 + payload.size() + pad.size()))
             .u8(static_cast<std::uint8_t>(pad.size()))
             .take() +
         payload + pad;
}

// What a server says: its version, its algorithms, and, once it was asked, its key.
std::string first_half() { return "SSH-2.0-x\r\n" + look_packet("\x14" + std::string(60, 'k')); }
std::string second_half() {
  return look_packet("\x1f" +
                     Writer().text("the key blob").text(std::string(32, 'q')).text("signature").take());
}

HostKeyLook fresh_look() { return HostKeyLook(std::string(16, 'c') + std::string(32, 'p')); }

TEST(HostKeyLook, LearnsTheKeyWholeAndCutAtEveryPlace) {
  std::string all = first_half() + second_half();
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    HostKeyLook look = fresh_look();
    Result<std::string> one = look.feed(all.substr(0, cut));
    ASSERT_TRUE(one) << cut;
    Result<std::string> two = look.feed(all.substr(cut));
    ASSERT_TRUE(two) << cut;
    EXPECT_EQ(look.key(), "the key blob");
    std::string asked = *one + *two;
    ASSERT_EQ(asked.size() % 8, 0u);
    EXPECT_EQ(asked.substr(5, 5), std::string("\x1e\0\0\0\x20", 5));
    EXPECT_EQ(asked.substr(10, 32), std::string(32, 'p'));
  }
}

TEST(HostKeyLook, SaysWhoItIsAndWhatItTakesFirst) {
  std::string hello = fresh_look().hello();
  EXPECT_TRUE(hello.starts_with("SSH-2.0-oobd_look\r\n"));
  EXPECT_NE(hello.find("ssh-ed25519"), std::string::npos);
  EXPECT_EQ((hello.size() - 19) % 8, 0u);
}

TEST(HostKeyLook, RefusesWhatIsNoSshServer) {
  for (const std::string& wrong :
       {std::string("SSH-1.5-old\r\n"), std::string(300, 'x'),
        "SSH-2.0-x\r\n" + std::string("\xff\xff\xff\xff", 4),
        "SSH-2.0-x\r\n" + std::string("\0\0\0\x08\xff", 5) + "1234567", "SSH-2.0-x\r\n" + look_packet("\x15"),
        "SSH-2.0-x\r\n" + look_packet("\x1f"),
        first_half() + look_packet("\x1f" + Writer().u32(99).take())}) {
    HostKeyLook look = fresh_look();
    Result<std::string> answer = look.feed(wrong);
    EXPECT_FALSE(answer) << base::printable(wrong);
  }
}

TEST(HostKeyLook, TellsWhyItWasHungUpOn) {
  HostKeyLook look = fresh_look();
  Result<std::string> answer =
      look.feed("SSH-2.0-x\r\n" + look_packet("\x01" + Writer().u32(12).text("too many").take()));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().what, "it hung up: too many");
  EXPECT_EQ(answer.error().fault, base::Fault::unavailable) << "who is there it does not say";
}

TEST(HostKeyLook, HearsOnlySoMuch) {
  HostKeyLook look = fresh_look();
  ASSERT_TRUE(look.feed("SSH-2.0-x\r\n"));
  std::string nothing = look_packet("\x02" + std::string(1000, 'i'));
  bool refused = false;
  for (int i = 0; i < 100 && !refused; ++i) refused = !look.feed(nothing);
  EXPECT_TRUE(refused);
}

TEST(HostKeyLook, TakesFlippedBytesForWhatTheyAre) {
  std::string all = first_half() + second_half();
  for (std::size_t at = 0; at < all.size(); ++at) {
    std::string flipped = all;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x81);
    HostKeyLook look = fresh_look();
    if (look.feed(flipped)) {
      EXPECT_LE(look.key().size(), all.size());
    }
  }
}

}  // namespace
}  // namespace oob

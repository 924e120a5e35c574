#include "oobd/errands_wire.h"

#include <gtest/gtest.h>

namespace oob::errands {
namespace {

const Order kOrder{Kind::notify, 7, "sms", 30'000, "line.down", "edge1", "oob0"};

TEST(ErrandsWire, TakesApartWhatItMade) {
  base::Result<Order> order = Order::decode(kOrder.encode());
  ASSERT_TRUE(order) << order.error().what;
  EXPECT_EQ(order->kind, Kind::notify);
  EXPECT_EQ(order->number, 7u);
  EXPECT_EQ(order->name, "sms");
  EXPECT_EQ(order->limit, 30'000u);
  EXPECT_EQ(order->event, "line.down");
  EXPECT_EQ(order->device, "edge1");
  EXPECT_EQ(order->interface, "oob0");
  base::Result<Order> end = Order::decode(Order{Kind::end, 8}.encode());
  ASSERT_TRUE(end);
  EXPECT_EQ(end->number, 8u);
  EXPECT_TRUE(Order::decode(Order{Kind::adopt}.encode()));
  base::Result<Order> home = Order::decode(Order{Kind::call_home, 9, "fra", 0, {}, {}, {}, 2}.encode());
  ASSERT_TRUE(home);
  EXPECT_EQ(home->name, "fra");
  EXPECT_EQ(home->place, 2u);
  base::Result<End> ended = End::decode(End{9, -1, "no such file"}.encode());
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->number, 9u);
  EXPECT_EQ(ended->status, -1);
  EXPECT_EQ(ended->words, "no such file");
  EXPECT_TRUE(is_begun_anew(begun_anew()));
  EXPECT_FALSE(End::decode(begun_anew()));
  for (const std::string& other : {std::string(), begun_anew() + "x", End{9, 0, ""}.encode()})
    EXPECT_FALSE(is_begun_anew(other));
}

// A core that was taken over could have any socket replaced, or any key believed, if it named paths.
TEST(ErrandsWire, HasNoWordForPathsOfSsh) {
  Order order{Kind::call_home, 9, "fra", 0, "/etc/home", "/etc/check", "lte0", 2};
  EXPECT_EQ(order.encode().find("/etc"), std::string::npos);
}

TEST(ErrandsWire, RefusesWhatIsCutOrTooLong) {
  std::string order = kOrder.encode(), end = End{9, 0, "words"}.encode();
  for (std::size_t size = 0; size < order.size(); ++size)
    EXPECT_FALSE(Order::decode(std::string_view(order).substr(0, size))) << size;
  for (std::size_t size = 0; size < end.size(); ++size)
    EXPECT_FALSE(End::decode(std::string_view(end).substr(0, size))) << size;
  EXPECT_FALSE(Order::decode(order + "x"));
  EXPECT_FALSE(End::decode(end + "x"));
  Order longer = kOrder;
  longer.name = std::string(kMostText + 1, 'n');
  EXPECT_FALSE(Order::decode(longer.encode()));
  Order split = kOrder;
  split.event = std::string("line\0down", 9);
  EXPECT_FALSE(Order::decode(split.encode()));
  split = kOrder;
  split.interface = std::string("oob0\0x", 6);
  EXPECT_FALSE(Order::decode(split.encode()));
}

// Whatever bit is wrong: it is refused, or something else of the same bounds.
TEST(ErrandsWire, SurvivesFlippedBits) {
  std::string whole = kOrder.encode();
  for (std::size_t at = 0; at < whole.size() * 8; ++at) {
    std::string flipped = whole;
    flipped[at / 8] = static_cast<char>(flipped[at / 8] ^ (1 << at % 8));
    base::Result<Order> order = Order::decode(flipped);
    if (!order) continue;
    EXPECT_NE(order->encode(), whole);
    EXPECT_LE(order->name.size() + order->event.size() + order->device.size(), whole.size());
  }
}

TEST(ErrandsWire, PassesOnNothingThatIsNoText) {
  base::Result<End> end = End::decode(End{1, 0, "a\x1b[2Jb\n"}.encode());
  ASSERT_TRUE(end);
  EXPECT_EQ(end->words, "a\\x1b[2Jb\\n");
}

TEST(Halt, SaysWhyAndNothingElse) {
  const std::string packet = Halt{"no program can be run: fork"}.encode();
  base::Result<Halt> back = Halt::decode(packet);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->why, "no program can be run: fork");
  for (std::size_t cut = 0; cut < packet.size(); ++cut) EXPECT_FALSE(Halt::decode(packet.substr(0, cut)));
  EXPECT_FALSE(Halt::decode(packet + "x"));
  EXPECT_FALSE(Halt::decode(begun_anew()));
  EXPECT_FALSE(End::decode(packet));
  EXPECT_EQ(Halt::decode(Halt{"\x1b[2J"}.encode())->why, "\\x1b[2J");
}

}  // namespace
}  // namespace oob::errands

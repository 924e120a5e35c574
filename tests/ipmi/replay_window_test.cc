#include "ipmi/replay_window.h"

#include <gtest/gtest.h>

namespace oob::ipmi {
namespace {

TEST(ReplayWindow, TakesEachNumberOnce) {
  ReplayWindow window;
  for (std::uint32_t n = 1; n < 200; ++n) EXPECT_TRUE(window.take(n)) << n;
  for (std::uint32_t n = 1; n < 200; ++n) EXPECT_FALSE(window.take(n)) << n;
}

TEST(ReplayWindow, TakesReorderedNumbersOnce) {
  ReplayWindow window;
  for (std::uint32_t n : {5u, 3u, 4u, 1u, 2u, 9u, 7u}) EXPECT_TRUE(window.take(n)) << n;
  for (std::uint32_t n : {1u, 2u, 3u, 4u, 5u, 7u, 9u}) EXPECT_FALSE(window.take(n)) << n;
  EXPECT_TRUE(window.take(8));
}

TEST(ReplayWindow, RefusesWhatIsTooOld) {
  ReplayWindow window;
  EXPECT_TRUE(window.take(1000));
  EXPECT_TRUE(window.take(1000 - ReplayWindow::kBehind));
  EXPECT_FALSE(window.take(1000 - ReplayWindow::kBehind - 1));
}

TEST(ReplayWindow, GoesOnAfterALongLoss) {
  ReplayWindow window;
  EXPECT_TRUE(window.take(1));
  EXPECT_TRUE(window.take(5000));
  EXPECT_FALSE(window.take(1));
  EXPECT_TRUE(window.take(4999));
}

TEST(ReplayWindow, NeverTakesZero) {
  ReplayWindow window;
  EXPECT_FALSE(window.take(0));
  EXPECT_TRUE(window.take(1));
  EXPECT_FALSE(window.take(0));
}

TEST(ReplayWindow, WrapsAround) {
  ReplayWindow window;
  EXPECT_TRUE(window.take(0xfffffffe));
  EXPECT_TRUE(window.take(0xffffffff));
  EXPECT_TRUE(window.take(1));
  EXPECT_TRUE(window.take(2));
  EXPECT_FALSE(window.take(0xffffffff));
  EXPECT_TRUE(window.take(0xfffffffd));
}

TEST(ReplayWindow, AForgedLookingJumpBackMovesNothing) {
  ReplayWindow window;
  EXPECT_TRUE(window.take(100));
  EXPECT_FALSE(window.take(0x80000100));  // half the circle behind
  EXPECT_TRUE(window.take(101));
}

}  // namespace
}  // namespace oob::ipmi

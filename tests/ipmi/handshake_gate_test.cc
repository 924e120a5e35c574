#include "ipmi/handshake_gate.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/support.h"

namespace oob::ipmi {
namespace {

using Pass = HandshakeGate::Pass;

TEST(HandshakeGate, LetsInOnlySoManyAtOnceAndInOrder) {
  base::Loop loop;
  HandshakeGate gate(loop, 2);
  std::vector<int> inside;
  std::vector<std::unique_ptr<Pass>> passes(4);
  for (int i = 0; i < 4; ++i) passes[i] = gate.enter([&inside, i] { inside.push_back(i); });
  EXPECT_TRUE(inside.empty());
  ASSERT_TRUE(test::run_until(loop, [&] { return inside.size() == 2; }));
  passes[0].reset();
  ASSERT_TRUE(test::run_until(loop, [&] { return inside.size() == 3; }));
  passes[2].reset();
  passes[1].reset();
  ASSERT_TRUE(test::run_until(loop, [&] { return inside.size() == 4; }));
  EXPECT_EQ(inside, (std::vector<int>{0, 1, 2, 3}));
}

TEST(HandshakeGate, ForgetsWhoLeavesTheQueue) {
  base::Loop loop;
  HandshakeGate gate(loop, 1);
  std::vector<int> inside;
  auto first = gate.enter([&] { inside.push_back(1); });
  auto second = gate.enter([&] { inside.push_back(2); });
  auto third = gate.enter([&] { inside.push_back(3); });
  second.reset();
  ASSERT_TRUE(test::run_until(loop, [&] { return inside.size() == 1; }));
  first.reset();
  ASSERT_TRUE(test::run_until(loop, [&] { return inside.size() == 2; }));
  EXPECT_EQ(inside, (std::vector<int>{1, 3}));
}

TEST(HandshakeGate, APassMayBeGivenBackWhileItIsItsTurn) {
  base::Loop loop;
  HandshakeGate gate(loop, 1);
  std::unique_ptr<Pass> pass;
  bool next = false;
  pass = gate.enter([&] { pass.reset(); });
  auto other = gate.enter([&] { next = true; });
  EXPECT_TRUE(test::run_until(loop, [&] { return next; }));
}

}  // namespace
}  // namespace oob::ipmi

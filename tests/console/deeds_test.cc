#include "console/deeds.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>

#include "auth/journal_disk.h"
#include "tests/console/visit.h"

namespace oob::console {

using base::Fault;
using base::Result;
using test::Board;
using test::run_until;

namespace {

// A disk that takes nothing more from some time on.
class FullDisk : public auth::JournalDisk {
 public:
  int write(File& file, base::Bytes bytes, std::uint64_t at) override {
    return full ? EIO : JournalDisk::write(file, bytes, at);
  }
  std::atomic<bool> full = false;
};

// The answer to one order for r1, in a core whose journal may be another than the board's.
struct Ordered {
  Ordered(Board& board, Core& core) {
    Visitor root;
    root.who.user = "root";
    core.deeds->begin(core, power_order(core, root, "r1", PowerAction::cycle, base::milliseconds(1000)),
                      [this](const Result<PowerOutcome>& told) { result = told; });
    board.core.archive.flush();
  }
  std::optional<Result<PowerOutcome>> result;
};

}  // namespace

TEST(Deeds, WhatCannotBeWrittenDownIsNotDone) {
  Board board;
  test::FakeChassis& chassis = board.power("r1");
  test::TempDir full;
  auto disk = std::make_shared<FullDisk>();
  auto journal = auth::Journal::open(board.loop, board.disk, full.path(), {}, disk);
  ASSERT_TRUE(journal);
  disk->full = true;
  Core core{.loop = board.loop,
            .blocking = board.blocking,
            .archive = board.archive,
            .journal = **journal,
            .inventory = board.inventory,
            .policy = std::move(board.core.policy),
            .sessions = {},
            .transcripts = "",
            .state = "",
            .escape = "",
            .version = "",
            .started = 0,
            .reload = nullptr};
  Ordered order(board, core);
  ASSERT_TRUE(run_until(board.loop, [&] { return order.result.has_value(); }));
  ASSERT_FALSE(*order.result);
  EXPECT_EQ(order.result->error().fault, Fault::journal);
  EXPECT_TRUE(chassis.asked.empty());
  EXPECT_EQ(core.deeds->under_way(), 0u);
}

TEST(Deeds, AreBounded) {
  Board board;
  test::FakeChassis& chassis = board.power("r1");
  chassis.holds = true;
  std::vector<std::unique_ptr<Ordered>> orders;
  for (std::size_t i = 0; i <= Deeds::kMost; ++i)
    orders.push_back(std::make_unique<Ordered>(board, board.core));
  ASSERT_TRUE(run_until(board.loop,
                        [&] { return chassis.held() == Deeds::kMost && orders.back()->result.has_value(); }));
  ASSERT_FALSE(*orders.back()->result);
  EXPECT_EQ(orders.back()->result->error().fault, Fault::busy);
  chassis.answer();
  EXPECT_TRUE(run_until(board.loop, [&] { return board.core.deeds->under_way() == 0; }));
}

TEST(Deeds, ADeviceThatGoesWhileTheJournalIsWrittenIsLeftAlone) {
  Board board;
  board.power("r1");
  Ordered order(board, board.core);
  board.inventory.remove("r1", "taken out of the configuration");
  ASSERT_TRUE(run_until(board.loop, [&] { return order.result.has_value(); }));
  ASSERT_FALSE(*order.result);
  EXPECT_EQ(order.result->error().fault, Fault::missing);
  EXPECT_TRUE(run_until(board.loop, [&] {
    return board.journal_text().find("\"result\":\"no such device: r1\"") != std::string::npos;
  }));
}

}  // namespace oob::console

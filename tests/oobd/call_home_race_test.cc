#include "oobd/call_home_race.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <optional>

#include "oobd/call_home_limits.h"
#include "oobd/listeners.h"
#include "tests/support/support.h"

namespace oob {
namespace {

using base::milliseconds;
using test::run_until;
using ::testing::HasSubstr;

class CallHomeRaceTest : public ::testing::Test {
 protected:
  CallHomeRaceTest() {
    auto listener = listen_tcp("127.0.0.1:0");
    EXPECT_TRUE(listener);
    bastion_ = std::move(*listener);
  }
  bool dial(std::vector<CallHomeWay> ways, milliseconds limit = milliseconds(5000)) {
    outcome_.reset();
    dial_.begin(bastion_.address, std::move(ways),
                {milliseconds(10), milliseconds(10), limit, milliseconds(2000)},
                [this](base::Result<CallHomeFlow> flow) { outcome_.emplace(std::move(flow)); });
    EXPECT_FALSE(outcome_);  // from the loop
    return run_until(loop_, [&] { return outcome_.has_value(); });
  }
  // Nobody is answered any more, as where a way swallows what it is given.
  void fill() {
    ASSERT_EQ(::listen(bastion_.fd.get(), 0), 0);
    ASSERT_TRUE(dial({{}}));
    held_ = std::move((*outcome_)->socket);
    pollfd queue{bastion_.fd.get(), POLLIN, 0};  // the far end knows of it later than we do
    ASSERT_EQ(::poll(&queue, 1, 60'000), 1);
  }

  base::Loop loop_;
  Listener bastion_;
  base::Fd held_;
  CallHomeRace dial_{loop_};
  std::optional<base::Result<CallHomeFlow>> outcome_;
};

TEST_F(CallHomeRaceTest, TakesTheNextWayWhereOneFails) {
  ASSERT_TRUE(dial({{"oobd-none0", false}, {"lo", true}, {"oobd-none1", false}}));
  ASSERT_TRUE(*outcome_) << outcome_->error().what;
  EXPECT_EQ((*outcome_)->way, (CallHomeWay{"lo", true}));
  EXPECT_TRUE((*outcome_)->socket);
  EXPECT_FALSE(dial_.under_way());
}

TEST_F(CallHomeRaceTest, TellsWhatIsWrongWithEachWay) {
  ::shutdown(bastion_.fd.get(), SHUT_RD);  // the port stays ours
  ASSERT_TRUE(dial({{"oobd-none0", false}, {"lo", false}, {}}));
  ASSERT_FALSE(*outcome_);
  const std::string& what = outcome_->error().what;
  EXPECT_THAT(what, HasSubstr(bastion_.address + ": by oobd-none0: "));
  EXPECT_THAT(what, HasSubstr("; by lo: connect: Connection refused; connect: Connection refused"));
}

TEST_F(CallHomeRaceTest, GivesUpWaysThatSwallowEverything) {
  fill();
  ASSERT_TRUE(dial({{"lo", false}, {}}, milliseconds(50)));
  ASSERT_FALSE(*outcome_);
  EXPECT_THAT(outcome_->error().what,
              HasSubstr("by lo: connect: no answer within 50 ms; connect: no answer within 50 ms"));
}

TEST_F(CallHomeRaceTest, TriesEachWayOnceAlsoWhereOneFailsBeforeTheHeadStartIsOver) {
  fill();
  ASSERT_TRUE(dial({{"oobd-none0", false}, {"lo", false}}, milliseconds(100)));
  ASSERT_FALSE(*outcome_);
  EXPECT_THAT(outcome_->error().what, testing::EndsWith("; by lo: connect: no answer within 100 ms"));
}

// The first one's limit is far longer than this test waits.
TEST_F(CallHomeRaceTest, WaitsForNoWayThatSwallowsEverything) {
  fill();
  ASSERT_FALSE(HasFailure());
  base::Clock::time_point begin;
  do {
    begin = base::Clock::now();
    dial_.begin(bastion_.address, {{"lo", false}, {"oobd-none0", false}, {}},
                {milliseconds(10), milliseconds(10), milliseconds(600'000), milliseconds(2000)},
                [this](base::Result<CallHomeFlow> flow) { outcome_.emplace(std::move(flow)); });
    outcome_.reset();
    // The last way's first word comes once the first one's was lost, so it is the one that is repeated later.
    base::Fd come(::accept(bastion_.fd.get(), nullptr, nullptr));
    ASSERT_TRUE(come);
    ASSERT_TRUE(run_until(loop_, [&] { return outcome_.has_value(); }));
    ASSERT_TRUE(*outcome_) << outcome_->error().what;
    // The kernel repeats the first one's after a second: who stood still for so long is to try again.
  } while (base::Clock::now() - begin > milliseconds(900));
  EXPECT_EQ((*outcome_)->way, CallHomeWay{});
}

// The first way's head start ends while the last one, which took its place at once, is still under way.
TEST_F(CallHomeRaceTest, BeginsNoWayBehindTheLastOne) {
  fill();
  ASSERT_FALSE(HasFailure());
  auto begin = base::Clock::now();
  ASSERT_TRUE(dial({{"oobd-none0", false}, {"lo", false}}, milliseconds(60)));
  EXPECT_GE(base::Clock::now() - begin, milliseconds(60));
  ASSERT_FALSE(*outcome_);
  EXPECT_THAT(outcome_->error().what, HasSubstr("by lo: connect: no answer within 60 ms"));
}

// The first word is lost and repeated after a second, long before the metered way would be tried.
TEST_F(CallHomeRaceTest, SparesAMeteredWayWhileAnotherMayLeadThere) {
  fill();
  ASSERT_FALSE(HasFailure());
  base::Timer later(loop_);
  later.after(milliseconds(30), [&] { ::close(::accept(bastion_.fd.get(), nullptr, nullptr)); });
  dial_.begin(bastion_.address, {{"lo", false}, {"", true}},
              {milliseconds(100), milliseconds(60'000), milliseconds(60'000), milliseconds(2000)},
              [this](base::Result<CallHomeFlow> flow) { outcome_.emplace(std::move(flow)); });
  outcome_.reset();
  ASSERT_TRUE(run_until(loop_, [&] { return outcome_.has_value(); }));
  ASSERT_TRUE(*outcome_) << outcome_->error().what;
  EXPECT_EQ((*outcome_)->way, (CallHomeWay{"lo", false}));
}

TEST_F(CallHomeRaceTest, TakesAMeteredWayAtOnceWhereNoOtherIsLeft) {
  ASSERT_TRUE(dial({{"oobd-none0", false}, {"lo", true}}));
  ASSERT_TRUE(*outcome_) << outcome_->error().what;
  EXPECT_TRUE((*outcome_)->way.metered);
}

TEST_F(CallHomeRaceTest, LeavesItToUsToGiveASilentConnectionUp) {
  ASSERT_TRUE(dial({{}}));
  ASSERT_TRUE(*outcome_) << outcome_->error().what;
  auto number = [&](int option) {
    int value = 0;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt((*outcome_)->socket.get(), IPPROTO_TCP, option, &value, &size), 0);
    return value;
  };
  EXPECT_EQ(number(TCP_KEEPIDLE), 2);
  EXPECT_GT(number(TCP_KEEPCNT) * number(TCP_KEEPINTVL) * milliseconds(1000), CallHomeLimits{}.hopeless);
}

TEST_F(CallHomeRaceTest, IsOverWhenItIsCancelled) {
  bool told = false;
  dial_.begin(bastion_.address, {{}},
              {milliseconds(10), milliseconds(10), milliseconds(5000), milliseconds(2000)},
              [&](base::Result<CallHomeFlow>) { told = true; });
  EXPECT_TRUE(dial_.under_way());
  dial_.cancel();
  EXPECT_FALSE(dial_.under_way());
  bool waited = false;
  base::Timer later(loop_);
  later.after(milliseconds(50), [&] { waited = true; });
  ASSERT_TRUE(run_until(loop_, [&] { return waited; }));
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace oob

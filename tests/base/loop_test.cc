#include "base/loop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <optional>
#include <thread>

#include "base/unix_socket.h"
#include "tests/support/support.h"

namespace oob::base {
namespace {

TEST(Loop, RunsWhatIsPostedFromAnotherThread) {
  Loop loop;
  bool ran = false;
  std::thread other([&] { loop.post([&] { ran = true; }); });
  EXPECT_TRUE(test::run_until(loop, [&] { return ran; }));
  other.join();
}

TEST(Timer, RunsOnceAndTheLastWaitCounts) {
  Loop loop;
  Timer timer(loop);
  std::string ran;
  timer.after(milliseconds(0), [&] { ran += "a"; });
  timer.after(milliseconds(1), [&] { ran += "b"; });
  EXPECT_TRUE(timer.waiting());
  EXPECT_TRUE(test::run_until(loop, [&] { return !ran.empty(); }));
  EXPECT_FALSE(timer.waiting());
  Timer later(loop);
  bool passed = false;
  later.after(milliseconds(5), [&] { passed = true; });
  EXPECT_TRUE(test::run_until(loop, [&] { return passed; }));
  EXPECT_EQ(ran, "b");
}

TEST(Timer, IsSilentAfterCancelAndDestruction) {
  Loop loop;
  Timer cancelled(loop), marker(loop);
  std::optional<Timer> gone(std::in_place, loop);
  bool passed = false;
  cancelled.after(milliseconds(0), [] { ADD_FAILURE(); });
  gone->after(milliseconds(0), [] { ADD_FAILURE(); });
  cancelled.cancel();
  gone.reset();
  marker.after(milliseconds(5), [&] { passed = true; });
  EXPECT_TRUE(test::run_until(loop, [&] { return passed; }));
}

TEST(Timer, MayBeDestroyedAndSetAgainFromItsOwnCallback) {
  Loop loop;
  auto timer = std::make_unique<Timer>(loop);
  int ran = 0;
  timer->after(milliseconds(0), [&] {
    ++ran;
    timer->after(milliseconds(0), [&] {
      ++ran;
      timer.reset();
    });
  });
  EXPECT_TRUE(test::run_until(loop, [&] { return ran == 2; }));
  EXPECT_FALSE(timer);
}

TEST(Watch, TellsOnceWhenThereIsSomethingToReadOrRoomToWrite) {
  Loop loop;
  auto pair = socket_pair(SOCK_STREAM);
  ASSERT_TRUE(pair);
  Watch watch(loop, pair->first.get());
  int readable = 0, writable = 0;
  watch.readable([&] { ++readable; });
  watch.writable([&] { ++writable; });
  EXPECT_TRUE(watch.waits_readable() && watch.waits_writable());
  EXPECT_TRUE(test::run_until(loop, [&] { return writable == 1; }));
  EXPECT_EQ(readable, 0);
  ASSERT_TRUE(send_some(pair->second.get(), "x"));
  EXPECT_TRUE(test::run_until(loop, [&] { return readable == 1; }));
  EXPECT_FALSE(watch.waits_readable());
  watch.readable([&] { ++readable; });
  EXPECT_TRUE(test::run_until(loop, [&] { return readable == 2; }));
}

TEST(Watch, TellsOfTheOtherSidesEnd) {
  Loop loop;
  auto pair = socket_pair(SOCK_STREAM);
  ASSERT_TRUE(pair);
  Watch watch(loop, pair->first.get());
  bool told = false;
  watch.readable([&] { told = true; });
  pair->second.reset();
  EXPECT_TRUE(test::run_until(loop, [&] { return told; }));
}

TEST(Watch, LeavesTheDescriptorOpenAndDropsCallbacks) {
  Loop loop;
  auto pair = socket_pair(SOCK_STREAM);
  ASSERT_TRUE(pair);
  {
    Watch watch(loop, pair->first.get()), again(loop, pair->second.get());
    watch.readable([] { ADD_FAILURE(); });
    again.writable([] { ADD_FAILURE(); });
    again.cancel();
    EXPECT_FALSE(again.waits_writable());
  }
  ASSERT_TRUE(send_some(pair->second.get(), "x"));
  bool passed = false;
  loop.post([&] { passed = true; });
  EXPECT_TRUE(test::run_until(loop, [&] { return passed; }));
  Watch second(loop, pair->first.get());
  bool told = false;
  second.readable([&] { told = true; });
  EXPECT_TRUE(test::run_until(loop, [&] { return told; }));
}

TEST(Watch, MayBeDestroyedFromItsOwnCallback) {
  Loop loop;
  auto pair = socket_pair(SOCK_STREAM);
  ASSERT_TRUE(pair);
  auto watch = std::make_unique<Watch>(loop, pair->first.get());
  watch->writable([&] { watch.reset(); });
  EXPECT_TRUE(test::run_until(loop, [&] { return !watch; }));
}

TEST(Signals, AreDeliveredOnTheLoop) {
  Loop loop;
  std::string got;
  Signals signals(loop, {SIGUSR1, SIGUSR2}, [&](int number) { got += number == SIGUSR1 ? '1' : '2'; });
  ::raise(SIGUSR1);
  EXPECT_TRUE(test::run_until(loop, [&] { return got == "1"; }));
  ::raise(SIGUSR2);
  EXPECT_TRUE(test::run_until(loop, [&] { return got == "12"; }));
}

}  // namespace
}  // namespace oob::base

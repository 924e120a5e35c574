#include "base/disk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "tests/support/support.h"

namespace oob::base {
namespace {

// Holds threads until it is opened.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// Off the loop: on it a call that has run for 100 ms is taken for stuck and no longer counts, and on a busy
// machine threads that are about to begin or to end may take as long.
bool wait_off_the_loop(const std::function<bool()>& condition) {
  auto deadline = Clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(Disk, RunsJobsInOrderOffTheLoopAndAnswersOnIt) {
  Loop loop;
  Disk disk(loop);
  std::string jobs, answers;
  std::thread::id here = std::this_thread::get_id(), there;
  for (char name : {'a', 'b', 'c'}) {
    disk.run(
        [&, name] {
          jobs += name;
          there = std::this_thread::get_id();
        },
        [&, name] {
          answers += name;
          EXPECT_EQ(std::this_thread::get_id(), here);
        });
  }
  EXPECT_TRUE(test::run_until(loop, [&] { return answers == "abc"; }));
  EXPECT_EQ(jobs, "abc");
  EXPECT_NE(there, here);
}

TEST(Disk, DrainsBeforeItSaysSoAndRunsTheRestWhenItEnds) {
  Loop loop;
  int ran = 0;
  {
    Disk disk(loop);
    for (int i = 0; i < 100; ++i) disk.run([&] { ++ran; });
    disk.drain();
    EXPECT_EQ(ran, 100);
    for (int i = 0; i < 100; ++i) disk.run([&] { ++ran; }, [] { ADD_FAILURE() << "after the end"; });
  }
  EXPECT_EQ(ran, 200);
  bool passed = false;
  loop.post([&] { passed = true; });
  EXPECT_TRUE(test::run_until(loop, [&] { return passed; }));
}

TEST(Blocking, RunsSixteenAtOnceAndTheOthersAfterThem) {
  Loop loop;
  Blocking blocking(loop);
  Gate gate;
  std::atomic<int> running{0}, most{0}, ended{0}, early{0};
  int done = 0;
  for (int i = 0; i < 40; ++i) {
    blocking.run(
        [&, i] {
          if (i >= Blocking::kAtOnce && ended == 0) ++early;
          int now = ++running;
          for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
          }
          gate.wait();
          --running;
          ++ended;
        },
        [&] { ++done; });
  }
  EXPECT_TRUE(wait_off_the_loop([&] { return running == Blocking::kAtOnce; }));
  gate.open();
  EXPECT_TRUE(wait_off_the_loop([&] { return ended == Blocking::kAtOnce; }));
  EXPECT_TRUE(test::run_until(loop, [&] { return done == 40; }));
  EXPECT_EQ(most, Blocking::kAtOnce);
  EXPECT_EQ(early, 0);
}

TEST(Blocking, IsNotHeldUpByCallsThatAreStuck) {
  Loop loop;
  Blocking blocking(loop);
  Gate gate;
  int stuck_done = 0, done = 0;
  for (int i = 0; i < Blocking::kAtOnce; ++i) blocking.run([&] { gate.wait(); }, [&] { ++stuck_done; });
  for (int i = 0; i < 50; ++i) blocking.run([] {}, [&] { ++done; });
  EXPECT_TRUE(test::run_until(loop, [&] { return done == 50; }));
  EXPECT_EQ(stuck_done, 0);
  gate.open();
  EXPECT_TRUE(test::run_until(loop, [&] { return stuck_done == Blocking::kAtOnce; }));
}

TEST(Blocking, DropsResultsAndWaitingCallsWhenItGoes) {
  Loop loop;
  Gate gate;
  std::atomic<int> ended{0};
  {
    Blocking blocking(loop);
    for (int i = 0; i < Blocking::kAtOnce + 5; ++i)
      blocking.run(
          [&] {
            gate.wait();
            ++ended;
          },
          [] { ADD_FAILURE() << "after the end"; });
  }
  gate.open();
  EXPECT_TRUE(test::run_until(loop, [&] { return ended == Blocking::kAtOnce; }));
  bool passed = false;
  Timer timer(loop);
  timer.after(milliseconds(50), [&] { passed = true; });  // for their answers, which nobody hears
  EXPECT_TRUE(test::run_until(loop, [&] { return passed; }));
  EXPECT_EQ(ended, Blocking::kAtOnce);
}

}  // namespace
}  // namespace oob::base

#pragma once

#include <functional>
#include <memory>

#include "base/loop.h"

namespace oob::base {

// The disk thread: jobs run one after another in the order they came, off the loop, because a file on a slow
// card can block for seconds. Whoever gives jobs bounds what it has under way.
class Disk {
 public:
  explicit Disk(Loop& loop);
  // Runs what is still queued, then ends the thread. Callbacks not yet delivered are dropped.
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // `job` runs on the disk thread, then `done` (if any) on the loop.
  void run(std::function<void()> job, std::function<void()> done = nullptr);
  // Blocks until all jobs given so far are done: for a clean stop only.
  void drain();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Calls that may hang for long, one by one (opening a serial port, reading a long log): each runs on a thread
// of its own. At most `kAtOnce` run together; one that has run for over 100 ms is taken for stuck and no
// longer counts, so that dead hardware delays nobody else.
class Blocking {
 public:
  static constexpr int kAtOnce = 32;
  static constexpr int kStuckAtMost = 512;

  explicit Blocking(Loop& loop);
  // Does not wait for calls that are stuck; their results are dropped. What they use must not be owned by
  // others.
  ~Blocking();
  Blocking(const Blocking&) = delete;
  Blocking& operator=(const Blocking&) = delete;

  // `call` runs on some thread, then `done` on the loop.
  void run(std::function<void()> call, std::function<void()> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace oob::base

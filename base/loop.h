#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace oob::base {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// The one io_context of a process, run by one thread; every callback is a transaction. The wrappers below
// keep Asio out of our headers (a file that includes it costs 5 to 20 s to compile).
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // until stop() or nothing is left to wait for
  void stop();  // safe from any thread
  // Runs `what` later on the loop's thread. Safe from any thread.
  void post(std::function<void()> what);
  boost::asio::io_context& io();

 private:
  std::unique_ptr<boost::asio::io_context> io_;
};

// One timer. Destroying or cancelling it drops the callback: after that it is not called.
class Timer {
 public:
  explicit Timer(Loop& loop);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces what was waited for before.
  void after(milliseconds time, std::function<void()> what);
  void at(Clock::time_point time, std::function<void()> what);
  void cancel();
  bool waiting() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Waits for a descriptor that somebody else owns and keeps open as long as this lives. The descriptor must be
// pollable (no regular file). One-shot waits; destroying it or cancel() drops callbacks uncalled.
class Watch {
 public:
  Watch(Loop& loop, int fd);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void readable(std::function<void()> what);
  void writable(std::function<void()> what);
  bool waits_readable() const;
  bool waits_writable() const;
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// SIGNALS are delivered on the loop as numbers, until it is destroyed.
class Signals {
 public:
  Signals(Loop& loop, std::initializer_list<int> numbers, std::function<void(int)> what);
  ~Signals();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace oob::base

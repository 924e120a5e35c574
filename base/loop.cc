#include "base/loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cassert>

namespace oob::base {

namespace asio = boost::asio;
using boost::system::error_code;

Loop::Loop() : io_(std::make_unique<asio::io_context>(1)) {}
Loop::~Loop() = default;
void Loop::run() {
  auto work = asio::make_work_guard(*io_);
  io_->restart();
  io_->run();
}
void Loop::stop() { io_->stop(); }
void Loop::post(std::function<void()> what) { asio::post(*io_, std::move(what)); }
asio::io_context& Loop::io() { return *io_; }

// Handlers that Asio still holds after cancel() keep the State alive by a shared_ptr and find their turn
// outdated.
struct Timer::State : std::enable_shared_from_this<Timer::State> {
  explicit State(Loop& loop) : timer(loop.io()) {}
  asio::steady_timer timer;
  std::function<void()> what;
  unsigned turn = 0;
};

Timer::Timer(Loop& loop) : state_(std::make_shared<State>(loop)) {}
Timer::~Timer() { cancel(); }

void Timer::after(milliseconds time, std::function<void()> what) { at(Clock::now() + time, std::move(what)); }

void Timer::at(Clock::time_point time, std::function<void()> what) {
  state_->timer.expires_at(time);
  state_->what = std::move(what);
  unsigned turn = ++state_->turn;
  state_->timer.async_wait([state = state_, turn](error_code) {
    if (turn != state->turn || !state->what) return;
    auto now = std::move(state->what);
    state->what = nullptr;
    now();
  });
}

void Timer::cancel() {
  ++state_->turn;
  state_->what = nullptr;
  state_->timer.cancel();
}

bool Timer::waiting() const { return static_cast<bool>(state_->what); }

struct Watch::State {
  State(Loop& loop, int fd) : descriptor(loop.io(), fd) {}
  asio::posix::stream_descriptor descriptor;
  std::function<void()> read, write;
  bool reading = false, writing = false;  // an Asio wait is under way

  static void wait_read(const std::shared_ptr<State>& state) {
    state->reading = true;
    state->descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [state](error_code error) {
      state->reading = false;
      if (error == asio::error::operation_aborted || !state->read) return;
      auto now = std::move(state->read);
      state->read = nullptr;
      now();
    });
  }
  static void wait_write(const std::shared_ptr<State>& state) {
    state->writing = true;
    state->descriptor.async_wait(asio::posix::stream_descriptor::wait_write, [state](error_code error) {
      state->writing = false;
      if (error == asio::error::operation_aborted || !state->write) return;
      auto now = std::move(state->write);
      state->write = nullptr;
      now();
    });
  }
};

Watch::Watch(Loop& loop, int fd) : state_(std::make_shared<State>(loop, fd)) {}

Watch::~Watch() {
  state_->read = state_->write = nullptr;
  if (state_->descriptor.is_open()) state_->descriptor.release();
}

void Watch::readable(std::function<void()> what) {
  state_->read = std::move(what);
  if (!state_->reading) State::wait_read(state_);
}

void Watch::writable(std::function<void()> what) {
  state_->write = std::move(what);
  if (!state_->writing) State::wait_write(state_);
}

bool Watch::waits_readable() const { return static_cast<bool>(state_->read); }
bool Watch::waits_writable() const { return static_cast<bool>(state_->write); }

void Watch::cancel() { state_->read = state_->write = nullptr; }

struct Signals::State {
  State(Loop& loop, std::function<void(int)> callback) : set(loop.io()), what(std::move(callback)) {}
  asio::signal_set set;
  std::function<void(int)> what;

  static void wait(const std::shared_ptr<State>& state) {
    state->set.async_wait([state](error_code error, int number) {
      if (error || !state->what) return;
      state->what(number);
      wait(state);
    });
  }
};

Signals::Signals(Loop& loop, std::initializer_list<int> numbers, std::function<void(int)> what)
    : state_(std::make_shared<State>(loop, std::move(what))) {
  for (int number : numbers) state_->set.add(number);
  State::wait(state_);
}

Signals::~Signals() {
  state_->what = nullptr;
  state_->set.cancel();
}

}  // namespace oob::base

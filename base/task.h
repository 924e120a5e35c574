#pragma once

#include <cassert>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace oob::base {

// A conversation with an order (send, wait, send …) written as one function: a coroutine that runs only while
// it is awaited, or after start(). Whoever holds the Task owns all of it: destroying it ends it and
// everything it awaits, wherever that waits, and no callback comes any more. It knows no loop: what it waits
// on resumes it. An exception that leaves one ends the process.
template <class T>
class [[nodiscard]] Task {
 public:
  struct promise_type;
  using Handle = std::coroutine_handle<promise_type>;

  Task(Task&& from) noexcept : handle_(std::exchange(from.handle_, nullptr)) {}
  Task& operator=(Task&& from) noexcept {
    std::swap(handle_, from.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Runs it until its first wait. `done` is called once, at its end, by whoever resumes it (perhaps from
  // inside start()): it must not destroy the Task. REQUIRES: it was neither started nor awaited before.
  void start(std::function<void(T)> done) {
    handle_.promise().done = std::move(done);
    handle_.resume();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waits) noexcept {
    handle_.promise().waits = waits;
    return handle_;
  }
  T await_resume() { return std::move(*handle_.promise().value); }

  struct promise_type {
    std::coroutine_handle<> waits;
    std::function<void(T)> done;
    std::optional<T> value;

    struct End {
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(Handle self) const noexcept {
        promise_type& promise = self.promise();
        if (promise.waits) return promise.waits;
        // Moved out first: what it calls may look at anything but this.
        if (auto done = std::exchange(promise.done, nullptr)) done(std::move(*promise.value));
        return std::noop_coroutine();
      }
      void await_resume() const noexcept {}
    };
    Task get_return_object() { return Task(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    End final_suspend() noexcept { return {}; }
    // By value: emplace() from a Result<bool>& would ask it whether it has one (an explicit conversion), and
    // an Error would become false.
    void return_value(T from) { value.emplace(std::move(from)); }
    void unhandled_exception() { std::terminate(); }
  };

 private:
  explicit Task(Handle handle) : handle_(handle) {}
  Handle handle_;
};

}  // namespace oob::base

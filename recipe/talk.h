#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/loop.h"
#include "base/result.h"
#include "base/secret.h"

namespace oob::recipe {

// One conversation with a device: what it says comes in, what is to be typed goes out, and a coroutine
// (base::Task) waits on it. Knows neither console nor clock: whoever carries it (a live console, a recording,
// a test) brings bytes and time, and outlives the coroutine. Plain calls on one thread; hear(), pass(),
// interrupt() and cut() resume the coroutine from inside.
class Talk {
 public:
  using Time = base::Clock::time_point;
  static constexpr std::size_t kMostHeard = 4 << 20;  // bytes held; more, and the conversation is cut

  explicit Talk(Time now) : now_(now) {}
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;

  // --- for the conversation

  // What is to be typed now. A secret goes into no recording, journal or log.
  void type(base::Bytes bytes);
  void type_secret(const base::Secret& secret);
  // What the device has said and was not dropped yet, as it came (controls and all). Valid until the next
  // wait.
  base::Bytes heard() const { return heard_; }
  // The first `size` bytes of heard() were dealt with.
  void drop(std::size_t size) { heard_.erase(0, size); }
  void drop_all() { heard_.clear(); }
  Time now() const { return now_; }
  std::uint64_t bytes_heard() const { return bytes_heard_; }  // since the beginning
  std::uint64_t bytes_typed() const { return bytes_typed_; }

  // One wait: true once `enough` says so, which is asked at once and whenever more was heard; false when the
  // limit is over; an Error when there is no use in going on: return it, and everything above does so too.
  class Wait {
   public:
    // Without `enough`: until nothing was heard for `quiet`.
    Wait(Talk& talk, std::function<bool()> enough, base::milliseconds quiet, base::milliseconds limit);
    ~Wait();
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    bool await_ready();
    void await_suspend(std::coroutine_handle<> waits);
    base::Result<bool> await_resume();

   private:
    friend class Talk;
    bool satisfied() const;
    std::optional<base::Result<bool>> look() const;
    Time due() const;
    Talk& talk_;
    std::function<bool()> enough_;
    base::milliseconds quiet_;
    Time since_, until_;
    std::coroutine_handle<> waits_;
    std::optional<base::Result<bool>> answer_;
  };
  Wait until(std::function<bool()> enough, base::milliseconds limit);
  // Until nothing was heard for `quiet` from now on; false when that was not so within `limit`.
  Wait silence(base::milliseconds quiet, base::milliseconds limit);

  // Is shown all that is heard, as it comes, before any wait looks at it; may type, but not drop. One at a
  // time.
  void listen(std::function<void(base::Bytes)> listener) { listener_ = std::move(listener); }

  // What is to be typed, in one piece, when somebody takes the keyboard away in the middle: undoes what would
  // disturb them. Empty: nothing.
  void last_words(std::string text) { last_words_ = std::move(text); }
  const std::string& last_words() const { return last_words_; }
  // From now on the conversation only leaves: interrupt() no longer ends its waits.
  void leaving() {
    leaving_ = true;
    interrupted_.reset();
  }

  // `why` with what it happened to. "NAME: why"; but where the conversation was ended from outside, whose
  // words are of all of it, "why (while NAME was fetched)". Before leaving().
  base::Error wrap(std::string_view name, base::Error why) const;

  // --- for whoever carries it

  void hear(base::Bytes bytes);
  void pass(Time now);              // it is so late
  std::optional<Time> due() const;  // when pass() is to be called at the latest
  struct Typed {
    std::string bytes;
    bool secret = false;
  };
  // The next that is to be typed; the carrier drops what the line took.
  bool wants_to_type() const { return !typed_.empty(); }
  Typed& typed() { return typed_.front(); }
  void typed_so_far(std::size_t size);
  void on_typing(std::function<void()> what) {
    on_typing_ = std::move(what);
  }  // there is something to be typed
  bool is_leaving() const { return leaving_; }
  // The work is to end (its time is over, nobody wants it any more): waits answer this until leaving().
  void interrupt(base::Error why);
  // Nothing can be heard or typed any more: waits answer this for good.
  void cut(base::Error why);

  ~Talk();

 private:
  void look();

  Time now_;
  std::string heard_;
  std::uint64_t bytes_heard_ = 0, bytes_typed_ = 0;
  Time heard_at_ = now_;
  std::deque<Typed> typed_;
  std::function<void()> on_typing_;
  std::function<void(base::Bytes)> listener_;
  std::string last_words_;
  bool leaving_ = false;
  std::optional<base::Error> interrupted_, cut_;
  Wait* wait_ = nullptr;  // of which there is one at a time
};

}  // namespace oob::recipe

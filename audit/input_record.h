#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/time.h"

namespace oob::audit {

// Decides what of a person's typing is written down as it is, and what as `*`, so that no password gets into
// a recording. Pure: times are given, in microseconds that never decrease.
//
// Masked is what is typed from a prompt for a secret on ("Password: ") up to Enter, and what is not echoed:
// printable bytes wait until the output has shown them, in their order and among whatever else it shows, or
// kEcho has passed. Once one was not shown, the rest of the line is masked. Enter, arrows and other control
// keys are no secrets.
class InputRecord {
 public:
  static constexpr base::Micros kEcho = 200'000;
  static constexpr std::size_t kMostHeld = 64 * 1024;  // bytes; the oldest are masked beyond that

  struct Decided {
    std::string text;        // to be written as an `i`
    std::size_t masked = 0;  // so many of it are '*'
  };
  // Each answers what is decided by then; what is not, waits.
  Decided output(base::Bytes bytes, base::Micros now);
  Decided typed(base::Bytes bytes, base::Micros now);
  Decided pass(base::Micros now);
  // The console is left: nothing more is going to be echoed.
  Decided finish();
  // When pass() has something to decide; empty: nothing waits.
  std::optional<base::Micros> due() const;

 private:
  struct Key {
    char byte;
    base::Micros time;
    enum State { waits, shown, secret, control } state;
  };
  bool asks_for_a_secret() const;
  bool is_control(char byte);
  Decided decide(base::Micros now);

  std::deque<Key> keys_;
  std::size_t next_ = 0;  // of keys_: the first that may wait for its echo
  std::string tail_;      // of the output: its last line
  bool secret_ = false;   // until Enter is typed
  bool unseen_ = false;   // something of this line was not echoed
  enum class Escape { none, begun, sequence } escape_ = Escape::none;  // in what is typed
};

}  // namespace oob::audit

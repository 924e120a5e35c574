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
// Masked is what is typed from a prompt for a secret on ("Password: "), whatever is shown behind it, up to
// Enter; and what is not echoed: printable bytes wait until the output has shown them, or kEcho has passed.
// An echo is in one piece, save for controls: it is the first that is shown after the typing, or it stands by
// itself at the beginning of a line or behind a prompt; letters that other output has by chance are none.
// Once one was not shown, the rest of the line is masked. Enter, arrows and other control keys are no
// secrets.
class InputRecord {
 public:
  static constexpr base::Micros kEcho = 200'000;
  // "passwd: " is a prompt where no more of its line comes for so long.
  static constexpr base::Micros kPrompt = 20'000;
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
  enum class Escape { none, begun, sequence };
  static bool is_control(char byte, Escape& escape);
  struct Key {
    char byte;
    base::Micros time;
    // May be an echo until it is known how that goes on.
    enum State { waits, may_be_shown, shown, secret, control } state;
  };
  bool asks_for_a_secret() const;
  void look_for_prompts(base::Bytes bytes, base::Micros now);
  void look_for_echo(char byte);
  void end_run(Key::State state);
  Decided decide(base::Micros now);

  std::deque<Key> keys_;
  std::size_t next_ = 0;  // of keys_: the first that may wait for its echo
  std::size_t run_ = 0;   // so many may be shown
  // Whether an echo may begin, or go on, with the next that is shown.
  enum class Seam { no, perhaps, yes } seam_ = Seam::no;
  char before_ = 0;      // the printable byte that was shown last
  std::string tail_;     // of the output: its last line
  bool prompt_ = false;  // which asks for a secret
  base::Micros prompt_at_ = 0;
  bool answered_ = false;         // since then, by Enter
  bool asked_ = false;            // by an earlier line, and not answered
  bool secret_ = false;           // until Enter is typed
  bool unseen_ = false;           // something of this line was not echoed
  Escape escape_ = Escape::none;  // in what is typed
  Escape shown_ = Escape::none;   // in the output
};

}  // namespace oob::audit

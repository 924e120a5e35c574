#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "audit/screen_text.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::audit {

// A place in a recording as people write it: "83", "83.5", "1:23", "1:02:03.25". Fault::usage.
base::Result<base::Micros> parse_place(std::string_view text);
// "1:23", "1:02:03".
std::string place_text(base::Micros place);

// What playing is asked for.
struct PlayOptions {
  double speed = 1;       // 0: as fast as it goes
  base::Micros idle = 0;  // no silence is longer than this; 0: all are as they were
  base::Micros from = 0;  // what is before it is not played but shown as the screen that it left

  // From the values of --speed (0.01 to 1000), --idle (a span) and --from (a place); null: not given.
  // Fault::usage.
  static base::Result<PlayOptions> parse(const std::string* speed, const std::string* idle,
                                         const std::string* from);
};

// When to show what of a recording. Pure: it is given the events in order and asked what is due. Times `now`
// are microseconds of a clock that never goes back.
class Player {
 public:
  static constexpr std::size_t kMostWaiting = 256 * 1024;      // bytes; then wants() is false
  static constexpr base::Micros kSkip = 10'000'000;            // by the right arrow, of the recording
  static constexpr double kSlowest = 1.0 / 16, kFastest = 64;  // by the keys - and +

  struct Size {
    unsigned columns = 80, rows = 24;
  };

  // `recorded` is the terminal of the recording. `shown`: the one that this is played on; none: there is no
  // terminal, and what is before `from` is left out.
  Player(PlayOptions options, Size recorded, std::optional<Size> shown);

  // The next event: 'o' with its bytes, 'r' with its text; others pass time alone. Times never decrease.
  void add(base::Micros time, char code, std::string bytes);
  bool wants() const { return waiting_ < kMostWaiting; }
  // Nothing more is added.
  void end() { ended_ = true; }

  // What is to be shown now, up to about `most` bytes. REQUIRES: most > 0.
  std::string take(base::Micros now, std::size_t most);
  // When to ask again: a time, perhaps past; none: when something was added or typed.
  std::optional<base::Micros> due() const;
  // All was shown.
  bool over() const { return ended_ && events_.empty() && !screen_; }
  // Where in the recording it is.
  base::Micros position() const { return recorded_; }

  // Keys: blank pauses and goes on, + and - change the speed, '.' and the right arrow skip. False: q or
  // Ctrl-C, it is to end.
  bool typed(base::Bytes keys, base::Micros now);
  bool paused() const { return paused_; }

 private:
  struct Event {
    base::Micros time;
    char code;
    std::string bytes;
  };

  base::Micros due(const Event& event) const;
  bool before_start();
  void set_speed(double speed, base::Micros now);

  PlayOptions options_;
  std::optional<Size> shown_;
  std::unique_ptr<ScreenText> screen_;  // until `from` is reached, on a terminal
  bool skipping_start_;
  std::deque<Event> events_;
  std::size_t waiting_ = 0;
  bool ended_ = false, begun_ = false, paused_ = false;
  // The event shown last, or the place skipped to: when it was due, and its time in the recording.
  base::Micros real_ = 0, recorded_ = 0;
  base::Micros paused_at_ = 0;
  base::Micros skip_to_ = 0;
  std::string key_;  // the beginning of an arrow's sequence
};

}  // namespace oob::audit

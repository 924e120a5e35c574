#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace oob::console {

// What a reader asks of a transcript (`oobd log`). Times are wall clock; both unset: all of it. The index
// tells times to a second within steady output and exactly where silence came before: what is given is never
// less than was asked.
struct LogQuery {
  static constexpr std::uint64_t kBySince = std::numeric_limits<std::uint64_t>::max();

  base::Micros since = INT64_MIN;
  base::Micros until = INT64_MAX;
  std::uint64_t from_offset =
      kBySince;             // start at this absolute offset (an earlier position()), whatever `since` is
  std::int64_t lines = -1;  // only the last so many (after grep); -1: all
  std::string grep;         // RE2 regular expression; empty: every line
  bool stamp = false;   // each line with its time before it, and the marks as lines of their own (not counted
                        // by `lines`)
  bool raw = false;     // bytes exactly as received; not together with stamp or grep
  bool follow = false;  // after next() was false it may be asked again, and goes on with what has come since;
                        // a last line that has not ended is held back until it has, or until release()
};

// Reads a device's transcript from its files alone (docs/formats.md, "Transcripts"), so it works beside the
// daemon that writes them and without it. Finds `since` by the time index: reads O(log n) of the index, not
// the transcript. Memory is bounded (some 512 KiB) whatever the files hold: a line is cut at kMostLine.
// Blocks: for a thread of base::Blocking, not for the loop; one thread at a time.
class LogReader {
 public:
  static constexpr std::size_t kMostLine = 64 * 1024;  // raw bytes; what is longer becomes several lines

  // A bad regular expression, or raw together with stamp or grep, is Fault::usage; a device without a
  // transcript simply has no bytes.
  static base::Result<std::unique_ptr<LogReader>> open(const std::string& directory,
                                                       const std::string& device, LogQuery query);
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  // Appends the next piece (up to some 64 KiB; maybe nothing yet, when a search is long) to `out`; false at
  // the end. Lines come without control characters other than tab and end in \n, unless raw.
  base::Result<bool> next(std::string& out);

  // With follow, at the end: the line held back is given as far as it has come.
  void release(std::string& out);

  // Where reading ended, as an absolute offset of the transcript's files, for going on with a later reader:
  // the start of the line held back, if there is one.
  std::uint64_t position() const;

 private:
  struct State;
  explicit LogReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The last bytes of a transcript as received, at most `most_bytes` and, where fewer, the last `most_lines`
// lines (a last line that has not ended counts as one): to replay a screen. Empty where there is none.
// Blocks.
base::Result<std::string> tail(const std::string& directory, const std::string& device,
                               std::size_t most_bytes,
                               std::size_t most_lines = std::numeric_limits<std::size_t>::max());

}  // namespace oob::console

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::console {

// One line of a transcript's time index (docs/formats.md, "Transcripts"): the bytes before `offset` came at
// `time` or earlier, those from it on at `time` or later.
struct IndexLine {
  static constexpr std::size_t kLongest = 512;      // with its newline
  static constexpr std::size_t kLongestText = 400;  // before the "..." of printable()

  std::uint64_t offset = 0;  // absolute, of the transcript's files
  base::Micros time = 0;
  std::string_view kind;  // "at", "gap", "up", …
  std::string_view text;  // may be empty
};

// The line as it stands in the file, with its newline. `kind` is 1 to 15 lower-case letters; `text` is made
// printable.
std::string format(const IndexLine& line);

// A line without its newline; the views live as long as `text`. Empty: not a line of an index.
std::optional<IndexLine> parse_index_line(std::string_view text);

// After silence the text of an `at` is its length: "12.481302".
std::string silence_text(base::Micros silence);
// 0 where `line` does not tell of silence.
base::Micros silence_before(const IndexLine& line);

// Reads one index wherever its bytes are: by seeking, so that a long one is not read whole. Whatever the
// bytes are, every call ends after O(size) at the worst. Lines that do not parse are passed over; a last line
// without newline is not there yet.
class TimeIndex {
 public:
  // Moves at most `most` bytes that stand at `at` to `to` and answers how many; 0: none there, now.
  using Read = std::function<std::size_t(std::uint64_t at, char* to, std::size_t most)>;

  TimeIndex(Read read, std::uint64_t size);

  // The place in the index of the first line later than `time`, or with an offset above `offset`: of one such
  // line where times are not in order. size() where there is none.
  std::uint64_t first_later(base::Micros time);
  std::uint64_t first_above(std::uint64_t offset);

  // The line at or after `place` and before `end`, or nothing; `place` moves behind it. The views in it live
  // until the next call.
  std::optional<IndexLine> next(std::uint64_t& place, std::uint64_t end);
  std::optional<IndexLine> next(std::uint64_t& place) { return next(place, size_); }

  std::uint64_t size() const { return size_; }
  void grow(std::uint64_t size);  // the file has grown to this

 private:
  std::uint64_t search(const std::function<bool(const IndexLine&)>& right);
  // Puts the byte at `place` into the window, with what follows it. False: none there.
  bool fill(std::uint64_t place);

  Read read_;
  std::uint64_t size_;
  std::string window_;  // bytes of the file from window_at_ on
  std::uint64_t window_at_ = 0;
};

// Makes the index of a segment that ends at absolute offset `end` fit to be appended to: cuts off a torn last
// line and lines about bytes that are not there. `index` is open for reading and writing.
struct IndexRepair {
  std::uint64_t size = 0;  // of the file, afterwards
  std::uint64_t lost = 0;  // so many bytes the lines cut off spoke of
};
base::Result<IndexRepair> repair_index(int index, std::uint64_t end);

}  // namespace oob::console

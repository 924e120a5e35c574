#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/fd.h"
#include "console/segments.h"
#include "console/time_index.h"

namespace oob::console {

// The open index of one segment.
class SegmentIndex {
 public:
  SegmentIndex(const Segments& segments, const Segments::Segment& segment);
  explicit operator bool() const { return static_cast<bool>(file_); }
  TimeIndex& lines() { return lines_; }
  void refresh();  // it may have grown

 private:
  base::Fd file_;
  TimeIndex lines_;
};

// Where the bytes that came at `since` or later begin, as an absolute offset: at most a second's too many in
// steady output, never too few.
std::uint64_t find_since(const Segments& segments, base::Micros since);
// Where the bytes that came after `until` begin: at most a second's too many before it. Empty: none have yet.
std::optional<std::uint64_t> find_until(const Segments& segments, base::Micros until);

// Goes through the index lines of all segments in order, in step with a reader of the bytes.
class IndexWalk {
 public:
  // Begins with the first line at `offset` or behind it; time() is that of the line before.
  IndexWalk(const Segments& segments, std::uint64_t offset);

  // Gives every line up to and including `offset` to `line`, and moves behind them.
  void advance(std::uint64_t offset, const std::function<void(const IndexLine&)>& line);
  // That of the last line passed; INT64_MIN where nothing tells it.
  base::Micros time() const { return time_; }
  // After segments.refresh(): there may be more lines.
  void refresh();

 private:
  void enter(std::uint64_t start);  // the segment that begins there
  const Segments& segments_;
  std::optional<SegmentIndex> index_;
  std::uint64_t segment_ = 0;  // start of the one the walk is in
  std::uint64_t place_ = 0;    // in its index
  std::uint64_t next_ = 0;     // no line before this offset is left
  base::Micros time_ = INT64_MIN;
};

}  // namespace oob::console

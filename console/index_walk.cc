#include "console/index_walk.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

namespace oob::console {
namespace {

constexpr base::Micros kStampEvery = 1'000'000;  // bytes came less than this after the stamp before them
constexpr int kMostRefined = 256;  // lines looked at one by one, behind the place found by halving

std::uint64_t size_of(const base::Fd& file) {
  struct stat about {};
  return file && ::fstat(file.get(), &about) == 0 ? static_cast<std::uint64_t>(about.st_size) : 0;
}

// When the first byte of a segment came, or was about to: by its index, else by when the one before was left.
base::Micros first_time(const Segments& segments, std::size_t number) {
  SegmentIndex index(segments, segments.all()[number]);
  std::uint64_t place = 0;
  if (auto line = index.lines().next(place)) return line->time;
  return number == 0 ? INT64_MIN : segments.all()[number - 1].written;
}

// The number of segments that begin at `time` or earlier, if their times are in order.
std::size_t begun_by(const Segments& segments, base::Micros time) {
  std::size_t low = 0, high = segments.all().size();
  while (low < high) {
    std::size_t middle = low + (high - low) / 2;
    if (first_time(segments, middle) <= time) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

SegmentIndex::SegmentIndex(const Segments& segments, const Segments::Segment& segment)
    : file_(segments.open_index(segment)),
      lines_(
          [fd = file_.get()](std::uint64_t at, char* to, std::size_t most) -> std::size_t {
            ssize_t n = ::pread(fd, to, most, static_cast<off_t>(at));
            return n > 0 ? static_cast<std::size_t>(n) : 0;  // what can't be read is as if it were not there
          },
          size_of(file_)) {}

void SegmentIndex::refresh() { lines_.grow(size_of(file_)); }

std::uint64_t find_since(const Segments& segments, base::Micros since) {
  const auto& all = segments.all();
  if (all.empty() || since == INT64_MIN) return segments.begin();
  base::Micros earliest = since < INT64_MIN + kStampEvery ? INT64_MIN : since - kStampEvery;
  std::size_t number = begun_by(segments, earliest);
  if (number > 0) --number;
  const Segments::Segment& segment = all[number];
  std::uint64_t behind = number + 1 < all.size() ? all[number + 1].start : segment.end;
  SegmentIndex index(segments, segment);
  TimeIndex& lines = index.lines();
  std::uint64_t place = 0;
  if (!lines.next(place)) return segment.written >= since ? segment.start : behind;
  place = lines.first_later(earliest);
  auto line = lines.next(place);
  if (!line) return behind;
  std::uint64_t start = line->offset;
  // Later lines tell more: all before `line` came before it, and where silence was, before that.
  for (int looked = 0; line && looked < kMostRefined; ++looked) {
    if (line->time - silence_before(*line) < since) start = line->offset;
    if (line->kind == "at" && line->time >= since) break;
    line = lines.next(place);
  }
  return std::clamp(start, segment.start, std::max(segment.start, behind));
}

std::optional<std::uint64_t> find_until(const Segments& segments, base::Micros until) {
  const auto& all = segments.all();
  if (all.empty() || until == INT64_MAX) return std::nullopt;
  std::size_t number = begun_by(segments, until);
  if (number == 0) return segments.begin();
  const Segments::Segment& segment = all[number - 1];
  SegmentIndex index(segments, segment);
  std::uint64_t place = index.lines().first_later(until);
  if (auto line = index.lines().next(place)) return std::clamp(line->offset, segment.start, segment.end);
  if (number < all.size()) return all[number].start;
  return std::nullopt;
}

IndexWalk::IndexWalk(const Segments& segments, std::uint64_t offset) : segments_(segments), next_(offset) {
  if (segments.all().empty()) return;
  std::size_t number = segments.at(offset);
  const Segments::Segment& segment = segments.all()[number];
  enter(segment.start);
  if (number > 0) time_ = segments.all()[number - 1].written;
  if (offset > 0) place_ = index_->lines().first_above(offset - 1);
  // The line before that place, for its time: within the longest line's length, if there is one.
  std::uint64_t before = place_ - std::min<std::uint64_t>(place_, 2 * IndexLine::kLongest);
  while (auto line = index_->lines().next(before, place_)) time_ = line->time;
}

void IndexWalk::enter(std::uint64_t start) {
  segment_ = start;
  place_ = 0;
  index_.emplace(segments_, segments_.all()[segments_.at(start)]);
}

void IndexWalk::advance(std::uint64_t offset, const std::function<void(const IndexLine&)>& line) {
  while (offset >= next_) {
    if (!index_) {
      if (segments_.all().empty()) return;
      enter(segments_.begin());
    }
    std::uint64_t after = place_;
    auto found = index_->lines().next(after);
    if (found && found->offset <= offset) {
      place_ = after;
      time_ = found->time;
      line(*found);
      continue;
    }
    // Lines about bytes that never came don't keep the walk from the next segment.
    auto further = std::find_if(segments_.all().begin(), segments_.all().end(),
                                [&](const Segments::Segment& each) { return each.start > segment_; });
    if (further != segments_.all().end() && further->start <= offset) {
      enter(further->start);
    } else {
      next_ = found                              ? found->offset
              : further != segments_.all().end() ? further->start
                                                 : std::numeric_limits<std::uint64_t>::max();
    }
  }
}

void IndexWalk::refresh() {
  next_ = 0;
  if (!index_) return;
  if (*index_) {
    index_->refresh();
  } else {
    std::uint64_t start = segment_;
    if (!segments_.all().empty()) enter(start);
  }
}

}  // namespace oob::console

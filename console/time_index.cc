#include "console/time_index.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace oob::console {
namespace {

constexpr std::size_t kOffsetDigits = 20;
constexpr std::size_t kTimeSize = 27;
constexpr std::size_t kWindow = 8 * 1024;
constexpr std::size_t kStep = 2 * IndexLine::kLongest;  // below this, reading on is cheaper than halving

void append_padded(std::string& to, std::uint64_t number, std::size_t digits) {
  std::string text = std::to_string(number);
  to.append(digits - std::min(digits, text.size()), '0');
  to += text;
}

bool lower_case(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

std::string format(const IndexLine& line) {
  std::string text;
  append_padded(text, line.offset, kOffsetDigits);
  text += ' ';
  text += base::rfc3339(line.time);
  text += ' ';
  text += line.kind;
  if (!line.text.empty()) {
    text += ' ';
    text += base::printable(line.text, IndexLine::kLongestText);
  }
  text += '\n';
  return text;
}

std::optional<IndexLine> parse_index_line(std::string_view text) {
  IndexLine line;
  if (text.size() < kOffsetDigits + kTimeSize + 3 || text.size() >= IndexLine::kLongest) return std::nullopt;
  if (text[kOffsetDigits] != ' ' || text[kOffsetDigits + 1 + kTimeSize] != ' ') return std::nullopt;
  if (!base::parse_number(text.substr(0, kOffsetDigits), line.offset)) return std::nullopt;
  std::string_view time = text.substr(kOffsetDigits + 1, kTimeSize);
  if (time[10] != 'T' || time[19] != '.' || time.back() != 'Z') return std::nullopt;
  base::Result<base::Micros> point = base::parse_time(time, 0);
  if (!point) return std::nullopt;
  line.time = *point;
  std::string_view rest = text.substr(kOffsetDigits + kTimeSize + 2);
  std::size_t space = rest.find(' ');
  line.kind = rest.substr(0, space);
  if (space != std::string_view::npos) line.text = rest.substr(space + 1);
  if (line.kind.empty() || line.kind.size() > 15 ||
      !std::all_of(line.kind.begin(), line.kind.end(), lower_case))
    return std::nullopt;
  return line;
}

std::string silence_text(base::Micros silence) {
  std::string text = std::to_string(silence / 1'000'000) + '.';
  append_padded(text, static_cast<std::uint64_t>(silence % 1'000'000), 6);
  return text;
}

base::Micros silence_before(const IndexLine& line) {
  std::size_t point = line.text.find('.');
  base::Micros seconds = 0, micros = 0;
  if (line.kind != "at" || point == std::string_view::npos || line.text.size() != point + 7 || point > 12)
    return 0;
  if (!base::parse_number(line.text.substr(0, point), seconds) ||
      !base::parse_number(line.text.substr(point + 1), micros) || seconds < 0 || micros < 0)
    return 0;
  return seconds * 1'000'000 + micros;
}

TimeIndex::TimeIndex(Read read, std::uint64_t size) : read_(std::move(read)), size_(size) {}

void TimeIndex::grow(std::uint64_t size) {
  if (size == size_) return;
  size_ = size;
  window_.clear();  // it may end in a piece of a line
}

bool TimeIndex::fill(std::uint64_t place) {
  if (place >= window_at_ && place - window_at_ < window_.size()) return true;
  if (place >= size_) return false;
  window_.resize(kWindow);
  std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(kWindow, size_ - place));
  window_.resize(read_(place, window_.data(), most));
  window_at_ = place;
  return !window_.empty();
}

std::optional<IndexLine> TimeIndex::next(std::uint64_t& place, std::uint64_t end) {
  while (place < end) {
    if (!fill(place)) return std::nullopt;
    std::string_view here = std::string_view(window_).substr(static_cast<std::size_t>(place - window_at_));
    std::size_t newline = here.find('\n');
    if (newline == std::string_view::npos && here.size() < IndexLine::kLongest) {
      // The line goes on behind the window: take it from its start, unless that is what the window has
      // already.
      if (window_at_ + window_.size() >= size_ || window_at_ == place) return std::nullopt;
      window_.clear();
      continue;
    }
    if (newline == std::string_view::npos) {  // too long for a line: pass over it piece by piece
      place += here.size();
      continue;
    }
    place += newline + 1;
    if (auto line = parse_index_line(here.substr(0, newline))) return line;
  }
  return std::nullopt;
}

// The first line that `right` holds for, if it holds for all that follow.
std::uint64_t TimeIndex::search(const std::function<bool(const IndexLine&)>& right) {
  // No line that begins before `low` is right; `high` is the start of one that is, or the end.
  std::uint64_t low = 0, high = size_;
  while (high - low > kStep) {
    std::uint64_t middle = low + (high - low) / 2;
    // Go on to the start of a line: behind the next newline, which may be the one just before `middle`.
    std::uint64_t start = middle - 1;
    bool found = false;
    while (start < high && fill(start)) {
      std::string_view here = std::string_view(window_).substr(static_cast<std::size_t>(start - window_at_));
      std::size_t newline = here.find('\n');
      start += newline == std::string_view::npos ? here.size() : newline + 1;
      if ((found = newline != std::string_view::npos)) break;
    }
    std::uint64_t after = start;
    auto line = found && start < high ? next(after, high) : std::nullopt;
    if (line && !right(*line)) {
      low = after;
    } else {
      high = middle;  // what lies from here on is right, or holds no line: the answer is before, or is found
                      // below
    }
  }
  // `high` may have fallen into a line; what counts from here is only the order of lines behind `low`.
  std::uint64_t place = low;
  while (place < size_) {
    std::uint64_t after = place;
    auto line = next(after);
    if (!line) return size_;
    if (right(*line)) return place;
    place = after;
  }
  return size_;
}

std::uint64_t TimeIndex::first_later(base::Micros time) {
  return search([time](const IndexLine& line) { return line.time > time; });
}

std::uint64_t TimeIndex::first_above(std::uint64_t offset) {
  return search([offset](const IndexLine& line) { return line.offset > offset; });
}

base::Result<IndexRepair> repair_index(int index, std::uint64_t end) {
  struct stat about {};
  if (::fstat(index, &about) < 0) return base::system_error("stat");
  int failed = 0;
  TimeIndex lines(
      [&](std::uint64_t at, char* to, std::size_t most) -> std::size_t {
        ssize_t n = ::pread(index, to, most, static_cast<off_t>(at));
        if (n < 0) failed = errno;
        return n < 0 ? 0 : static_cast<std::size_t>(n);
      },
      static_cast<std::uint64_t>(about.st_size));
  IndexRepair repair;
  // What stays ends behind the last whole line that speaks of bytes that are there.
  std::uint64_t place = lines.first_above(end);
  std::uint64_t highest = end;
  for (std::uint64_t after = place; auto line = lines.next(after);) highest = std::max(highest, line->offset);
  repair.lost = highest - end;
  // first_above() answers size() for "none": then only a torn tail is to be cut, behind the last newline.
  repair.size = place;
  char block[IndexLine::kLongest];
  while (repair.size > 0 && place == lines.size()) {
    std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(sizeof block, repair.size));
    ssize_t n = ::pread(index, block, most, static_cast<off_t>(repair.size - most));
    if (n < 0) return base::system_error("read");
    if (static_cast<std::size_t>(n) < most)
      return base::fail(base::Fault::internal, "read: the file shrinks");
    const void* newline = ::memrchr(block, '\n', most);
    if (newline) {
      repair.size -= most - 1 - static_cast<std::size_t>(static_cast<const char*>(newline) - block);
      break;
    }
    repair.size -= most;
  }
  if (failed) return base::system_error("read", failed);
  if (repair.size < static_cast<std::uint64_t>(about.st_size) &&
      ::ftruncate(index, static_cast<off_t>(repair.size)) < 0)
    return base::system_error("cut off the torn end");
  return repair;
}

}  // namespace oob::console

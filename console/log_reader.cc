#include "console/log_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "console/clean_line.h"
#include "console/index_walk.h"
#include "console/line_scan.h"
#include "console/segments.h"

namespace oob::console {
namespace {

constexpr std::size_t kBlock = 256 * 1024;
constexpr std::size_t kLogAtOnce = 64 * 1024;  // of output
static_assert(kBlock > LogReader::kMostLine);

// A mark as a person reads it: "line down: unplugged".
std::string describe(const IndexLine& line) {
  if (line.kind == "gap") return base::str(line.text, " bytes lost");
  std::string text =
      line.kind == "up" || line.kind == "down" ? base::str("line ", line.kind) : std::string(line.kind);
  if (!line.text.empty()) text += base::str(": ", line.text);
  return text;
}

std::string stamp(base::Micros time) {
  return time == INT64_MIN ? std::string() : base::rfc3339(time, base::Precision::millis) + " ";
}

// Bytes that stand before `to` in one piece, going back at most `most` and not beyond `from`: where they
// begin.
base::Result<std::uint64_t> read_back(Segments& segments, std::uint64_t from, std::uint64_t to,
                                      std::size_t most, std::string& block) {
  std::uint64_t start = std::max(from, to - std::min<std::uint64_t>(to, most)), at = start;
  block.clear();
  while (at < to) {
    std::size_t had = block.size();
    std::uint64_t expected = at;
    block.resize(had + static_cast<std::size_t>(to - at));
    base::Result<std::size_t> got = segments.read(at, block.data() + had, block.size() - had);
    if (!got) return got.error();
    block.resize(had + *got);
    if (*got == 0) break;
    if (at >= to) {
      block.resize(had);
      break;
    }
    if (at != expected) {  // bytes are missing before it: go on from here alone
      block.erase(0, had);
      start = at;
      block.resize(std::min<std::uint64_t>(block.size(), to - at));
    }
    at += *got;
  }
  return start;
}

}  // namespace

struct LogReader::State {
  State(std::string folder, LogQuery asked) : segments(std::move(folder)), query(std::move(asked)) {}

  Segments segments;
  LogQuery query;
  std::unique_ptr<LineScan> scan;
  std::optional<IndexWalk> walk;
  std::uint64_t stop = 0;  // reading ends here, for now
  std::string buffer;      // bytes not yet given, from `at` on
  std::uint64_t at = 0;
  std::uint64_t skip = 0;  // so many matching lines are not among the last ones
  bool ended = false;
  std::string clean;

  base::Result<> begin();
  base::Result<> last_lines(std::uint64_t start);
  base::Result<bool> more();
  void marks(std::uint64_t offset, std::string& out);
  void give(std::uint64_t offset, base::Bytes raw, std::string& out);
  void process(bool all, std::string& out);
  void refresh_stop();
};

void LogReader::State::refresh_stop() {
  stop = segments.end();
  if (auto until = find_until(segments, query.until)) stop = std::min(stop, *until);
}

base::Result<> LogReader::State::begin() {
  base::Result<> listed = segments.refresh();
  if (!listed) return listed;
  refresh_stop();
  at = query.from_offset != LogQuery::kBySince ? query.from_offset : find_since(segments, query.since);
  at = std::max(at, segments.begin());
  if (query.lines >= 0) {
    base::Result<> found = last_lines(at);
    if (!found) return found;
  }
  if (query.stamp) walk.emplace(segments, at);
  return {};
}

// Goes back from the end, block by block, until enough lines match.
base::Result<> LogReader::State::last_lines(std::uint64_t start) {
  std::uint64_t wanted = static_cast<std::uint64_t>(query.lines), high = std::max(start, stop);
  at = high;
  if (wanted == 0) return {};
  std::string block;
  while (high > start) {
    base::Result<std::uint64_t> low = read_back(segments, start, high, kBlock, block);
    if (!low) return low.error();
    std::size_t first = 0;  // the first line of the block may have begun before it
    if (*low > start && *low + block.size() == high) {
      std::size_t newline = block.find('\n');
      // A newline that ends the block ends a line that is longer than it: that is taken in pieces anyway.
      if (newline != std::string::npos && newline + 1 < block.size()) first = newline + 1;
    }
    std::uint64_t count = 0;
    base::Bytes lines = base::Bytes(block).substr(first);
    scan->scan(lines, true, kMostLine, [&](std::size_t, base::Bytes) { return ++count, true; });
    at = *low + first;
    if (count >= wanted) {
      skip = count - wanted;
      if (!scan->any()) return {};
      std::size_t passed = 0;  // no need to search again: the place is here
      if (skip > 0)
        passed = scan->scan(lines, true, kMostLine, [&](std::size_t, base::Bytes) { return --skip > 0; });
      at += passed;
      return {};
    }
    wanted -= count;
    high = at;
  }
  return {};
}

void LogReader::State::marks(std::uint64_t offset, std::string& out) {
  walk->advance(offset, [&](const IndexLine& line) {
    if (line.kind == "at" || skip > 0 || line.time < query.since || line.time > query.until) return;
    std::string text = base::str("[oobd: ", describe(line), "]");
    if (scan->matches(text)) out += base::str(stamp(line.time), text, "\n");
  });
}

void LogReader::State::give(std::uint64_t offset, base::Bytes raw, std::string& out) {
  if (skip > 0) {
    --skip;
    return;
  }
  if (query.stamp) {
    marks(offset, out);
    out += stamp(walk->time());
  }
  clean_line(raw, out);
  out += '\n';
}

void LogReader::State::process(bool all, std::string& out) {
  std::size_t done;
  if (query.raw) {
    done = std::min(buffer.size(), kLogAtOnce);
    out.append(buffer, 0, done);
  } else {
    std::size_t before = out.size();
    done = scan->scan(buffer, all, kMostLine, [&](std::size_t line, base::Bytes raw) {
      give(at + line, raw, out);
      return out.size() - before < kLogAtOnce;
    });
  }
  at += done;
  buffer.erase(0, done);
}

// Fills the buffer; false where nothing more is to be had before `stop`.
base::Result<bool> LogReader::State::more() {
  std::uint64_t from = at + buffer.size();
  if (from >= stop) return false;
  std::size_t had = buffer.size();
  std::uint64_t expected = from;
  buffer.resize(had + static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, stop - from)));
  base::Result<std::size_t> got = segments.read(from, buffer.data() + had, buffer.size() - had);
  buffer.resize(had + (got ? *got : 0));
  if (!got) return got.error();
  if (from == expected || *got == 0) return *got > 0;
  // Bytes are missing before `from`. What came before them is a line of its own.
  if (had > 0) {
    buffer.resize(had);
    return false;
  }
  at = from;
  buffer.resize(std::min<std::uint64_t>(buffer.size(), stop - std::min(stop, from)));
  return !buffer.empty();
}

base::Result<std::unique_ptr<LogReader>> LogReader::open(const std::string& directory,
                                                         const std::string& device, LogQuery query) {
  if (query.raw && (query.stamp || !query.grep.empty()))
    return base::fail(base::Fault::usage, "raw output can be neither stamped nor searched");
  auto state = std::make_unique<State>(transcript_folder(directory, device), std::move(query));
  base::Result<std::unique_ptr<LineScan>> scan = LineScan::make(state->query.grep);
  if (!scan) return scan.error();
  state->scan = std::move(*scan);
  base::Result<> begun = state->begin();
  if (!begun) return begun.error();
  return std::unique_ptr<LogReader>(new LogReader(std::move(state)));
}

LogReader::LogReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
LogReader::~LogReader() = default;

base::Result<bool> LogReader::next(std::string& out) {
  State& state = *state_;
  if (state.ended) {
    if (!state.query.follow) return false;
    base::Result<> listed = state.segments.refresh();
    if (!listed) return listed.error();
    state.refresh_stop();
    if (state.walk) state.walk->refresh();
    state.ended = false;
  }
  std::size_t before = out.size();
  if (!state.buffer.empty()) {  // lines that the last piece had no room for
    state.process(false, out);
    if (out.size() > before) return true;
  }
  base::Result<bool> more = state.more();
  if (!more) return more.error();
  if (*more) {
    state.process(false, out);
    return true;
  }
  bool last = state.at + state.buffer.size() >= state.stop;
  if (!state.buffer.empty() && (!last || !state.query.follow)) {  // a line without its newline, at an end
    state.process(true, out);
    return true;
  }
  if (!last) {  // where what was listed is gone
    state.at = state.stop;
    return true;
  }
  if (state.walk && state.buffer.empty()) state.marks(state.stop, out);
  state.ended = true;
  return false;
}

void LogReader::release(std::string& out) {
  if (!state_->buffer.empty()) state_->process(true, out);
}

std::uint64_t LogReader::position() const { return state_->at; }

base::Result<std::string> tail(const std::string& directory, const std::string& device,
                               std::size_t most_bytes, std::size_t most_lines) {
  Segments segments(transcript_folder(directory, device));
  base::Result<> listed = segments.refresh();
  if (!listed) return listed.error();
  std::string bytes;
  base::Result<std::uint64_t> start =
      read_back(segments, segments.begin(), segments.end(), most_bytes, bytes);
  if (!start) return start.error();
  // Count back over the newlines, of which one at the very end ends the last line.
  std::size_t from = bytes.size();
  for (std::size_t lines = 0; lines < most_lines && from > 0; ++lines) {
    std::size_t newline = from < 2 ? std::string::npos : bytes.rfind('\n', from - 2);
    from = newline == std::string::npos ? 0 : newline + 1;
  }
  bytes.erase(0, from);
  return bytes;
}

}  // namespace oob::console

#include "console/line_scan.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstring>

#include "console/clean_line.h"

namespace oob::console {
namespace {

constexpr std::int64_t kMostMemory = 4 << 20;  // of one compiled expression, its automaton included
constexpr std::size_t kLongestExpression = 4096;

std::unique_ptr<re2::RE2> compile(const std::string& expression, bool many_lines) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMostMemory);
  options.set_never_nl(many_lines);
  return std::make_unique<re2::RE2>(many_lines ? "(?m:" + expression + ")" : expression, options);
}

// A search over many raw lines at once must find at least every line that matches by itself. It would not
// where an expression asks for a line's end (there may be a carriage return before the newline) or changes
// its own rules.
bool fit_for_many(const std::string& expression) {
  for (const char* special : {"$", "(?", "\\A", "\\z", "\\C", "\\Q"})
    if (expression.find(special) != std::string::npos) return false;
  return true;
}

re2::StringPiece piece(base::Bytes bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

base::Result<std::unique_ptr<LineScan>> LineScan::make(const std::string& expression) {
  std::unique_ptr<LineScan> scan(new LineScan);
  if (expression.empty()) return scan;
  if (expression.size() > kLongestExpression)
    return base::fail(base::Fault::usage,
                      base::str("the regular expression is longer than ", kLongestExpression));
  scan->line_ = compile(expression, false);
  if (!scan->line_->ok())
    return base::fail(base::Fault::usage,
                      base::str("'", base::printable(expression),
                                "' is no regular expression: ", base::printable(scan->line_->error())));
  if (fit_for_many(expression)) scan->lines_ = compile(expression, true);
  if (scan->lines_ && !scan->lines_->ok()) scan->lines_.reset();
  return scan;
}

LineScan::~LineScan() = default;

bool LineScan::matches(base::Bytes clean) const {
  return !line_ || re2::RE2::PartialMatch(piece(clean), *line_);
}

// The end of the whole lines from `from` on that need no cleaning.
std::size_t LineScan::plain_run(base::Bytes lines, std::size_t from) const {
  while (from < lines.size()) {
    const void* newline = std::memchr(lines.data() + from, '\n', lines.size() - from);
    if (!newline) break;
    std::size_t end = static_cast<std::size_t>(static_cast<const char*>(newline) - lines.data());
    base::Bytes line = lines.substr(from, end - from);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!plain(line)) break;
    from = end + 1;
  }
  return from;
}

std::size_t LineScan::scan(base::Bytes lines, bool all, std::size_t longest, const Found& found) {
  std::size_t at = 0, run_end = 0, candidate = 0;  // up to candidate, nothing in the run matches
  while (at < lines.size()) {
    if (lines_ && at >= run_end) {
      run_end = plain_run(lines, at);
      candidate = at;
    }
    if (lines_ && at < run_end && at >= candidate) {
      re2::StringPiece match;
      base::Bytes run = lines.substr(at, run_end - at);
      if (!lines_->Match(piece(run), 0, run.size(), re2::RE2::UNANCHORED, &match, 1)) {
        at = run_end;
        continue;
      }
      candidate = at + static_cast<std::size_t>(match.data() - run.data());
      std::size_t before = candidate > at ? lines.rfind('\n', candidate - 1) : std::string_view::npos;
      if (before != std::string_view::npos && before >= at) at = before + 1;
      candidate = at;
    }
    std::size_t most = std::min(longest, lines.size() - at);
    const void* newline = std::memchr(lines.data() + at, '\n', most);
    if (!newline && most < longest && !all) return at;
    std::size_t size =
        newline ? static_cast<std::size_t>(static_cast<const char*>(newline) - lines.data()) - at : most;
    base::Bytes raw = lines.substr(at, size);
    std::size_t start = std::exchange(at, at + size + (newline ? 1 : 0));
    candidate = at;
    if (line_) {
      clean_.clear();
      clean_line(raw, clean_);
      if (!matches(clean_)) continue;
    }
    if (!found(start, raw)) return at;
  }
  return at;
}

}  // namespace oob::console

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace re2 {
class RE2;
}

namespace oob::console {

// Finds lines of raw console output that match a regular expression as people read them (clean_line()).
// Linear in time for any expression, bounded in memory.
class LineScan {
 public:
  // Called with a line that matches: where it starts in what is scanned, and its bytes without the newline.
  // False: stop behind it.
  using Found = std::function<bool(std::size_t at, base::Bytes raw)>;

  // An empty expression matches every line. Fault::usage: it is none.
  static base::Result<std::unique_ptr<LineScan>> make(const std::string& expression);
  ~LineScan();

  // `lines` is whole lines of at most `longest` bytes, longer ones are taken in pieces; with `all` the last
  // may lack its newline. Answers how many bytes were scanned: up to the last whole line, or to where `found`
  // stopped.
  std::size_t scan(base::Bytes lines, bool all, std::size_t longest, const Found& found);

  bool any() const { return !line_; }  // every line matches
  bool matches(base::Bytes clean) const;

 private:
  LineScan() = default;
  std::size_t plain_run(base::Bytes lines, std::size_t from) const;

  std::unique_ptr<re2::RE2> line_;   // for one line
  std::unique_ptr<re2::RE2> lines_;  // for many at once; empty where that could miss some
  std::string clean_;
};

}  // namespace oob::console

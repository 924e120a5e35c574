#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::console {

// Names of a transcript's files (docs/formats.md, "Transcripts").
std::string transcript_folder(const std::string& directory, const std::string& device);
std::string segment_name(std::uint64_t start, const char* ending);  // ".log" or ".idx"
// Where the segments of a folder begin, in order. A folder that is not there has none.
base::Result<std::vector<std::uint64_t>> segment_starts(const std::string& folder);

// Up to `most` bytes before the absolute offset `end`, or before the end of all there is: fewer where there
// are no more. Blocks.
base::Result<std::string> bytes_before(const std::string& directory, const std::string& device,
                                       std::uint64_t end, std::size_t most);

// The segments of one transcript, read by absolute offset while somebody else may append to them. Holds at
// most one data file open. Blocks.
class Segments {
 public:
  struct Segment {
    std::uint64_t start = 0;
    std::uint64_t end = 0;     // not beyond the next one's start
    base::Micros written = 0;  // when it was last written to
  };

  explicit Segments(std::string folder) : folder_(std::move(folder)) {}

  // Looks what is there now.
  base::Result<> refresh();
  const std::vector<Segment>& all() const { return all_; }
  std::uint64_t begin() const { return all_.empty() ? 0 : all_.front().start; }
  std::uint64_t end() const { return all_.empty() ? 0 : all_.back().end; }
  // The segment that holds `offset`, or the next one behind it, or the last; REQUIRES: there is one.
  std::size_t at(std::uint64_t offset) const;

  // Moves up to `most` bytes from `at` on to `to`; `at` is first moved behind bytes that are gone, and is
  // then the offset of the first byte given. 0 at the end.
  base::Result<std::size_t> read(std::uint64_t& at, char* to, std::size_t most);

  // The index of a segment, or an empty Fd where it has none.
  base::Fd open_index(const Segment& segment) const;
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  std::vector<Segment> all_;
  base::Fd open_;
  std::uint64_t open_start_ = 0;
};

}  // namespace oob::console

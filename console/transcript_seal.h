#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/loop.h"
#include "base/sha256.h"

namespace oob::console {

// A range of a transcript's bytes, by absolute offsets, and the SHA-256 of them in hex: for the journal's
// `transcript.mark`.
struct SealedRange {
  std::uint64_t from = 0, to = 0;
  std::string sha256;
};

// Gathers what is written to one transcript into ranges. Pure; lives with its SegmentWriter.
class TranscriptSeal {
 public:
  static constexpr std::uint64_t kBytes = 256 * 1024;  // then a range is finished
  static constexpr std::chrono::minutes kAfter{10};    // or so long after its first byte

  // Bytes that now are in the files from the offset `at` on.
  void add(std::uint64_t at, base::Bytes bytes, base::Clock::time_point now);
  // Finishes a range that is old enough.
  void look(base::Clock::time_point now);
  void finish();
  bool open() const { return hash_.has_value(); }
  // The finished ones, once.
  std::vector<SealedRange> take() { return std::exchange(done_, {}); }

 private:
  std::optional<base::Sha256> hash_;
  std::uint64_t from_ = 0, to_ = 0;
  base::Clock::time_point began_{};
  std::vector<SealedRange> done_;
};

}  // namespace oob::console

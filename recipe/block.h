#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace oob::recipe {

// Which parts of something of known size are still to be fetched over a line that damages some, and how much
// is asked for at once: 3 KiB, halved down to 96 bytes with each block that is lost, doubled with every
// fourth that comes.
class Blocks {
 public:
  static constexpr std::uint64_t kUnit = 96;  // what blocks are counted in, bytes
  static constexpr std::uint64_t kMostUnits = 32;
  struct Range {
    std::uint64_t first = 0, count = 0;  // in units
    bool operator==(const Range&) const = default;
  };

  explicit Blocks(std::uint64_t size);

  // What is to be asked for next, the first that is missing; it then counts as asked. Nothing: all is there
  // or asked for.
  std::optional<Range> next();
  // The answer to a range that was asked for: false when it has not the right number of bytes.
  bool got(const Range& range, base::Bytes bytes);
  // It did not come, or damaged: is asked for again.
  void lost(const Range& range);

  bool complete() const { return units_there_ == units_.size(); }
  std::uint64_t bytes_there() const;
  unsigned lost_in_a_row() const { return lost_in_a_row_; }
  // REQUIRES: complete().
  std::string take() { return std::move(bytes_); }

 private:
  enum class Unit : std::uint8_t { missing, asked, there };
  std::uint64_t bytes_of(const Range& range) const;
  std::string bytes_;
  std::vector<Unit> units_;
  std::uint64_t units_there_ = 0, from_ = 0;  // nothing is missing before from_
  std::uint64_t at_once_ = kMostUnits;
  unsigned good_ = 0, lost_in_a_row_ = 0;
};

}  // namespace oob::recipe

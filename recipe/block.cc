#include "recipe/block.h"

#include <algorithm>
#include <cassert>

namespace oob::recipe {

Blocks::Blocks(std::uint64_t size) : bytes_(size, '\0'), units_((size + kUnit - 1) / kUnit, Unit::missing) {}

std::uint64_t Blocks::bytes_of(const Range& range) const {
  std::uint64_t begin = range.first * kUnit;
  return std::min<std::uint64_t>(bytes_.size() - begin, range.count * kUnit);
}

std::optional<Blocks::Range> Blocks::next() {
  while (from_ < units_.size() && units_[from_] != Unit::missing) ++from_;
  if (from_ == units_.size()) return std::nullopt;
  Range range{from_, 0};
  while (range.count < at_once_ && from_ < units_.size() && units_[from_] == Unit::missing) {
    units_[from_++] = Unit::asked;
    ++range.count;
  }
  return range;
}

bool Blocks::got(const Range& range, base::Bytes bytes) {
  assert(range.count > 0 && range.first + range.count <= units_.size());
  if (bytes.size() != bytes_of(range)) return false;
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(range.first * kUnit));
  for (std::uint64_t unit = range.first; unit < range.first + range.count; ++unit) {
    units_there_ += units_[unit] != Unit::there;
    units_[unit] = Unit::there;
  }
  lost_in_a_row_ = 0;
  if (++good_ == 4) {
    good_ = 0;
    at_once_ = std::min(at_once_ * 2, kMostUnits);
  }
  return true;
}

void Blocks::lost(const Range& range) {
  assert(range.count > 0 && range.first + range.count <= units_.size());
  for (std::uint64_t unit = range.first; unit < range.first + range.count; ++unit)
    if (units_[unit] == Unit::asked) units_[unit] = Unit::missing;
  from_ = std::min(from_, range.first);
  good_ = 0;
  ++lost_in_a_row_;
  at_once_ = std::max<std::uint64_t>(std::min(at_once_, range.count) / 2, 1);
}

std::uint64_t Blocks::bytes_there() const {
  return std::min<std::uint64_t>(units_there_ * kUnit, bytes_.size());
}

}  // namespace oob::recipe

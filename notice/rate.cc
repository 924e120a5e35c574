#include "notice/rate.h"

#include <algorithm>

namespace oob::notice {

Rate::Rate(std::uint32_t most, Time now)
    : holds_(most < 3 ? 1 : std::max(2u, most / 3)),
      tokens_(holds_),
      each_(std::chrono::duration_cast<base::Clock::duration>(std::chrono::hours(1)) /
            std::max(1u, most - holds_)),
      since_(now) {}

void Rate::fill(Time now) {
  if (now < since_) return;
  auto more = static_cast<std::uint64_t>((now - since_) / each_);
  if (tokens_ + more >= holds_) {
    tokens_ = holds_;
    since_ = now;
    return;
  }
  tokens_ += static_cast<std::uint32_t>(more);
  since_ += each_ * static_cast<std::int64_t>(more);
}

std::uint32_t Rate::left(Time now) {
  fill(now);
  return tokens_;
}

void Rate::take(Time now) {
  fill(now);
  if (tokens_ > 0) --tokens_;
}

Rate::Time Rate::next(Time now) {
  fill(now);
  return std::max(now, since_ + each_);
}

}  // namespace oob::notice

#include "console/scrollback.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace oob::console {

void Scrollback::append(base::Bytes bytes) {
  if (ring_.empty()) ring_.resize(capacity_);
  std::size_t total = bytes.size();
  if (bytes.size() > capacity_) bytes.remove_prefix(bytes.size() - capacity_);
  end_ += total - bytes.size();
  while (!bytes.empty()) {
    std::size_t place = static_cast<std::size_t>(end_ % capacity_);
    std::size_t run = std::min(bytes.size(), capacity_ - place);
    std::memcpy(ring_.data() + place, bytes.data(), run);
    bytes.remove_prefix(run);
    end_ += run;
  }
  size_ = std::min(capacity_, size_ + total);
}

base::Bytes Scrollback::at(Offset from) const {
  assert(from >= begin() && from <= end_);
  std::size_t place = static_cast<std::size_t>(from % capacity_);
  std::size_t run = std::min(static_cast<std::size_t>(end_ - from), capacity_ - place);
  return base::Bytes(ring_).substr(run == 0 ? 0 : place, run);
}

std::string Scrollback::tail(std::size_t most) const {
  std::string bytes;
  for (Offset from = end_ - std::min<Offset>(most, size_); from < end_;) {
    base::Bytes run = at(from);
    bytes += run;
    from += run.size();
  }
  return bytes;
}

void Scrollback::set_capacity(std::size_t capacity) {
  if (capacity == capacity_) return;
  std::string kept = tail(capacity);
  Offset end = end_;
  ring_ = std::string();
  capacity_ = capacity;
  size_ = 0;
  if (kept.empty()) return;
  end_ = end - kept.size();
  append(kept);
}

}  // namespace oob::console

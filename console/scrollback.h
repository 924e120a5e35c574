#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace oob::console {

// Counts the bytes a console has said since the daemon started; never wraps, never goes back.
using Offset = std::uint64_t;

// The last bytes a console said: one copy for all readers, addressed by absolute offsets. A ring whose memory
// is taken when the first byte comes.
class Scrollback {
 public:
  explicit Scrollback(std::size_t capacity) : capacity_(capacity) {}

  void append(base::Bytes bytes);

  Offset begin() const { return end_ - size_; }  // the oldest byte held
  Offset end() const { return end_; }            // one past the newest

  // The longest run in one piece from `from`. REQUIRES: begin() <= from <= end(). Valid until the next
  // append() or set_capacity().
  base::Bytes at(Offset from) const;
  // The last `most` bytes (or fewer) in one string.
  std::string tail(std::size_t most) const;

  std::size_t capacity() const { return capacity_; }
  // Keeps the newest bytes that fit. REQUIRES: capacity > 0.
  void set_capacity(std::size_t capacity);

 private:
  std::string ring_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  Offset end_ = 0;  // byte at offset o sits at ring_[o % capacity_]
};

}  // namespace oob::console

#pragma once

#include <string>

#include "base/bytes.h"

namespace oob::ipmi {

// Bytes that must not outlive their use (a password, a session key): wiped when this goes or takes others.
// Never logged, never compared but by same().
class Secret {
 public:
  Secret() = default;
  explicit Secret(base::Bytes bytes) : bytes_(bytes) {}
  Secret(const Secret&) = default;
  Secret(Secret&& from) noexcept;
  Secret& operator=(const Secret& from);
  Secret& operator=(Secret&& from) noexcept;
  ~Secret();

  base::Bytes view() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  void wipe();

 private:
  std::string bytes_;
};

// Whether both are the same, in a time that does not tell where they differ.
bool same(base::Bytes one, base::Bytes other);

}  // namespace oob::ipmi

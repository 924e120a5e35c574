#pragma once

#include <cstddef>
#include <string>

#include "base/bytes.h"

namespace oob::base {

// Overwrites what the string holds, and what an earlier, longer value left behind it, and empties it.
void wipe(std::string& secret);

// Bytes that must not outlive their use (a password, a session key): wiped when this goes or takes others.
// Never logged, never compared but by same().
class Secret {
 public:
  Secret() = default;
  explicit Secret(Bytes bytes) : bytes_(bytes) {}
  Secret(const Secret&) = default;
  Secret(Secret&& from) noexcept;
  Secret& operator=(const Secret& from);
  Secret& operator=(Secret&& from) noexcept;
  ~Secret();

  Bytes view() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  void wipe();

 private:
  std::string bytes_;
};

// A secret in the making, wiped wherever that ends. REQUIRES: what is put into it fits its room: a string
// that grows leaves copies behind, which nobody wipes.
struct Wiped {
  explicit Wiped(std::size_t room) { text.reserve(room); }
  ~Wiped() { wipe(text); }
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  std::string text;
};

// Whether both are the same, in a time that does not tell where they differ.
bool same(Bytes one, Bytes other);

}  // namespace oob::base

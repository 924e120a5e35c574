#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "console/history.h"

namespace oob::snapshot {

// Files below this may shrink as they like, as long as something is left of them.
constexpr std::uint64_t kSmall = 512;
constexpr std::size_t kMostFiles = 10'000;

// Whether it can be kept at all, under names that any checkout has: no "..", nothing of git's own, no control
// characters, nothing twice, no file that is a folder as well. Fault::failed names what is wrong.
base::Result<> check_names(const console::History::Snapshot& snapshot);

// Sizes of the files of the newest revision, by name.
using Sizes = std::map<std::string, std::uint64_t>;

// Why it is not taken for a configuration of this device: a sentence with what to do; empty when it is.
// proof: what was pulled is not what the device has, or not a whole document; nobody can accept that, and
// whoever tries is told so. loss: it may be, but much is gone; a person can accept that.
struct Objection {
  enum class Kind { none, loss, proof } kind = Kind::none;
  std::string why;
};
// `recipe` may be null; `before` is empty for the first.
Objection objection(const console::History::Snapshot& snapshot, const recipe::Recipe* recipe,
                    const Sizes& before);

}  // namespace oob::snapshot

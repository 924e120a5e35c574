#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"

namespace oob::notice {

// A place in the journal: before record `n` of the life with this origin.
struct Place {
  std::string origin;
  std::uint64_t n = 0;
  bool operator==(const Place&) const = default;
};

// STATE/notify/NAME.position (docs/formats.md, "Notices"): from where on [notify.NAME] has not been told yet.
// Everything blocks, and may be called from any thread.
class Position {
 public:
  Position(std::string state, const std::string& name);
  // Nothing where there is no file. An error begins with its path.
  base::Result<std::optional<Place>> read();
  // Replaces the file whole. Does nothing after forget().
  base::Result<> write(const Place& place);
  void forget();  // removes the file: what is told to nobody any more is not told later either

 private:
  const std::string folder_, file_;
  std::mutex mutex_;
  bool forgotten_ = false;
};

}  // namespace oob::notice

#pragma once

#include <atomic>
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
// Everything but forget() blocks, and all may be called from any thread.
class Position {
 public:
  // `before`: one of the same name that was forgotten, and whose file may still be there; or null.
  Position(std::string state, const std::string& name, std::shared_ptr<Position> before);
  // Nothing where there is no file. An error begins with its path.
  base::Result<std::optional<Place>> read();
  // Replaces the file whole. Does nothing after forget().
  base::Result<> write(const Place& place);
  void forget();  // no write begins from now on; one that is under way may still end
  // REQUIRES: forget(). Removes the file, once: what is told to nobody any more is not told later either.
  void remove();

 private:
  void remove_before();

  const std::string folder_, file_;
  std::mutex mutex_;
  std::shared_ptr<Position> before_;
  std::atomic<bool> forgotten_{false};
  bool removed_ = false;
};

}  // namespace oob::notice

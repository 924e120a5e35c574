#include "notice/choice.h"

#include <algorithm>

#include "base/bytes.h"

namespace oob::notice {
namespace {

bool any(const std::vector<std::string>& globs, std::string_view text) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return base::glob_match(glob, text); });
}

}  // namespace

bool Choice::takes(std::string_view event, std::string_view device) const {
  if (event.starts_with(kOwnEvents)) return false;
  return any(events, event) && (device.empty() || devices.empty() || any(devices, device));
}

}  // namespace oob::notice

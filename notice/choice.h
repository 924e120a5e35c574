#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace oob::notice {

// What notices themselves write into the journal begins so. Nobody hears of it by a notice: what can't be
// told would be told for ever.
constexpr std::string_view kOwnEvents = "notify.";

// Which journal records somebody wants to hear of.
struct Choice {
  std::vector<std::string> events;   // names, or globs: "line.*"; those of kOwnEvents are never taken
  std::vector<std::string> devices;  // globs; empty: of all devices
  // `device` is empty where the record is about none; then only the event counts.
  bool takes(std::string_view event, std::string_view device) const;
  bool operator==(const Choice&) const = default;
};

}  // namespace oob::notice

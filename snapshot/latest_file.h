#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "console/history.h"

namespace oob::snapshot {

// STATE/snapshots.json: what is known of each device without asking git (docs/formats.md, Snapshots).
using LatestOfAll = std::map<std::string, console::History::Latest>;
std::string write_latest(const LatestOfAll& latest);
// Fault::failed for what is no such file, whole.
base::Result<LatestOfAll> read_latest(std::string_view text);

}  // namespace oob::snapshot

#pragma once

#include <map>
#include <string>

#include "console/watches.h"
#include "oobd/config.h"

namespace oob {

// What the watches are told of each [watch.NAME].
std::map<std::string, console::WatchSettings> watch_settings(const Config& config);

}  // namespace oob

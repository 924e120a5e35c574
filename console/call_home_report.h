#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "console/core.h"

namespace oob::console {

// How the ways home are, for `status` and `metrics`.
std::string call_home_status(const Core& core);
void call_home_status(const Core& core, boost::json::object& status);
std::string call_home_metrics(const Core& core);

}  // namespace oob::console

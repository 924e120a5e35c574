#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace oob::console {

struct Core;

// How the notices of each [notify.NAME] are, for `status` and `metrics`; empty, or nothing, where there is
// none.
std::string notice_status(const Core& core);
void notice_status(const Core& core, boost::json::object& object);
std::string notice_metrics(const Core& core);

}  // namespace oob::console

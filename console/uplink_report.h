#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace oob::console {

struct Core;

// How the uplinks are, for `status` and `metrics`; empty, or nothing, where there are none.
std::string uplink_status(const Core& core);
void uplink_status(const Core& core, boost::json::object& object);
std::string uplink_metrics(const Core& core);

// What whoever looks at `list` should know; empty while all are up and can be dialled: "uplink lte is down
// for 3 min: …".
std::string uplink_remark(const Core& core);

}  // namespace oob::console

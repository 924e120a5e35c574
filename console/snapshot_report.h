#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "base/time.h"

namespace oob::console {

struct Core;
struct Device;

// How old the snapshots of these devices are and what troubles the last try, for `status`, `metrics` and
// `list`. What is pulled only on demand, and never was, is passed over.
std::string snapshot_status(const Core& core, const std::vector<Device*>& devices);
void snapshot_status(const Core& core, const std::vector<Device*>& devices, boost::json::object& object);
std::string snapshot_metrics(const Core& core, const std::vector<Device*>& devices);
// When the last one of the device was proved, changed or not; 0: none was.
base::Micros snapshot_proved(const Core& core, const std::string& device);

}  // namespace oob::console

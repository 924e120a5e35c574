#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace oob::console {

struct Core;
struct Visitor;

// How the watches are, of devices that the visitor may see, and of none: for `status` and `metrics`. Empty,
// or nothing, where there are none.
std::string watch_status(const Core& core, const Visitor& visitor);
void watch_status(const Core& core, const Visitor& visitor, boost::json::object& object);
std::string watch_metrics(const Core& core, const Visitor& visitor);

// What `list` has of a device: ", upstream1 LOST"; empty while nothing is lost.
std::string watch_cell(const Core& core, const std::string& device);
void watch_list(const Core& core, const std::string& device, boost::json::object& object);

}  // namespace oob::console

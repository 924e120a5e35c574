#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "console/core.h"

namespace oob::console {

// The way in, as `status` and `metrics` tell it: who is kept out, what the processes have given up, which key
// exchange is offered.
std::string door_status(const Core& core);
void door_status(const Core& core, boost::json::object& object);
std::string door_metrics(const Core& core);

// Whether one of these key exchange algorithms withstands a quantum computer.
bool is_post_quantum(const std::string& algorithms);

}  // namespace oob::console

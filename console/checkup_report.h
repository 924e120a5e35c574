#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace oob::console {

struct Core;

// What keeps people out of this board by its uplinks, for `status`: a line for each error with its cure;
// nothing where there is none.
std::string checkup_status(const Core& core);
void checkup_status(const Core& core, boost::json::object& object);

}  // namespace oob::console

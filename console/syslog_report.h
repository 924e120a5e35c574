#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace oob::console {

struct Core;

// How the export of the journal is, for `status` and `metrics`; empty, or nothing, where there is none.
std::string syslog_status(const Core& core);
void syslog_status(const Core& core, boost::json::object& object);
std::string syslog_metrics(const Core& core);

}  // namespace oob::console

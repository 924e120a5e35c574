#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace oob::console {

struct Core;

// How the audit trail is: the journal and its newest checkpoint, recordings and transcripts; for `status` and
// `metrics`.
std::string audit_status(const Core& core);
void audit_status(const Core& core, boost::json::object& object);
std::string audit_metrics(const Core& core);

}  // namespace oob::console

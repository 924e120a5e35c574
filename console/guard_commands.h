#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>

#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"

namespace oob::console {

// `guard D SPAN [--replace] -- REVERT`, `guard D confirm`, `guard D [status] [--json]`; `guard [--json]`,
// where D may be a glob, tells of all that the visitor may know of.
base::Result<std::unique_ptr<Job>> make_guard(Core& core, Visitor& visitor, JobIo& io, Arguments a);

// What there is to say of a device's guard on its console; empty: it has none.
std::string guard_remark(const Core& core, const std::string& device);
// The same in a few words, after a comma, for the table of `list`.
std::string guard_cell(const Core& core, const std::string& device);
// For `list --json`: `guard`, when it fires or fired (null: there is none), and `guard_failed`.
void guard_list(const Core& core, const std::string& device, boost::json::object& object);
// For `status`: a line for each of these devices that has one.
std::string guard_status(const Core& core, const Visitor& visitor);
void guard_status(const Core& core, const Visitor& visitor, boost::json::object& object);

}  // namespace oob::console

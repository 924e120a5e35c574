#pragma once

#include <memory>

#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"

namespace oob::console {

// `grant USER ACTION[,ACTION] DEVICE SPAN`, `grants`, `revoke ID`: rights for a while (auth::TimedGrants).
base::Result<std::unique_ptr<Job>> make_grant(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_grants(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_revoke(Core& core, Visitor& visitor, JobIo& io, Arguments a);
// `approve [ID]`: says yes to what waits for a second person, or lists it.
base::Result<std::unique_ptr<Job>> make_approve(Core& core, Visitor& visitor, JobIo& io, Arguments a);

// What the journal says of a grant, added to `entry`.
auth::Entry grant_event(auth::Entry entry, const auth::TimedGrant& grant);

}  // namespace oob::console

#pragma once

#include <memory>

#include "console/dispatcher.h"

namespace oob::console {

// Commands that are short: most give their whole answer at once, some write down what they do and do it.
base::Result<std::unique_ptr<Job>> make_list(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_attach(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_watch(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_log(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_send(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_break(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_expect(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_who(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_kick(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_note(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_status(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_metrics(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_reload(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_help(Core& core, Visitor& visitor, JobIo& io, Arguments a);
base::Result<std::unique_ptr<Job>> make_version(Core& core, Visitor& visitor, JobIo& io, Arguments a);

}  // namespace oob::console

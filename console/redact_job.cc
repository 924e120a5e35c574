#include "console/redact_job.h"

#include "audit/player.h"
#include "audit/redact.h"

namespace oob::console {

using base::fail;
using base::Fault;
using base::Micros;
using base::printable;
using base::Result;
using base::str;

Result<std::unique_ptr<Job>> RedactJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  for (const char* name : {"--from", "--to", "--why"})
    if (!a.has(name) || a.options[name].empty())
      return fail(Fault::usage, str("redact: ", name, " is missing"));
  Result<Micros> from = audit::parse_place(a.options["--from"]), to = audit::parse_place(a.options["--to"]);
  if (!from) return base::wrap("redact: --from", from.error());
  if (!to) return base::wrap("redact: --to", to.error());
  if (*to < *from) return fail(Fault::usage, "redact: --to is before --from");
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  return std::make_unique<RedactJob>(core, visitor, io, a.words[0], *from, *to, a.options["--why"]);
}

RedactJob::RedactJob(Core& core, Visitor& visitor, JobIo& io, std::string id, Micros from, Micros to,
                     std::string why)
    : AuditJob(core, visitor, io), id_(std::move(id)), from_(from), to_(to), why_(std::move(why)) {}

void RedactJob::start() {
  find(id_, [this](const audit::Recording& recording) {
    Result<auth::Grant> grant = decide(core_, visitor_, auth::Action::admin, recording.header.device);
    if (!grant) return stop(grant.error());
    redact(recording);
  });
}

void RedactJob::redact(const audit::Recording& recording) {
  auth::Entry record = event_of(visitor_, "redaction").with("why", printable(why_, 2000));
  audit::redact(core_.blocking, core_.journal, core_.state, recording.header.id, from_, to_,
                std::move(record), life_.wrap([this, recording](const Result<std::size_t>& hidden) {
                  if (over_) return;
                  if (!hidden) return stop(hidden.error());
                  io_.print(str(recording.header.id, ": the text of ", *hidden, " events is hidden\n"));
                  name_others(recording);
                }));
}

void RedactJob::name_others(const audit::Recording& recording) {
  auto all = std::make_shared<Result<std::vector<audit::Recording>>>(std::vector<audit::Recording>());
  on_thread([all, directory = recordings_of(core_)] { *all = audit::list_recordings(directory, INT64_MIN); },
            [this, all, recording] {
              const audit::CastHeader& header = recording.header;
              std::string text = str("oobd: the transcript of ", printable(header.device));
              if (*all)
                for (const audit::Recording& other : **all) {
                  bool of_it = other.header.device == header.device && other.header.id != header.id;
                  bool then = other.header.started <= header.started + to_ &&
                              other.header.started + other.length >= header.started + from_;
                  if (of_it && then) text += str(", ", other.header.id);
                }
              io_.remark(text + " may hold the same");
              finish(kDone);
            });
}

}  // namespace oob::console

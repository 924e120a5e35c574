#include "console/verify_job.h"

namespace oob::console {

using base::Fault;
using base::Result;
using base::str;

namespace {
constexpr int kNotWhole = 1, kUnread = 2;
}  // namespace

Result<std::unique_ptr<Job>> VerifyJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<auth::Grant> grant = core.policy->decide(visitor.who, auth::Action::audit);
  if (!grant) {
    core.journal.note(event_of(visitor, "denied").with("action", "audit"));
    return grant.error();
  }
  return std::make_unique<VerifyJob>(core, visitor, io, a.has("--json"));
}

VerifyJob::VerifyJob(Core& core, Visitor& visitor, JobIo& io, bool as_json)
    : core_(core), visitor_(visitor), io_(io), as_json_(as_json), telling_(core.loop) {}

void VerifyJob::start() {
  core_.journal.note(event_of(visitor_, "audit.read").with("what", "verify"));
  waiting_ =
      core_.verifications->ask(core_, [this](const Result<audit::VerifyReport>& report) { done(report); });
  if (io_.terminal().pty) telling_.after(kTellEvery, [this] { tell(); });
}

void VerifyJob::tell() {
  io_.remark(str("oobd: verify: ", waiting_->phase(), " ", waiting_->percent(), "%"));
  telling_.after(kTellEvery, [this] { tell(); });
}

void VerifyJob::done(const Result<audit::VerifyReport>& report) {
  if (over_) return;
  if (!report) {
    io_.remark(str("oobd: ", report.error().what));
    return finish(kUnread);
  }
  audit::VerifyReport mine = report_for(core_, visitor_, *report);
  io_.print(as_json_ ? mine.json() : mine.text());
  if (mine.findings.size() < report->findings.size())
    io_.remark("oobd: what is wrong is told to those who audit all devices");
  finish(report->whole() ? kDone : kNotWhole);
}

void VerifyJob::recheck() {
  Result<auth::Grant> grant = core_.policy->decide(visitor_.who, auth::Action::audit);
  if (grant || over_) return;
  io_.remark(str("oobd: ", grant.error().what));
  finish(static_cast<int>(grant.error().fault));
}

void VerifyJob::finish(int status) {
  over_ = true;
  waiting_.reset();
  telling_.cancel();
  io_.finish(status);
}

}  // namespace oob::console

#include "console/verify_job.h"

#include <atomic>

#include "audit/verify.h"

namespace oob::console {

using base::Fault;
using base::Result;
using base::str;

namespace {
constexpr int kNotWhole = 1, kUnread = 2;
}  // namespace

struct VerifyJob::Work {
  audit::VerifyOptions options;
  Result<audit::VerifyReport> report = base::fail(Fault::internal, "verify: not done");
  std::atomic<bool> stop{false};
  std::atomic<const char*> phase{"journal"};
  std::atomic<std::uint64_t> percent{0};

  void run() {
    options.progress = [this](std::uint64_t finished, std::uint64_t all, const char* now) {
      phase = now;
      percent = all == 0 ? 0 : finished * 100 / all;
      return !stop;
    };
    report = audit::verify(options);
  }
};

Result<std::unique_ptr<Job>> VerifyJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<auth::Grant> grant = core.policy->decide(visitor.who, auth::Action::audit);
  if (!grant) {
    core.journal.note(event_of(visitor, "denied").with("action", "audit"));
    return grant.error();
  }
  return std::make_unique<VerifyJob>(core, visitor, io, a.has("--json"));
}

VerifyJob::VerifyJob(Core& core, Visitor& visitor, JobIo& io, bool as_json)
    : core_(core),
      visitor_(visitor),
      io_(io),
      as_json_(as_json),
      work_(std::make_shared<Work>()),
      telling_(core.loop) {
  work_->options.state = core.state;
  work_->options.daemon = true;
}

VerifyJob::~VerifyJob() { work_->stop = true; }

void VerifyJob::start() {
  core_.archive.flush();
  core_.blocking.run([work = work_] { work->run(); }, life_.wrap([this] { done(); }));
  if (io_.terminal().pty) telling_.after(kTellEvery, [this] { tell(); });
}

void VerifyJob::tell() {
  io_.remark(str("oobd: verify: ", work_->phase.load(), " ", work_->percent.load(), "%"));
  telling_.after(kTellEvery, [this] { tell(); });
}

void VerifyJob::done() {
  if (over_) return;
  if (!work_->report) {
    io_.remark(str("oobd: ", work_->report.error().what));
    return finish(kUnread);
  }
  const audit::VerifyReport& report = *work_->report;
  io_.print(as_json_ ? report.json() : report.text());
  finish(report.whole() ? kDone : kNotWhole);
}

void VerifyJob::recheck() {
  Result<auth::Grant> grant = core_.policy->decide(visitor_.who, auth::Action::audit);
  if (grant || over_) return;
  io_.remark(str("oobd: ", grant.error().what));
  finish(static_cast<int>(grant.error().fault));
}

void VerifyJob::finish(int status) {
  over_ = true;
  work_->stop = true;
  telling_.cancel();
  io_.finish(status);
}

}  // namespace oob::console

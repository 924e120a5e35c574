#include "console/verification.h"

#include <algorithm>

#include "console/core.h"
#include "console/history.h"

namespace oob::console {

using base::Result;

// What the thread works on; outlives whoever asked.
struct Verifications::Run {
  audit::VerifyOptions options;
  Result<audit::VerifyReport> report = base::fail(base::Fault::internal, "verify: not done");
  std::vector<std::weak_ptr<Waiting>> for_whom;  // not touched while it runs
  std::atomic<const char*> phase{"journal"};
  std::atomic<unsigned> percent{0};

  void work() {
    options.progress = [this](std::uint64_t done, std::uint64_t all, const char* now) {
      phase = now;
      percent = all == 0 ? 0 : static_cast<unsigned>(done * 100 / all);
      return std::any_of(for_whom.begin(), for_whom.end(), [](const auto& one) { return !one.expired(); });
    };
    report = audit::verify(options);
  }
};

const char* Verifications::Waiting::phase() const { return run ? run->phase.load() : "waiting for another"; }
unsigned Verifications::Waiting::percent() const { return run ? run->percent.load() : 0; }

std::shared_ptr<Verifications::Waiting> Verifications::ask(Core& core, Done done) {
  auto waiting = std::make_shared<Waiting>(Waiting{std::move(done), nullptr});
  next_.push_back(waiting);
  if (!run_) begin(core);
  return waiting;
}

void Verifications::begin(Core& core) {
  std::erase_if(next_, [](const auto& one) { return one.expired(); });
  if (next_.empty()) return;
  run_ = std::make_shared<Run>();
  run_->options.state = core.state;
  run_->options.daemon = true;
  if (core.history) run_->options.snapshots = core.history->to_verify();
  if (const auto& note = core.journal.checkpoint()) run_->options.anchor_text = note->text();
  if (Result<auth::NoteKey> key = auth::NoteKey::parse(core.journal.vkey()))
    run_->options.keys.push_back(*key);
  run_->for_whom = now_ = std::exchange(next_, {});
  for (const auto& one : now_)
    if (auto waiting = one.lock()) waiting->run = run_;
  core.archive.flush();
  core.blocking.run([run = run_] { run->work(); }, life_.wrap([this, &core] { finished(core); }));
}

void Verifications::finished(Core& core) {
  std::shared_ptr<Run> run = std::exchange(run_, nullptr);
  std::vector<std::weak_ptr<Waiting>> waiting = std::exchange(now_, {});
  begin(core);
  for (const auto& one : waiting)
    if (auto who = one.lock()) who->done(run->report);
}

audit::VerifyReport report_for(const Core& core, const Visitor& visitor, audit::VerifyReport report) {
  const auto& devices = core.inventory.all();
  bool all = std::all_of(devices.begin(), devices.end(), [&](const auto& each) {
    return core.policy->decide(visitor.who, auth::Action::audit, each.first).has_value();
  });
  if (all) return report;
  report.more += report.findings.size();
  report.findings.clear();
  return report;
}

}  // namespace oob::console

#include "console/recorded_visit.h"

#include <utility>

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {
constexpr base::milliseconds kTellTyped{1000};
}

RecordedVisit::RecordedVisit(Core& core, const Visitor& visitor, JobIo& io)
    : core_(core),
      visitor_(visitor),
      io_(io),
      patience_(core.loop),
      typed_timer_(core.loop),
      echo_timer_(core.loop) {}

RecordedVisit::~RecordedVisit() { end(kDone); }

void RecordedVisit::begin(const std::string& device, const std::string& command,
                          std::function<void(const Result<std::string>&)> then) {
  if (!core_.recordings) return then(std::string());
  audit::CastHeader header;
  header.user = visitor_.who.user;
  header.key = visitor_.who.key;
  header.source = visitor_.who.source;
  header.session = visitor_.session;
  header.device = device;
  header.command = command;
  const Terminal& terminal = io_.terminal();
  if (terminal.pty) header.term = base::printable(terminal.name, 64);
  header.columns = terminal.columns;
  header.rows = terminal.rows;
  const Device* found = core_.inventory.find(device);
  if ((found && found->record_input) || core_.policy->records_input(visitor_.who, device)) input_.emplace();
  then_ = std::move(then);
  recorder_ = core_.recordings->begin(std::move(header),
                                      life_.wrap([this](const Result<>& opened) { answer(opened); }));
  if (core_.refuse_without_audit) return;
  patience_.after(kPatience, [this] { answer(fail(Fault::journal, "the disk does not answer")); });
}

void RecordedVisit::answer(const Result<>& opened) {
  patience_.cancel();
  auto then = std::exchange(then_, nullptr);
  if (!then) return;
  if (!opened && core_.refuse_without_audit) {
    then(fail(Fault::journal,
              str("the audit trail can't be written: ", base::printable(opened.error().what))));
    return;
  }
  io_.record(recorder_.get());
  then(opened ? std::string()
              : str("[oobd: THIS SESSION IS NOT RECORDED: ", base::printable(opened.error().what), "]"));
}

void RecordedVisit::end(int status) {
  if (!recorder_) return;
  io_.record(nullptr);
  life_.renew();
  then_ = nullptr;
  patience_.cancel();
  echo_timer_.cancel();
  typed_timer_.cancel();
  if (input_) write(input_->finish());
  tell_typed();
  input_.reset();
  recorder_->closing(status);
  recorder_.reset();
}

void RecordedVisit::event(const auth::Entry& entry) {
  if (recorder_) recorder_->event(entry);
}

void RecordedVisit::typed(base::Bytes bytes) {
  if (!recorder_ || bytes.empty()) return;
  if (input_) return write(input_->typed(bytes, now()));
  typed_ += bytes.size();
  if (!typed_timer_.waiting()) typed_timer_.after(kTellTyped, [this] { tell_typed(); });
}

// Not as typing, which would be masked by its length.
void RecordedVisit::typed_secret() {
  if (!input_) return typed("{secret}");
  write({.text = "{secret}", .masked = 0});
}

void RecordedVisit::tell_typed() {
  if (typed_ == 0) return;
  event(auth::Entry("typed").with("bytes", static_cast<std::int64_t>(std::exchange(typed_, 0))));
}

void RecordedVisit::output(base::Bytes bytes, base::Bytes shown) {
  io_.device_output(bytes, shown);
  if (input_) write(input_->output(bytes, now()));
}

void RecordedVisit::write(const audit::InputRecord::Decided& decided) {
  if (decided.masked > 0)
    event(auth::Entry("masked").with("bytes", static_cast<std::int64_t>(decided.masked)));
  recorder_->typed(decided.text);
  std::optional<base::Micros> due = input_->due();
  if (!due) return echo_timer_.cancel();
  if (echo_timer_.waiting()) return;
  auto rest = std::chrono::microseconds(std::max<base::Micros>(0, *due - now()));
  echo_timer_.after(std::chrono::ceil<base::milliseconds>(rest), [this] { write(input_->pass(now())); });
}

base::Micros RecordedVisit::now() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now().time_since_epoch()).count();
}

}  // namespace oob::console

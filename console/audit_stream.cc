#include "console/audit_stream.h"

#include "base/sha256.h"

namespace oob::console {

using auth::Action;
using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;

std::string recordings_of(const Core& core) { return str(core.state, "/recordings"); }

Result<> need_audit(Core& core, const Visitor& visitor) {
  Result<auth::Grant> grant = core.policy->decide(visitor.who, Action::audit);
  if (grant) return {};
  core.journal.note(event_of(visitor, "denied").with("action", "audit"));
  return grant.error();
}

bool may_audit(const Core& core, const Visitor& visitor, const std::string& device) {
  return static_cast<bool>(core.policy->decide(visitor.who, Action::audit, device));
}

// "\x01" is a name that no glob but one for all can match.
bool audits_all(const Core& core, const Visitor& visitor) { return may_audit(core, visitor, "\x01"); }

std::string query_of(const Arguments& arguments) {
  std::string text;
  auto add = [&](const std::string& word) { text += str(text.empty() ? "" : " ", word); };
  for (const std::string& word : arguments.words) add(word);
  for (const auto& [name, value] : arguments.options) add(value.empty() ? name : str(name, " ", value));
  return printable(text);
}

auth::Entry reading_of(const Visitor& visitor, const std::string& what, const Arguments& arguments) {
  return event_of(visitor, "audit.read").with("what", what).with("query", query_of(arguments));
}

auth::Entry search_of(const Visitor& visitor, const std::string& what, const Arguments& arguments,
                      const std::string& expression) {
  return reading_of(visitor, what, arguments)
      .with("expression_bytes", static_cast<std::int64_t>(expression.size()))
      .with("expression_sha256", base::hex(base::sha256(expression)));
}

void AuditJob::on_thread(std::function<void()> call, std::function<void()> done) {
  core_.blocking.run(std::move(call), life_.wrap([this, done = std::move(done)] {
    if (!over_) done();
  }));
}

void AuditJob::find(const std::string& id, std::function<void(audit::Recording)> found) {
  struct Search {
    std::vector<audit::Recording> candidates;
    Result<> result;
  };
  auto search = std::make_shared<Search>();
  auto call = [search, id, directory = recordings_of(core_)] {
    if (audit::is_recording_id(id)) {
      Result<audit::Recording> one = audit::find_recording(directory, id);
      if (one) search->candidates.push_back(std::move(*one));
      if (!one && one.error().fault != Fault::missing) search->result = one.error();
      return;
    }
    Result<std::vector<audit::Recording>> all = audit::list_recordings(directory, INT64_MIN);
    if (!all) search->result = all.error();
    if (!all || id.empty()) return;
    for (audit::Recording& each : *all)
      if (each.header.id.compare(0, id.size(), id) == 0) search->candidates.push_back(std::move(each));
  };
  on_thread(call, [this, search, id, found = std::move(found)] {
    if (!search->result) return stop(search->result.error());
    std::vector<audit::Recording> mine;
    for (audit::Recording& each : search->candidates)
      if (may_audit(core_, visitor_, each.header.device)) mine.push_back(std::move(each));
    if (mine.size() > 1)
      return stop(fail(Fault::usage, str(mine.size(), " recordings begin with ", printable(id, 60), ": ",
                                         mine[0].header.id, ", ", mine[1].header.id, " …")));
    if (mine.empty()) {
      if (!search->candidates.empty())
        core_.journal.note(
            event_of(visitor_, "denied").with("action", "audit").with("recording", printable(id)));
      return stop(fail(Fault::missing, str("no such recording: ", printable(id, 60))));
    }
    device_ = mine[0].header.device;
    found(std::move(mine[0]));
  });
}

void AuditJob::recheck() {
  if (over_) return;
  if (!device_.empty()) {
    Result<> may = still_may(core_, visitor_, Action::audit, device_);
    if (!may) stop(may.error());
  } else if (!core_.policy->decide(visitor_.who, Action::audit)) {
    stop(fail(Fault::denied, "you may no longer audit: the right has run out or was taken away"));
  }
}

void AuditJob::stop(const base::Error& error) {
  if (over_) return;
  io_.remark(str("oobd: ", error.what));
  finish(static_cast<int>(error.fault));
}

void AuditJob::finish(int status) {
  if (over_) return;
  over_ = true;
  io_.finish(status);
}

// --- piece by piece
// -----------------------------------------------------------------------------------------------

void StreamJob::begin(std::shared_ptr<Source> source, bool raw, bool safe) {
  source_ = std::move(source);
  raw_ = raw;
  bool wanted = io_.terminal().pty && core_.policy->safe_for(visitor_.who, device_);
  if (raw && (safe || wanted)) safe_.emplace();
  pour();
}

void StreamJob::more() {
  more_ = true;
  pour();
}

void StreamJob::pour() {
  if (over_ || reading_ || !source_ || io_.room() == 0 || (ended_ && !more_)) return;
  reading_ = true;
  more_ = ended_ = false;
  struct Answer {
    Result<bool> result = true;
    Piece piece;
  };
  auto answer = std::make_shared<Answer>();
  on_thread([answer, source = source_] { answer->result = source->next(answer->piece); },
            [this, answer] { came(answer->result, answer->piece); });
}

void StreamJob::came(const Result<bool>& result, Piece& piece) {
  reading_ = false;
  if (!piece.remark.empty()) io_.remark(piece.remark);
  std::string text;
  for (Part& part : piece.parts)
    if (may(part)) text += part.text;
  if (!raw_)
    io_.print(text);
  else if (safe_)
    io_.raw(safe_->pass(text));
  else
    io_.raw(text);
  if (!result) return stop(result.error());
  ended_ = !*result;
  if (ended_ && !more_) return at_end();
  pour();
}

void StreamJob::finish(int status) {
  if (!over_ && safe_ && io_.terminal().pty) io_.raw(safe_->settle());
  AuditJob::finish(status);
}

}  // namespace oob::console

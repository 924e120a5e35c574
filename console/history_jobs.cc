#include "console/history_jobs.h"

#include <algorithm>
#include <boost/json.hpp>

#include "console/confirm.h"
#include "console/progress_bar.h"
#include "console/reports.h"
#include "console/safe_output.h"
#include "console/snapshot_text.h"

namespace oob::console {

namespace json = boost::json;
using base::Error;
using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;
using Made = Result<std::unique_ptr<Job>>;

namespace {

// What is known of the others, kept beside them (docs/formats.md, Snapshots).
constexpr const char* kMeta = "meta.json";
constexpr const char* kNoHistory = "no snapshots are kept on this board";

std::string json_of(const std::string& device, const History::Revision& revision) {
  json::array changes;
  for (const History::Change& change : revision.changes)
    changes.push_back(json::object{{"file", printable(change.file, 4096)},
                                   {"change", name_of(change.kind)},
                                   {"lines_added", change.lines_added},
                                   {"lines_removed", change.lines_removed},
                                   {"size", change.size},
                                   {"sha256", change.sha256}});
  json::object object{{"device", device},
                      {"revision", revision.revision},
                      {"time", base::rfc3339(revision.at)},
                      {"user", printable(revision.user)},
                      {"grade", revision.grade},
                      {"method", revision.method},
                      {"quarantined", revision.quarantined},
                      {"changes", std::move(changes)}};
  return json::serialize(object) + "\n";
}

// "; did you mean 'config.xml'? (config.xml, pf.conf)"
std::string names_hint(const std::string& wanted, const std::vector<History::File>& files) {
  constexpr std::size_t kMost = 10;
  std::vector<std::string_view> known;
  for (const History::File& file : files) known.push_back(file.name);
  std::string_view near = base::nearest(wanted, known);
  std::string all;
  for (std::size_t i = 0; i < files.size() && i < kMost; ++i)
    all += str(i ? ", " : "", printable(files[i].name, 120));
  if (files.size() > kMost) all += str(" and ", files.size() - kMost, " more");
  return str(near.empty() ? "" : str("; did you mean '", printable(near, 120), "'?"), " (there is ", all,
             ")");
}

}  // namespace

void HistoryJob::recheck() {
  if (over_ || device_.empty()) return;
  Result<> may = still_may(core_, visitor_, auth::Action::snapshot, device_);
  if (!may) stop(may.error());
}

void HistoryJob::write_down(const std::string& file, const std::string& revision, bool bytes,
                            std::function<void()> then) {
  auth::Entry entry = event_of(visitor_, "file.read");
  entry.with("device", device_).with("file", printable(file, 2000)).with("revision", printable(revision));
  entry.with("bytes", std::int64_t{bytes});
  core_.journal.commit(std::move(entry), life_.wrap([this, then = std::move(then)](const Result<>& written) {
    if (over_) return;
    if (!written) return stop(written.error());
    then();
  }));
}

// Bytes of a device: on a terminal without what harms it, unless the truth was asked for by somebody who may
// have it.
void HistoryJob::tell(std::string text, bool exact) {
  text_ = std::move(text);
  if (io_.terminal().pty && (!exact || core_.policy->safe_for(visitor_.who, device_))) {
    SafeOutput safe;
    text_ = safe.pass(text_);
    text_ += safe.settle();
  }
  telling_ = true;
  pour();
}

void HistoryJob::pour() {
  while (telling_ && !over_ && at_ < text_.size()) {
    std::size_t room = io_.room();
    if (room == 0) return;
    base::Bytes piece = base::Bytes(text_).substr(at_, std::min<std::size_t>(room, 64 * 1024));
    at_ += piece.size();
    io_.print(piece);
  }
  if (telling_) finish(kDone);
}

void HistoryJob::no_such_revision(const Error& error) {
  constexpr std::size_t kShown = 5;
  auto explain = [this, error](const Result<std::vector<History::Revision>>& known) {
    if (over_) return;
    if (!known || known->empty())
      return stop(
          fail(Fault::missing, str(device_, " has no snapshot yet: 'snapshot ", device_, "' pulls one")));
    std::string newest;
    for (const History::Revision& one : *known)
      newest += str(newest.empty() ? "" : ", ", short_revision(one.revision), " (",
                    base::rfc3339(one.at, base::Precision::seconds), ")");
    stop(fail(Fault::missing,
              str(error.what, "; the newest are ", newest, "; 'snapshots ", device_, "' tells all")));
  };
  core_.history->revisions(device_, kShown, life_.wrap(std::move(explain)));
}

void HistoryJob::stop(const Error& error) {
  if (over_) return;
  io_.remark(str("oobd: ", error.what));
  finish(static_cast<int>(error.fault));
}

void HistoryJob::finish(int status) {
  if (over_) return;
  over_ = true;
  io_.finish(status);
}

// --- snapshots
// --------------------------------------------------------------------------------------------------

Made SnapshotsJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  if (!core.history) return fail(Fault::unavailable, kNoHistory);
  std::size_t most = kLines;
  if (a.has("--lines") && (!base::parse_number(a.options["--lines"], most) || most < 1 || most > kMostLines))
    return fail(Fault::usage, str("snapshots: --lines takes a number from 1 to ", kMostLines));
  const std::string& pattern = a.words[0];
  std::vector<std::string> devices;
  if (!is_glob(pattern)) {
    if (!core.inventory.find(pattern)) return auth::Policy::no_such_device(pattern);
    Result<auth::Grant> grant = decide(core, visitor, auth::Action::snapshot, pattern);
    if (!grant) return grant.error();
    visitor.device = pattern;
    devices.push_back(pattern);
  } else {
    for (const auto& [name, device] : core.inventory.all())
      if (base::glob_match(pattern, name) && core.policy->decide(visitor.who, auth::Action::snapshot, name))
        devices.push_back(name);
    if (devices.empty()) return auth::Policy::no_such_device(pattern);
  }
  return std::make_unique<SnapshotsJob>(core, visitor, io, std::move(devices), a.has("--json"), most);
}

SnapshotsJob::SnapshotsJob(Core& core, Visitor& visitor, JobIo& io, std::vector<std::string> devices,
                           bool as_json, std::size_t most)
    : HistoryJob(core, visitor, io),
      waiting_(devices.begin(), devices.end()),
      several_(devices.size() > 1),
      as_json_(as_json),
      most_(most) {
  rows_.push_back({"REVISION", "WHEN", "USER", "HOW", "CHANGED"});
  if (several_) rows_[0].insert(rows_[0].begin(), "DEVICE");
  if (!several_) device_ = devices[0];
}

void SnapshotsJob::next() {
  if (over_) return;
  if (waiting_.empty()) {
    if (!any_)
      return stop(fail(Fault::missing,
                       several_ ? "none of them has a snapshot yet"
                                : str(device_, " has no snapshot yet: 'snapshot ", device_, "' pulls one")));
    return tell(as_json_ ? json_ : table(rows_), true);
  }
  std::string device = std::move(waiting_.front());
  waiting_.pop_front();
  auto came = [this, device](const Result<std::vector<History::Revision>>& revisions) {
    if (over_) return;
    if (!revisions && revisions.error().fault != Fault::missing) return stop(revisions.error());
    // A right may have ended meanwhile.
    if (revisions && core_.policy->decide(visitor_.who, auth::Action::snapshot, device))
      add(device, *revisions);
    next();
  };
  core_.history->revisions(device, most_, life_.wrap(std::move(came)));
}

void SnapshotsJob::add(const std::string& device, const std::vector<History::Revision>& revisions) {
  for (const History::Revision& one : revisions) {
    any_ = true;
    if (as_json_) {
      json_ += json_of(device, one);
      continue;
    }
    std::string changes = changes_text(one.changes);
    if (one.quarantined) changes = str("QUARANTINED", changes.empty() ? "" : ": ", changes);
    std::vector<std::string> row = {short_revision(one.revision),
                                    base::rfc3339(one.at, base::Precision::seconds), printable(one.user),
                                    str(one.grade, ", ", one.method), changes};
    if (several_) row.insert(row.begin(), device);
    rows_.push_back(std::move(row));
  }
}

// --- show
// -------------------------------------------------------------------------------------------------------

Made ShowJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  if (!core.history) return fail(Fault::unavailable, kNoHistory);
  return std::make_unique<ShowJob>(core, visitor, io, std::move(a));
}

ShowJob::ShowJob(Core& core, Visitor& visitor, JobIo& io, Arguments a)
    : HistoryJob(core, visitor, io),
      file_(a.words.size() > 1 ? a.words[1] : ""),
      revision_(a.has("--at") ? a.options["--at"] : ""),
      bytes_(a.has("--bytes")) {
  device_ = a.device->name;
}

void ShowJob::start() {
  auto came = [this](const Result<std::vector<History::File>>& files) {
    if (over_) return;
    if (files) return choose(*files);
    if (files.error().fault == Fault::missing) return no_such_revision(files.error());
    stop(files.error());
  };
  core_.history->files(device_, revision_, life_.wrap(std::move(came)));
}

void ShowJob::choose(const std::vector<History::File>& files) {
  if (file_.empty() && files.size() != 1) {
    std::vector<std::vector<std::string>> rows = {{"FILE", "SIZE", "SHA-256"}};
    for (const History::File& file : files)
      rows.push_back({printable(file.name, 1000), str(file.size), file.sha256});
    rows.push_back({kMeta, "-", "-"});
    return tell(table(rows), true);
  }
  if (file_.empty()) file_ = files[0].name;
  bool there = file_ == kMeta ||
               std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.name == file_; });
  if (!there)
    return stop(fail(Fault::missing,
                     str(device_, ": no such file: ", printable(file_, 120), names_hint(file_, files))));
  write_down(file_, revision_, bytes_, [this] {
    auto came = [this](const Result<std::string>& bytes) {
      if (over_) return;
      if (!bytes) return stop(bytes.error());
      show(*bytes);
    };
    core_.history->file(device_, revision_, file_, life_.wrap(std::move(came)));
  });
}

// A pipe gets every byte; whoever looks over a shoulder gets no password.
void ShowJob::show(const std::string& bytes) {
  if (bytes_ || !io_.terminal().pty) return tell(bytes, true);
  auto masked = [this, size = bytes.size(), bytes](const Result<std::string>& text) {
    if (over_) return;
    if (!text) return stop(text.error());
    if (*text != bytes) io_.remark("oobd: secrets are masked; --bytes shows them");
    tell(text->ends_with('\n') || text->empty() ? *text : *text + "\n", false);
  };
  core_.history->masked(device_, revision_, file_, bytes, life_.wrap(std::move(masked)));
}

// --- diff
// -------------------------------------------------------------------------------------------------------

Made DiffJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  if (!core.history) return fail(Fault::unavailable, kNoHistory);
  History::Diff wish;
  wish.device = a.device->name;
  if (a.words.size() > 1) wish.from = a.words[1];
  if (a.words.size() > 1) wish.to = a.words.size() > 2 ? a.words[2] : "@0";
  wish.bytes = a.has("--bytes");
  return std::make_unique<DiffJob>(core, visitor, io, std::move(wish));
}

DiffJob::DiffJob(Core& core, Visitor& visitor, JobIo& io, History::Diff wish)
    : HistoryJob(core, visitor, io), wish_(std::move(wish)) {
  device_ = wish_.device;
}

void DiffJob::start() {
  std::string revisions = wish_.from.empty() ? "@1..@0" : str(wish_.from, "..", wish_.to);
  write_down("*", revisions, wish_.bytes, [this] {
    auto came = [this](const Result<std::string>& text) {
      if (over_) return;
      if (!text && text.error().fault == Fault::missing && !wish_.from.empty())
        return no_such_revision(text.error());
      if (!text) return stop(text.error());
      if (text->empty()) return nothing_shown();
      tell(*text, wish_.bytes);
    };
    core_.history->diff(wish_, life_.wrap(std::move(came)));
  });
}

// Who was told by `snapshot` that something changed is not to be left with nothing.
void DiffJob::nothing_shown() {
  auto conclude = [this](const Result<std::string>& truth) {
    if (over_) return;
    if (!truth) return stop(truth.error());
    if (!truth->empty()) io_.remark("oobd: only what changes all the time differs; --bytes shows it");
    if (truth->empty() && io_.terminal().pty) io_.remark("oobd: no difference");
    tell("", false);
  };
  History::Diff truth = wish_;
  truth.bytes = true;
  core_.history->diff(std::move(truth), life_.wrap(std::move(conclude)));
}

}  // namespace oob::console

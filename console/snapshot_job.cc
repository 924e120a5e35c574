#include "console/snapshot_job.h"

#include <algorithm>

#include "console/confirm.h"
#include "console/snapshot_text.h"
#include "console/words.h"

namespace oob::console {

using base::Error;
using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;

namespace {

// Which devices it is about, as far as this visitor may know.
Result<> choose_devices(Core& core, const Visitor& visitor, SnapshotJob::Work& work) {
  using auth::Action;
  if (!is_glob(work.pattern)) {
    const Device* device = core.inventory.find(work.pattern);
    if (!device) return auth::Policy::no_such_device(work.pattern);
    Result<auth::Grant> grant = decide(core, visitor, Action::snapshot, work.pattern);
    if (!grant) return grant.error();
    Result<> can = can_be_pulled(core, *device);
    if (!can) return can.error();
    work.devices.push_back(work.pattern);
    return {};
  }
  for (const auto& [name, device] : core.inventory.all()) {
    if (!base::glob_match(work.pattern, name) || !core.policy->may_see(visitor.who, name)) continue;
    Result<auth::Grant> grant = decide(core, visitor, Action::snapshot, name);
    if (!grant) {
      bool denied = grant.error().fault == Fault::denied;
      work.refused.emplace_back(name, denied ? fail(Fault::denied, "not permitted") : grant.error());
    } else if (device->model.empty()) {
      ++work.skipped;
    } else {
      work.devices.push_back(name);
    }
  }
  if (!work.devices.empty() || !work.refused.empty()) return {};
  if (work.skipped == 0) return auth::Policy::no_such_device(work.pattern);
  return fail(Fault::usage,
              str("no device of ", printable(work.pattern), " has a model configured (model = \"NAME\")"));
}

Result<Puller::Way> way_named(const std::string& word) {
  if (word == "console") return Puller::Way::console;
  if (word == "ssh") return Puller::Way::network;
  std::string_view near = only_nearest(word, {"console", "ssh"});
  return fail(Fault::usage, str("snapshot: --method is console or ssh, not ", printable(word, 60),
                                near.empty() ? "" : str("; did you mean '", near, "'?")));
}

// When the newest revision of the device was stored; 0: not known.
base::Micros stored_at(const Core& core, const std::string& device) {
  if (!core.history) return 0;
  const auto& latest = core.history->latest();
  auto at = latest.find(device);
  return at == latest.end() ? 0 : at->second.stored;
}

}  // namespace

Result<std::unique_ptr<Job>> SnapshotJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Work work;
  work.pattern = a.words[0];
  work.as_json = a.has("--json");
  work.accept = a.has("--accept");
  if (a.has("--wait")) {
    Result<base::Micros> span = base::parse_span(a.options["--wait"]);
    if (!span) return base::wrap("snapshot: --wait", span.error());
    if (*span > std::chrono::microseconds(kMostWait).count())
      return fail(Fault::usage, str("snapshot: --wait takes 0 to ", kMostWait.count(), " seconds"));
    work.wait = std::chrono::duration_cast<base::milliseconds>(std::chrono::microseconds(*span));
  }
  if (a.has("--method")) {
    Result<Puller::Way> way = way_named(a.options["--method"]);
    if (!way) return way.error();
    work.way = *way;
  }
  Result<> chosen = choose_devices(core, visitor, work);
  if (!chosen) return chosen.error();
  if (!is_glob(work.pattern)) visitor.device = work.pattern;
  return std::make_unique<SnapshotJob>(core, visitor, io, std::move(work));
}

SnapshotJob::SnapshotJob(Core& core, Visitor& visitor, JobIo& io, Work work)
    : core_(core), visitor_(visitor), io_(io), work_(std::move(work)), drawing_(core.loop) {}

SnapshotJob::~SnapshotJob() {
  over_ = true;
  give_up(fail(Fault::failed, "given up: whoever wanted it has left"));
}

void SnapshotJob::start() {
  for (const std::string& name : work_.devices) width_ = std::max(width_, name.size());
  for (const auto& [name, error] : work_.refused) width_ = std::max(width_, name.size());
  const Terminal& terminal = io_.terminal();
  if (terminal.pty && !work_.as_json && terminal.name != "dumb" && !terminal.name.empty())
    bars_.emplace(terminal.columns, terminal.rows, width_);
  if (work_.skipped)
    remark(str(work_.skipped, work_.skipped == 1 ? " device has" : " devices have", " no model configured"));
  waiting_.assign(work_.devices.begin(), work_.devices.end());
  auto refused = std::exchange(work_.refused, {});
  for (const auto& [name, error] : refused) {
    Snapshots::Outcome outcome;
    outcome.stored = error;
    conclude(name, outcome);
  }
  fill();
}

void SnapshotJob::fill() {
  while (!over_ && !waiting_.empty() && under_way_.size() < kAtOnce) {
    std::string device = std::move(waiting_.front());
    waiting_.pop_front();
    begin_one(device);
  }
  if (!over_ && waiting_.empty() && under_way_.empty()) finish(worst_);
}

void SnapshotJob::begin_one(const std::string& device) {
  Snapshots::Order order;
  order.visitor = visitor_;
  order.device = device;
  order.way = work_.way;
  order.wait = work_.wait;
  order.accept = work_.accept;
  order.told = life_.wrap([this, device](const recipe::Progress& how_far) { progress(device, how_far); });
  order.remark = life_.wrap([this](const std::string& text) { remark(text); });
  UnderWay& entry = under_way_[device];
  if (bars_) bars_->set(device, {"logging in"});
  draw_soon();
  entry.number = core_.snapshots->begin(core_, std::move(order),
                                        life_.wrap([this, device](const Snapshots::Outcome& outcome) {
                                          if (over_ || !under_way_.erase(device)) return;
                                          if (bars_) bars_->remove(device);
                                          conclude(device, outcome);
                                          fill();
                                        }));
}

// --- what people see
// --------------------------------------------------------------------------------------------

void SnapshotJob::progress(const std::string& device, const recipe::Progress& how_far) {
  auto at = under_way_.find(device);
  if (over_ || at == under_way_.end()) return;
  if (bars_) {
    bars_->set(device,
               {printable(how_far.file, 60), how_far.done, how_far.of, how_far.file_number, how_far.files});
    return draw_soon();
  }
  base::Clock::time_point now = base::Clock::now();
  if (!work_.as_json || now - at->second.told < kTellEvery || io_.room() == 0) return;
  at->second.told = now;
  io_.print(progress_json(device, how_far));
}

void SnapshotJob::conclude(const std::string& device, const Snapshots::Outcome& outcome) {
  using Kind = History::Stored::Kind;
  int status = !outcome.stored                             ? static_cast<int>(outcome.stored.error().fault)
               : outcome.stored->kind == Kind::quarantined ? static_cast<int>(Fault::failed)
                                                           : kDone;
  worst_ = std::max(worst_, status);
  if (work_.as_json) {
    print(outcome_json(device, outcome));
  } else if (!outcome.stored && !is_glob(work_.pattern)) {
    // Some texts name the device themselves.
    const std::string& what = outcome.stored.error().what;
    bool named = what.find(device) != std::string::npos;
    remark(str(named ? "" : device + ": ", what));
  } else {
    std::string name = device + std::string(width_ - std::min(width_, device.size()) + 2, ' ');
    std::string text = outcome_text(outcome, stored_at(core_, device));
    // Some texts name the device themselves.
    if (std::size_t at = text.find(device + ": "); at == std::string_view("error: ").size())
      text.erase(at, device.size() + 2);
    print(str(name, text, "\n"));
  }
  if (!outcome.left_open.empty()) remark(str("CONSOLE LEFT OPEN: ", device, ": ", outcome.left_open));
}

void SnapshotJob::print(const std::string& text) {
  if (bars_) io_.raw(bars_->erase());
  io_.print(text);
  draw();
}

void SnapshotJob::remark(const std::string& text) {
  if (over_) return;
  if (bars_) io_.raw(bars_->erase());
  io_.remark(str("oobd: ", text));
  draw();
}

void SnapshotJob::draw() {
  if (!bars_ || over_ || io_.room() == 0) return;
  io_.raw(bars_->draw());
}

void SnapshotJob::draw_soon() {
  if (bars_ && !drawing_.waiting()) drawing_.after(kDrawEvery, [this] { draw(); });
}

void SnapshotJob::resized() {
  if (!bars_) return;
  io_.raw(bars_->erase());
  bars_->resize(io_.terminal().columns, io_.terminal().rows);
  draw();
}

// --- its end
// ------------------------------------------------------------------------------------------------------

std::size_t SnapshotJob::typed(base::Bytes bytes) {
  if (over_ || !io_.terminal().pty || bytes.find('\x03') == base::Bytes::npos) return bytes.size();
  if (!under_way_.empty())
    remark(str("given up; ", under_way_.size(), under_way_.size() == 1 ? " device is" : " devices are",
               " being left as found, and nothing more is stored"));
  finish(kInterrupted);
  return bytes.size();
}

void SnapshotJob::recheck() {
  std::vector<std::string> devices;
  for (const auto& [name, entry] : under_way_) devices.push_back(name);
  for (const std::string& device : devices) {
    Result<> may = still_may(core_, visitor_, auth::Action::snapshot, device);
    auto at = under_way_.find(device);
    if (!may && at != under_way_.end()) core_.snapshots->interrupt(core_, at->second.number, may.error());
  }
}

void SnapshotJob::give_up(const Error& why) {
  auto under_way = std::exchange(under_way_, {});
  if (!core_.snapshots) return;  // the daemon stops, and has said so
  for (const auto& [device, entry] : under_way) core_.snapshots->interrupt(core_, entry.number, why);
}

void SnapshotJob::finish(int status) {
  if (over_) return;
  if (bars_) io_.raw(bars_->erase());
  over_ = true;
  drawing_.cancel();
  waiting_.clear();
  give_up(fail(Fault::failed, "given up by whoever wanted it"));
  io_.finish(status);
}

}  // namespace oob::console

#include "console/sel_job.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "console/bmc_jobs.h"

namespace oob::console {

namespace json = boost::json;
using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

std::string id_of(const LogEvent& event) {
  char text[16];
  std::snprintf(text, sizeof text, "%04x", event.id & 0xffffu);
  return text;
}

std::string time_of(const LogEvent& event) {
  if (event.since_boot) return str("since boot +", event.time / 1'000'000, " s");
  return event.time == 0 ? "-" : base::rfc3339(event.time, base::Precision::seconds);
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, text.size()) + 2, ' ');
}

}  // namespace

Result<std::unique_ptr<Job>> SelJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  if (a.has("--clear")) {
    Result<auth::Grant> grant = decide(core, visitor, auth::Action::power, a.device->name);
    if (!grant) return grant.error();
  }
  Result<Chassis*> chassis = chassis_of(core, a.device->name);
  if (!chassis) return chassis.error();
  return std::make_unique<SelJob>(core, visitor, io, a.device->name, a.has("--clear"), a.has("--json"));
}

SelJob::SelJob(Core& core, Visitor& visitor, JobIo& io, std::string device, bool clear, bool as_json)
    : core_(core),
      visitor_(visitor),
      io_(io),
      device_(std::move(device)),
      clear_(clear),
      as_json_(as_json),
      guard_(core.loop) {}

void SelJob::start() {
  if (!clear_ || !Approvals::wanted(core_, visitor_.who, {device_})) return read();
  Approvals::Ask ask{.who = visitor_.who,
                     .session = visitor_.session,
                     .entry = event_of(visitor_, ""),
                     .intent = {"sel.clear", "", device_, {device_}},
                     .waits = life_.wrap([this](const std::string& text) { io_.remark("oobd: " + text); })};
  sought_ =
      core_.approvals->seek(core_, std::move(ask), life_.wrap([this](const Result<ApprovalPtr>& approval) {
        sought_ = 0;
        if (!approval) return stop(approval.error());
        approval_ = *approval;
        read();
      }));
}

void SelJob::read() {
  Result<Chassis*> chassis = chassis_of(core_, device_);
  if (!chassis) return stop(chassis.error());
  ++tries_;
  guard_.after(core_.chassis_patience * kManyRequests,
               [this] { stop(fail(Fault::unavailable, "no answer")); });
  (*chassis)->events(life_.wrap([this](Result<std::vector<LogEvent>> events) {
    if (over_) return;
    guard_.cancel();
    if (!events) return stop(events.error());
    have(std::move(*events));
  }));
}

void SelJob::have(std::vector<LogEvent> events) {
  events_ = std::move(events);
  if (clear_) return write_down(0);
  for (const LogEvent& event : events_) {
    time_width_ = std::max(time_width_, time_of(event).size());
    sensor_width_ = std::max(sensor_width_, event.sensor.size());
  }
  if (events_.empty()) io_.remark(str("oobd: ", device_, ": the event log is empty"));
  showing_ = true;
  pour();
}

// --- shown
// ------------------------------------------------------------------------------------------------------

void SelJob::pour() {
  if (!showing_ || over_) return;
  while (shown_ < events_.size()) {
    if (io_.room() == 0) return;
    io_.print(line_of(events_[shown_++]));
  }
  finish(kDone);
}

std::string SelJob::line_of(const LogEvent& event) const {
  if (!as_json_)
    return str(id_of(event), "  ", padded(time_of(event), time_width_), padded(event.sensor, sensor_width_),
               event.text, event.asserted ? "  asserted\n" : "  deasserted\n");
  json::object object{{"device", device_}, {"id", event.id}};
  bool dated = event.time != 0 && !event.since_boot;
  object["time"] = dated ? json::value(base::rfc3339(event.time, base::Precision::seconds)) : nullptr;
  object["since_boot"] = event.since_boot ? json::value(event.time / 1'000'000) : nullptr;
  object["sensor"] = event.sensor;
  object["type"] = event.type;
  object["text"] = event.text;
  object["asserted"] = event.asserted;
  object["raw"] = event.raw;
  return json::serialize(object) + "\n";
}

// --- cleared
// ----------------------------------------------------------------------------------------------------

// What is going to be lost is on the disk first, an entry after another.
void SelJob::write_down(std::size_t from) {
  if (over_) return;
  auth::Entry entry = event_of(visitor_, "sel.records");
  entry.with("device", device_);
  std::vector<std::string> raw;
  while (from < events_.size() && raw.size() < kAnEntry) {
    const LogEvent& event = events_[from++];
    if (written_.count(event.raw)) continue;
    char key[24];
    std::snprintf(key, sizeof key, "record_%02zu", raw.size());
    entry.with(key, str(event.raw, " ", id_of(event), " ", time_of(event), " ",
                        base::printable(str(event.sensor, ": ", event.text), kMostText),
                        event.asserted ? "" : " deasserted"));
    raw.push_back(event.raw);
  }
  if (raw.empty()) return clear();
  core_.journal.commit(std::move(entry), life_.wrap([this, from, raw](const Result<>& written) {
    if (!written) return stop(written.error());
    written_.insert(raw.begin(), raw.end());
    write_down(from);
  }));
}

void SelJob::clear() {
  if (events_.empty()) {
    cleared(PowerOutcome{});
    return;
  }
  clearing_ = true;
  unsigned last = events_.back().id;
  Deeds::Order order{
      .who = visitor_.who,
      .entry = event_of(visitor_, "").with("records", static_cast<std::int64_t>(events_.size())),
      .device = device_,
      .kind = "sel.clear",
      .action = "",
      .limit = core_.chassis_patience * kManyRequests,
      .act =
          [last](Chassis& chassis, const auth::Grant& grant, Chassis::Done<PowerOutcome> done) {
            chassis.clear_events(grant, last, [done = std::move(done)](const Result<>& result) {
              done(result ? Result<PowerOutcome>(PowerOutcome{}) : Result<PowerOutcome>(result.error()));
            });
          },
      .session = visitor_.session,
      .approval = approval_};
  core_.deeds->begin(core_, std::move(order),
                     life_.wrap([this](const Result<PowerOutcome>& result) { cleared(result); }));
}

void SelJob::cleared(const Result<PowerOutcome>& result) {
  if (over_) return;
  clearing_ = false;
  // Another event came after the log was read, and is not in the journal yet.
  if (!result && result.error().fault == Fault::busy && tries_ < kMostTries) return read();
  if (!result) return stop(result.error());
  if (as_json_) {
    io_.print(json::serialize(json::object{{"device", device_}, {"cleared", events_.size()}}) + "\n");
  } else {
    io_.print(str(device_, ": ", events_.size(), events_.size() == 1 ? " record" : " records", " cleared\n"));
  }
  finish(kDone);
}

std::size_t SelJob::typed(base::Bytes bytes) {
  if (!over_ && clear_ && io_.terminal().pty && bytes.find('\x03') != base::Bytes::npos) {
    io_.remark(clearing_ ? "oobd: the clearing goes on, with the result in the journal"
                         : "oobd: nothing was cleared");
    finish(kInterrupted);
  }
  return bytes.size();
}

void SelJob::recheck() {
  Result<auth::Grant> grant =
      core_.policy->decide(visitor_.who, clear_ ? auth::Action::power : auth::Action::watch, device_);
  if (!grant) return stop(grant.error());
  Result<Chassis*> chassis = chassis_of(core_, device_);
  if (!chassis) stop(chassis.error());
}

void SelJob::stop(const Error& error) {
  if (over_) return;
  std::string more = clearing_ ? "; the clearing goes on, with the result in the journal" : "";
  io_.remark(str("oobd: ", device_, ": ", error.what, more));
  finish(static_cast<int>(error.fault));
}

void SelJob::finish(int status) {
  if (over_) return;
  over_ = true;
  guard_.cancel();
  core_.approvals->withdraw(sought_);
  io_.finish(status);
}

}  // namespace oob::console

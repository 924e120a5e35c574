#include "console/bmc_jobs.h"

#include <boost/json.hpp>
#include <cmath>
#include <cstdio>

#include "console/reports.h"
#include "console/words.h"

namespace oob::console {

namespace json = boost::json;
using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;
using Made = Result<std::unique_ptr<Job>>;

namespace {

constexpr BootDevice kBootDevices[] = {BootDevice::none, BootDevice::pxe, BootDevice::disk, BootDevice::cdrom,
                                       BootDevice::bios};

Error no_such_word(const char* command, const std::string& word, const std::vector<std::string_view>& known) {
  std::string all;
  for (std::string_view one : known) all += str(all.empty() ? "" : one == known.back() ? " or " : ", ", one);
  std::string_view near = only_nearest(word, known);
  return fail(Fault::usage, str(command, ": it is ", all, ", not ", base::printable(word, 60),
                                near.empty() ? "" : str("; did you mean '", near, "'?")));
}

Deeds::Order order_for(const Core& core, const Visitor& visitor, const std::string& device, const char* kind,
                       const char* action) {
  return {.who = visitor.who,
          .entry = event_of(visitor, ""),
          .device = device,
          .kind = kind,
          .action = action,
          .limit = core.chassis_patience,
          .act = nullptr,
          .session = visitor.session};
}

// What has no state to tell.
Chassis::Done<> without_state(Chassis::Done<PowerOutcome> done) {
  return [done = std::move(done)](const Result<>& result) {
    done(result ? Result<PowerOutcome>(PowerOutcome{}) : Result<PowerOutcome>(result.error()));
  };
}

const char* next_boot(BootDevice device) {
  switch (device) {
    case BootDevice::none:
      return "boots as it is set up";
    case BootDevice::pxe:
      return "the next boot is from the network (PXE)";
    case BootDevice::disk:
      return "the next boot is from its disk";
    case BootDevice::cdrom:
      return "the next boot is from its CD-ROM";
    case BootDevice::bios:
      return "the next boot enters the BIOS set-up";
  }
  return "";
}

// Three decimals at most, as ipmitool has; empty for what is no number.
std::string number(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return "";
  char text[400];
  std::snprintf(text, sizeof text, "%.3f", *value);
  std::string number = text;
  number.erase(number.find_last_not_of('0') + 1);
  if (number.back() == '.') number.pop_back();
  return number == "-0" ? "0" : number;
}

struct Threshold {
  const char* name;
  std::optional<double> Sensor::*value;
};
constexpr Threshold kThresholds[] = {{"lnr", &Sensor::lnr}, {"lcr", &Sensor::lcr}, {"lnc", &Sensor::lnc},
                                     {"unc", &Sensor::unc}, {"ucr", &Sensor::ucr}, {"unr", &Sensor::unr}};

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

// By hand: Boost writes 42.5 as 4.25E1.
std::string json_line(const std::string& device, const Sensor& sensor) {
  json::array asserted;
  for (const std::string& state : sensor.asserted) asserted.emplace_back(state);
  std::string value = number(sensor.value), thresholds;
  for (const Threshold& threshold : kThresholds)
    if (std::string at = number(sensor.*threshold.value); !at.empty())
      thresholds += str(thresholds.empty() ? "" : ",", "\"", threshold.name, "\":", at);
  auto text = [](const std::string& plain) { return json::serialize(json::value(plain)); };
  return str("{\"device\":", text(device), ",\"name\":", text(sensor.name), ",\"type\":", text(sensor.type),
             ",\"value\":", value.empty() ? "null" : value, ",\"unit\":", text(sensor.unit),
             ",\"state\":", text(sensor.state), ",\"asserted\":", json::serialize(asserted),
             ",\"thresholds\":{", thresholds, "}}\n");
}

}  // namespace

// --- boot, identify
// ---------------------------------------------------------------------------------------------

Made DeedJob::make_boot(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  std::vector<std::string_view> known;
  for (BootDevice device : kBootDevices) {
    known.push_back(name_of(device));
    if (a.words[1] != name_of(device)) continue;
    Result<Chassis*> chassis = chassis_of(core, a.device->name);
    if (!chassis) return chassis.error();
    Deeds::Order order = order_for(core, visitor, a.device->name, "boot", name_of(device));
    order.act = [device](Chassis& on, const auth::Grant& grant, Chassis::Done<PowerOutcome> done) {
      on.boot(grant, device, without_state(std::move(done)));
    };
    return std::make_unique<DeedJob>(core, visitor, io, std::move(order), next_boot(device));
  }
  return no_such_word("boot", a.words[1], known);
}

Made DeedJob::make_identify(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  std::string word = a.words.size() > 1 ? a.words[1] : "on";
  bool on = word == "on";
  if (!on && word != "off") return no_such_word("identify", word, {"on", "off"});
  Result<Chassis*> chassis = chassis_of(core, a.device->name);
  if (!chassis) return chassis.error();
  Deeds::Order order = order_for(core, visitor, a.device->name, "identify", on ? "on" : "off");
  order.act = [on](Chassis& chassis, const auth::Grant& grant, Chassis::Done<PowerOutcome> done) {
    chassis.identify(grant, on, without_state(std::move(done)));
  };
  return std::make_unique<DeedJob>(core, visitor, io, std::move(order), str("the identify light is ", word));
}

DeedJob::DeedJob(Core& core, Visitor& visitor, JobIo& io, Deeds::Order order, std::string said)
    : core_(core),
      visitor_(visitor),
      io_(io),
      order_(std::move(order)),
      device_(order_.device),
      said_(std::move(said)) {}

void DeedJob::start() {
  order_.waits = life_.wrap([this](const std::string& text) { io_.remark("oobd: " + text); });
  sought_ =
      core_.deeds->begin(core_, std::move(order_), life_.wrap([this](const Result<PowerOutcome>& result) {
        finish(result ? Result<>() : Result<>(result.error()));
      }));
}

std::size_t DeedJob::typed(base::Bytes bytes) {
  if (!over_ && io_.terminal().pty && bytes.find('\x03') != base::Bytes::npos) {
    over_ = true;
    bool waits = core_.approvals->waits(sought_);
    core_.approvals->withdraw(sought_);
    io_.remark(waits ? "oobd: withdrawn; nothing was done"
                     : "oobd: it goes on, with the result in the journal");
    io_.finish(kInterrupted);
  }
  return bytes.size();
}

void DeedJob::recheck() {
  Result<Chassis*> chassis = chassis_of(core_, device_);
  Result<auth::Grant> grant = core_.policy->decide(visitor_.who, auth::Action::power, device_);
  if (chassis && grant) return;
  Error error = chassis ? grant.error() : chassis.error();
  bool waits = core_.approvals->waits(sought_);
  core_.approvals->withdraw(sought_);
  finish(fail(error.fault, error.what + (waits ? "; nothing was done"
                                               : "; what was begun goes on, and its result will be in the "
                                                 "journal")));
}

void DeedJob::finish(const Result<>& result) {
  if (over_) return;
  over_ = true;
  if (result) {
    io_.print(str(device_, ": ", said_, "\n"));
  } else {
    io_.remark(str("oobd: ", device_, ": ", result.error().what));
  }
  io_.finish(result ? kDone : static_cast<int>(result.error().fault));
}

// --- sensors
// ----------------------------------------------------------------------------------------------------

Made SensorsJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<Chassis*> chassis = chassis_of(core, a.device->name);
  if (!chassis) return chassis.error();
  return std::make_unique<SensorsJob>(core, visitor, io, a.device->name, a.has("--json"));
}

SensorsJob::SensorsJob(Core& core, Visitor& visitor, JobIo& io, std::string device, bool as_json)
    : core_(core),
      visitor_(visitor),
      io_(io),
      device_(std::move(device)),
      as_json_(as_json),
      guard_(core.loop) {}

void SensorsJob::start() {
  Result<Chassis*> chassis = chassis_of(core_, device_);
  if (!chassis) return stop(chassis.error());
  guard_.after(core_.chassis_patience * kManyRequests,
               [this] { stop(fail(Fault::unavailable, "no answer")); });
  (*chassis)->sensors(life_.wrap([this](const Result<std::vector<Sensor>>& sensors) {
    if (!sensors) return stop(sensors.error());
    show(*sensors);
  }));
}

void SensorsJob::show(const std::vector<Sensor>& sensors) {
  if (over_) return;
  over_ = true;
  guard_.cancel();
  std::string text;
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "READING", "UNIT", "STATE", "LNR", "LCR", "LNC", "UNC", "UCR", "UNR"}};
  for (const Sensor& sensor : sensors) {
    if (as_json_) {
      text += json_line(device_, sensor);
      continue;
    }
    std::string reading = number(sensor.value);
    for (const std::string& state : sensor.asserted) reading += str(reading.empty() ? "" : ", ", state);
    std::vector<std::string> row = {sensor.name, or_dash(reading), or_dash(sensor.unit), sensor.state};
    for (const Threshold& threshold : kThresholds) row.push_back(or_dash(number(sensor.*threshold.value)));
    rows.push_back(std::move(row));
  }
  if (sensors.empty()) io_.remark(str("oobd: ", device_, ": the BMC has no sensors"));
  io_.print(as_json_ ? text : sensors.empty() ? "" : table(rows));
  io_.finish(kDone);
}

void SensorsJob::recheck() {
  Result<auth::Grant> grant = core_.policy->decide(visitor_.who, auth::Action::watch, device_);
  if (!grant) return stop(grant.error());
  Result<Chassis*> chassis = chassis_of(core_, device_);
  if (!chassis) stop(chassis.error());
}

void SensorsJob::stop(const Error& error) {
  if (over_) return;
  over_ = true;
  guard_.cancel();
  io_.remark(str("oobd: ", device_, ": ", error.what));
  io_.finish(static_cast<int>(error.fault));
}

}  // namespace oob::console

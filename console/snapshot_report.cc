#include "console/snapshot_report.h"

#include <algorithm>
#include <boost/json.hpp>

#include "console/history.h"
#include "console/inventory.h"
#include "console/snapshot_text.h"
#include "console/snapshots.h"

namespace oob::console {

namespace json = boost::json;
using base::Micros;
using base::printable;
using base::str;

namespace {

struct Known {
  const Device* device;
  History::Latest latest;
};

std::vector<Known> known_of(const Core& core, const std::vector<Device*>& devices) {
  std::vector<Known> known;
  if (!core.history) return known;
  const auto& all = core.history->latest();
  for (const Device* device : devices)
    if (auto at = all.find(device->name); at != all.end()) known.push_back({device, at->second});
  return known;
}

Micros age(const History::Latest& latest, Micros now) { return std::max<Micros>(now - latest.checked, 0); }

json::value time_or_null(Micros time) {
  return time ? json::value(base::rfc3339(time)) : json::value(nullptr);
}

}  // namespace

Micros snapshot_proved(const Core& core, const std::string& device) {
  if (!core.history) return 0;
  const auto& all = core.history->latest();
  auto at = all.find(device);
  return at == all.end() ? 0 : at->second.checked;
}

std::string snapshot_status(const Core& core, const std::vector<Device*>& devices) {
  std::vector<Known> known = known_of(core, devices);
  auto with_model = std::count_if(devices.begin(), devices.end(),
                                  [](const Device* device) { return !device->model.empty(); });
  if (!core.history || (known.empty() && with_model == 0)) return "";
  Micros now = base::wall_now();
  auto proved =
      std::count_if(known.begin(), known.end(), [](const Known& one) { return one.latest.checked; });
  std::string text = str("snapshots    of ", proved, " of ", with_model, " devices with a model");
  if (core.snapshots && core.snapshots->under_way() > 0)
    text += str("; ", core.snapshots->under_way(), " under way");
  text += "\n";
  for (const Known& one : known) {
    const History::Latest& latest = one.latest;
    text += str("             ", one.device->name, ": ");
    text += latest.checked == 0 ? str("none yet")
                                : str(base::human_span(age(latest, now)), " old, ",
                                      short_revision(latest.revision), ", ", latest.grade);
    text += latest.trouble.empty() ? "\n" : str("; the last try: ", printable(latest.trouble, 200), "\n");
  }
  return text;
}

void snapshot_status(const Core& core, const std::vector<Device*>& devices, json::object& object) {
  json::array all;
  Micros now = base::wall_now();
  for (const Known& one : known_of(core, devices)) {
    const History::Latest& latest = one.latest;
    json::object each{{"device", one.device->name}};
    each["revision"] = latest.revision.empty() ? json::value(nullptr) : json::value(latest.revision);
    each["stored"] = time_or_null(latest.stored);
    each["checked"] = time_or_null(latest.checked);
    each["age_seconds"] = latest.checked ? json::value(age(latest, now) / 1'000'000) : json::value(nullptr);
    each["grade"] = latest.grade;
    each["size"] = latest.size;
    each["trouble"] = printable(latest.trouble);
    all.push_back(std::move(each));
  }
  object["snapshots"] = std::move(all);
  object["snapshots_under_way"] = core.snapshots ? core.snapshots->under_way() : 0;
}

std::string snapshot_metrics(const Core& core, const std::vector<Device*>& devices) {
  if (!core.snapshots) return "";
  std::string text;
  auto family = [&](const char* name, const char* type, const char* help) {
    text += str("# HELP oobd_", name, " ", help, "\n# TYPE oobd_", name, " ", type, "\n");
  };
  std::vector<Known> known = known_of(core, devices);
  Micros now = base::wall_now();
  family("snapshot_age_seconds", "gauge", "since the device's configuration was last proved");
  for (const Known& one : known)
    if (one.latest.checked)
      text += str("oobd_snapshot_age_seconds{device=\"", one.device->name, "\"} ",
                  age(one.latest, now) / 1'000'000, "\n");
  family("snapshot_trouble", "gauge", "1 while the last try of the device came to nothing");
  for (const Known& one : known)
    text += str("oobd_snapshot_trouble{device=\"", one.device->name, "\"} ",
                one.latest.trouble.empty() ? 0 : 1, "\n");
  const Snapshots::Figures& figures = core.snapshots->figures();
  family("snapshots_total", "counter", "snapshots since the start, by their result");
  text += str("oobd_snapshots_total{result=\"stored\"} ", figures.stored, "\n");
  text += str("oobd_snapshots_total{result=\"unchanged\"} ", figures.unchanged, "\n");
  text += str("oobd_snapshots_total{result=\"quarantined\"} ", figures.quarantined, "\n");
  family("snapshot_failures_total", "counter", "pulls that came to nothing since the start");
  text += str("oobd_snapshot_failures_total ", figures.failed, "\n");
  family("snapshots_under_way", "gauge", "pulls now");
  text += str("oobd_snapshots_under_way ", core.snapshots->under_way(), "\n");
  return text;
}

}  // namespace oob::console

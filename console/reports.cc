#include "console/reports.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <vector>

#include "console/audit_report.h"
#include "console/call_home_report.h"
#include "console/checkup_report.h"
#include "console/disk_report.h"
#include "console/door_report.h"
#include "console/drills.h"
#include "console/guard_commands.h"
#include "console/listener_report.h"
#include "console/notice_report.h"
#include "console/session.h"
#include "console/snapshot_report.h"
#include "console/syslog_report.h"
#include "console/uplink_report.h"
#include "console/watch_report.h"

namespace oob::console {

namespace json = boost::json;
using base::Micros;
using base::Result;
using base::str;

namespace {

const char* state_of(const Console& console) {
  switch (console.state()) {
    case Console::State::up:
      return "up";
    case Console::State::opening:
      return console.why_down().empty() ? "opening" : "down";
    case Console::State::down:
    case Console::State::closed:
      break;
  }
  return "down";
}

std::vector<Device*> visible(Core& core, const Visitor& visitor, const std::string& glob) {
  std::vector<Device*> devices;
  for (const auto& [name, device] : core.inventory.all())
    if (base::glob_match(glob, name) && core.policy->may_see(visitor.who, name))
      devices.push_back(device.get());
  return devices;
}

std::string ago(Micros time, Micros now) {
  return time == 0 ? "never" : str(base::human_span(now - time), " ago");
}

// Prometheus: a label's value escapes \, " and newline.
std::string label(std::string_view value) {
  std::string text;
  for (char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    text += c == '\n' ? ' ' : c;
  }
  return text;
}

// The BMCs of these devices by name, and why each is down; several devices may share one.
std::map<std::string, std::string> bmcs_of(const std::vector<Device*>& devices) {
  std::map<std::string, std::string> bmcs;
  for (Device* device : devices)
    if (device->chassis) bmcs[device->chassis->bmc()] = device->chassis->trouble();
  return bmcs;
}

struct DiskSpace {
  std::uint64_t total = 0, free = 0;
};
DiskSpace disk_of(const std::string& path) {
  struct statvfs info;
  DiskSpace space;
  if (::statvfs(path.c_str(), &info) == 0) {
    space.total = static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize;
    space.free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }
  return space;
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - row[i].size() + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string reason_of(const std::string& trouble) {
  std::size_t at = trouble.rfind(": ");
  return at == std::string::npos ? trouble : trouble.substr(at + 2);
}

Result<std::string> list_report(Core& core, const Visitor& visitor, const std::string& glob, bool as_json) {
  std::vector<Device*> devices = visible(core, visitor, glob);
  bool plain = glob.find_first_of("*?") == std::string::npos;
  if (devices.empty() && plain) return auth::Policy::no_such_device(glob);
  Micros now = base::wall_now();
  std::string text;
  std::vector<std::vector<std::string>> rows = {
      {"DEVICE", "STATE", "POWER", "WRITER", "WATCHERS", "LAST OUTPUT", "LINE"}};
  for (Device* device : devices) {
    const Console& console = *device->console;
    std::string state = state_of(console);
    const char* power = device->chassis ? name_of(device->chassis->known_power()) : nullptr;
    if (as_json) {
      json::array watchers;
      for (const std::string& name : console.watchers()) watchers.emplace_back(name);
      json::object object{{"device", device->name}, {"line", console.describe()}, {"state", state}};
      object["power"] = power ? json::value(power) : json::value(nullptr);
      object["writer"] = console.writer().empty() ? json::value(nullptr) : json::value(console.writer());
      object["watchers"] = std::move(watchers);
      object["last_output"] =
          console.last_output() ? json::value(base::rfc3339(console.last_output())) : json::value(nullptr);
      object["bytes"] = console.end();
      Micros proved = snapshot_proved(core, device->name);
      object["snapshot"] = proved ? json::value(base::rfc3339(proved)) : json::value(nullptr);
      guard_list(core, device->name, object);
      watch_list(core, device->name, object);
      if (state != "up") object["why"] = console.why_down();
      if (!console.left_open().empty()) object["left_open"] = console.left_open();
      text += json::serialize(object) + "\n";
    } else {
      std::string shown = state;
      if (state == "down") shown = str("down: ", console.why_down());
      if (!console.left_open().empty()) shown += ", LEFT OPEN";
      shown += guard_cell(core, device->name) + watch_cell(core, device->name);
      rows.push_back({device->name, shown, power ? power : "-",
                      console.writer().empty() ? "-" : console.writer(), str(console.watcher_count()),
                      ago(console.last_output(), now), console.describe()});
    }
  }
  if (as_json) return text;
  return devices.empty() ? std::string() : table(rows);
}

std::string who_report(Core& core, const Visitor& visitor, bool as_json) {
  Micros now = base::wall_now();
  std::string text;
  std::vector<std::vector<std::string>> rows = {{"ID", "USER", "FROM", "SINCE", "DOING"}};
  for (const auto& session : core.sessions) {
    const Visitor& other = session->visitor();
    bool hidden = !other.device.empty() && !core.policy->may_see(visitor.who, other.device);
    std::string doing = hidden                 ? ""
                        : other.device.empty() ? other.doing
                                               : str(other.doing, " ", other.device);
    if (as_json) {
      json::object object{{"id", other.session},
                          {"user", other.who.user},
                          {"from", other.who.source},
                          {"key", other.who.key},
                          {"since", base::rfc3339(other.since)},
                          {"doing", doing}};
      text += json::serialize(object) + "\n";
    } else {
      rows.push_back({str(other.session), other.who.user, other.who.source, ago(other.since, now), doing});
    }
  }
  for (const Forwards::Shown& forward : core.forwards->all()) {
    const Visitor& other = forward.visitor;
    bool hidden = !core.policy->may_see(visitor.who, other.device);
    std::string doing = hidden ? "" : str(other.doing, " ", other.device, ".bmc:", forward.port);
    if (as_json) {
      json::object object{{"id", other.session},
                          {"user", other.who.user},
                          {"from", other.who.source},
                          {"key", other.who.key},
                          {"since", base::rfc3339(other.since)},
                          {"doing", doing},
                          {"bytes_in", forward.bytes_in},
                          {"bytes_out", forward.bytes_out}};
      text += json::serialize(object) + "\n";
    } else {
      rows.push_back({str(other.session), other.who.user, other.who.source, ago(other.since, now), doing});
    }
  }
  return as_json ? text : table(rows);
}

std::string status_report(Core& core, const Visitor& visitor, bool as_json) {
  std::vector<Device*> devices = visible(core, visitor, "*");
  auto up = std::count_if(devices.begin(), devices.end(),
                          [](Device* device) { return device->console->state() == Console::State::up; });
  std::map<std::string, std::string> bmcs = bmcs_of(devices);
  auto bmcs_up = std::count_if(bmcs.begin(), bmcs.end(), [](const auto& bmc) { return bmc.second.empty(); });
  DiskSpace disk = disk_of(core.state);
  Micros now = base::wall_now();
  if (as_json) {
    json::object object{{"version", core.version},          {"started", base::rfc3339(core.started)},
                        {"devices", devices.size()},        {"lines_up", up},
                        {"sessions", core.sessions.size()}, {"logins", core.logins},
                        {"refusals", core.refusals},        {"front_starts", core.front_starts},
                        {"disk_total", disk.total},         {"disk_free", disk.free}};
    object["forwards"] = core.forwards->count();
    object["bmcs"] = bmcs.size();
    object["bmcs_up"] = bmcs_up;
    audit_status(core, object);
    door_status(core, object);
    disk_status(core, object);
    syslog_status(core, object);
    notice_status(core, object);
    object["programs_trouble"] = base::printable(core.programs_trouble());
    call_home_status(core, object);
    listener_status(core, object);
    uplink_status(core, object);
    checkup_status(core, object);
    watch_status(core, visitor, object);
    guard_status(core, visitor, object);
    snapshot_status(core, devices, object);
    drill_status(core, visitor, object);
    return json::serialize(object) + "\n";
  }
  std::string text = str(core.version, "\n");
  text += str("running      ", base::human_span(now - core.started), ", since ",
              base::rfc3339(core.started, base::Precision::seconds), "\n");
  text += str("lines        ", up, " of ", devices.size(), " up\n");
  for (Device* device : devices)
    if (device->console->state() != Console::State::up)
      text += str("             ", device->name, ": ", state_of(*device->console),
                  device->console->why_down().empty() ? "" : str(": ", device->console->why_down()), "\n");
  if (!bmcs.empty()) text += str("BMCs         ", bmcs_up, " of ", bmcs.size(), " up\n");
  for (const auto& [bmc, trouble] : bmcs)
    if (!trouble.empty()) text += str("             ", bmc, ": ", trouble, "\n");
  text += str("sessions     ", core.sessions.size(), " now, ", core.logins, " logins and ", core.refusals,
              " refusals since the start\n");
  text +=
      str("forwards     ", core.forwards->count(), " now, ", core.forwards->opened(), " since the start\n");
  text += str("front        started ", core.front_starts, core.front_starts == 1 ? " time\n" : " times\n");
  if (std::string why = core.programs_trouble(); !why.empty())
    text += str("programs     NOT RUN: ", base::printable(why), "\n");
  text += door_status(core) + listener_status(core) + checkup_status(core);
  if (std::string waiting = core.approvals->list(core, visitor); !waiting.empty())
    text += str("waiting for a second person ('approve ID'):\n", waiting);
  std::uint64_t used = disk.total ? 100 - disk.free * 100 / disk.total : 0;
  text += str("disk         ", used, " % used, ", disk.free >> 20, " MiB free below ", core.state, "\n");
  text += disk_status(core) + guard_status(core, visitor);
  return text + audit_status(core) + syslog_status(core) + call_home_status(core) + notice_status(core) +
         uplink_status(core) + watch_status(core, visitor) + snapshot_status(core, devices) +
         drill_status(core, visitor);
}

std::string metrics_report(Core& core, const Visitor& visitor) {
  std::string text;
  auto family = [&](const char* name, const char* type, const char* help) {
    text += str("# HELP oobd_", name, " ", help, "\n# TYPE oobd_", name, " ", type, "\n");
  };
  auto figure = [&](const char* name, const char* type, const char* help, auto value) {
    family(name, type, help);
    text += str("oobd_", name, " ", value, "\n");
  };
  std::vector<Device*> devices = visible(core, visitor, "*");
  family("line_up", "gauge", "1 while the line is open");
  for (Device* d : devices)
    text += str("oobd_line_up{device=\"", label(d->name), "\"} ",
                d->console->state() == Console::State::up ? 1 : 0, "\n");
  family("console_bytes_total", "counter", "bytes the console said since the daemon started");
  for (Device* d : devices)
    text += str("oobd_console_bytes_total{device=\"", label(d->name), "\"} ", d->console->end(), "\n");
  family("console_watchers", "gauge", "sessions attached to the console");
  for (Device* d : devices)
    text += str("oobd_console_watchers{device=\"", label(d->name), "\"} ", d->console->watcher_count(), "\n");
  family("bmc_up", "gauge", "1 while there is a session with the BMC that powers the device");
  for (Device* d : devices)
    if (d->chassis)
      text +=
          str("oobd_bmc_up{device=\"", label(d->name), "\"} ", d->chassis->trouble().empty() ? 1 : 0, "\n");
  family("power_on", "gauge", "1 while the chassis is on; only where it is known");
  for (Device* d : devices)
    if (d->chassis && d->chassis->known_power() != PowerState::unknown)
      text += str("oobd_power_on{device=\"", label(d->name), "\"} ",
                  d->chassis->known_power() == PowerState::on ? 1 : 0, "\n");
  DiskSpace disk = disk_of(core.state);
  figure("sessions", "gauge", "sessions now", core.sessions.size());
  figure("forwards", "gauge", "TCP forwards to BMCs now", core.forwards->count());
  figure("forwards_total", "counter", "forwards whose BMC answered, since the start",
         core.forwards->opened());
  figure("forward_in_bytes_total", "counter", "bytes of forwards to BMCs", core.forwards->bytes_in());
  figure("forward_out_bytes_total", "counter", "bytes of forwards from BMCs", core.forwards->bytes_out());
  figure("logins_total", "counter", "logins since the start", core.logins);
  figure("refusals_total", "counter", "refused logins since the start", core.refusals);
  figure("front_starts_total", "counter", "starts of the SSH front", core.front_starts);
  figure("disk_total_bytes", "gauge", "size of the file system of the state folder", disk.total);
  figure("disk_free_bytes", "gauge", "free bytes of it", disk.free);
  return text + audit_metrics(core) + door_metrics(core) + listener_metrics(core) + disk_metrics(core) +
         syslog_metrics(core) + call_home_metrics(core) + notice_metrics(core) + uplink_metrics(core) +
         watch_metrics(core, visitor) + snapshot_metrics(core, devices) + drill_metrics(core);
}

}  // namespace oob::console

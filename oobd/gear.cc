#include "oobd/gear.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/log.h"
#include "base/peer_address.h"
#include "ipmi/udp_socket.h"
#include "oobd/self_path.h"
#include "oobd/ssh_line.h"
#include "serial/lines.h"

namespace oob {

using base::printable;
using base::str;

namespace {

// The BMC of a SOL console; empty for other lines.
std::string sol_bmc(const DeviceConfig& device) {
  const SolLine* sol = std::get_if<SolLine>(&device.line);
  return sol ? sol->bmc : "";
}

// Whether both lead to the same session; which ports may be forwarded to is no part of it.
bool same_session(const BmcConfig& a, BmcConfig b) {
  b.forward = a.forward;
  return a == b;
}

ipmi::Privilege privilege_named(const std::string& name) {
  if (name == "user") return ipmi::Privilege::user;
  if (name == "operator") return ipmi::Privilege::op;
  if (name == "admin") return ipmi::Privilege::admin;
  return ipmi::Privilege::none;
}

}  // namespace

Gear::Gear(Surroundings in)
    : in_(in),
      paths_(in.loop),
      gate_(in.loop),
      reach_(std::make_shared<ReachProcesses>(in.loop, self_path())) {}

Gear::~Gear() {
  while (!in_.inventory.all().empty())
    in_.inventory.remove(in_.inventory.all().begin()->first, "oobd is stopped");
}

ipmi::BmcSettings bmc_settings(const Config& config, const std::string& name) {
  const BmcConfig& bmc = config.bmcs.at(name);
  ipmi::BmcSettings settings;
  settings.name = name;
  settings.host = bmc.host;
  settings.user = bmc.user;
  settings.password_file = bmc.password_file;
  settings.kg_file = bmc.kg_file;
  settings.cipher_suite = bmc.cipher_suite;
  settings.privilege = privilege_named(bmc.privilege);
  settings.memory = str(config.state, "/bmc/", name, ".suite");
  return settings;
}

void Gear::start(const Config& config) {
  config_ = config;
  // What is remembered about BMCs. Without it all goes on: files that can't be written are said then.
  std::string folder = str(config.state, "/bmc");
  if (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST) base::log(base::system_error(folder).what);
  for (const auto& [name, bmc] : config.bmcs) stations_[name] = make_station(name);
  for (const auto& [name, device] : config.devices) add_device(name, device);
  for (const auto& [name, station] : stations_) station->start();
}

// --- making
// -----------------------------------------------------------------------------------------------

std::unique_ptr<ipmi::Station> Gear::make_station(const std::string& name) {
  ipmi::Station::Hooks hooks;
  hooks.event = [this, name](const char* event, const std::string& text) { bmc_event(name, event, text); };
  hooks.look = [this, name] { look(name); };
  hooks.logged = [this, name](const std::vector<console::LogEvent>& events) { logged(name, events); };
  return std::make_unique<ipmi::Station>(in_.loop, in_.blocking, gate_, bmc_settings(config_, name),
                                         str(config_.state, "/bmc/", name, ".sdr"), std::move(hooks));
}

std::unique_ptr<console::Line> Gear::make_line(const std::string& name, const LineConfig& line) {
  struct Make {
    Gear& gear;
    std::function<void(const std::string&)> remark;
    std::unique_ptr<console::Line> operator()(const SerialLine& l) {
      return serial::make_tty(gear.in_.loop, gear.in_.blocking, gear.paths_,
                              {l.path, l.baud, l.format, l.flow});
    }
    std::unique_ptr<console::Line> operator()(const TcpLine& l) {
      return serial::make_tcp(gear.in_.loop, l.address);
    }
    std::unique_ptr<console::Line> operator()(const TelnetLine& l) {
      return serial::make_telnet(gear.in_.loop, {l.address, l.baud, l.format, l.flow}, remark);
    }
    std::unique_ptr<console::Line> operator()(const UnixLine& l) {
      return serial::make_unix(gear.in_.loop, gear.paths_, l.path);
    }
    std::unique_ptr<console::Line> operator()(const SolLine& l) {
      return gear.stations_.at(l.bmc)->make_line(
          {l.accumulate, l.threshold, l.retries, l.retry_interval, l.baud}, remark);
    }
  };
  auto remark = [this, name](const std::string& text) { announce(name, text); };
  return std::visit(Make{*this, remark}, line);
}

std::unique_ptr<console::Chassis> Gear::make_chassis(const std::string& name, const std::string& bmc) {
  if (bmc.empty()) return nullptr;
  return stations_.at(bmc)->make_chassis(
      [this, name](console::PowerState from, console::PowerState to) { power_changed(name, from, to); });
}

void Gear::add_device(const std::string& name, const DeviceConfig& config) {
  console::Console::Surroundings surroundings{
      in_.loop, in_.pace, in_.archive, config_.scrollback,
      [this, name](const char* event, const std::string& text) {
        base::log(str(name, ": ", event, ": ", printable(text)));
        in_.journal.note(auth::Entry(event).with("device", name).with("text", printable(text)));
      }};
  console::Device& device = in_.inventory.add(
      name, std::make_unique<console::Console>(std::move(surroundings), name, make_line(name, config.line)));
  device.chassis = make_chassis(name, config.power_bmc);
  furnish(device, config);
  listen_for_alarms(device, config);
  device.console->start();
}

void Gear::furnish(console::Device& device, const DeviceConfig& config) {
  device.model = config.model;
  device.is_protected = config.is_protected;
  device.carries_oob = config.carries_oob;
  device.record_input = config.record_input;
  device.login = {config.login.user, config.login.password_file, config.login.enable_file};
  device.fetch = config.fetch;
  device.guard_power = config.guard_power;
  device.in_band = nullptr;
  if (!config.ssh.host.empty())
    device.in_band = [&loop = in_.loop, &blocking = in_.blocking, reach = reach_, ssh = config.ssh](
                         bool shell) { return std::make_unique<SshLine>(loop, blocking, reach, ssh, shell); };
  device.forward = forward_of(config);
}

void Gear::listen_for_alarms(console::Device& device, const DeviceConfig& config) {
  console::AlarmEar::Surroundings ear{
      in_.loop, in_.journal, device.name, alarms_.of(config.alarms),
      [console = device.console.get()](const std::string& text) { console->announce(text); }};
  device.console->ear(std::make_unique<console::AlarmEar>(std::move(ear), console::AlarmEar::Limits{}));
}

// The BMC that powers a device is its BMC; without power, the one its console is at.
std::optional<console::ForwardTarget> Gear::forward_of(const DeviceConfig& config) const {
  std::string name = config.power_bmc.empty() ? sol_bmc(config) : config.power_bmc;
  if (name.empty()) return std::nullopt;
  const BmcConfig& bmc = config_.bmcs.at(name);
  base::Result<std::string> address = ipmi::full_address(bmc.host);
  if (!address) return std::nullopt;
  return console::ForwardTarget{name, base::address_of(*address), bmc.forward};
}

// --- reload
// -----------------------------------------------------------------------------------------------

std::string Gear::change(const Config& next) {
  int removed = 0, added = 0, changed = 0;
  for (const auto& [name, device] : config_.devices) {
    if (next.devices.count(name)) continue;
    in_.inventory.remove(name, "taken out of the configuration");
    ++removed;
  }
  Config before = std::exchange(config_, next);
  config_.state = before.state;  // takes effect at the next start

  // A BMC with other terms is another one: what used the old one moves over before that goes.
  std::map<std::string, std::unique_ptr<ipmi::Station>> old;
  for (auto& [name, bmc] : before.bmcs) {
    auto now = next.bmcs.find(name);
    if (now != next.bmcs.end() && same_session(now->second, bmc)) {
      stations_[name]->bmc().retry();  // its password file may be another
      continue;
    }
    old[name] = std::move(stations_[name]);
    stations_.erase(name);
  }
  std::vector<ipmi::Station*> fresh;
  for (const auto& [name, bmc] : next.bmcs) {
    if (stations_.count(name)) continue;
    stations_[name] = make_station(name);
    fresh.push_back(stations_[name].get());
  }

  for (const auto& [name, device] : next.devices) {
    auto was = before.devices.find(name);
    if (was == before.devices.end()) {
      add_device(name, device);
      ++added;
      continue;
    }
    console::Device& live = *in_.inventory.find(name);
    furnish(live, device);
    if (was->second.alarms != device.alarms) listen_for_alarms(live, device);
    bool line = was->second.line != device.line || old.count(sol_bmc(was->second));
    bool power = was->second.power_bmc != device.power_bmc || old.count(was->second.power_bmc);
    if (power) live.chassis = make_chassis(name, device.power_bmc);
    if (line) live.console->replace_line(make_line(name, device.line));
    if (line || power || was->second != device) ++changed;
  }
  old.clear();
  for (ipmi::Station* station : fresh) station->start();
  return str(added, " devices added, ", removed, " removed, ", changed, " changed");
}

// --- what happens
// -----------------------------------------------------------------------------------------

console::Console* Gear::console_of(const std::string& device) {
  console::Device* found = in_.inventory.find(device);
  return found ? found->console.get() : nullptr;
}

// What a line has to say and is no loss of it: somebody's SOL was taken over, a setting was refused.
void Gear::announce(const std::string& device, const std::string& remark) {
  base::log(str(device, ": ", printable(remark)));
  in_.journal.note(auth::Entry("line.remark").with("device", device).with("text", printable(remark)));
  console::Console* console = console_of(device);
  if (!console) return;
  console->transcript().mark("line", remark);
  console->announce(printable(remark));
}

void Gear::bmc_event(const std::string& bmc, const char* event, const std::string& text) {
  base::log(str(event, ": ", bmc, ": ", printable(text)));
  in_.journal.note(auth::Entry(event).with("bmc", bmc).with("text", printable(text)));
}

// Every state that is read is remembered by the device's chassis, which tells of changes.
void Gear::look(const std::string& bmc) {
  for (const auto& [name, device] : in_.inventory.all())
    if (device->chassis && device->chassis->bmc() == bmc) device->chassis->power([](const auto&) {});
}

void Gear::power_changed(const std::string& device, console::PowerState from, console::PowerState to) {
  std::string text = str("power ", console::name_of(from), " -> ", console::name_of(to));
  base::log(str(device, ": ", text));
  in_.journal.note(auth::Entry("power.change")
                       .with("device", device)
                       .with("from", console::name_of(from))
                       .with("to", console::name_of(to)));
  console::Console* console = console_of(device);
  if (!console) return;
  console->transcript().mark("power", text);
  console->announce(text);
}

void Gear::logged(const std::string& bmc, const std::vector<console::LogEvent>& events) {
  for (const auto& [name, device] : in_.inventory.all()) {
    const DeviceConfig& config = config_.devices.at(name);
    if (config.power_bmc != bmc && sol_bmc(config) != bmc) continue;
    for (const console::LogEvent& event : events) {
      std::string text = str(event.sensor, ": ", event.text, event.asserted ? "" : " (deasserted)");
      device->console->transcript().mark("sel", text);
      device->console->announce(str("BMC: ", text));
    }
  }
}

}  // namespace oob

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/journal.h"
#include "base/disk.h"
#include "base/loop.h"
#include "console/alarms.h"
#include "console/inventory.h"
#include "ipmi/handshake_gate.h"
#include "ipmi/station.h"
#include "oobd/config.h"
#include "oobd/reach_processes.h"
#include "serial/path_watch.h"

namespace oob {

// The BMCs, lines and devices that the configuration names, as living objects: made at the start, and changed
// by a reload where the configuration has changed, so that the rest does not notice.
class Gear {
 public:
  struct Surroundings {
    base::Loop& loop;
    base::Blocking& blocking;
    console::Archive& archive;
    console::Pace& pace;
    auth::Journal& journal;
    console::Inventory& inventory;
  };

  explicit Gear(Surroundings in);
  // Lets go of all devices; their people are told.
  ~Gear();
  Gear(const Gear&) = delete;
  Gear& operator=(const Gear&) = delete;

  void start(const Config& config);
  // Makes the living objects what `next` says. For people: "2 devices added, …".
  std::string change(const Config& next);

 private:
  std::unique_ptr<ipmi::Station> make_station(const std::string& name);
  std::unique_ptr<console::Line> make_line(const std::string& name, const LineConfig& line);
  std::unique_ptr<console::Chassis> make_chassis(const std::string& name, const std::string& bmc);
  void add_device(const std::string& name, const DeviceConfig& config);
  void furnish(console::Device& device, const DeviceConfig& config);
  void listen_for_alarms(console::Device& device, const DeviceConfig& config);

  std::optional<console::ForwardTarget> forward_of(const DeviceConfig& config) const;

  console::Console* console_of(const std::string& device);
  void announce(const std::string& device, const std::string& remark);
  void bmc_event(const std::string& bmc, const char* event, const std::string& text);
  void look(const std::string& bmc);
  void power_changed(const std::string& device, console::PowerState from, console::PowerState to);
  void logged(const std::string& bmc, const std::vector<console::LogEvent>& events);

  Surroundings in_;
  Config config_;
  serial::PathWatch paths_;
  ipmi::HandshakeGate gate_;
  console::AlarmBook alarms_;
  std::shared_ptr<ReachProcesses> reach_;  // lines to devices over the network have it too
  std::map<std::string, std::unique_ptr<ipmi::Station>> stations_;
};

// How the BMC of that name is reached. REQUIRES: there is one.
ipmi::BmcSettings bmc_settings(const Config& config, const std::string& name);

}  // namespace oob

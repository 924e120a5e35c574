#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "console/chassis.h"
#include "console/console.h"

namespace oob::console {

// Where the BMC of a device takes TCP connections, and which of its ports may be forwarded to.
struct ForwardTarget {
  std::string bmc;      // its name, for the journal
  std::string address;  // numeric, without port and brackets: "192.0.2.21", "fe80::1%eth0"
  std::vector<std::uint16_t> ports;
};

// How oobd itself logs in, by the device's recipe. The files are read when they are needed.
struct LoginSettings {
  std::string user;                        // empty: none
  std::string password_file, enable_file;  // absolute paths; empty: none
};

// A router or server by its name, with its console and its chassis. Owned by the Inventory.
struct Device {
  std::string name;
  std::string model;          // how to log in and pull its configuration; empty: unknown
  bool is_protected = false;  // power actions that stop it need its name
  bool carries_oob =
      false;  // it powers or carries this board's own uplink: they need its name, and a warning
  bool record_input = false;  // what is typed on its console is recorded as well
  LoginSettings login;
  std::vector<std::string>
      fetch;                 // shell patterns of files that its snapshots have besides those of the recipe
  bool guard_power = false;  // a guard may reset it when its console does not answer
  // A line to a command line of it over the management network (SSH); `shell`: to a bare /bin/sh. Null: none.
  std::function<std::unique_ptr<Line>(bool shell)> in_band;
  std::unique_ptr<Console> console;
  std::unique_ptr<Chassis> chassis;      // null: no power
  std::optional<ForwardTarget> forward;  // none: it has no BMC
};

// All devices, in the order of their names.
class Inventory {
 public:
  Device& add(std::string name, std::unique_ptr<Console> console);
  // Its people are told `why`. No Device& of it may be kept.
  void remove(const std::string& name, const std::string& why);
  Device* find(const std::string& name);  // null: there is none
  const std::map<std::string, std::unique_ptr<Device>>& all() const { return devices_; }

 private:
  std::map<std::string, std::unique_ptr<Device>> devices_;
};

}  // namespace oob::console

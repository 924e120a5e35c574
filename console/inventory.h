#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "console/console.h"

namespace oob::console {

// A router or server by its name, with its console. Owned by the Inventory.
struct Device {
  std::string name;
  std::string model;      // how to log in and pull its configuration; empty: unknown
  std::string power_bmc;  // the BMC that powers it; empty: none
  std::unique_ptr<Console> console;
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

#include "console/inventory.h"

namespace oob::console {

Device& Inventory::add(std::string name, std::unique_ptr<Console> console) {
  auto device = std::make_unique<Device>();
  device->name = name;
  device->console = std::move(console);
  return *(devices_[std::move(name)] = std::move(device));
}

void Inventory::remove(const std::string& name, const std::string& why) {
  auto at = devices_.find(name);
  if (at == devices_.end()) return;
  at->second->console->dismiss(why);
  devices_.erase(at);
}

Device* Inventory::find(const std::string& name) {
  auto at = devices_.find(name);
  return at == devices_.end() ? nullptr : at->second.get();
}

}  // namespace oob::console

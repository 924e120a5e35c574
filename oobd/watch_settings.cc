#include "oobd/watch_settings.h"

#include <chrono>

namespace oob {

std::map<std::string, console::WatchSettings> watch_settings(const Config& config) {
  std::map<std::string, console::WatchSettings> all;
  for (const auto& [name, each] : config.watches) {
    console::WatchSettings settings;
    settings.device = each.device;
    if (auto daemon = console::routing_daemon(each.daemon)) settings.daemon = *daemon;
    settings.neighbour = each.neighbour;
    settings.command = each.command;
    for (const std::string& probe : each.probe)  // all of them were checked
      if (auto target = uplink::Target::parse(probe)) settings.targets.push_back(std::move(*target));
    settings.interface = each.interface;
    settings.every = std::chrono::ceil<base::milliseconds>(std::chrono::microseconds(each.every));
    all[name] = std::move(settings);
  }
  return all;
}

}  // namespace oob

#include "console/confirm.h"

#include <algorithm>
#include <string_view>

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

// A device that must be named, and why.
struct Guard {
  std::string name, why;
};

bool guarded(const Device& device) { return device.is_protected || device.carries_oob; }

// Of what is acted upon, and of what hangs on the same BMCs.
std::vector<Guard> guards_of(const std::vector<const Device*>& devices, const Inventory& all) {
  std::vector<Guard> guards;
  for (const Device* device : devices) {
    if (!guarded(*device)) continue;
    guards.push_back(
        {device->name, device->carries_oob
                           ? str(device->name, " carries this board's own uplink: you may lock yourself out")
                           : str(device->name, " is protected")});
  }
  for (const auto& [name, other] : all.all()) {
    if (!guarded(*other) || !other->chassis) continue;
    bool acted_on = false, shares = false;
    for (const Device* device : devices) {
      acted_on = acted_on || device->name == name;
      shares = shares || (device->chassis && device->chassis->bmc() == other->chassis->bmc());
    }
    if (acted_on || !shares) continue;
    guards.push_back({name, other->carries_oob
                                ? str(name,
                                      ", which carries this board's own uplink, is powered by the same BMC: "
                                      "you may lock yourself out")
                                : str(name, " is powered by the same BMC")});
  }
  return guards;
}

std::vector<std::string_view> listed(std::string_view names) {
  std::vector<std::string_view> list;
  base::split(names, ',', [&](std::string_view name) {
    if (!name.empty()) list.push_back(name);
  });
  return list;
}

bool has(const std::vector<std::string_view>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

bool is_glob(const std::string& pattern) { return pattern.find_first_of("*?") != std::string::npos; }

std::string deed_of(PowerAction action, const std::string& what) {
  switch (action) {
    case PowerAction::on:
      return str("switch ", what, " on");
    case PowerAction::off:
      return str("switch ", what, " off");
    case PowerAction::cycle:
    case PowerAction::reset:
      return str(name_of(action), " ", what);
    case PowerAction::soft:
      return str("shut ", what, " down");
  }
  return "";
}

Confirmation confirmation_for(const std::string& pattern, const std::vector<const Device*>& devices,
                              PowerAction action, const Inventory& all) {
  Confirmation needed;
  if (action == PowerAction::on) return needed;
  std::vector<Guard> guards = guards_of(devices, all);
  if (guards.empty() && devices.size() < 2) return needed;
  if (is_glob(pattern)) needed.names = pattern;
  if (devices.size() > 1) needed.why = str(devices.size(), " devices");
  for (const Guard& guard : guards) {
    needed.names += str(needed.names.empty() ? "" : ",", guard.name);
    needed.why += str(needed.why.empty() ? "" : "; ", guard.why);
  }
  return needed;
}

Result<bool> confirms(const std::string& given, const Confirmation& needed, const std::string& pattern,
                      const std::vector<const Device*>& devices) {
  std::vector<std::string_view> named = listed(given), wanted = listed(needed.names);
  for (std::string_view name : named) {
    bool known = name == pattern || has(wanted, name) ||
                 std::any_of(devices.begin(), devices.end(),
                             [&](const Device* device) { return device->name == name; });
    if (!known)
      return fail(Fault::usage,
                  str("--yes names ", base::printable(name, 60), ", which is not what this acts on"));
  }
  return std::all_of(wanted.begin(), wanted.end(), [&](std::string_view name) { return has(named, name); });
}

Result<> still_confirmed(const Confirmation& confirmed, const std::vector<std::string>& devices,
                         PowerAction action, const Inventory& all) {
  if (action == PowerAction::on) return {};
  std::vector<const Device*> left;
  for (const std::string& name : devices)
    if (auto at = all.all().find(name); at != all.all().end()) left.push_back(at->second.get());
  std::vector<std::string_view> named = listed(confirmed.names);
  std::string why;
  for (const Guard& guard : guards_of(left, all))
    if (!has(named, guard.name)) why += str(why.empty() ? "" : "; ", guard.why);
  if (!why.empty()) return fail(Fault::failed, str("not done: now ", why));
  return {};
}

}  // namespace oob::console

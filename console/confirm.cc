#include "console/confirm.h"

#include <algorithm>
#include <string_view>

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

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
                              PowerAction action) {
  Confirmation needed;
  if (action == PowerAction::on) return needed;
  std::vector<std::string> names;
  auto add_reason = [&needed](const std::string& reason) {
    needed.why += str(needed.why.empty() ? "" : "; ", reason);
  };
  if (devices.size() > 1) add_reason(str(devices.size(), " devices"));
  for (const Device* device : devices) {
    if (!device->is_protected && !device->carries_oob) continue;
    names.push_back(device->name);
    add_reason(device->carries_oob
                   ? str(device->name, " carries this board's own uplink: you may lock yourself out")
                   : str(device->name, " is protected"));
  }
  if (names.empty() && devices.size() < 2) return needed;
  if (is_glob(pattern)) names.insert(names.begin(), pattern);
  for (const std::string& name : names) needed.names += str(needed.names.empty() ? "" : ",", name);
  return needed;
}

Result<bool> confirms(const std::string& given, const Confirmation& needed, const std::string& pattern,
                      const std::vector<const Device*>& devices) {
  std::vector<std::string_view> named;
  base::split(given, ',', [&](std::string_view name) {
    if (!name.empty()) named.push_back(name);
  });
  for (std::string_view name : named) {
    bool known = name == pattern || std::any_of(devices.begin(), devices.end(),
                                                [&](const Device* device) { return device->name == name; });
    if (!known)
      return fail(Fault::usage,
                  str("--yes names ", base::printable(name, 60), ", which is not what this acts on"));
  }
  bool all = true;
  if (!needed.names.empty())
    base::split(needed.names, ',', [&](std::string_view name) {
      all = all && std::find(named.begin(), named.end(), name) != named.end();
    });
  return all;
}

}  // namespace oob::console

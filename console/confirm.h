#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "console/inventory.h"

namespace oob::console {

// What has to be named before something that stops machines is done to them, and why. Pure: who asks, and
// how, is the job's.
struct Confirmation {
  std::string names;  // what --yes takes, and what a person is asked to type; empty: nothing is needed
  std::string why;    // "edge1 is protected"
};

// For an action on `devices`, which `pattern` (a name or a glob) stands for. `on` needs nothing; the others
// do when there is more than one device, or a protected one, or one that carries this board's own uplink: the
// pattern exactly as given, and each of those devices, joined by commas.
Confirmation confirmation_for(const std::string& pattern, const std::vector<const Device*>& devices,
                              PowerAction action);

// Whether `given`, names joined by commas in any order, has all that is needed. Fault::usage when it names
// something that is neither the pattern nor one of the devices: then something else was meant.
base::Result<bool> confirms(const std::string& given, const Confirmation& needed, const std::string& pattern,
                            const std::vector<const Device*>& devices);

bool is_glob(const std::string& pattern);

// "cycle edge1", "switch it off": as a question has it.
std::string deed_of(PowerAction action, const std::string& what);

}  // namespace oob::console

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
// do when there is more than one device, or a guarded one (protected, or carrying this board's own uplink),
// or a guarded one of `all` whose chassis has the same BMC, which feels it too: the pattern exactly as given
// if it is a glob, and each of those devices, joined by commas.
Confirmation confirmation_for(const std::string& pattern, const std::vector<const Device*>& devices,
                              PowerAction action, const Inventory& all);

// Whether `given`, names joined by commas in any order, has all that is needed. Fault::usage when it names
// something that is neither needed nor the pattern nor one of the devices: then something else was meant.
base::Result<bool> confirms(const std::string& given, const Confirmation& needed, const std::string& pattern,
                            const std::vector<const Device*>& devices);

// Asked again when the answer has come, for a reload may have guarded a device while the question was open.
// Fault::failed, "not done: now edge1 is protected", when that would want a name which `confirmed` has not.
// Devices that are gone by now want nothing.
base::Result<> still_confirmed(const Confirmation& confirmed, const std::vector<std::string>& devices,
                               PowerAction action, const Inventory& all);

bool is_glob(const std::string& pattern);

// "cycle edge1", "switch it off": as a question has it.
std::string deed_of(PowerAction action, const std::string& what);

}  // namespace oob::console

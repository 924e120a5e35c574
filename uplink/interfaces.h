#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace oob::uplink {

// A network interface as the system has it now (getifaddrs(3)).
struct Interface {
  unsigned index = 0;                  // changes when one of the same name is made anew
  bool is_up = false;                  // switched on, and has its carrier (IFF_UP, IFF_RUNNING)
  std::vector<std::string> addresses;  // numeric, with "%ZONE" where it is link-local; sorted
  bool operator==(const Interface&) const = default;
};

// Why nothing can leave by it, for people: "it is switched off or has no carrier"; empty: something can.
std::string trouble_of(const Interface& interface);

// Whether an interface may be called so: 1 to 15 bytes without blanks, '/' and ':' (Linux: dev_valid_name()).
// Fault::config: what is wrong with it.
base::Result<> check_interface_name(std::string_view name);

// All of them, by name.
base::Result<std::map<std::string, Interface>> interfaces();

}  // namespace oob::uplink

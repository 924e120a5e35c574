#include "oobd/check.h"

#include <cstdio>

#include "oobd/check_bmc.h"
#include "oobd/check_uplink.h"
#include "oobd/config.h"

namespace oob {
namespace {

std::string count(std::size_t number, std::string_view noun) {
  return base::str(number, " ", noun, number == 1 ? "" : "s");
}

}  // namespace

int run_check(const std::string& file, bool bmcs, bool uplinks) {
  ConfigOutcome outcome = read_config(file);
  std::string out;
  for (const ConfigFault& fault : outcome.faults) out += fault.text() + "\n";
  if (outcome.config) {
    out = base::str(file, ": ", count(outcome.config->users.size(), "user"), ", ",
                    count(outcome.config->devices.size(), "device"), ", ",
                    count(outcome.config->roles.size(), "role"), ": no fault\n");
  }
  std::fputs(out.c_str(), stdout);
  std::fflush(stdout);
  if (!outcome.config) return static_cast<int>(base::Fault::config);
  int status = bmcs ? run_check_bmc(*outcome.config) : 0;
  int routing = uplinks ? run_check_uplink(*outcome.config) : 0;
  return status != 0 ? status : routing;
}

}  // namespace oob

#pragma once

#include <string>

#include "ipmi/survey.h"
#include "oobd/config.h"

namespace oob {

// `oobd check --bmc`: looks at every BMC of the configuration, all at once, and prints what each offers. Exit
// status: 0; 69 where one could not be used; 1 where one is open to strangers.
int run_check_bmc(const Config& config);

// The lines about one BMC. `power`: devices are powered by it, `sol`: one has its console there. `colour`:
// what is dangerous is red.
std::string report_text(const std::string& name, const ipmi::BmcReport& report, bool power, bool sol,
                        bool colour);

}  // namespace oob

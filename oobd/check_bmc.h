#pragma once

#include <string>

#include "ipmi/survey.h"
#include "oobd/config.h"

namespace oob {

// `oobd check --bmc`: looks at every BMC of the configuration, all at once, and prints what each offers. Exit
// status: the worst verdict() of all.
int run_check_bmc(const Config& config);

// The lines about one BMC. `power`: devices are powered by it, `sol`: one has its console there. `colour`:
// what is dangerous is red.
std::string report_text(const std::string& name, const ipmi::BmcReport& report, bool power, bool sol,
                        bool colour);

// The exit status for one: 1 where it is open to strangers, which is the worst; else 69 where it can't be
// used for what the configuration wants of it (no session, too little privilege, SOL disabled); else 0.
int verdict(const ipmi::BmcReport& report, bool power, bool sol);
int worse(int one, int other);  // of two verdicts

}  // namespace oob

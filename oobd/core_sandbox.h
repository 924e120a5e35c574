#pragma once

#include <string>
#include <vector>

#include "base/landlock.h"
#include "oobd/config.h"

namespace oob {

// What the core keeps of the file system (docs/configuration.md, "sandbox"): its state folder; to read, the
// folders of the configuration and of every file it names, and what programs need of the system; devices;
// and to execute, itself alone, since it starts the front again and again. Connections out stay as they are,
// listening on further TCP ports does not.
base::LandlockTerms core_terms(const Config& config, const std::string& config_file);

// Puts that on, for good (base/landlock.h). After listening, before the first thread. Returns what holds or
// what this system lacks, for `status`: "Landlock 7", "MISSING: Landlock (this kernel has none)".
std::string enter_core_sandbox(const Config& config, const std::string& config_file);

}  // namespace oob

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/landlock.h"
#include "oobd/config.h"

namespace oob {

// What the core keeps of the file system (docs/configuration.md, "sandbox"): its state folder; to read, the
// folders of the configuration and of every file it names, and the libraries and what they read; all of /dev,
// since the nodes of serial lines come, go and change their numbers; to execute, itself and the folder of the
// dynamic loader, since it starts the front again and again, and git, which hands out the history of
// configurations (console/upload_pack.h). So it starts no other program directly; but the loader runs for
// whoever asks it whatever can be read: its libraries, and what is written to the state folder. Connections
// out stay as they are. In the folders of Unix sockets that it listens at it makes and removes sockets; of
// TCP ports it may listen on PORTS again, on no other.
base::LandlockTerms core_terms(const Config& config, const std::string& config_file,
                               std::vector<std::uint16_t> ports);

// What must be readable for names to be looked up by the resolv.conf at `path`: that file as it is now; where
// it is a symlink, the folder it leads to, so that one that is written anew there, after a redial, is seen
// too.
std::vector<std::string> resolver_places(const std::string& path);

// Puts that on, for good (base/landlock.h). After listening, before the first thread. Returns what holds or
// what this system lacks, for `status`: "Landlock 7", "MISSING: Landlock (this kernel has none)".
std::string enter_core_sandbox(const Config& config, const std::string& config_file,
                               std::vector<std::uint16_t> ports);

}  // namespace oob

#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "console/guards.h"

namespace oob::console {

// The file of guards (docs/formats.md, "Guards"): those that hold, and by device how the last one ended.
std::string guards_text(const std::vector<const Guard*>& guards,
                        const std::map<std::string, PastGuard>& past);

struct GuardFile {
  std::vector<Guard> guards;
  std::vector<PastGuard> past;
};
// All of it or nothing.
base::Result<GuardFile> read_guards(const std::string& text);

}  // namespace oob::console

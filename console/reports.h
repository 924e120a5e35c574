#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "console/core.h"

namespace oob::console {

// Texts that tell how things are, of what this visitor may see: tables for people, or JSON (one object, or
// one per line for lists). Field names are the contract's and stay.

// Columns as wide as their widest cell, two blanks between; the last one is not padded.
std::string table(const std::vector<std::vector<std::string>>& rows);

// What is wrong, without the file it is wrong with: that may name a device which the reader may not see.
std::string reason_of(const std::string& trouble);

// Devices that match `glob`. Fault::missing when `glob` is a plain name of none that may be seen.
base::Result<std::string> list_report(Core& core, const Visitor& visitor, const std::string& glob, bool json);
std::string who_report(Core& core, const Visitor& visitor, bool json);
std::string status_report(Core& core, const Visitor& visitor, bool json);
// Prometheus text exposition format 0.0.4.
std::string metrics_report(Core& core, const Visitor& visitor);

}  // namespace oob::console

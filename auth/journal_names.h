#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace oob::auth {

// "000000000017.jsonl": the file of records whose first is 17.
std::string journal_name(std::uint64_t first);
// The first records of all files of records in a folder, ascending.
base::Result<std::vector<std::uint64_t>> journal_numbers(const std::string& directory);

}  // namespace oob::auth

#include "auth/journal_names.h"

#include <dirent.h>

#include <algorithm>
#include <cstdio>

namespace oob::auth {

using base::Result;

std::string journal_name(std::uint64_t first) {
  char name[32];
  std::snprintf(name, sizeof name, "%012llu.jsonl", static_cast<unsigned long long>(first));
  return name;
}

Result<std::vector<std::uint64_t>> journal_numbers(const std::string& directory) {
  DIR* open = ::opendir(directory.c_str());
  if (!open) return base::system_error(directory);
  std::vector<std::uint64_t> found;
  while (dirent* entry = ::readdir(open)) {
    std::string_view name = entry->d_name;
    std::uint64_t first;
    if (name.ends_with(".jsonl") && base::parse_number(name.substr(0, name.size() - 6), first) &&
        journal_name(first) == name)
      found.push_back(first);
  }
  ::closedir(open);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace oob::auth

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "console/history.h"

namespace oob::snapshot {

constexpr const char* kMetaFile = console::History::kMeta;

// What DEVICE/meta.json says of the files beside it (docs/formats.md, Snapshots).
struct Meta {
  struct File {
    std::string sha256, grade, parse;
    std::uint64_t size = 0;
  };
  std::map<std::string, File> files;
  std::vector<std::string> absent;
  std::string method, grade, recipe, device_version, recording, user;
  base::Micros began = 0, ended = 0;
  unsigned retries = 0;
  std::uint64_t wire_bytes = 0, noise_lines = 0;

  std::string recipe_name() const;  // "pfsense" of "pfsense 3"
};

Meta meta_of(const console::History::Snapshot& snapshot);
std::string write_meta(const Meta& meta);
// A disk may be damaged: anything may be in it.
base::Result<Meta> read_meta(std::string_view text);

}  // namespace oob::snapshot

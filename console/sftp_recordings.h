#pragma once

#include <map>
#include <string>
#include <vector>

#include "audit/library.h"
#include "base/result.h"
#include "console/sftp_server.h"

namespace oob::console {

// The folders YYYY/MM/DD of recordings as one visit by SFTP looks at them: only those that a path names, and
// the head of each recording once. One thread at a time. Blocks.
class SftpRecordings {
 public:
  using Path = SftpFiles::Path;
  static constexpr std::size_t kMostKnown = 50'000;  // recordings whose devices are remembered

  explicit SftpRecordings(std::string directory) : directory_(std::move(directory)) {}

  // What is in the folder `path` (0 to 3 parts): of each entry the devices that were recorded, each with the
  // attributes that the entry has for those who may see this device alone.
  struct Entry {
    std::string name;
    std::map<std::string, SftpAttributes> devices;
  };
  base::Result<std::vector<Entry>> list(const Path& path);
  struct Found {
    std::string device, file;  // a path on the disk
    SftpAttributes about;
  };
  // The recording "2026", "11", "22", "ID.cast". Fault::missing.
  base::Result<Found> find(const Path& path);

 private:
  bool gather(const std::string& below, std::size_t depth, Entry& entry);
  std::string device_of(const std::string& id);  // empty: what is there is no recording

  std::string directory_;
  std::map<std::string, std::string> known_;  // device by id: no recording changes its own
};

}  // namespace oob::console

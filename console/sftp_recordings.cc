#include "console/sftp_recordings.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace oob::console {

namespace fs = std::filesystem;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kFile = 3;  // how deep the files lie
constexpr std::string_view kEnding = ".cast";

// "2026", "11", "22", "ID.cast".
bool is_name(std::string_view name, std::size_t depth) {
  if (depth == kFile)
    return name.ends_with(kEnding) && audit::is_recording_id(name.substr(0, name.size() - kEnding.size()));
  return name.size() == (depth == 0 ? 4 : 2) && name.find_first_not_of("0123456789") == name.npos;
}

std::string id_of(const std::string& name) { return name.substr(0, name.size() - kEnding.size()); }

std::vector<std::string> names_in(const std::string& folder, std::size_t depth) {
  std::vector<std::string> names;
  std::error_code wrong;
  for (fs::directory_iterator each(folder, wrong), end; !wrong && each != end; each.increment(wrong))
    if (std::string name = each->path().filename(); is_name(name, depth)) names.push_back(std::move(name));
  std::sort(names.begin(), names.end());
  return names;
}

bool look_at(const std::string& path, SftpAttributes& about) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) < 0 || !S_ISREG(found.st_mode)) return false;
  about.size = static_cast<std::uint64_t>(found.st_size);
  about.modified = found.st_mtim.tv_sec * 1'000'000LL + found.st_mtim.tv_nsec / 1000;
  return true;
}

}  // namespace

std::string SftpRecordings::device_of(const std::string& id) {
  auto found = known_.find(id);
  if (found != known_.end()) return found->second;
  auto reader = audit::CastReader::open(str(directory_, "/", audit::recording_path(id)));
  // One that begins just now has no head yet.
  if (!reader || (*reader)->header().id != id) return "";
  if (known_.size() >= kMostKnown) known_.clear();
  return known_[id] = (*reader)->header().device;
}

// Adds what is in the folder `below`, which lies `depth` deep.
bool SftpRecordings::gather(const std::string& below, std::size_t depth, Entry& entry) {
  for (const std::string& name : names_in(below, depth)) {
    std::string path = str(below, "/", name);
    if (depth < kFile) {
      gather(path, depth + 1, entry);
      continue;
    }
    SftpAttributes about;
    std::string device = device_of(id_of(name));
    if (device.empty() || !look_at(path, about)) continue;
    SftpAttributes& folder = entry.devices[device];
    folder.folder = true;
    folder.modified = std::max(folder.modified, about.modified);
  }
  return !entry.devices.empty();
}

Result<std::vector<SftpRecordings::Entry>> SftpRecordings::list(const Path& path) {
  std::vector<Entry> entries;
  std::string folder = directory_;
  for (std::size_t depth = 0; depth < path.size(); ++depth) {
    if (depth >= kFile || !is_name(path[depth], depth)) return fail(Fault::missing, "no such file");
    folder += "/" + path[depth];
  }
  for (const std::string& name : names_in(folder, path.size())) {
    Entry entry{name, {}};
    if (path.size() < kFile) {
      if (gather(str(folder, "/", name), path.size() + 1, entry)) entries.push_back(std::move(entry));
      continue;
    }
    Path whole = path;
    whole.push_back(name);
    Result<Found> found = find(whole);
    if (!found) continue;
    entry.devices[found->device] = found->about;
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<SftpRecordings::Found> SftpRecordings::find(const Path& path) {
  base::Error none = fail(Fault::missing, "no such file");
  if (path.size() != kFile + 1 || !is_name(path[kFile], kFile)) return none;
  std::string id = id_of(path[kFile]);
  if (sftp_path_text(path) != "/" + audit::recording_path(id)) return none;
  Found found;
  found.file = str(directory_, sftp_path_text(path));
  if (!look_at(found.file, found.about)) return none;
  found.device = device_of(id);
  if (found.device.empty()) return none;
  return found;
}

}  // namespace oob::console

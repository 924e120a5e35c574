#include "console/segments.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace oob::console {
namespace {

constexpr std::size_t kDigits = 20;
constexpr std::uint64_t kFarthest = std::uint64_t{1} << 62;  // so that sums do not wrap

base::Micros modified(const struct stat& about) {
  return about.st_mtim.tv_sec * 1'000'000LL + about.st_mtim.tv_nsec / 1000;
}

}  // namespace

std::string transcript_folder(const std::string& directory, const std::string& device) {
  std::string folder = directory + "/";
  for (std::size_t i = 0; i < device.size(); ++i) {
    char c = device[i];
    if (c == '/') {
      folder += "%2F";
    } else if (c == '%') {
      folder += "%25";
    } else if (c == '\0') {
      folder += "%00";
    } else if (c == '.' && i == 0) {
      folder += "%2E";
    } else {
      folder += c;
    }
  }
  return folder;
}

std::string segment_name(std::uint64_t start, const char* ending) {
  std::string digits = std::to_string(start);
  return std::string(kDigits - digits.size(), '0') + digits + ending;
}

base::Result<std::vector<std::uint64_t>> segment_starts(const std::string& folder) {
  std::vector<std::uint64_t> starts;
  std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  if (!open && errno == ENOENT) return starts;
  if (!open) return base::system_error(folder);
  errno = 0;
  while (const dirent* entry = ::readdir(open.get())) {
    std::string_view name = entry->d_name;
    std::uint64_t start;
    if (name.size() == kDigits + 4 && name.substr(kDigits) == ".log" &&
        base::parse_number(name.substr(0, kDigits), start) && start < kFarthest)
      starts.push_back(start);
  }
  if (errno) return base::system_error(folder);
  std::sort(starts.begin(), starts.end());
  return starts;
}

base::Result<> Segments::refresh() {
  base::Result<std::vector<std::uint64_t>> starts = segment_starts(folder_);
  if (!starts) return starts.error();
  std::vector<Segment> found;
  for (std::uint64_t start : *starts) {
    std::string path = folder_ + "/" + segment_name(start, ".log");
    struct stat about {};
    if (::lstat(path.c_str(), &about) < 0) {
      if (errno == ENOENT) continue;  // deleted since it was listed
      return base::system_error(path);
    }
    if (!S_ISREG(about.st_mode)) continue;
    if (!found.empty()) found.back().end = std::min(found.back().end, start);
    found.push_back({start, start + static_cast<std::uint64_t>(about.st_size), modified(about)});
  }
  all_ = std::move(found);
  return {};
}

std::size_t Segments::at(std::uint64_t offset) const {
  auto behind =
      std::upper_bound(all_.begin(), all_.end(), offset,
                       [](std::uint64_t wanted, const Segment& segment) { return wanted < segment.end; });
  return behind == all_.end() ? all_.size() - 1 : static_cast<std::size_t>(behind - all_.begin());
}

base::Result<std::size_t> Segments::read(std::uint64_t& at, char* to, std::size_t most) {
  while (at < end()) {
    const Segment& segment = all_[this->at(at)];
    at = std::max(at, segment.start);
    std::string path = folder_ + "/" + segment_name(segment.start, ".log");
    if (!open_ || open_start_ != segment.start) {
      open_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      if (!open_ && errno != ENOENT) return base::system_error(path);
      open_start_ = segment.start;
    }
    if (open_) {
      std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(most, segment.end - at));
      ssize_t got = ::pread(open_.get(), to, size, static_cast<off_t>(at - segment.start));
      if (got < 0) return base::system_error(path);
      if (got > 0) return static_cast<std::size_t>(got);
    }
    at = segment.end;  // deleted or cut since it was listed
  }
  return 0;
}

base::Fd Segments::open_index(const Segment& segment) const {
  std::string path = folder_ + "/" + segment_name(segment.start, ".idx");
  return base::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

base::Result<std::string> bytes_before(const std::string& directory, const std::string& device,
                                       std::uint64_t end, std::size_t most) {
  Segments segments(transcript_folder(directory, device));
  if (base::Result<> found = segments.refresh(); !found) return found.error();
  std::string bytes;
  end = std::min(end, segments.end());
  std::uint64_t at = end - std::min<std::uint64_t>(end, most);
  while (at < end) {
    char buffer[16 * 1024];
    auto size = segments.read(at, buffer, std::min<std::uint64_t>(sizeof buffer, end - at));
    if (!size) return size.error();
    if (*size == 0 || at >= end) break;
    bytes.append(buffer, std::min<std::uint64_t>(*size, end - at));
    at += *size;
  }
  return bytes;
}

}  // namespace oob::console

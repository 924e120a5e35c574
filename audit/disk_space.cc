#include "audit/disk_space.h"

#include <sys/statvfs.h>

#include <algorithm>

namespace oob::audit {

unsigned DiskSpace::percent() const {
  double all = static_cast<double>(used) + static_cast<double>(available);
  if (all <= 0) return 100;
  // Figures of 2^53 bytes and more lose less than a byte in 10^15 here.
  double exact = 100.0 * static_cast<double>(used) / all;
  unsigned whole = static_cast<unsigned>(exact);
  return std::min(100u, exact > whole ? whole + 1 : whole);
}

std::uint64_t DiskSpace::above(unsigned percent) const {
  double right = (static_cast<double>(used) + static_cast<double>(available)) * percent / 100.0;
  auto most = static_cast<std::uint64_t>(right);
  return used > most ? used - most : 0;
}

base::Result<DiskSpace> disk_space(const std::string& path) {
  struct statvfs found {};
  if (::statvfs(path.c_str(), &found) < 0) return base::system_error(path);
  std::uint64_t block = found.f_frsize ? found.f_frsize : found.f_bsize;
  DiskSpace space;
  space.used = (found.f_blocks - std::min(found.f_blocks, found.f_bfree)) * block;
  space.available = found.f_bavail * block;
  // Some file systems (btrfs) have no number of inodes at all.
  space.has_inodes = found.f_files == 0 || found.f_favail > 0;
  return space;
}

std::string_view name_of(DiskLevel level) {
  switch (level) {
    case DiskLevel::fine:
      return "fine";
    case DiskLevel::warn:
      return "warn";
    case DiskLevel::shed:
      return "shed";
    case DiskLevel::critical:
      return "critical";
    case DiskLevel::full:
      return "full";
  }
  return "";
}

unsigned DiskGauge::limit_of(DiskLevel level) const {
  switch (level) {
    case DiskLevel::fine:
      return 0;
    case DiskLevel::warn:
      return limits_.warn;
    case DiskLevel::shed:
      return limits_.shed;
    case DiskLevel::critical:
    case DiskLevel::full:
      return limits_.critical;
  }
  return 0;
}

DiskLevel DiskGauge::look(const DiskSpace& space, bool reserve_in_use) {
  std::uint64_t least = level_ == DiskLevel::full ? kSpaceAgain : kNoSpace;
  if (reserve_in_use || space.available < least || !space.has_inodes) return level_ = DiskLevel::full;
  unsigned percent = space.percent();
  DiskLevel found = DiskLevel::fine;
  for (DiskLevel level : {DiskLevel::warn, DiskLevel::shed, DiskLevel::critical}) {
    unsigned limit = limit_of(level);
    if (level <= level_) limit -= std::min(limit, kHysteresis - 1);  // it is left at limit - kHysteresis
    if (percent >= limit) found = level;
  }
  return level_ = found;
}

}  // namespace oob::audit

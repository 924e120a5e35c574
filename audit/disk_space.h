#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace oob::audit {

// A file system as an unprivileged process finds it, in bytes.
struct DiskSpace {
  std::uint64_t used = 0, available = 0;
  bool has_inodes = true;  // a file can still be made

  // As df(1) shows it: of what may be used, rounded up; 0 to 100.
  unsigned percent() const;
  // What must go so that `percent` is what it comes to; 0 when it has come to that.
  std::uint64_t above(unsigned percent) const;
};

// Of the file system that holds `path` (statvfs, POSIX.1-2008). Blocks.
base::Result<DiskSpace> disk_space(const std::string& path);

// How full the disk is, as far as it changes what is done.
enum class DiskLevel { fine, warn, shed, critical, full };
std::string_view name_of(DiskLevel level);

struct DiskLimits {
  unsigned warn = 80, shed = 90, critical = 95;  // percent, ascending
};

// Finds the level from figures that come one after another. A level is entered at its limit and left
// kHysteresis points below it, so that a disk on the brink does not change it with every write.
class DiskGauge {
 public:
  static constexpr unsigned kHysteresis = 2;                                      // points
  static constexpr std::uint64_t kNoSpace = 64 * 1024, kSpaceAgain = 256 * 1024;  // bytes available

  explicit DiskGauge(DiskLimits limits) : limits_(limits) {}
  void set(DiskLimits limits) { limits_ = limits; }
  const DiskLimits& limits() const { return limits_; }

  // `reserve_in_use`: the journal has let its reserve go, or can't be written at all.
  DiskLevel look(const DiskSpace& space, bool reserve_in_use);
  DiskLevel level() const { return level_; }

 private:
  unsigned limit_of(DiskLevel level) const;

  DiskLimits limits_;
  DiskLevel level_ = DiskLevel::fine;
};

}  // namespace oob::audit

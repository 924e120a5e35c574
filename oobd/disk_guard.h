#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "audit/disk_space.h"
#include "audit/retention.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "console/core.h"
#include "oobd/config.h"

namespace oob {

// Watches the disk of the state folder, tells everybody how full it is (Core::disk), has the oldest removed
// by age, by size and when it is nearly full, and refuses sessions while nothing can be written down, where
// that is wanted (docs/audit.md, "When the disk fills"). All by itself, back again too.
class DiskGuard {
 public:
  static constexpr std::chrono::seconds kEvery{10};      // between two looks
  static constexpr std::chrono::minutes kTidyEvery{10};  // between rounds by age and size
  static constexpr base::Micros kLeap = 86'400'000'000;  // a clock that is not synchronised may go wrong by

  struct Options {
    base::Micros seen = 0;  // the newest time that an earlier run wrote down; 0: there was none
    std::function<void(bool)> pause_recordings = [](bool) {};
    std::function<void(std::function<void(base::Result<>)>)> drop_journal{};  // see audit::Retention
    // Both block. Empty: of the state folder, and the size of STATE/journal/reserve.
    std::function<base::Result<audit::DiskSpace>()> space{};
    std::function<std::uint64_t()> reserve{};
  };

  // The Core outlives it.
  DiskGuard(console::Core& core, const AuditConfig& config, Options options);
  DiskGuard(const DiskGuard&) = delete;
  DiskGuard& operator=(const DiskGuard&) = delete;

  void adopt(const AuditConfig& config);
  // Now: something could not be written.
  void look();

 private:
  // What is found off the loop.
  struct Found {
    base::Result<audit::DiskSpace> space = audit::DiskSpace{};
    std::uint64_t reserve = 0;
  };
  void looked(const Found& found);
  void change(audit::DiskLevel from, audit::DiskLevel to);
  void tell(const std::string& what);
  std::string warning(const audit::DiskSpace& space) const;
  void tidy(const audit::DiskSpace& space);
  base::Micros age_now() const;
  void tidied(std::size_t removed, bool more);

  console::Core& core_;
  AuditConfig config_;
  Options options_;
  const std::uint64_t reserve_;  // as the journal was opened with
  audit::DiskGauge gauge_;
  audit::Retention retention_;
  base::Timer timer_;
  bool looking_ = false, again_ = false;
  bool had_reserve_ = false;  // it was whole once in this run
  std::string blind_;         // why the disk can't be looked at
  base::Clock::time_point tidy_at_;
  bool by_age_and_size_ = false;  // what the round under way is for
  bool wanting_ = false;          // and the disk as well
  const base::Micros started_wall_;
  const base::Clock::time_point started_;
  base::Life life_;
};

}  // namespace oob

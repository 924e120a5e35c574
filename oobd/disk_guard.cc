#include "oobd/disk_guard.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/clock_state.h"
#include "base/log.h"
#include "console/reports.h"

namespace oob {

using audit::DiskLevel;
using audit::DiskSpace;
using base::Result;
using base::str;

namespace {

std::uint64_t size_of(const std::string& path) {
  struct stat about {};
  return ::lstat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode)
             ? static_cast<std::uint64_t>(about.st_size)
             : 0;
}

audit::RetentionRules rules_of(const AuditConfig& config) {
  auto kind = [](const AuditConfig::Kept& kept) {
    return audit::RetentionRules::Kind{kept.keep, kept.most, kept.floor};
  };
  return {kind(config.recordings), kind(config.transcripts), kind(config.journal)};
}

audit::DiskLimits limits_of(const AuditConfig& config) {
  return {config.disk_warn, config.disk_shed, config.disk_critical};
}

}  // namespace

DiskGuard::DiskGuard(console::Core& core, const AuditConfig& config, Options options)
    : core_(core),
      config_(config),
      options_(std::move(options)),
      reserve_(config.reserve),
      gauge_(limits_of(config)),
      retention_(core.blocking, core.journal, {core.state, options_.drop_journal}),
      timer_(core.loop),
      tidy_at_(base::Clock::now()),
      started_wall_(base::wall_now()),
      started_(base::Clock::now()) {
  if (!options_.space) options_.space = [state = core.state] { return audit::disk_space(state); };
  if (!options_.reserve)
    options_.reserve = [path = core.state + "/journal/reserve"] { return size_of(path); };
  look();
}

void DiskGuard::adopt(const AuditConfig& config) {
  config_ = config;
  gauge_.set(limits_of(config));
  tidy_at_ = base::Clock::now();
  look();
}

void DiskGuard::look() {
  if (looking_) {
    again_ = true;
    return;
  }
  looking_ = true;
  timer_.cancel();
  auto found = std::make_shared<Found>();
  core_.blocking.run(
      [found, space = options_.space, reserve = options_.reserve] {
        found->space = space();
        found->reserve = reserve();
      },
      life_.wrap([this, found] {
        looking_ = false;
        looked(*found);
        if (std::exchange(again_, false)) return look();
        if (!looking_) timer_.after(kEvery, [this] { look(); });
      }));
}

void DiskGuard::looked(const Found& found) {
  if (!found.space) {
    if (blind_ != found.space.error().what)
      base::log(str("the disk can't be looked at: ", found.space.error().what));
    blind_ = found.space.error().what;
    core_.disk.trouble = str("the disk can't be looked at: ", blind_);
    return;
  }
  if (!std::exchange(blind_, "").empty()) core_.disk.trouble.clear();
  const DiskSpace& space = *found.space;
  console::DiskState& disk = core_.disk;
  had_reserve_ = had_reserve_ || found.reserve >= reserve_;
  // Where there is room for what is missing of it, the journal takes it back by itself.
  bool spent = had_reserve_ && found.reserve < reserve_ && space.available < reserve_;
  bool reserve_in_use = spent || !core_.journal.trouble().empty();
  DiskLevel before = gauge_.level(), now = gauge_.look(space, reserve_in_use);
  disk.level = audit::name_of(now);
  disk.number = static_cast<unsigned>(now);
  disk.percent = space.percent();
  double all = static_cast<double>(space.used) + static_cast<double>(space.available);
  disk.used = all > 0 ? static_cast<double>(space.used) / all : 1;
  disk.reserve = found.reserve;
  disk.warning = warning(space);
  disk.refusal = now == DiskLevel::full && config_.refuse
                     ? str(disk.warning,
                           ". Nothing that is done could be written down, so that no session and no "
                           "keystroke is taken (audit.on_audit_failure is \"refuse\"). Cure: make room "
                           "on the board below ",
                           core_.state, "; `oobd ctl` works there")
                     : "";
  if (now != before) change(before, now);
  tidy(space);
}

std::string DiskGuard::warning(const DiskSpace& space) const {
  unsigned percent = core_.disk.percent;
  switch (gauge_.level()) {
    case DiskLevel::fine:
      return "";
    case DiskLevel::warn:
      return str("THE DISK IS ", percent, " % FULL: from ", config_.disk_shed,
                 " % on the oldest recordings and transcripts are removed");
    case DiskLevel::shed:
      return str("THE DISK IS ", percent, " % FULL: the oldest recordings and transcripts are removed");
    case DiskLevel::critical:
      return str("THE DISK IS ", percent,
                 " % FULL: the oldest recordings and transcripts are removed, and output of consoles is not "
                 "recorded");
    case DiskLevel::full:
      break;
  }
  std::string journal = core_.journal.trouble();
  if (space.available < audit::DiskGauge::kSpaceAgain || !space.has_inodes) {
    return str("THE DISK IS FULL (", percent, " %): what is done and said here is not recorded",
               journal.empty() ? "" : ", nor written down in the journal");
  }
  if (!journal.empty()) return str("THE JOURNAL CAN'T BE WRITTEN: ", console::reason_of(journal));
  return str("THE JOURNAL LIVES FROM ITS RESERVE: the disk is ", percent, " % full");
}

void DiskGuard::change(DiskLevel from, DiskLevel to) {
  options_.pause_recordings(to >= DiskLevel::critical);
  core_.journal.note(auth::Entry("disk.level")
                         .with("from", std::string(audit::name_of(from)))
                         .with("to", std::string(audit::name_of(to)))
                         .with("percent", static_cast<std::int64_t>(core_.disk.percent)));
  if (to == DiskLevel::fine) return tell(str("the disk has room again: ", core_.disk.percent, " % full"));
  if (to > from || from == DiskLevel::full) tell(core_.disk.warning);
}

void DiskGuard::tell(const std::string& what) {
  base::log(what);
  for (const auto& [name, device] : core_.inventory.all()) device->console->announce(what);
}

// By a clock that nobody keeps right and that says something quite new, all would be too old: then age does
// not count. 0 then.
base::Micros DiskGuard::age_now() const {
  base::Micros now = base::wall_now();
  auto run = std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now() - started_).count();
  base::Micros right = (options_.seen ? options_.seen : started_wall_) + run;
  return now <= right + kLeap || base::clock_state().synchronised ? now : 0;
}

void DiskGuard::tidy(const DiskSpace& space) {
  if (retention_.running()) return;
  auto now = base::Clock::now();
  bool shed = gauge_.level() >= DiskLevel::shed;
  std::uint64_t wanted = shed ? space.above(config_.disk_shed - audit::DiskGauge::kHysteresis) : 0;
  by_age_and_size_ = now >= tidy_at_;
  wanting_ = wanted > 0;
  if (!wanting_) core_.disk.trouble = retention_.trouble();
  if (!wanting_ && !by_age_and_size_) return;
  retention_.run(rules_of(config_), age_now(), wanted,
                 [this](std::size_t removed, bool more) { tidied(removed, more); });
}

void DiskGuard::tidied(std::size_t removed, bool more) {
  const audit::Retention::Totals& totals = retention_.totals();
  console::DiskState& disk = core_.disk;
  disk.holds = totals.holds;
  disk.recordings = totals.recordings;
  disk.segments = totals.segments;
  disk.journal_files = totals.journal_files;
  disk.bytes = totals.bytes;
  std::string trouble = retention_.trouble();
  if (trouble.empty() && wanting_ && removed == 0)
    trouble = "nothing more may be removed: what is left is live, held or within its floor";
  if (!trouble.empty() && trouble != disk.trouble) base::log(str("retention: ", trouble));
  if (blind_.empty()) disk.trouble = trouble;  // else there is worse to tell
  if (by_age_and_size_ && !more) tidy_at_ = base::Clock::now() + kTidyEvery;
  // What went has changed the figures, and there may be more to do.
  if (removed) look();
}

}  // namespace oob

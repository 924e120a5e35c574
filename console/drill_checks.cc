#include "console/drill_checks.h"

#include <algorithm>

#include "auth/hours.h"
#include "base/clock_state.h"
#include "console/core.h"
#include "console/history.h"
#include "console/snapshots.h"

namespace oob::console {

using base::Micros;
using base::printable;
using base::str;
using Outcome = DrillCheck::Outcome;

namespace {

constexpr Micros kTwoWeeks = 14LL * 24 * 3600 * 1'000'000;
constexpr Micros kFresh = 3600LL * 1'000'000;  // a notice that was delivered shows that the next will be
constexpr std::size_t kMostText = 200;         // bytes of a reason

DrillCheck check(std::string name, bool passed, const std::string& text) {
  return {std::move(name), "", passed ? Outcome::passed : Outcome::failed, printable(text), 0};
}

std::string joined(const std::vector<std::string>& texts, const char* between) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : between) + text;
  return all;
}

std::string since(Micros when, Micros now) {
  return when == 0 ? " since the start" : str(" for ", base::human_span(std::max<Micros>(now - when, 0)));
}

// Without one the clock waits until somebody has shown by hand that the device is open.
bool has_login(const Device& device) {
  return !device.login.user.empty() || !device.login.password_file.empty() || device.in_band;
}

}  // namespace

unsigned drill_rank(const DrillCheck& check) {
  if (check.device.empty()) return check.name.starts_with("uplink ") ? 2 : 3;
  if (check.name.ends_with(" console")) return 0;
  return check.name.ends_with(" BMC") ? 1 : 4;
}

std::vector<DrillCheck> drill_ways(const Core& core) {
  std::vector<DrillCheck> checks;
  Micros now = base::wall_now();
  std::vector<uplink::Figures> uplinks = core.uplinks();
  for (const uplink::Figures& each : uplinks) {
    bool up = each.health == uplink::Health::up;
    std::string text = str(uplink::name_of(each.health), since(each.since, now), " by ", each.interface);
    if (!up)
      text += str(each.why.empty() ? "" : ": ", each.why, "; cure: 'oobd check --uplink' on the board");
    checks.push_back(check(str("uplink ", each.name), up, text));
  }
  if (!uplinks.empty()) {
    std::vector<std::string> errors = core.uplink_errors();
    checks.push_back(
        check("routing", errors.empty(),
              errors.empty() ? "answers leave by the uplink that was dialled" : joined(errors, "; ")));
  }
  for (const CallHomeFigures& each : core.call_homes()) {
    std::string text = each.up ? str(each.socket, " on ", each.bastion, " leads here", since(each.since, now))
                               : str(each.bastion, ": ", each.why);
    checks.push_back(check(str("call-home ", each.name), each.up, text));
  }
  return checks;
}

std::optional<DrillCheck> drill_notify(const notice::Figures& figures) {
  std::string name = str("notify ", figures.name);
  if (!figures.trouble.empty()) return check(name, false, figures.trouble);
  Micros age = base::wall_now() - figures.last;
  if (figures.last == 0 || age < 0 || age > kFresh) return std::nullopt;
  return check(name, true, str("the last was delivered ", base::human_span(age), " ago"));
}

DrillCheck drill_disk(const Core& core) {
  const DiskState& disk = core.disk;
  if (!core.archive.trouble().empty()) return check("disk", false, core.archive.trouble());
  if (disk.number > 0 || !disk.refusal.empty())
    return check("disk", false,
                 disk.warning.empty() ? str(disk.percent, " % used, level ", disk.level,
                                            "; cure: docs/audit.md, 'When the disk fills'")
                                      : disk.warning);
  if (!disk.trouble.empty()) return check("disk", false, disk.trouble);
  return check("disk", true,
               str(disk.percent, " % used; ", disk.reserve >> 20, " MiB are kept for the journal"));
}

DrillCheck drill_clock(const Core& core, const std::vector<std::string>& by_the_clock) {
  auth::Moment moment = core.time->now();
  std::string wall = base::rfc3339(moment.wall, base::Precision::seconds);
  std::string needs =
      by_the_clock.empty() ? "" : str("; logins with ", joined(by_the_clock, ", "), " go by it");
  const char* cure = "; cure: an NTP server by its address, not its name, or a clock with a battery";
  if (moment.behind)
    return check(
        "clock", false,
        str("it says ", wall, ", and was at ",
            base::rfc3339(std::max(moment.latest, auth::Timekeeper::kEarliest), base::Precision::seconds),
            " before or was never set", needs, cure));
  base::ClockState state = base::clock_state();
  if (state.is_known && !state.synchronised && !by_the_clock.empty())
    return check("clock", false, str(state.why, needs, cure));
  return check("clock", true,
               state.synchronised ? str(wall, ", synchronised")
                                  : str(wall, ", though ", state.why,
                                        by_the_clock.empty() ? " (no login goes by it)" : needs));
}

Micros oldest_snapshot(Micros every) { return std::max(kTwoWeeks, 2 * every); }

DrillCheck drill_snapshot(const Core& core, const Device& device, Micros every, bool by_clock) {
  DrillCheck result{str(device.name, " snapshot"), device.name, Outcome::failed, "", 0};
  if (base::Result<> can = can_be_pulled(core, device); !can) {
    result.text = printable(can.error().what);
    return result;
  }
  const auto& all = core.history->latest();
  auto at = all.find(device.name);
  std::string by_hand = str("; cure: 'snapshot ", device.name, "', and see what it says");
  std::string trouble = at == all.end() || at->second.trouble.empty()
                            ? ""
                            : str("the last try: ", printable(at->second.trouble, kMostText));
  if (at == all.end() || at->second.checked == 0) {
    bool stored = at != all.end() && !at->second.revision.empty();
    if (!stored && !(by_clock && has_login(device))) {
      result.outcome = Outcome::skipped;
      result.text = str("none was ever stored", trouble.empty() ? "" : ", ", trouble,
                        by_clock ? "; the clock takes none without a login of the device's"
                                 : "; [snapshot] every takes them by the clock");
      return result;
    }
    result.text = str("there is none", trouble.empty() ? "" : ", ", trouble, by_hand);
    return result;
  }
  Micros age = std::max<Micros>(base::wall_now() - at->second.checked, 0);
  std::string old = str(base::human_span(age), " old, ", at->second.grade);
  if (age > oldest_snapshot(every)) {
    result.text = str(old, trouble.empty() ? "" : "; ", trouble, by_hand,
                      " ([snapshot] every pulls them by the clock)");
  } else if (!trouble.empty()) {
    result.text = str(old, "; ", trouble, by_hand);
  } else {
    result.outcome = Outcome::passed;
    result.text = old;
  }
  return result;
}

}  // namespace oob::console

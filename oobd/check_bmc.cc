#include "oobd/check_bmc.h"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <set>
#include <vector>

#include "oobd/gear.h"

namespace oob {

using base::printable;
using base::str;
using ipmi::BmcReport;
using ipmi::Privilege;

namespace {

std::string joined(const std::vector<int>& numbers) {
  std::string text;
  for (int number : numbers) text += str(text.empty() ? "" : ", ", number);
  return text.empty() ? "none" : text;
}

constexpr int kOpen = 1;

bool open_to_strangers(const BmcReport& report) { return report.suite_0_open || report.anonymous_open; }
bool power_works(const BmcReport& report) { return report.privilege >= Privilege::op; }
// What it does not say is not held against it.
bool sol_works(const BmcReport& report) {
  return report.sol_enabled.value_or(true) && report.sol_privilege <= report.highest;
}

}  // namespace

std::string report_text(const std::string& name, const BmcReport& report, bool power, bool sol, bool colour) {
  std::string text = str(name, ":\n");
  auto line = [&](const char* what, const std::string& value, bool danger = false) {
    bool red = danger && colour;
    text += str("  ", what, std::string(12 - std::string_view(what).size(), ' '), red ? "\x1b[1;31m" : "",
                value, red ? "\x1b[0m" : "", "\n");
  };
  if (report.session_trouble.empty()) {
    line("session", str("in ", report.time_to_session.count(), " ms, cipher suite ", report.suite,
                        ", privilege ", ipmi::name_of(report.privilege)));
  } else {
    line("session", str("NONE: ", printable(report.session_trouble)), true);
  }
  if (!report.answers) return text;
  std::string suites = report.suites ? joined(*report.suites) : "it does not say";
  line("suites", report.suites_cut ? suites + ", and more than could be read in time" : suites);
  if (report.suite_0_open)
    line("suite 0", "OPEN: anybody gets in without a password; disable cipher suite 0 in the BMC", true);
  if (report.anonymous_open)
    line("anonymous", "OPEN: the user without a name has no password; disable user 1 in the BMC", true);
  if (!open_to_strangers(report))
    line("strangers", report.strangers_tried ? "neither suite 0 nor an anonymous user" : "not tried");
  if (report.kg_set) line("Kg", *report.kg_set ? "set" : "not set");
  if (!report.session_trouble.empty()) return text;
  if (power && !power_works(report))
    line("power",
         str("NO: the user's privilege is ", ipmi::name_of(report.privilege), ", power needs operator"),
         true);
  if (!sol) return text;
  if (!report.sol_enabled) {
    line("SOL", "it does not say whether it is enabled");
  } else if (!*report.sol_enabled) {
    line("SOL", "DISABLED: ipmitool sol set enabled true", true);
  } else if (!sol_works(report)) {
    line("SOL",
         str("NO: the user's privilege is ", ipmi::name_of(report.highest), ", its SOL takes ",
             ipmi::name_of(report.sol_privilege), " and more"),
         true);
  } else {
    line("SOL", str("enabled, ", report.sol_baud ? str(report.sol_baud, " baud") : "rate not told"));
    if (report.sol_privilege != Privilege::none)
      line("", str("for users with privilege ", ipmi::name_of(report.sol_privilege), " and more"));
  }
  return text;
}

int verdict(const BmcReport& report, bool power, bool sol) {
  if (open_to_strangers(report)) return kOpen;
  bool works =
      report.session_trouble.empty() && (!power || power_works(report)) && (!sol || sol_works(report));
  return works ? 0 : static_cast<int>(base::Fault::unavailable);
}

int worse(int one, int other) {
  if (one == kOpen || other == kOpen) return kOpen;
  return one != 0 ? one : other;
}

int run_check_bmc(const Config& config) {
  if (config.bmcs.empty()) {
    std::puts("no [bmc.NAME] in the configuration");
    return 0;
  }
  std::set<std::string> power, sol;
  for (const auto& [name, device] : config.devices) {
    power.insert(device.power_bmc);
    if (const SolLine* line = std::get_if<SolLine>(&device.line)) sol.insert(line->bmc);
  }
  bool colour = ::isatty(STDOUT_FILENO) == 1;
  int status = 0;
  base::Loop loop;
  base::Blocking blocking(loop);
  ipmi::HandshakeGate gate(loop);
  std::vector<std::unique_ptr<ipmi::Survey>> surveys;
  std::size_t left = config.bmcs.size();
  for (const auto& [name, bmc] : config.bmcs) {
    ipmi::BmcSettings settings = bmc_settings(config, name);
    settings.memory.clear();  // looking changes nothing
    surveys.push_back(std::make_unique<ipmi::Survey>(
        loop, blocking, gate, std::move(settings), [&, name = name](const BmcReport& report) {
          std::fputs(report_text(name, report, power.count(name), sol.count(name), colour).c_str(), stdout);
          std::fflush(stdout);
          status = worse(status, verdict(report, power.count(name), sol.count(name)));
          if (--left == 0) loop.stop();
        }));
  }
  for (const auto& survey : surveys) survey->start();
  loop.run();
  return status;
}

}  // namespace oob

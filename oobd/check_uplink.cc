#include "oobd/check_uplink.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/life.h"
#include "base/peer_address.h"
#include "oobd/clock_needs.h"
#include "oobd/listeners.h"
#include "uplink/ip.h"
#include "uplink/routes.h"

namespace oob {

using base::Result;
using base::str;
using uplink::Finding;
using uplink::Plan;

Plan uplink_plan(const Config& config) {
  Plan plan;
  for (const auto& [name, uplink] : config.uplinks)
    plan.uplinks.push_back({name, uplink.interface, uplink.listen, uplink.probe, uplink.metered});
  plan.listen = config.listen;
  plan.calls_home = !config.call_homes.empty();
  plan.has_onion = std::any_of(config.listen.begin(), config.listen.end(), is_unix);
  plan.by_the_clock = ClockNeeds(config).look();
  plan.clock = base::clock_state();
  return plan;
}

Result<std::vector<Finding>> uplink_findings(const Plan& plan) {
  std::vector<uplink::Errand> errands;
  for (const Plan::Uplink& each : plan.uplinks)
    for (const std::string& probe : each.probe) {
      if (!uplink::ip_of_probe(probe)) continue;
      std::string to = probe.substr(probe.find(':') + 1);
      errands.push_back({each.interface, probe.starts_with("tcp:") ? base::address_of(to) : to});
    }
  Result<uplink::Board> board = uplink::look(errands);
  if (!board) return board.error();
  return uplink::diagnose(plan, *board);
}

int run_check_uplink(const Config& config) {
  Plan plan = uplink_plan(config);
  Result<std::vector<Finding>> findings = uplink_findings(plan);
  if (!findings) {
    std::fprintf(stderr, "oobd: %s\n", findings.error().what.c_str());
    return static_cast<int>(base::Fault::unavailable);
  }
  std::string text;
  for (const Finding& each : *findings)
    text += str(each.is_error ? "error:  " : "remark: ", each.what, "\n  cure: ", each.cure, "\n");
  auto errors =
      std::count_if(findings->begin(), findings->end(), [](const auto& each) { return each.is_error; });
  text += str("uplinks: ", plan.uplinks.size(), ", errors: ", errors,
              ", remarks: ", findings->size() - static_cast<std::size_t>(errors),
              "; no login looks up a name", plan.by_the_clock.empty() ? " or needs the time" : "", "\n");
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  return errors ? static_cast<int>(base::Fault::config) : 0;
}

struct UplinkCheckup::State {
  State(base::Loop& loop, base::Blocking& blocking, Look look)
      : blocking(blocking), next(loop), findings(std::move(look)) {}

  void look() {
    next.after(kEvery, [this] { look(); });
    if (std::exchange(looking, true)) return;
    plan.clock = base::clock_state();
    // What the thread uses is its own and the answer's: it may outlive us.
    auto found = std::make_shared<Result<std::vector<Finding>>>(std::vector<Finding>{});
    auto work = [plan = plan, clock_needs = clock_needs, findings = findings, found]() mutable {
      plan.by_the_clock = clock_needs.look();  // keys change without a reload
      *found = findings(plan);
    };
    blocking.run(std::move(work), life.wrap([this, found] {
      looking = false;
      take(*found);
    }));
  }

  void take(const Result<std::vector<Finding>>& found) {
    // What was wrong is taken for wrong still.
    if (!found)
      return void(trouble = str("this board's routing could not be looked at: ", found.error().what));
    trouble.clear();
    errors.clear();
    for (const Finding& each : *found)
      if (each.is_error) errors.push_back(each.line());
    if (errors.size() <= kMost) return;
    std::size_t more = errors.size() - (kMost - 1);
    errors.resize(kMost - 1);
    errors.push_back(str("and ", more, " more: 'oobd check --uplink' tells them all"));
  }

  base::Blocking& blocking;
  base::Timer next;
  const Look findings;
  Plan plan;
  ClockNeeds clock_needs;
  bool looking = false;
  std::vector<std::string> errors;
  std::string trouble;  // why the last look came to nothing; empty: it did not
  uplink::Uplinks::Handle interfaces;
  base::Life life;
};

UplinkCheckup::UplinkCheckup(base::Loop& loop, base::Blocking& blocking, Look look)
    : state_(std::make_unique<State>(loop, blocking, std::move(look))) {}
UplinkCheckup::~UplinkCheckup() = default;

void UplinkCheckup::adopt(const Config& config) {
  state_->plan = uplink_plan(config);
  state_->clock_needs = ClockNeeds(config);
  state_->next.cancel();
  state_->life.renew();  // a look that is under way is of the plan before
  state_->looking = false;
  state_->errors.clear();
  state_->trouble.clear();
  if (!state_->plan.uplinks.empty()) state_->look();
}

void UplinkCheckup::look() { state_->look(); }

void UplinkCheckup::follow(uplink::Uplinks& uplinks) {
  State* state = state_.get();
  state->interfaces = uplinks.on_interfaces([state] {
    if (!state->plan.uplinks.empty()) state->next.after(kSettled, [state] { state->look(); });
  });
}

std::vector<std::string> UplinkCheckup::errors() const {
  std::vector<std::string> all = state_->errors;
  if (!state_->trouble.empty()) all.insert(all.begin(), state_->trouble);
  return all;
}

}  // namespace oob

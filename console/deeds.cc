#include "console/deeds.h"

#include "base/life.h"
#include "console/core.h"

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

struct Deeds::Deed {
  Deed(Deeds& all, Core& core_of_it, Order given, Told teller)
      : deeds(all), core(core_of_it), order(std::move(given)), told(std::move(teller)), guard(core.loop) {}

  auth::Entry event(const char* what) const {
    auth::Entry entry = order.entry;
    entry.ev = str(order.kind, ".", what);
    entry.with("device", order.device);
    if (!order.action.empty()) entry.with("action", order.action);
    if (order.approval) entry.with("approved_by", order.approval->second().user);
    std::string also;
    for (const std::string& name : order.also) also += str(also.empty() ? "" : " ", name);
    if (!also.empty()) entry.with("also", also);
    return entry;
  }
  // "power cycle", and in a mark of the kind "power" just "cycle".
  std::string name() const { return order.action.empty() ? order.kind : str(order.kind, " ", order.action); }

  Result<auth::Grant> allowed(const std::string& device) const;
  void act();
  void tell(const std::string& result);
  void tell(Device& device, const std::string& result);
  void finish(const Result<PowerOutcome>& result);

  Deeds& deeds;
  Core& core;
  Order order;
  Told told;
  base::Timer guard;
  bool written = false;
  base::Life life;
};

Deeds::Deeds() = default;

Deeds::~Deeds() {
  for (const auto& deed : deeds_) {
    if (!deed->written) continue;
    deed->core.journal.note(
        deed->event("result").with("result", "the daemon stopped before there was an answer"));
  }
}

std::uint64_t Deeds::begin(Core& core, Order order, Told told) {
  std::vector<std::string> devices = {order.device};
  devices.insert(devices.end(), order.also.begin(), order.also.end());
  if (order.approval || !Approvals::wanted(core, order.who, devices)) {
    go(core, std::move(order), std::move(told));
    return 0;
  }
  Approvals::Ask ask{.who = order.who,
                     .session = order.session,
                     .entry = order.entry,
                     .intent = {order.kind, order.action, order.device, std::move(devices)},
                     .waits = order.waits};
  return core.approvals->seek(core, std::move(ask),
                              [this, &core, order, told](const Result<ApprovalPtr>& approval) {
                                if (!approval) return told(approval.error());
                                Order approved = order;
                                approved.approval = *approval;
                                go(core, std::move(approved), told);
                              });
}

void Deeds::go(Core& core, Order order, Told told) {
  if (deeds_.size() >= kMost) {
    std::string text = str(kMost, " actions are under way; nothing was done");
    core.loop.post([told = std::move(told), text] { told(fail(Fault::busy, text)); });
    return;
  }
  deeds_.push_back(std::make_unique<Deed>(*this, core, std::move(order), std::move(told)));
  Deed* deed = deeds_.back().get();
  core.journal.commit(deed->event("request"), deed->life.wrap([deed](const Result<>& written) {
    deed->written = written.has_value();
    if (!written) return deed->finish(written.error());
    deed->act();
  }));
}

// The one place that no deed goes around: it is allowed now, by two people where it takes two.
Result<auth::Grant> Deeds::Deed::allowed(const std::string& device) const {
  const Approval* approval = order.approval.get();
  bool covered = approval && approval->covers(order.who.user, order.kind, order.action, device);
  Result<auth::Grant> grant = covered ? core.policy->decide_together(order.who, approval->second(), device)
                                      : core.policy->decide(order.who, auth::Action::power, device);
  if (grant && grant->needs_second())
    return fail(Fault::denied, str("nobody approved ", name(), " of ", device, "; nothing was done"));
  return grant;
}

void Deeds::Deed::act() {
  Result<Chassis*> chassis = chassis_of(core, order.device);
  if (!chassis) return finish(chassis.error());
  Result<auth::Grant> grant = allowed(order.device);
  if (!grant) return finish(grant.error());
  for (const std::string& other : order.also)
    if (Result<auth::Grant> also = allowed(other); !also) return finish(also.error());
  tell("");
  guard.after(order.limit, [this] {
    finish(fail(Fault::unavailable,
                str("no answer within ", base::human_span(std::chrono::microseconds(order.limit).count()),
                    "; nobody knows whether it was done")));
  });
  order.act(**chassis, *grant, life.wrap([this](const Result<PowerOutcome>& result) { finish(result); }));
}

// Between the console's lines, for those who watch now and those who read it later.
void Deeds::Deed::tell(const std::string& result) {
  if (Device* device = core.inventory.find(order.device)) tell(*device, result);
  for (const std::string& other : order.also)
    if (Device* device = core.inventory.find(other))
      tell(*device, str(result, " (", order.device, ", same BMC)"));
  core.archive.flush();
}

void Deeds::Deed::tell(Device& device, const std::string& result) {
  std::string what = order.kind == "power" ? order.action : name();
  device.console->transcript().mark("power", str(order.who.user, ": ", what, result));
  device.console->announce(str(order.who.user, ": ", name(), result));
}

void Deeds::Deed::finish(const Result<PowerOutcome>& result) {
  guard.cancel();
  if (written) {
    std::string state = result ? name_of(result->state) : "unknown";
    std::string text = !result                  ? base::printable(result.error().what)
                       : result->remark.empty() ? "done"
                                                : str("done: ", result->remark);
    auth::Entry entry = event("result");
    entry.with("result", std::move(text));
    if (order.kind == "power") entry.with("state", std::move(state));
    core.journal.note(std::move(entry));
  }
  std::string state = result && order.kind != "power" ? "done" : result ? text_of(*result) : "";
  tell(result ? str(": ", state) : str(": ", result.error().what));
  std::unique_ptr<Deed> self;
  for (auto at = deeds.deeds_.begin(); at != deeds.deeds_.end(); ++at)
    if (at->get() == this) {
      self = std::move(*at);
      deeds.deeds_.erase(at);
      break;
    }
  life.renew();
  core.loop.post([told = std::move(told), result] { told(result); });
}

Deeds::Order power_order(const Core& core, const Visitor& visitor, const std::string& device,
                         PowerAction action, base::milliseconds wait) {
  return {.who = visitor.who,
          .entry = event_of(visitor, ""),
          .device = device,
          .kind = "power",
          .action = name_of(action),
          .limit = wait + core.chassis_patience,
          .act =
              [action, wait](Chassis& chassis, const auth::Grant& grant, Chassis::Done<PowerOutcome> done) {
                chassis.apply(grant, action, wait, std::move(done));
              },
          .session = visitor.session};
}

std::string text_of(const PowerOutcome& outcome) {
  return outcome.remark.empty() ? name_of(outcome.state)
                                : str(name_of(outcome.state), " (", outcome.remark, ")");
}

Result<Chassis*> chassis_of(Core& core, const std::string& device) {
  Device* found = core.inventory.find(device);
  if (!found) return auth::Policy::no_such_device(device);
  if (!found->chassis)
    return fail(Fault::unavailable, str(device, " has no chassis power configured (power = { bmc = … })"));
  return found->chassis.get();
}

}  // namespace oob::console

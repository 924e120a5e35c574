#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "auth/journal.h"
#include "auth/policy.h"
#include "base/loop.h"
#include "console/approvals.h"
#include "console/chassis.h"

namespace oob::console {

struct Core;
struct Visitor;

// What was ordered of the chassis of devices and has not ended. A deed is in the journal before it is begun
// and its result afterwards, it waits before that for a second person where the policy wants one, everybody
// on the device's console is told of both, and it goes on when whoever ordered it has left. Owned by the
// Core.
class Deeds {
 public:
  static constexpr std::size_t kMost = 256;  // under way; Fault::busy beyond

  using Told = std::function<void(const base::Result<PowerOutcome>&)>;

  struct Order {
    auth::Principal who;
    auth::Entry entry;                // who and from where; its `ev` is not used
    std::string device;               // by name: it may go while the journal is written
    std::vector<std::string> also{};  // devices of the same BMC that it was ordered for too; allowed already
    std::string kind;                 // "power": the events are power.request and power.result
    std::string action;               // "cycle"; empty: the kind says it all
    base::milliseconds limit{};       // for an answer; then the result is that there was none
    std::function<void(Chassis&, const auth::Grant&, Chassis::Done<PowerOutcome>)> act;
    std::uint64_t session = 0;  // whose end withdraws it while it waits for a second person
    ApprovalPtr approval{};     // given already; null: asked for where it is needed
    // Told when a second person is waited for, in words for whoever ordered it.
    std::function<void(const std::string&)> waits{};
  };

  Deeds();
  // What has not ended is noted so in the journal.
  ~Deeds();
  Deeds(const Deeds&) = delete;
  Deeds& operator=(const Deeds&) = delete;

  // Writes the order down, asks the policy (what was allowed when it was given may be no more), does it, and
  // tells `told` once, from the loop. Fault::journal: it could not be written down, nothing was done. Where
  // the policy wants a second person and the order has no Approval it is sought first: Fault::denied when
  // none is given, and `told` is never called when the session ends before or it is withdrawn. The number is
  // for Approvals::withdraw(); 0: nobody is waited for.
  std::uint64_t begin(Core& core, Order order, Told told);
  std::size_t under_way() const { return deeds_.size(); }

 private:
  struct Deed;
  void go(Core& core, Order order, Told told);
  std::list<std::unique_ptr<Deed>> deeds_;
};

// The order of `power DEVICE ACTION`.
Deeds::Order power_order(const Core& core, const Visitor& visitor, const std::string& device,
                         PowerAction action, base::milliseconds wait);

// "on", "on (was on already)".
std::string text_of(const PowerOutcome& outcome);

// The device's chassis; Fault::missing when the device is gone, Fault::unavailable when it has none.
base::Result<Chassis*> chassis_of(Core& core, const std::string& device);

}  // namespace oob::console

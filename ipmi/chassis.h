#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/life.h"
#include "base/loop.h"
#include "console/chassis.h"
#include "ipmi/link.h"

namespace oob::ipmi {

class Sensors;
class EventLog;

// How often the state is read back after an action, and how long what was read is believed.
struct ChassisPace {
  base::milliseconds first{250};      // to the first reading, then growing
  base::milliseconds most{1'000};     // between two
  base::milliseconds settle{10'000};  // so long after it was taken, a cycle whose off was not seen is over
  base::milliseconds fresh{25'000};   // older than that, a state is not known any more
};

// The one power action that may be under way on a BMC. Shared by the chassis of all devices behind that BMC,
// which it outlives.
struct PowerSlot {
  std::string action;  // "a power cycle"; empty: none
};

// What a BMC does to its machine (IPMI 2.0 rev 1.1, chapter 28). An action that changes the power goes out
// exactly once: if its answer is lost, the state tells whether it was done, and where it can't, the error
// says so (Fault::unavailable). Owned by its device; when it goes, all that is under way is answered by the
// loop with Fault::unavailable and "a reload replaced or removed its BMC", and whether it may have been done.
class Chassis final : public console::Chassis {
 public:
  using PowerState = console::PowerState;
  using PowerChange = std::function<void(PowerState from, PowerState to)>;

  // `bmc`: its name in the configuration. `changed` hears of every change between on and off that is seen, by
  // whomever it was made; the first state that is read is none.
  Chassis(base::Loop& loop, Link& link, std::string bmc, Sensors& sensors, EventLog& events, PowerSlot& slot,
          PowerChange changed, ChassisPace pace = {});
  ~Chassis() override;
  Chassis(const Chassis&) = delete;
  Chassis& operator=(const Chassis&) = delete;

  const std::string& bmc() const override { return bmc_; }
  PowerState known_power() const override;
  const std::string& trouble() const override { return link_.trouble(); }
  void power(Done<PowerState> done) override;
  void apply(const auth::Grant& grant, console::PowerAction action, base::milliseconds wait,
             Done<console::PowerOutcome> done) override;
  // Done also where the BMC can't say what it took; one that says something else is Fault::failed.
  void boot(const auth::Grant& grant, console::BootDevice device, Done<> done) override;
  // BMCs that know no light without end show it for 255 s.
  void identify(const auth::Grant& grant, bool on, Done<> done) override;
  void sensors(Done<std::vector<console::Sensor>> done) override;
  void events(Done<std::vector<console::LogEvent>> done) override;
  void clear_events(const auth::Grant& grant, unsigned last, Done<> done) override;

 private:
  struct PowerJob;
  struct BootJob;

  template <class T>
  bool may(const auth::Grant& grant, const Done<T>& done);
  void ask(std::uint8_t command, std::string data, Link::Send how,
           std::function<void(Result<Response>)> done);
  // `done`, to be called by an answer or by our end, when the error ends in `if_we_go`.
  template <class T>
  Done<T> promised(Done<T> done, const char* if_we_go);
  void read_power(Done<PowerState> done);
  void saw_power(PowerState state);

  void check_before(const Result<PowerState>& state);
  void act();
  void acted(const Result<Response>& answer);
  void look_later();
  void looked(const Result<PowerState>& state);
  void time_over(const Result<PowerState>& state);
  base::Error not_proven(const Result<PowerState>& state) const;
  void finish(Result<console::PowerOutcome> result);

  void set_boot(std::string data, std::function<void(const Result<Response>&)> then);
  void boot_taken(const Result<Response>& answer);
  void read_boot();
  void end_boot(Result<> result);

  base::Loop& loop_;
  Link& link_;
  const std::string bmc_;
  Sensors& sensors_;
  EventLog& events_;
  PowerSlot& slot_;
  const PowerChange changed_;
  const ChassisPace pace_;
  PowerState state_ = PowerState::unknown;  // as it was last seen, however long ago
  base::Clock::time_point seen_;
  std::unique_ptr<PowerJob> job_;  // the action under way
  std::unique_ptr<BootJob> boot_;
  std::map<std::uint64_t, std::function<void()>> promises_;  // what is to be told if we go
  std::uint64_t last_promise_ = 0;
  base::Timer look_;
  base::Life life_;
};

}  // namespace oob::ipmi

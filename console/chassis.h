#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "auth/policy.h"
#include "base/loop.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::console {

enum class PowerState { unknown, on, off };
enum class PowerAction { on, off, cycle, reset, soft };
enum class BootDevice { none, pxe, disk, cdrom, bios };

const char* name_of(PowerState state);
const char* name_of(PowerAction action);
const char* name_of(BootDevice device);

// How a power action ended well.
struct PowerOutcome {
  PowerState state = PowerState::unknown;  // as it was read back
  std::string remark;                      // "was on already"; empty: nothing to add
};

// One sensor as the BMC shows it now.
struct Sensor {
  unsigned number = 0;          // 0 to 255
  std::string name;             // "CPU Temp", printable
  std::string type;             // "Temperature" (IPMI 2.0, table 42-3)
  std::optional<double> value;  // of analog sensors that have a reading
  std::string unit;             // "degrees C", "RPM", "Volts"; empty for discrete ones
  std::string state;  // "ok", "nc", "cr", "nr" (beyond a threshold), "ns" (no reading), as ipmitool says
  std::vector<std::string> asserted;  // states of discrete sensors, "Presence detected"
  // Thresholds, where there are any: lower non-recoverable, critical, non-critical; upper the same.
  std::optional<double> lnr, lcr, lnc, unc, ucr, unr;
};

// One record of the BMC's System Event Log.
struct LogEvent {
  unsigned id = 0;
  base::Micros time = 0;    // 0: the record has none
  bool since_boot = false;  // the BMC did not know the time: seconds since it started
  std::string sensor;       // "CPU Temp", "Watchdog #0x12"
  std::string type;         // "Temperature"
  std::string text;         // "Upper Critical going high", printable
  bool asserted = true;
  std::string raw;  // the record's 16 bytes in hex
};

// The BMC's side of a device: chassis power, boot device, identify light, sensors and event log. Every call
// answers once, from the loop, within its time limit; errors are Fault::unavailable when the BMC does not
// answer (nobody knows then whether an action was done, unless the text says), Fault::busy when another
// action is under way, Fault::failed when the BMC or the state of the machine says no, Fault::denied when the
// BMC's user has too few rights. Owned by its Device.
class Chassis {
 public:
  template <class T = void>
  using Done = std::function<void(base::Result<T>)>;
  virtual ~Chassis() = default;

  virtual const std::string& bmc() const = 0;  // its name in the configuration
  // As it was last read, for lists: at most some 20 s old, else unknown.
  virtual PowerState known_power() const = 0;
  // Empty while the BMC's session is up, else why not.
  virtual const std::string& trouble() const = 0;

  virtual void power(Done<PowerState> done) = 0;
  // Does it once, then reads the state back until it is true or `wait` is over. The Grant is for
  // Action::power.
  virtual void apply(const auth::Grant& grant, PowerAction action, base::milliseconds wait,
                     Done<PowerOutcome> done) = 0;
  // For the next boot only.
  virtual void boot(const auth::Grant& grant, BootDevice device, Done<> done) = 0;
  // `on`: until off; otherwise off.
  virtual void identify(const auth::Grant& grant, bool on, Done<> done) = 0;
  virtual void sensors(Done<std::vector<Sensor>> done) = 0;
  virtual void events(Done<std::vector<LogEvent>> done) = 0;
  // Clears the log if its last record still is `last` (Fault::busy: another came meanwhile; read it first).
  virtual void clear_events(const auth::Grant& grant, unsigned last, Done<> done) = 0;
};

}  // namespace oob::console

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/life.h"
#include "base/loop.h"
#include "console/chassis.h"
#include "console/line.h"
#include "ipmi/bmc.h"
#include "ipmi/chassis.h"
#include "ipmi/event_log.h"
#include "ipmi/sensors.h"
#include "ipmi/sol_settings.h"

namespace oob::ipmi {

// One BMC with all that stands on its session: makes the console and the chassis of the devices behind it,
// and watches its power and its event log. What it made goes before it.
class Station {
 public:
  static constexpr base::milliseconds kLook{15'000};  // power, so often
  static constexpr unsigned kLooksToPoll = 4;         // the event log, every so many looks

  struct Hooks {
    Bmc::Event event;                                                   // of the session
    std::function<void()> look;                                         // time to read the power
    std::function<void(const std::vector<console::LogEvent>&)> logged;  // news in the event log, oldest first
  };

  // `cache`: file for the sensor records; empty: none is kept.
  Station(base::Loop& loop, base::Blocking& blocking, HandshakeGate& gate, BmcSettings settings,
          std::string cache, Hooks hooks);
  Station(const Station&) = delete;
  Station& operator=(const Station&) = delete;

  void start() { bmc_.start(); }
  Bmc& bmc() { return bmc_; }
  // `remark` hears what people on the console should know.
  std::unique_ptr<console::Line> make_line(SolSettings settings,
                                           std::function<void(const std::string&)> remark);
  // `changed` hears of every change between on and off that is seen. Of all chassis made here only one may
  // have a power action under way.
  std::unique_ptr<console::Chassis> make_chassis(
      std::function<void(console::PowerState from, console::PowerState to)> changed);

 private:
  void happened(const char* event, const std::string& text);
  void look();

  base::Loop& loop_;
  Hooks hooks_;
  Bmc bmc_;
  Sensors sensors_;
  EventLog events_;
  PowerSlot power_;
  unsigned looks_ = 0;
  base::Timer next_look_;
  base::Life life_;
};

}  // namespace oob::ipmi

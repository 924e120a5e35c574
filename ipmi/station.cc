#include "ipmi/station.h"

#include <string_view>

#include "ipmi/sol.h"

namespace oob::ipmi {

Station::Station(base::Loop& loop, base::Blocking& blocking, HandshakeGate& gate, BmcSettings settings,
                 std::string cache, Hooks hooks)
    : loop_(loop),
      hooks_(std::move(hooks)),
      bmc_(loop, blocking, gate, std::move(settings),
           [this](const char* event, const std::string& text) { happened(event, text); }),
      sensors_(loop, blocking, bmc_, std::move(cache)),
      events_(loop, bmc_, sensors_),
      next_look_(loop) {}

std::unique_ptr<console::Line> Station::make_line(SolSettings settings,
                                                  std::function<void(const std::string&)> remark) {
  return std::make_unique<Sol>(loop_, bmc_, settings, std::move(remark));
}

std::unique_ptr<console::Chassis> Station::make_chassis(
    std::function<void(console::PowerState, console::PowerState)> changed) {
  return std::make_unique<Chassis>(loop_, bmc_, bmc_.settings().name, sensors_, events_, power_,
                                   std::move(changed));
}

void Station::happened(const char* event, const std::string& text) {
  if (bmc_.up() && !next_look_.waiting()) {
    looks_ = 0;
    next_look_.after(base::milliseconds(0), [this] { look(); });
  }
  hooks_.event(event, text);
}

// While the session is down nothing is asked: that would hurry its back-off.
void Station::look() {
  if (!bmc_.up()) return;
  next_look_.after(kLook, [this] { look(); });
  hooks_.look();
  if (looks_++ % kLooksToPoll != 0) return;
  events_.poll(life_.wrap([this](const EventLog::Events& events) {
    if (!events.empty()) hooks_.logged(events);
  }));
}

}  // namespace oob::ipmi

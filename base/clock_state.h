#pragma once

#include <string>

namespace oob::base {

// Whether the wall clock may be believed, as far as the kernel knows: somebody (an NTP daemon, a GPS) sets it
// and has said so (adjtimex(2), ntp_adjtime(2)).
struct ClockState {
  bool synchronised = false;
  std::string why;  // why it is not: "the kernel's clock is not synchronised"
};

ClockState clock_state();

}  // namespace oob::base

#pragma once

#include <string>

namespace oob::base {

// Whether the wall clock may be believed, as far as the kernel knows: somebody (an NTP daemon, a GPS) sets it
// and has said so (adjtimex(2), ntp_adjtime(2)).
struct ClockState {
  bool synchronised = false;  // known to be; what must not rely on a wrong clock asks for this
  std::string why;            // why it is not: "the kernel's clock is not synchronised"
  // False: the kernel did not say (a sandbox without that call). `why` has the reason; nothing is wrong with
  // the clock for all that is known.
  bool is_known = true;
};

ClockState clock_state();

}  // namespace oob::base

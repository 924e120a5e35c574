#include "base/clock_state.h"

#include <sys/timex.h>

#include <cstring>

#include "base/result.h"

namespace oob::base {

ClockState clock_state() {
  struct timex clock {};  // modes 0: asks, changes nothing, and needs no right to
#ifdef __linux__
  int state = ::adjtimex(&clock);
#else
  int state = ::ntp_adjtime(&clock);
#endif
  if (state < 0) return {false, system_error("the kernel does not tell of its clock").what, false};
  // TIME_ERROR alone also stands for a lost pulse of a GPS; STA_UNSYNC is what NTP daemons set and clear.
  if (state == TIME_ERROR || (clock.status & STA_UNSYNC) != 0)
    return {false, "the kernel's clock is not synchronised"};
  return {true, ""};
}

}  // namespace oob::base

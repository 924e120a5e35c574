#include "base/clock_state.h"

#include <gtest/gtest.h>
#include <sys/timex.h>

namespace oob::base {
namespace {

TEST(ClockState, SaysWhatTheKernelSays) {
  struct timex asked {};
  ASSERT_GE(::ntp_adjtime(&asked), 0);
  ClockState state = clock_state();
  EXPECT_EQ(state.synchronised, (asked.status & STA_UNSYNC) == 0);
  EXPECT_EQ(state.why, state.synchronised ? "" : "the kernel's clock is not synchronised");
}

}  // namespace
}  // namespace oob::base

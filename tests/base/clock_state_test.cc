#include "base/clock_state.h"

#include <gtest/gtest.h>
#include <sys/timex.h>
#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#endif

namespace oob::base {
namespace {

TEST(ClockState, SaysWhatTheKernelSays) {
  struct timex asked {};
  ASSERT_GE(::ntp_adjtime(&asked), 0);
  ClockState state = clock_state();
  EXPECT_TRUE(state.is_known);
  EXPECT_EQ(state.synchronised, (asked.status & STA_UNSYNC) == 0);
  EXPECT_EQ(state.why, state.synchronised ? "" : "the kernel's clock is not synchronised");
}

#ifdef __linux__
// As a service manager's filter without @clock does.
void forbid_to_ask() {
  auto refused = [](unsigned number, unsigned char further) {
    return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, further, 0, number};
  };
  sock_filter filter[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      refused(SYS_adjtimex, 2),
      refused(SYS_clock_adjtime, 1),
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
  };
  sock_fprog program{std::size(filter), filter};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

TEST(ClockState, IsNotKnownWhereTheKernelMayNotBeAsked) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        forbid_to_ask();
        ClockState state = clock_state();
        std::fprintf(stderr, "%d %d %s", state.synchronised, state.is_known, state.why.c_str());
        ::_exit(0);
      },
      testing::ExitedWithCode(0), "0 0 the kernel does not tell of its clock: Operation not permitted");
}
#endif

}  // namespace
}  // namespace oob::base

#include "oobd/core_dumps.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <cstdlib>

namespace oob {
namespace {

TEST(CoreDumps, AreForbiddenEvenWhereTheyGoToAPipe) {
  auto forbidden = [] {
    if (!forbid_core_dumps()) std::_Exit(1);
    rlimit core{1, 1};
    if (::getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0) std::_Exit(2);
#ifdef __linux__
    if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) std::_Exit(3);
#endif
    std::_Exit(0);
  };
  EXPECT_EXIT(forbidden(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace oob

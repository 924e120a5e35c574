#include "base/result.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <stdexcept>

#include "base/fd.h"

namespace oob::base {
namespace {

TEST(Result, HoldsAValueOrAnErrorThatSaysWhatWasBeingDone) {
  Result<int> right = 3, wrong = wrap("r1: open", system_error("/dev/ttyUSB0", ENOENT));
  EXPECT_TRUE(right && *right == 3);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().what, "r1: open: /dev/ttyUSB0: No such file or directory");
  EXPECT_EQ(wrong.error().fault, Fault::unavailable);
}

TEST(Result, TellsNotNowFromAFailure) {
  EXPECT_EQ(system_error("read", EAGAIN).fault, Fault::again);
  errno = EIO;
  EXPECT_EQ(system_error("read").what, "read: Input/output error");
}

TEST(Result, ThrowsOnlyForOurOwnMistake) {
  Result<int> wrong = fail(Fault::missing, "no such device: r1");
  EXPECT_THROW(wrong.value(), std::logic_error);
  EXPECT_EQ(static_cast<int>(Fault::journal), 74);
}

TEST(Fd, ClosesWhatItOwnsOnce) {
  int raw = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    Fd first(raw), second(std::move(first));
    EXPECT_FALSE(first);
    EXPECT_EQ(second.get(), raw);
    Fd& itself = second;
    second = std::move(itself);
    EXPECT_GE(::fcntl(raw, F_GETFD), 0);
  }
  EXPECT_LT(::fcntl(raw, F_GETFD), 0);
}

}  // namespace
}  // namespace oob::base

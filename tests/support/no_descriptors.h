#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace oob::test {

// While it lives this process gets no further descriptor. Not for sanitizers: theirs looks at memory through
// a pipe of its own, and takes what it can't look at for a fault.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OOB_TEST_NEEDS_DESCRIPTORS
#endif
#endif
#ifdef OOB_TEST_NEEDS_DESCRIPTORS
inline constexpr bool kMayLackDescriptors = false;
#else
inline constexpr bool kMayLackDescriptors = true;
#endif

class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit none{0, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace oob::test

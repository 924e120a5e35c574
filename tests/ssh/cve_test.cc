#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/ssh/fake_core.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OOB_TEST_SANITIZED
#endif
#endif

namespace oob::test {
namespace {

using base::str;

// Each hole is tried by a case of cve.py. After it the front is the same process, serves, and has lost
// nothing.
struct Cve {
  FakeCore core{[] {
    base::wire::Setup setup;
    setup.penalties = false;
    setup.most_unauthenticated = setup.most_per_source = 1000;
    return setup;
  }()};
  const int before = core.descriptors();
  // What the case printed.
  std::string is_not_here(const std::string& name) {
    Finished done = core.python("cve.py", {name, str(core.pid())});
    EXPECT_EQ(done.status, 0) << name << ": " << done.out << done.err;
    EXPECT_TRUE(core.wait([&] { return core.descriptors() == before; })) << name;
    EXPECT_EQ(core.ssh_run("exit 5").status, 5) << name;
    return done.out;
  }
  // No signature was said to be right but that of the good login at the end.
  void nobody_came_in() {
    int verified = 0;
    for (const auto& ask : core.asks) verified += ask.verified;
    EXPECT_EQ(verified, 1);
    EXPECT_EQ(core.opened.size(), 1u);
  }
};

TEST(Cve, SayingSuccessIsNoLogin_2018_10933) {
  Cve cve;
  cve.is_not_here("cve_2018_10933");
  cve.nobody_came_in();
}

TEST(Cve, AConnectionMayEndBeforeItsKeys_2020_1730) { Cve().is_not_here("cve_2020_1730"); }

TEST(Cve, TheHashKeepsItsSize_2021_3634) { Cve().is_not_here("cve_2021_3634"); }

TEST(Cve, AGuessAtTheKeyExchangeMayBeWrong_2023_1667) { Cve().is_not_here("cve_2023_1667"); }

TEST(Cve, ASignatureThatFailsIsNone_2023_2283) {
  Cve cve;
  cve.is_not_here("cve_2023_2283");
  cve.nobody_came_in();
}

TEST(Cve, NothingIsPutInBeforeTheKeys_2023_48795) { Cve().is_not_here("cve_2023_48795"); }

TEST(Cve, WrongGuessesCostNoMemory_2025_8277) {
  Cve cve;
  std::string grown = cve.is_not_here("cve_2025_8277");
#ifndef OOB_TEST_SANITIZED
  // KiB by 1000 guesses: a lost key would be some 300 bytes each.
  EXPECT_LT(std::atol(grown.c_str()), 200) << grown;
#endif
  // The address sanitizer holds freed memory back, and tells of a leak by the exit status.
  cve.core.hang_up();
  EXPECT_EQ(cve.core.front_status(), 0) << grown;
}

TEST(Cve, WhatWasAlteredIsNotTaken_2026_59847) {
  Cve cve;
  cve.is_not_here("cve_2026_59847");
  cve.nobody_came_in();
}

TEST(Cve, AChannelWithoutRoomIsRefused_2026_59843) { Cve().is_not_here("cve_2026_59843"); }

TEST(Cve, DataAfterTheCloseIsDropped_2026_59850) { Cve().is_not_here("cve_2026_59850"); }

TEST(Cve, MechanismsOfAnyLengthAreRefused_2026_0966) {
  Cve cve;
  cve.is_not_here("cve_2026_0966");
  cve.nobody_came_in();
}

TEST(Cve, ThereIsNoSftp_2026_3731) { Cve().is_not_here("cve_2026_3731"); }

}  // namespace
}  // namespace oob::test

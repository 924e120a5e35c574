#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <set>

#include "tests/ssh/fake_core.h"

namespace oob::test {
namespace {

using base::str;

base::wire::Setup unlimited() {
  base::wire::Setup setup;
  setup.penalties = false;
  setup.most_unauthenticated = 1000;
  setup.most_per_source = 1000;
  return setup;
}

// Runs one group of state_fuzz.py against a front, and sees that the front is as before. With OOBD_FULL set
// in the environment it is the whole matrix, which takes minutes; else each number meets each state once.
struct StateFuzz : testing::Test {
  FakeCore core{unlimited()};
  const int descriptors = core.descriptors();
  void meets(const std::string& group) {
    core.judge = [](const base::wire::Ask& ask) {
      base::wire::Verdict verdict;
      verdict.connection = ask.connection;
      verdict.number = ask.number;
      verdict.accept = ask.user == "alice";
      verdict.further = ask.user == "further" && ask.verified;
      return verdict;
    };
    ASSERT_EQ(core.ssh_run("exit 5").status, 5);
    core.asks.clear();
    core.opened.clear();
    const long before = core.rss_kib();
    std::vector<std::string> words{
        "/usr/bin/python3", "-B", str(SSH_TESTS, "/state_fuzz.py"), str(core.port()),
        Keys::get().alice,  group};
    const bool full = std::getenv("OOBD_FULL") != nullptr;
    if (full) words.push_back("full");
    Finished done = core.run(words, "", base::milliseconds(full ? 3'000'000 : 250'000));
    EXPECT_EQ(done.status, 0) << done.out << done.err;
    std::cout << done.out << core.cpu_ms() << " CPU ms of the front, " << before << " KiB before, "
              << core.rss_kib() << " after\n";
    EXPECT_TRUE(core.wait([&] { return core.descriptors() == descriptors; })) << core.descriptors();
    sessions = core.opened.size();
    proven.clear();
    for (const auto& ask : core.asks)
      if (ask.verified) proven.insert(ask.user);
    EXPECT_EQ(core.ssh_run("exit 5").status, 5);  // the same process: a front that fell over is not replaced
    EXPECT_LT(core.rss_kib(), before + 32 * 1024);
    core.hang_up();
    EXPECT_EQ(core.front_status(), 0);
  }
  std::size_t sessions = 0;      // that were opened by the script
  std::set<std::string> proven;  // users whose signature was said to be right
};

TEST_F(StateFuzz, NobodyComesInWithoutAKey) {
  meets("strangers");
  EXPECT_EQ(sessions, 0u);
  EXPECT_THAT(proven, testing::IsEmpty());
}

TEST_F(StateFuzz, NobodyComesInWithoutACode) {
  meets("halfway");
  EXPECT_EQ(sessions, 0u);
  EXPECT_THAT(proven, testing::ElementsAre("further"));
}

TEST_F(StateFuzz, WhoIsInHarmsNobody) {
  meets("known");
  EXPECT_GT(sessions, 0u);
  EXPECT_THAT(proven, testing::ElementsAre("alice"));
}

}  // namespace
}  // namespace oob::test

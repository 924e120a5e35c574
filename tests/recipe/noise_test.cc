#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/recipe/real_shell.h"
#include "tests/recipe/shell_pull.h"

namespace oob::recipe {

using namespace std::chrono_literals;

namespace {

// All of them in the release build: sanitizers look at the same code, at several times the cost.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OOB_TEST_FEWER_SEEDS
#endif
#endif
#ifdef OOB_TEST_FEWER_SEEDS
constexpr unsigned kSeeds = 5;
#else
constexpr unsigned kSeeds = 20;
#endif

struct NoiseLevel {
  const char* name;
  double messages, damage;
};
constexpr NoiseLevel kNoiseLevels[] = {{"none", 0, 0},
                                       {"1_message", 1, 0},
                                       {"1_in_10000", 0, 1e-4},
                                       {"2_messages_2_in_10000", 2, 2e-4},
                                       {"5_messages_5_in_10000", 5, 5e-4}};

class PulledThroughNoise : public testing::TestWithParam<std::tuple<const char*, NoiseLevel>> {};

}  // namespace

TEST_P(PulledThroughNoise, IsByteExactWhateverTheSeed) {
  const auto& [kind, level] = GetParam();
  std::string config = like_pfsense(3000);
  // Without noise each seed is the same pull.
  const unsigned seeds = level.messages > 0 || level.damage > 0 ? kSeeds : 1;
  std::atomic<unsigned> next{0}, exact{0}, wrong{0};
  std::vector<std::string> faults(seeds);
  auto work = [&, kind = kind, level = level, seeds] {
    for (unsigned seed = next++; seed < seeds; seed = next++) {
      DeviceTools tools(kind);
      tools.link("cksum", OOBD_TEST_CKSUM);
      tools.write("config.xml", config);
      RealShell shell(tools, {level.messages, level.damage, seed}, 4);
      std::string last;  // that passed the line
      shell.log = [&last](char way, base::Bytes bytes) {
        last += base::str('\n', way, ' ', base::printable(bytes, bytes.size() * 4));
        if (last.size() > 6000) last.erase(0, last.size() - 3000);
      };
      ShellPull pull(shell, shell_recipe(tools));
      std::string& fault = faults[seed];
      if (!pull.carry(120s))
        fault = "did not end";
      else if (!pull.result())
        fault = pull.result().error().what;
      else if (pull.result()->files.at(0).bytes != config)
        ++wrong, fault = "WRONG BYTES";
      else if (!tools.left_over().empty())
        ++wrong, fault = "left " + tools.left_over()[0];
      else
        ++exact;
      if (!fault.empty()) fault += last;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 6; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  std::string told;
  for (unsigned seed = 0; seed < seeds; ++seed)
    if (!faults[seed].empty()) told += "\nseed " + std::to_string(seed) + ": " + faults[seed];
  EXPECT_EQ(wrong, 0u) << told;
  // Where nearly every line is damaged one of the twenty may be given up, as an error that says so.
  EXPECT_GE(exact, level.damage > 1e-4 ? seeds - 1 : seeds) << told;
}

INSTANTIATE_TEST_SUITE_P(Shells, PulledThroughNoise,
                         testing::Combine(testing::Values("dash", "bash", "busybox"),
                                          testing::ValuesIn(kNoiseLevels)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param).name;
                         });

}  // namespace oob::recipe

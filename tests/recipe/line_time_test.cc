#include <gtest/gtest.h>

#include "tests/recipe/shell_pull.h"

namespace oob::recipe {

using namespace std::chrono_literals;

namespace {

// What a pull of pfSense's 212 kB takes of the line at 115200 baud, whatever the machine takes: all bytes,
// one way after the other, at 11,520 a second, as if the next block were never asked for while one comes; and
// for each block or command that was lost the half second that it is waited for.
double line_seconds(Noise noise, const std::string& config) {
  DeviceTools tools("dash");
  tools.write("config.xml", config);
  RealShell shell(tools, noise, 1);
  ShellPull pull(shell, shell_recipe(tools));
  EXPECT_TRUE(pull.carry(250s)) << noise.seed;
  if (!pull.done()) return 1e9;
  EXPECT_TRUE(pull.result()) << noise.seed << ": " << pull.result().error().what;
  if (!pull.result()) return 1e9;
  EXPECT_TRUE(pull.result()->files.at(0).bytes == config) << noise.seed;
  return static_cast<double>(shell.passed()) / 11520 + 0.5 * pull.result()->retries;
}

}  // namespace

TEST(LineTime, IsEightSecondsAtMostForPfsensesConfigurationOnAQuietLine) {
  std::string config = like_pfsense(212'000);
  double seconds = line_seconds({}, config);
  RecordProperty("milliseconds", static_cast<int>(seconds * 1000));
  EXPECT_LE(seconds, 8);
}

}  // namespace oob::recipe

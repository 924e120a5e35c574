#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "oobd/core_sandbox.h"
#include "oobd/notices.h"
#include "tests/oobd/config_folder.h"

namespace oob {
namespace {

using testing::ElementsAre;

constexpr char kNotifyServer[] = "[server]\nlisten = [\"127.0.0.1:0\"]\nstate = \"state\"\n";

bool may_read(const Config& config, const std::string& path) {
  base::LandlockTerms terms = core_terms(config, "/etc/oobd/oobd.toml", {});
  return std::any_of(terms.places.begin(), terms.places.end(),
                     [&](const base::LandlockTerms::Place& place) { return place.path == path; });
}

TEST(NotifyConfig, TakesProgramsFromItsFolderAndTheirWordsAsTheyAre) {
  test::ConfigFolder folder;
  ConfigOutcome outcome = folder.read(std::string(kNotifyServer) + R"(
[notify.sms]
events  = ["line.*", "disk.level"]
devices = ["edge*"]
program = ["notify/sms", "notify/sms", "a b"]
)");
  ASSERT_TRUE(outcome.config) << outcome.faults.front().text();
  const NotifyConfig& sms = outcome.config->notifies.at("sms");
  EXPECT_THAT(sms.program, ElementsAre(folder / "notify/sms", "notify/sms", "a b"));
  EXPECT_THAT(sms.events, ElementsAre("line.*", "disk.level"));
  EXPECT_THAT(sms.devices, ElementsAre("edge*"));
  EXPECT_EQ(sms.most, 30u);
  EXPECT_TRUE(needs_errands(*outcome.config));
}

TEST(NotifyConfig, LetsTheCoreReadWhatAPostNeedsAndTheResolver) {
  test::ConfigFolder folder;
  std::string text = std::string(kNotifyServer) + R"(
[notify.hook]
events     = ["*"]
ca         = "keys/syslog_ca.pem"
token_file = "secrets/hook"
)";
  ConfigOutcome numeric = folder.read(text + "post = \"https://192.0.2.1/hook\"\n");
  ASSERT_TRUE(numeric.config) << numeric.faults.front().text();
  EXPECT_FALSE(needs_errands(*numeric.config));
  EXPECT_TRUE(may_read(*numeric.config, folder / "keys/syslog_ca.pem"));
  EXPECT_TRUE(may_read(*numeric.config, folder / "secrets/hook"));
  EXPECT_TRUE(may_read(*numeric.config, "/etc/resolv.conf")) << "a reload may bring a name";
  EXPECT_FALSE(may_read(*numeric.config, "/etc"));
}

}  // namespace
}  // namespace oob

#include "console/watch_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/console/visit.h"

namespace oob::console {
namespace {

using testing::HasSubstr;
using testing::Not;

class WatchReportTest : public testing::Test {
 protected:
  WatchReportTest() {
    base::Micros now = base::wall_now();
    WatchFigures probes = figures("beyond", "", WatchState::up, "1 of 1 address answers (3 ms)");
    probes.looked = now;
    WatchFigures lost =
        figures("upstream1", "r1", WatchState::lost, "active; last error: Hold timer expired");
    lost.since = now - 180'000'000;
    lost.looked = now - 120'000'000;
    lost.trouble = "alice has the keyboard";
    WatchFigures hidden = figures("upstream2", "x1", WatchState::up, "established");
    hidden.prefixes = 7;
    watches_ = {probes, lost, hidden};
    board_.core.watches = [this] { return watches_; };
  }
  static WatchFigures figures(const std::string& name, const std::string& device, WatchState state,
                              const std::string& text) {
    WatchFigures one;
    one.name = name;
    one.device = device;
    one.state = state;
    one.text = text;
    return one;
  }
  Visitor visitor(const std::string& user) {
    Visitor who;
    who.who = {user, "SHA256:" + user, "192.0.2.9"};
    return who;
  }
  test::Board board_;
  std::vector<WatchFigures> watches_;
};

TEST_F(WatchReportTest, HasALineForEachThatMayBeSeen) {
  EXPECT_EQ(watch_status(board_.core, visitor("alice")),
            "peerings     1 of 2 up\n"
            "             beyond: up: 1 of 1 address answers (3 ms)\n"
            "             upstream1 (r1): LOST for 3 min: active; last error: Hold timer expired; not looked "
            "for 2 min: alice has the keyboard\n");
  EXPECT_THAT(watch_status(board_.core, visitor("root")), HasSubstr("upstream2 (x1): up: established\n"));
  watches_ = {figures("new", "r1", WatchState::unknown, "")};
  EXPECT_EQ(watch_status(board_.core, visitor("alice")),
            "peerings     0 of 1 up\n             new (r1): unknown: not looked yet\n");
  watches_.clear();
  EXPECT_EQ(watch_status(board_.core, visitor("root")), "");
  EXPECT_EQ(watch_metrics(board_.core, visitor("root")), "");
}

TEST_F(WatchReportTest, IsReadByProgramsToo) {
  boost::json::object object;
  watch_status(board_.core, visitor("alice"), object);
  const boost::json::array& list = object.at("watches").as_array();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_TRUE(list[0].at("device").is_null());
  EXPECT_EQ(list[1].at("watch").as_string(), "upstream1");
  EXPECT_EQ(list[1].at("state").as_string(), "lost");
  EXPECT_TRUE(list[1].at("since").is_string());
  EXPECT_EQ(list[1].at("trouble").as_string(), "alice has the keyboard");
}

TEST_F(WatchReportTest, HasMetrics) {
  std::string text = watch_metrics(board_.core, visitor("root"));
  EXPECT_THAT(text, HasSubstr("oobd_watch_up{watch=\"beyond\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("oobd_watch_lost{watch=\"upstream1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("oobd_watch_prefixes{watch=\"upstream2\"} 7\n"));
  EXPECT_THAT(watch_metrics(board_.core, visitor("alice")), Not(HasSubstr("upstream2")));
}

TEST_F(WatchReportTest, IsInTheListOfDevices) {
  test::Visit list(board_, "alice", "list");
  EXPECT_EQ(list.wait(), 0);
  EXPECT_THAT(list.out, HasSubstr("up, upstream1 LOST"));
  test::Visit json(board_, "alice", "list --json");
  EXPECT_EQ(json.wait(), 0);
  EXPECT_THAT(json.out, HasSubstr(R"("watches":{"upstream1":"lost"})"));
}

}  // namespace
}  // namespace oob::console

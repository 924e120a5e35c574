#include "console/uplink_report.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/console/visit.h"

namespace oob::console {
namespace {

using test::Board;
using test::Visit;
using uplink::Health;

class UplinkReportTest : public testing::Test {
 protected:
  UplinkReportTest() {
    uplink::Figures fixed;
    fixed.name = "fixed", fixed.interface = "oob0", fixed.health = Health::down;
    fixed.since = base::wall_now() - 180'000'000;
    fixed.lasting = 180'000'000;
    fixed.why = "3 of 3 probes unanswered";
    uplink::Figures lte;
    lte.name = "lte", lte.interface = "wwan0", lte.health = Health::up;
    lte.metered = lte.is_way_out = true;
    lte.addresses = {"198.51.100.7", "2001:db8::7"};
    lte.listening = {"198.51.100.7:2222"};
    lte.lasting = 3'600'000'000;
    lte.probes = 7, lte.answered = 6, lte.round_trip = 42'000;
    uplinks_ = {fixed, lte};
    board_.core.uplinks = [this] { return uplinks_; };
  }
  Board board_;
  std::vector<uplink::Figures> uplinks_;
};

TEST_F(UplinkReportTest, HasALineForEach) {
  EXPECT_EQ(
      uplink_status(board_.core),
      "uplinks      1 of 2 up; the way out is lte\n"
      "             fixed (oob0): down for 3 min: 3 of 3 probes unanswered\n"
      "             lte (wwan0): up since the start; metered; has 198.51.100.7, 2001:db8::7; listens on "
      "198.51.100.7:2222; the way out\n");
  uplinks_.pop_back();
  EXPECT_TRUE(
      uplink_status(board_.core)
          .starts_with("uplinks      0 of 1 up; outbound connections go where the routing table says\n"));
  uplinks_[0].hindrance = "icmp:192.0.2.1: socket: Too many open files";
  EXPECT_NE(
      uplink_status(board_.core).find("; as far as was asked: icmp:192.0.2.1: socket: Too many open files\n"),
      std::string::npos);
  uplinks_.clear();
  EXPECT_EQ(uplink_status(board_.core), "");
  EXPECT_EQ(uplink_metrics(board_.core), "");
}

TEST_F(UplinkReportTest, IsReadByProgramsToo) {
  boost::json::object object;
  uplink_status(board_.core, object);
  const boost::json::array& list = object.at("uplinks").as_array();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].at("uplink").as_string(), "fixed");
  EXPECT_EQ(list[0].at("state").as_string(), "down");
  EXPECT_EQ(list[0].at("why").as_string(), "3 of 3 probes unanswered");
  EXPECT_TRUE(list[0].at("since").is_string());
  EXPECT_TRUE(list[1].at("since").is_null());
  EXPECT_TRUE(list[1].at("way_out").as_bool());
  EXPECT_EQ(list[1].at("listening").at(0).as_string(), "198.51.100.7:2222");
  std::string metrics = uplink_metrics(board_.core);
  for (const char* line :
       {"\noobd_uplink_up{uplink=\"fixed\"} 0\n", "\noobd_uplink_up{uplink=\"lte\"} 1\n",
        "\noobd_uplink_degraded{uplink=\"lte\"} 0\n", "\noobd_uplink_way_out{uplink=\"lte\"} 1\n",
        "\noobd_uplink_state_seconds{uplink=\"fixed\"} 180.000000\n",
        "\noobd_uplink_probes_total{uplink=\"lte\"} 7\n", "\noobd_uplink_answered_total{uplink=\"lte\"} 6\n",
        "\noobd_uplink_round_trip_seconds{uplink=\"lte\"} 0.042000\n"})
    EXPECT_NE(metrics.find(line), std::string::npos) << line << metrics;
}

TEST_F(UplinkReportTest, KnowsHowLongThoughTheClockWasSetMeanwhile) {
  uplinks_[0].since = 1'000'000;  // 1970, and the clock was set since
  EXPECT_NE(uplink_status(board_.core).find("fixed (oob0): down for 3 min: "), std::string::npos);
  uplinks_[0].since = base::wall_now() + 3'600'000'000;
  EXPECT_NE(uplink_status(board_.core).find("fixed (oob0): down for 3 min: "), std::string::npos);
}

TEST_F(UplinkReportTest, SaysWhereAnUplinkThatIsUpCantBeDialled) {
  board_.core.closed_listeners = [] {
    return std::vector<ClosedListener>{{"", "203.0.113.5:2223", "Cannot assign requested address"},
                                       {"lte", "0.0.0.0:2222", "Address already in use"}};
  };
  EXPECT_NE(uplink_status(board_.core)
                .find("; does NOT listen on 0.0.0.0:2222: Address already in use; the way out\n"),
            std::string::npos);
  boost::json::object object;
  uplink_status(board_.core, object);
  EXPECT_EQ(object.at("uplinks").at(0).at("not_listening").as_array().size(), 0U);
  EXPECT_EQ(object.at("uplinks").at(1).at("not_listening").at(0).as_string(),
            "0.0.0.0:2222: Address already in use");
  std::string metrics = uplink_metrics(board_.core);
  for (const char* line : {"\noobd_uplink_listeners_closed{uplink=\"fixed\"} 0\n",
                           "\noobd_uplink_listeners_closed{uplink=\"lte\"} 1\n"})
    EXPECT_NE(metrics.find(line), std::string::npos) << line << metrics;
  EXPECT_NE(
      uplink_remark(board_.core).find("; uplink lte does not listen on 0.0.0.0:2222: Address already in use"),
      std::string::npos);
}

TEST_F(UplinkReportTest, RemarksBesideListWithATerminalAndWithout) {
  constexpr const char* kRemark = "uplink fixed is down for 3 min: 3 of 3 probes unanswered";
  for (const char* command : {"list", "list --json"}) {
    for (bool pty : {true, false}) {
      Visit visit(board_, "alice", command, pty);
      EXPECT_EQ(visit.wait(), 0);
      bool is_one_stream = pty && command != std::string("list");
      EXPECT_EQ((pty ? visit.out + visit.err : visit.err).find(kRemark) == std::string::npos, is_one_stream)
          << command << pty;
      if (!pty) {
        EXPECT_EQ(visit.out.find("uplink"), std::string::npos) << command;
      }
    }
  }
  uplinks_.erase(uplinks_.begin());
  Visit visit(board_, "alice", "list", true);
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ((visit.out + visit.err).find("uplink"), std::string::npos);
}

}  // namespace
}  // namespace oob::console

#include "console/listener_report.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "console/core.h"
#include "tests/console/visit.h"

namespace oob::console {
namespace {

using test::Board;

TEST(ListenerReport, SaysNothingWhileAllAreOpen) {
  Board board;
  EXPECT_EQ(listener_status(board.core), "");
  boost::json::object object;
  listener_status(board.core, object);
  EXPECT_EQ(object.at("not_listening").as_array().size(), 0U);
  EXPECT_NE(listener_metrics(board.core).find("\noobd_listeners_closed 0\n"), std::string::npos);
}

TEST(ListenerReport, SaysWhatIsNotOpenAndWhy) {
  Board board;
  board.core.closed_listeners = [] {
    return std::vector<ClosedListener>{{"", "203.0.113.5:2223", "Cannot assign requested address"},
                                       {"lte", "0.0.0.0:2222", "Address already in use"},
                                       {"", "unix:/run/oobd/onion.sock", "No such file or directory"}};
  };
  EXPECT_EQ(
      listener_status(board.core),
      "listeners    NOT OPEN: 203.0.113.5:2223: Cannot assign requested address; tried again each second\n"
      "             NOT OPEN: unix:/run/oobd/onion.sock: No such file or directory; tried again each "
      "second\n");
  boost::json::object object;
  listener_status(board.core, object);
  const boost::json::array& all = object.at("not_listening").as_array();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].at("listen").as_string(), "203.0.113.5:2223");
  EXPECT_TRUE(all[0].at("uplink").is_null());
  EXPECT_EQ(all[1].at("uplink").as_string(), "lte");
  EXPECT_EQ(all[1].at("why").as_string(), "Address already in use");
  EXPECT_NE(listener_metrics(board.core).find("\noobd_listeners_closed 3\n"), std::string::npos);
}

}  // namespace
}  // namespace oob::console

#include "oobd/uplink_news.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/audit/syslog_collector.h"
#include "tests/console/visit.h"
#include "tests/uplink/two_namespaces.h"

namespace oob {
namespace {

using testing::HasSubstr;

// The journal of what the loopback interface and one that is not there do as uplinks.
TEST(UplinkNews, TellsTheJournalAndStatusOfUplinks) {
  test::Board board;
  base::Blocking blocking(board.loop);
  audit::SyslogExport syslog(board.loop, blocking, board.core.journal, board.core.state, "board1");
  uplink::Uplinks uplinks(board.loop, {});
  {
    UplinkNews news(board.core, uplinks, syslog);
    news.listening(
        [](const std::string& name) { return std::vector<std::string>{"192.0.2.1:22 of " + name}; });
    Config config;
    config.uplinks["here"] = {"lo", {}, {}, false};
    config.uplinks["modem"] = {"wwan7", {}, {}, true};
    uplinks.adopt(uplink_settings(config));
    ASSERT_TRUE(test::run_until(board.loop, [&] { return uplinks.way_out() == "lo"; }));
    std::vector<uplink::Figures> figures = board.core.uplinks();
    ASSERT_EQ(figures.size(), 2U);
    EXPECT_TRUE(figures[0].is_way_out);
    EXPECT_TRUE(figures[1].metered);
    EXPECT_EQ(figures[1].listening, std::vector<std::string>{"192.0.2.1:22 of modem"});
    bool synced = false;
    board.core.journal.commit(auth::Entry("note"), [&](base::Result<> done) { synced = bool(done); });
    ASSERT_TRUE(test::run_until(board.loop, [&] { return synced; }));
  }
  std::string journal;
  for (const auto& file : std::filesystem::directory_iterator(board.core.state + "/journal"))
    if (file.path().extension() == ".jsonl") journal += test::read_file(file.path());
  EXPECT_THAT(journal, HasSubstr("\"ev\":\"uplink.down\""));
  EXPECT_THAT(journal, HasSubstr("\"interface\":\"wwan7\""));
  EXPECT_THAT(journal, HasSubstr("\"text\":\"there is no such interface now\""));
  EXPECT_THAT(journal, HasSubstr("\"ev\":\"uplink.way_out\""));
  EXPECT_THAT(journal, HasSubstr("\"text\":\"outbound connections go by uplink here (lo)\""));
  EXPECT_EQ(test::count(journal, "\"ev\":\"uplink."), 2U);
  EXPECT_TRUE(board.core.uplinks().empty());
}

// A way out does not lead to this board itself.
TEST(UplinkNews, LeavesTheExportToACollectorOnThisBoardAsItIs) {
  if (std::string missing = test::TwoNamespaces::missing(); !missing.empty()) GTEST_SKIP() << missing;
  test::TwoNamespaces lab;
  test::Board board;
  test::TempDir dir;
  test::TestCa ca;
  test::Collector collector(dir, ca.issue("logs.example.net"), {});
  test::write_file(dir / "ca.pem", ca.certificate());
  base::Blocking blocking(board.loop);
  audit::SyslogExport syslog(board.loop, blocking, board.core.journal, board.core.state, "board1");
  uplink::Uplinks uplinks(board.loop, {});
  UplinkNews news(board.core, uplinks, syslog);
  uplinks.adopt({{"fixed", {"oob0", {}, false}}});
  ASSERT_TRUE(test::run_until(board.loop, [&] { return uplinks.way_out() == "oob0"; }));
  syslog.adopt(audit::SyslogSettings{collector.address(), dir / "ca.pem", "logs.example.net", "", ""});
  EXPECT_TRUE(test::run_until(board.loop, [&] { return syslog.figures().connected; }))
      << syslog.figures().trouble;
  uplinks.adopt({{"modem", {"lte0", {}, false}}});
  ASSERT_TRUE(test::run_until(board.loop, [&] { return uplinks.way_out() == "lte0"; }));
  EXPECT_TRUE(syslog.figures().connected);
  board.core.journal.commit(auth::Entry("note").with("text", "by lte0"), [](const base::Result<>&) {});
  ASSERT_TRUE(
      test::run_until(board.loop, [&] { return collector.all().find("by lte0") != std::string::npos; }));
  EXPECT_EQ(collector.heard().size(), 1U);
}

}  // namespace
}  // namespace oob

#include "console/drill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "console/drill_checks.h"
#include "console/drills.h"
#include "console/reports.h"
#include "tests/console/shelf.h"

namespace oob::console {

using auth::Action;
using base::milliseconds;
using test::count;
using test::run_until;
using test::Shelf;
using test::TempDir;
using test::Visit;
using test::write_file;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using Outcome = DrillCheck::Outcome;

namespace {

constexpr base::Micros kDay = 86'400'000'000;
// For an answer where one of some consoles gives none: long enough for the others on a busy machine.
constexpr milliseconds kOneIsMute{2000};
constexpr milliseconds kNothingCounts{100};  // where it is all the same who answers

// Consoles without a model that answer at once, or don't; r1 has power.
struct Ground : Shelf {
  explicit Ground(milliseconds answer = milliseconds(30'000)) {
    for (const char* name : {"r1", "r2", "x1"}) inventory.find(name)->model.clear();
    allow({Action::watch, Action::write});
    limits.probe = {milliseconds(20), milliseconds(30'000), answer, milliseconds(20)};
    limits.bmc = milliseconds(200);
    start();
  }
  ~Ground() {
    core.sessions.clear();
    core.drills.reset();
  }
  void start() {
    core.drills = std::make_shared<Drills>(disk, dir / "drill", limits);
    core.drills->ground({});
  }
  // Whatever is typed at these is answered, while the loop runs by way of wait().
  int wait(Visit& visit, std::vector<std::string> names = {"r1", "r2", "x1"}) {
    auto closed = [&] {
      answer(names);
      visit.hear();
      return visit.closed;
    };
    run_until(loop, closed, milliseconds(60'000));
    return visit.status;
  }
  void answer(const std::vector<std::string>& names) {
    for (const std::string& name : names)
      for (std::size_t& at = heard[name]; at < lines[name]->typed.size(); ++at)
        lines[name]->say("\r\nprompt> ");
  }
  std::map<std::string, std::size_t> heard;
  Drill::Limits limits;
};

std::vector<boost::json::object> objects_in(const std::string& text) {
  std::vector<boost::json::object> objects;
  base::split(text, '\n', [&](std::string_view line) {
    if (!line.empty()) objects.push_back(boost::json::parse(line).as_object());
  });
  return objects;
}

DrillRecord some_record() {
  DrillRecord record;
  record.at = base::wall_now() / 1000 * 1000;
  record.by = "alice";
  record.passed = 7;
  record.failed = 3;
  record.skipped = 1;
  record.failures = {{"edge1", "edge1 console"}, {"", "uplink lte"}, {"r2", "r2 BMC"}};
  return record;
}

}  // namespace

TEST(Drill, ReportsLikeATestRun) {
  Ground board;
  board.power("r1");
  Visit visit(board, "alice", "drill r*");
  EXPECT_EQ(board.wait(visit), 0) << visit.out << visit.err;
  EXPECT_THAT(visit.out, HasSubstr(" r1 BMC: session up, power on\n"));
  EXPECT_THAT(visit.out, ContainsRegex(" r1 console: answers after [0-9]+\\.[0-9] s\n"));
  EXPECT_THAT(visit.out, ContainsRegex(" r2 console: answers after [0-9]+\\.[0-9] s\n"));
  EXPECT_TRUE(visit.out.starts_with("ok 1 r1 BMC: ")) << visit.out;
  EXPECT_THAT(visit.out, ContainsRegex("\n3 checks: 3 passed, in [0-9]+\\.[0-9] s\n"));
  EXPECT_THAT(visit.out, Not(HasSubstr("x1")));
  EXPECT_EQ(board.lines["x1"]->typed, "");
  EXPECT_TRUE(board.journalled("\"ev\":\"drill.passed\""));
  std::string text = board.journal_text();
  EXPECT_LT(text.find("\"devices\":\"r1, r2\",\"ev\":\"drill.begin\""), text.find("\"ev\":\"drill.passed\""));
}

TEST(Drill, FailsWithOneAndNamesWhatFailedInTheJournal) {
  Ground board(kOneIsMute);
  board.power("r2").refusal = base::fail(base::Fault::unavailable, "the BMC does not answer");
  Visit visit(board, "alice", "drill r1 r2");
  EXPECT_EQ(board.wait(visit, {"r1"}), 1);
  EXPECT_THAT(visit.out, HasSubstr("FAILED"));
  EXPECT_THAT(visit.out, HasSubstr(" r2 BMC: the power can't be read: the BMC does not answer\n"));
  EXPECT_THAT(visit.out, HasSubstr(" r2 console: no answer within 2.0 s of an Enter; "));
  EXPECT_THAT(visit.out, HasSubstr("\n3 checks: 1 passed, 2 failed, in "));
  EXPECT_TRUE(board.journalled("\"ev\":\"drill.failed\""));
  EXPECT_THAT(board.journal_text(), HasSubstr("\"failures\":\"r2 console, r2 BMC\""));
  EXPECT_THAT(board.journal_text(),
              HasSubstr("3 checks: 1 passed, 2 failed: r2 console, r2 BMC; r2 console: no answer"));
}

TEST(Drill, TellsOfABmcWithoutASessionAndOfOneThatSaysNothing) {
  Ground board;
  board.power("r1").trouble_now = "no answer to Get Channel Authentication";
  board.power("r2").holds = true;
  Visit visit(board, "alice", "drill r*");
  EXPECT_EQ(board.wait(visit), 1);
  EXPECT_THAT(visit.out,
              HasSubstr(" r1 BMC: no session with bmc1: no answer to Get Channel Authentication; "));
  EXPECT_THAT(visit.out, HasSubstr(" r2 BMC: no answer within "));
}

TEST(Drill, SkipsWhatItsVisitorMayNotDoAndSaysWhy) {
  Ground board;
  board.power("r1");
  Visit visit(board, "bob", "drill");  // who may watch r1 and no more
  EXPECT_EQ(board.wait(visit), 0) << visit.out << visit.err;
  EXPECT_THAT(visit.out, HasSubstr(" r1 console: bob may not write r1\n"));
  EXPECT_THAT(visit.out, HasSubstr(" r1 BMC: session up, power on\n"));
  EXPECT_THAT(visit.out, Not(HasSubstr("r2")));
  EXPECT_EQ(board.lines["r1"]->typed, "");
  EXPECT_FALSE(board.core.drills->last())
      << "a drill that left out what somebody may not do is not the board's";
  EXPECT_EQ(count(board.journal_text(), "\"ev\":\"denied\""), 0u);
  board.inventory.find("r1")->chassis.reset();
  Visit again(board, "bob", "drill r1");
  EXPECT_EQ(board.wait(again), 1) << "nothing was tried: " << again.out;
}

TEST(Drill, KnowsNoDeviceThatMayNotBeSeen) {
  Ground board;
  Visit hidden(board, "alice", "drill x1"), none(board, "alice", "drill r1 'q*'");
  EXPECT_EQ(board.wait(hidden), 66);
  EXPECT_EQ(hidden.err, "oobd: no such device: x1\n");
  EXPECT_EQ(board.wait(none), 66);
  EXPECT_EQ(none.err, "oobd: no such device: q*\n");
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(Drill, GivesOneObjectALine) {
  Ground board(kOneIsMute);
  Visit visit(board, "root", "drill --json");
  EXPECT_EQ(board.wait(visit, {"r1", "r2"}), 1);
  auto objects = objects_in(visit.out);
  ASSERT_GE(objects.size(), 6u);
  std::map<std::string, std::string> results;
  for (std::size_t i = 0; i + 1 < objects.size(); ++i) {
    results[std::string(objects[i].at("check").as_string())] = objects[i].at("result").as_string();
    EXPECT_TRUE(objects[i].contains("text") && objects[i].contains("ms"));
  }
  EXPECT_EQ(results["r1 console"], "passed");
  EXPECT_EQ(results["x1 console"], "failed");
  EXPECT_EQ(results["journal"], "passed");
  EXPECT_EQ(results.count("clock"), 1u);
  EXPECT_EQ(results["disk"], "passed");
  const boost::json::object& sum = objects.back();
  EXPECT_EQ(sum.at("result"), "failed");
  EXPECT_EQ(sum.at("checks").as_int64(), static_cast<std::int64_t>(objects.size() - 1));
  EXPECT_GE(sum.at("failed").as_int64(), 1);
  EXPECT_TRUE(objects[0].at("device").is_null()) << "what is about the board comes first";
}

TEST(Drill, TriesTheWayInAndTellsOfItsEnd) {
  Ground board;
  DrillGround ground;
  ground.login = [&](auto done) {
    board.loop.post([done] { done(base::fail(base::Fault::failed, "127.0.0.1:2222: it hung up")); });
  };
  board.core.drills->ground(ground);
  Visit visit(board, "root", "drill");
  EXPECT_EQ(board.wait(visit), 1);
  EXPECT_THAT(visit.out, HasSubstr(" login: 127.0.0.1:2222: it hung up\n"));
}

TEST(Drill, SaysThatItCannotTryTheWayInWhereItCannot) {
  Ground board;
  Visit visit(board, "root", "drill");
  board.wait(visit);
  EXPECT_TRUE(count(visit.out, "skipped") > 0 &&
              count(visit.out, " login: no listener that this board can dial") == 1)
      << visit.out;
}

TEST(Drill, LooksAtUplinksFromBothSidesAndAtWhoeverIsToldOfEvents) {
  Ground board;
  board.core.uplinks = [] {
    uplink::Figures up, down;
    up.name = "fibre";
    up.interface = "eth1";
    up.health = uplink::Health::up;
    down.name = "lte";
    down.interface = "wwan0";
    down.why = "3 of 3 probes unanswered";
    return std::vector<uplink::Figures>{up, down};
  };
  board.core.uplink_errors = [] { return std::vector<std::string>{"rp_filter is 1; cure: sysctl"}; };
  board.core.call_homes = [] {
    return std::vector<CallHomeFigures>{{"fra", "192.0.2.7:22", "/run/oob/ssh.sock", false, 0, "", "refused"},
                                        {"ams", "192.0.2.8:22", "/run/oob/ssh.sock", true, 0, "", ""}};
  };
  std::map<std::string, DrillCheck> checks;
  for (DrillCheck& check : drill_ways(board.core)) checks[check.name] = std::move(check);
  EXPECT_EQ(checks.size(), 5u);
  EXPECT_EQ(checks["uplink fibre"].outcome, Outcome::passed);
  EXPECT_EQ(checks["uplink fibre"].text, "up since the start by eth1");
  EXPECT_EQ(checks["uplink lte"].outcome, Outcome::failed);
  EXPECT_THAT(checks["uplink lte"].text, HasSubstr("3 of 3 probes unanswered; cure: "));
  EXPECT_EQ(checks["routing"].text, "rp_filter is 1; cure: sysctl");
  EXPECT_EQ(checks["routing"].outcome, Outcome::failed);
  EXPECT_EQ(checks["call-home fra"].outcome, Outcome::failed);
  EXPECT_EQ(checks["call-home ams"].text, "/run/oob/ssh.sock on 192.0.2.8:22 leads here since the start");
}

TEST(Drill, TriesWhoeverIsToldOfEventsUnlessThatIsKnown) {
  Ground board;
  auto figures = [](const char* name, base::Micros last, const char* trouble) {
    notice::Figures made;
    made.name = name;
    made.last = last;
    made.trouble = trouble;
    return made;
  };
  base::Micros now = base::wall_now();
  board.core.notices = [&] {
    return std::vector<notice::Figures>{
        figures("broken", now, "exit status 1"), figures("fresh", now - 600'000'000, ""),
        figures("good", now - kDay, ""), figures("never", 0, ""), figures("silent", 0, "")};
  };
  std::vector<std::string> tried;
  DrillGround ground;
  ground.notify = [&](const std::string& name, auto done) {
    tried.push_back(name);
    if (name == "silent") return;
    notice::Outcome outcome;
    outcome.kind = name == "good" ? notice::Outcome::Kind::delivered : notice::Outcome::Kind::failed;
    outcome.text = "192.0.2.1: answered with status 401";
    board.loop.post([done, outcome] { done(outcome); });
  };
  board.limits.notify = milliseconds(100);
  board.start();
  board.core.drills->ground(ground);
  Visit visit(board, "root", "drill");
  EXPECT_EQ(board.wait(visit), 1);
  EXPECT_THAT(tried, ::testing::ElementsAre("good", "never", "silent"));
  EXPECT_THAT(visit.out, HasSubstr(" notify broken: exit status 1\n"));
  EXPECT_THAT(visit.out, HasSubstr(" notify fresh: the last was delivered 10 min ago\n"));
  EXPECT_THAT(visit.out, HasSubstr(" notify good: a test was delivered\n"));
  EXPECT_THAT(visit.out,
              HasSubstr(" notify never: a test was not delivered: 192.0.2.1: answered with status 401\n"));
  EXPECT_THAT(visit.out, HasSubstr(" notify silent: no answer within 0 s\n"));
}

TEST(Drill, FailsADiskThatFillsAndOneThatTakesNoLog) {
  Ground board;
  EXPECT_EQ(drill_disk(board.core).outcome, Outcome::passed);
  board.core.disk.number = 1;
  board.core.disk.warning = "the disk is 85 % full";
  EXPECT_EQ(drill_disk(board.core).outcome, Outcome::failed);
  EXPECT_EQ(drill_disk(board.core).text, "the disk is 85 % full");
  board.core.disk = {};
  board.core.disk.trouble = "not all can be removed";
  EXPECT_EQ(drill_disk(board.core).outcome, Outcome::failed);
}

TEST(Drill, FailsAClockThatWasNeverSetOrIsBehindWhatWasSeen) {
  Ground board;
  base::Micros wall = 5'000'000;  // 1970
  board.core.time = std::make_unique<auth::Timekeeper>(0, [&] { return wall; });
  DrillCheck never = drill_clock(board.core, {"role night (hours)"});
  EXPECT_EQ(never.outcome, Outcome::failed);
  EXPECT_THAT(never.text, HasSubstr("it says 1970-01-01T00:00:05Z"));
  EXPECT_THAT(never.text,
              HasSubstr("logins with role night (hours) go by it; cure: an NTP server by its address"));
  wall = base::wall_now();
  board.core.time = std::make_unique<auth::Timekeeper>(wall + 365 * kDay, [&] { return wall; });
  EXPECT_EQ(drill_clock(board.core, {}).outcome, Outcome::failed);
  board.core.time = std::make_unique<auth::Timekeeper>(wall, [&] { return wall; });
  EXPECT_EQ(drill_clock(board.core, {}).outcome, Outcome::passed) << drill_clock(board.core, {}).text;
}

TEST(Drill, WantsASnapshotThatIsNotTooOldAndWhoseLastTryWentWell) {
  Ground board;
  Device& r1 = *board.inventory.find("r1");
  r1.model = "linux";
  r1.login.user = "oob";
  DrillCheck none = drill_snapshot(board.core, r1, 0, true);
  EXPECT_EQ(none.name, "r1 snapshot");
  EXPECT_EQ(none.outcome, Outcome::failed);
  EXPECT_EQ(none.text, "there is none; cure: 'snapshot r1', and see what it says");
  board.allow({Action::watch, Action::write, Action::snapshot});
  board.puller->has["r1"]["a.conf"] = "abc";
  Visit pull(board, "alice", "snapshot r1");
  ASSERT_EQ(pull.wait(), 0) << pull.err;
  DrillCheck fresh = drill_snapshot(board.core, r1, 0, false);
  EXPECT_EQ(fresh.outcome, Outcome::passed) << fresh.text;
  board.history.failed("r1", "it refused the password");
  EXPECT_EQ(drill_snapshot(board.core, r1, 0, false).outcome, Outcome::failed);
  EXPECT_THAT(drill_snapshot(board.core, r1, 0, false).text,
              HasSubstr("; the last try: it refused the password; cure: "));
  r1.model = "no-such-model";
  EXPECT_EQ(drill_snapshot(board.core, r1, 0, false).outcome, Outcome::failed);
}

TEST(Drill, WantsNoSnapshotWhereNobodyTakesAny) {
  Ground board(kNothingCounts);
  Device& r1 = *board.inventory.find("r1");
  r1.model = "linux";  // for its watch, say
  r1.login = {};
  EXPECT_EQ(drill_snapshot(board.core, r1, 0, false).outcome, Outcome::skipped);
  EXPECT_EQ(drill_snapshot(board.core, r1, 0, false).text,
            "none was ever stored; [snapshot] every takes them by the clock");
  EXPECT_EQ(drill_snapshot(board.core, r1, 0, true).outcome, Outcome::skipped) << "the clock leaves it alone";
  board.history.failed("r1", "it refused the password");
  EXPECT_EQ(drill_snapshot(board.core, r1, 0, false).outcome, Outcome::skipped);
  EXPECT_THAT(drill_snapshot(board.core, r1, 0, false).text, HasSubstr("it refused the password"));
  r1.login.user = "oob";
  EXPECT_EQ(drill_snapshot(board.core, r1, 0, false).outcome, Outcome::skipped);
  EXPECT_EQ(drill_snapshot(board.core, r1, 0, true).outcome, Outcome::failed);
  Visit visit(board, "alice", "drill r1");
  board.wait(visit);
  EXPECT_THAT(visit.out, HasSubstr("skipped 1 r1 snapshot: none was ever stored"));
}

TEST(Drill, TellsFirstOfWhatMattersMostOnTheDay) {
  Ground board(kNothingCounts);
  Device& r1 = *board.inventory.find("r1");
  r1.model = "no-such-model";
  board.power("r2").refusal = base::fail(base::Fault::unavailable, "the BMC does not answer");
  Visit visit(board, "alice", "drill r1 r2");
  EXPECT_EQ(board.wait(visit, {"r1"}), 1);
  EXPECT_TRUE(board.journalled("\"failures\":\"r1 console, r2 console, r2 BMC, r1 snapshot\""))
      << board.journal_text();
  EXPECT_THAT(board.journal_text(), HasSubstr("; r1 console: r1: there is no recipe"));
  EXPECT_LT(drill_rank({"r1 BMC", "r1", Outcome::failed, "", 0}),
            drill_rank({"uplink lte", "", Outcome::failed, "", 0}));
  EXPECT_LT(drill_rank({"uplink lte", "", Outcome::failed, "", 0}),
            drill_rank({"notify sms", "", Outcome::failed, "", 0}));
}

TEST(Drill, LetsASnapshotBeTwoWeeksOldOrTwiceTheTimeBetweenDrills) {
  EXPECT_EQ(oldest_snapshot(0), 14 * kDay);
  EXPECT_EQ(oldest_snapshot(kDay), 14 * kDay);
  EXPECT_EQ(oldest_snapshot(30 * kDay), 60 * kDay);
}

TEST(Drill, EndsWithinItsOwnTimeAndSaysWhatWasNotTried) {
  Ground board;
  board.limits.whole = milliseconds(100);
  board.limits.at_once = 1;
  board.limits.probe.quiet = milliseconds(5000);
  board.start();
  Visit visit(board, "alice", "drill r1 r2");
  EXPECT_EQ(board.wait(visit), 1);
  EXPECT_THAT(visit.out, HasSubstr("FAILED 1 r1 console: the drill's own time ("));
  EXPECT_THAT(visit.out, HasSubstr("FAILED 2 r2 console: not tried: the drill's own time ("));
}

TEST(Drill, IsGivenUpWhenItsVisitorLeaves) {
  Ground board;
  Visit visit(board, "alice", "drill r1");
  Console& console = *board.inventory.find("r1")->console;
  ASSERT_TRUE(run_until(board.loop, [&] { return console.writer() == "alice (drill)"; }));
  visit.hang_up();
  ASSERT_TRUE(
      run_until(board.loop, [&] { return console.writer().empty() && !board.core.drills->under_way(); }));
  EXPECT_TRUE(board.journalled("\"ev\":\"drill.given_up\""));
  EXPECT_EQ(console.watcher_count(), 0u);
}

TEST(Drill, EndsAtCtrlC) {
  Ground board;
  Visit visit(board, "alice", "drill r1", true);
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == "\r"; }));
  visit.type("\x03");
  EXPECT_EQ(visit.wait(), 130);
  EXPECT_TRUE(board.journalled("\"ev\":\"drill.given_up\""));
}

TEST(Drill, TypesNoMoreWhenTheRightIsTakenAway) {
  Ground board;
  Visit visit(board, "alice", "drill r1 r2");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.lines["r1"]->typed == "\r"; }));
  board.allow({Action::watch});
  EXPECT_EQ(board.wait(visit, {}), 1);
  EXPECT_THAT(visit.out, HasSubstr(" r1 console: you may no longer type there\n"));
  EXPECT_EQ(board.inventory.find("r1")->console->writer(), "");
}

TEST(Drill, IsOneAtATime) {
  Ground board;
  Visit first(board, "alice", "drill r1"), second(board, "root", "drill x1");
  EXPECT_EQ(board.wait(second, {"x1"}), 75);
  EXPECT_EQ(second.err, "oobd: a drill of alice's is under way\n");
  EXPECT_EQ(board.wait(first), 0);
  Visit third(board, "root", "drill x1");
  EXPECT_EQ(board.wait(third), 0);
}

TEST(Drill, ByTheScheduleMayTypeWhatTheScheduleMayLogInTo) {
  Ground board;
  Drill::Order order;
  order.scheduled = true;
  order.visitor.who = auth::Policy::schedule();
  order.devices = {"r1", "x1"};
  std::optional<DrillTally> tally;
  board.core.drills->begin(
      board.core, std::move(order), [](const DrillCheck&) {},
      [&](const base::Result<DrillTally>& how) { tally = how ? *how : DrillTally{}; });
  ASSERT_TRUE(run_until(board.loop, [&] {
    board.answer({"r1", "x1"});
    return tally.has_value();
  }));
  EXPECT_EQ(board.lines["x1"]->typed, "\r");
  EXPECT_FALSE(tally->barred);
  EXPECT_EQ(tally->skipped, 1u) << "the login, for want of a listener";
  EXPECT_TRUE(board.journalled("\"key\":\"schedule\""));
}

// --- what is kept
// ----------------------------------------------------------------------------------------------------

TEST(Drills, KeepTheLastWholeOneOverARestart) {
  Ground board(kOneIsMute);
  Visit visit(board, "root", "drill");
  board.wait(visit, {"r1", "r2"});
  ASSERT_TRUE(board.core.drills->last());
  DrillRecord before = *board.core.drills->last();
  EXPECT_EQ(before.by, "root");
  EXPECT_THAT(before.failures, ::testing::Contains(DrillRecord::Failure{"x1", "x1 console"}));
  ASSERT_TRUE(run_until(board.loop, [&] { return !test::read_file(board.dir / "drill").empty(); }));
  board.start();
  ASSERT_TRUE(board.core.drills->open());
  EXPECT_EQ(*board.core.drills->last(), before);
  Visit part(board, "root", "drill r1");
  EXPECT_EQ(board.wait(part), 0);
  EXPECT_EQ(*board.core.drills->last(), before) << "a drill of one device says nothing of all";
}

TEST(Drills, TellStatusAndMetricsHowTheLastOneWentWithoutHiddenNames) {
  Ground board(kOneIsMute);
  Visitor alice, root;
  alice.who = {"alice", "SHA256:alice", "192.0.2.9"};
  root.who = {"root", "SHA256:root", "192.0.2.9"};
  EXPECT_THAT(drill_status(board.core, alice), HasSubstr("drill        there was none yet"));
  EXPECT_EQ(drill_metrics(board.core), "");
  Visit visit(board, "root", "drill");
  board.wait(visit, {"r1", "r2"});
  board.core.drills->next = [] { return base::wall_now() + 3 * kDay + kDay / 2; };
  EXPECT_THAT(status_report(board.core, root, false), HasSubstr("x1 console"));
  EXPECT_THAT(status_report(board.core, root, false), HasSubstr("; the next in 3 d\n"));
  std::string hidden = status_report(board.core, alice, false) + status_report(board.core, alice, true);
  EXPECT_THAT(hidden, HasSubstr("drill        the last FAILED "));
  EXPECT_THAT(hidden, HasSubstr("1 more"));
  EXPECT_THAT(hidden, Not(HasSubstr("x1")));
  auto object = boost::json::parse(status_report(board.core, root, true)).as_object();
  EXPECT_EQ(object.at("drill").at("result"), "failed");
  EXPECT_THAT(metrics_report(board.core, root), HasSubstr("\noobd_drill_good 0\n"));
}

TEST(DrillFile, IsReadBackAsItWas) {
  DrillRecord record = some_record();
  std::optional<DrillRecord> read = read_drill_file(drill_file(record));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, record);
  record.failures.clear();
  EXPECT_EQ(read_drill_file(drill_file(record)), record);
}

TEST(DrillFile, IsTakenWholeOrNotAtAll) {
  std::string text = drill_file(some_record());
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(read_drill_file(text.substr(0, size))) << text.substr(0, size);
  for (std::size_t at = 0; at < text.size(); ++at)
    for (unsigned char flip : {0x01, 0x20, 0x80}) {
      std::string bad = text;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      std::optional<DrillRecord> read = read_drill_file(bad);
      EXPECT_LE(read ? read->failures.size() : 0, 4u) << bad;  // another word at most
    }
  EXPECT_FALSE(read_drill_file(text + "x"));
}

TEST(Drills, AreWithoutALastOneWhenTheFileIsDamaged) {
  Ground board;
  write_file(board.dir / "drill", "oobd drill 1\nnonsense\n");
  board.start();
  base::Result<> opened = board.core.drills->open();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().what, HasSubstr("/drill: it is damaged"));
  EXPECT_FALSE(board.core.drills->last());
}

}  // namespace oob::console

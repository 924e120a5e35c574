#include "console/snapshot_job.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "console/dialogue.h"
#include "tests/console/shelf.h"

namespace oob::console {

using auth::Action;
using test::count;
using test::run_until;
using test::Shelf;
using test::Visit;

namespace {

std::vector<boost::json::object> objects_of(const std::string& text) {
  std::vector<boost::json::object> objects;
  base::split(text, '\n', [&](std::string_view line) {
    if (!line.empty()) objects.push_back(boost::json::parse(line).as_object());
  });
  return objects;
}

}  // namespace

TEST(Snapshot, StoresWhatTheDeviceHasAndSaysWhatChanged) {
  Shelf shelf;
  shelf.puller->has["r1"]["config.xml"] = "<a>\n</a>\n";
  shelf.inventory.find("r1")->fetch = {"/etc/more/*"};
  Visit first(shelf, "alice", "snapshot r1"), second(shelf, "alice", "help");
  EXPECT_EQ(first.wait(), 0);
  EXPECT_TRUE(first.out.starts_with("r1  stored 11111111  config.xml new  9 B, device, ")) << first.out;
  EXPECT_TRUE(first.out.ends_with(" s, 2 retries\n")) << first.out;
  shelf.puller->has["r1"]["config.xml"] = "<a>\nb\n</a>\n";
  Visit changed(shelf, "alice", "snapshot r1");
  EXPECT_EQ(changed.wait(), 0);
  EXPECT_TRUE(changed.out.starts_with("r1  stored 22222222  config.xml +3 -1  11 B, device, "))
      << changed.out;
  Visit unchanged(shelf, "alice", "snapshot r1");
  EXPECT_EQ(unchanged.wait(), 0);
  EXPECT_TRUE(unchanged.out.starts_with("r1  unchanged since 22222222 (20")) << unchanged.out;
  const History::Snapshot& stored = shelf.history.stored[0];
  EXPECT_EQ(stored.user, "alice");
  EXPECT_EQ(stored.recipe, "linux 3");
  EXPECT_EQ(stored.recording, "20261122-160311-7");
  EXPECT_NE(stored.checkpoint.find(' '), std::string::npos) << stored.checkpoint;
  EXPECT_FALSE(stored.accept);
  EXPECT_EQ(stored.fetch, std::vector<std::string>{"/etc/more/*"});
}

TEST(Snapshot, IsWrittenDownBeforeAndAfterwardsWithTheSumsOfTheFiles) {
  Shelf shelf;
  shelf.puller->holds = true;
  shelf.puller->has["r1"]["a.conf"] = "abc";
  shelf.puller->has["r1"]["b conf"] = "";
  Visit visit(shelf, "alice", "snapshot r1 --wait 5 --method console");
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->held() == 1; }));
  std::string before = shelf.journal_text();
  EXPECT_NE(before.find(
                "\"device\":\"r1\",\"ev\":\"snapshot.pull\",\"key\":\"SHA256:alice\",\"method\":\"console\""),
            std::string::npos)
      << before;
  EXPECT_EQ(shelf.puller->asked[0].wait, base::milliseconds(5000));
  EXPECT_EQ(shelf.puller->asked[0].way, Puller::Way::console);
  EXPECT_EQ(shelf.puller->asked[0].grant.action(), Action::snapshot);
  shelf.puller->let_go("r1");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_TRUE(shelf.journalled(
      "\"ev\":\"snapshot.stored\",\"files\":\"a.conf "
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3, b conf "
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0\",\"grade\":\"device\""));
  // printf abc > "a.conf"; : > "b conf"; sha256sum * | sha256sum
  EXPECT_TRUE(
      shelf.journalled("\"sums\":\"6e62a90f18ecc2e9566bc039350f576592b4cbcd66f56b81f68895e12cf8392a\""));
  EXPECT_TRUE(shelf.journalled("\"revision\":\"1111111111111111111111111111111111111111\""));
}

TEST(Snapshot, OfAGlobPrintsALineForEachAndTheWorstStatus) {
  Shelf shelf;
  shelf.puller->has["r1"]["a"] = shelf.puller->has["r2"]["a"] = "x\n";
  shelf.puller->fails["r2"] = base::fail(base::Fault::unavailable, "r2: no login prompt came");
  shelf.add("r10");
  shelf.inventory.find("r10")->model.clear();
  Visit visit(shelf, "alice", "snapshot 'r*'");
  EXPECT_EQ(visit.wait(), 69);
  EXPECT_NE(visit.out.find("r1  stored 11111111  a new"), std::string::npos) << visit.out;
  EXPECT_NE(visit.out.find("r2  error: no login prompt came\n"), std::string::npos) << visit.out;
  EXPECT_EQ(visit.err, "oobd: 1 device has no model configured\n");
  EXPECT_EQ(shelf.history.latest().at("r2").trouble, "r2: no login prompt came");
  EXPECT_TRUE(shelf.journalled("\"ev\":\"snapshot.failed\""));
  EXPECT_EQ(shelf.core.snapshots->figures().failed, 1u);
}

TEST(Snapshot, PullsAtMostEightSideBySide) {
  Shelf shelf;
  for (int i = 0; i < 12; ++i) {
    shelf.add(base::str("rack", i));
    shelf.inventory.find(base::str("rack", i))->model = "linux";
  }
  shelf.puller->holds = true;
  Visit visit(shelf, "alice", "snapshot 'rack*' --json");
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->held() == SnapshotJob::kAtOnce; }));
  shelf.puller->let_go("rack0");
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->asked.size() == 9; }));
  EXPECT_EQ(shelf.puller->held(), SnapshotJob::kAtOnce);
  shelf.puller->holds = false;
  for (int i = 0; i < 12; ++i) shelf.puller->let_go(base::str("rack", i));
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(objects_of(visit.out).size(), 12u);
}

TEST(Snapshot, NeedsTheRightAndHidesWhatOneMayNotSee) {
  Shelf shelf;
  shelf.allow({Action::watch, Action::write});
  Visit denied(shelf, "alice", "snapshot r1"), hidden(shelf, "alice", "snapshot x1"),
      glob(shelf, "alice", "snapshot 'r*' --json"), none(shelf, "alice", "snapshot 'x*'");
  EXPECT_EQ(denied.wait(), 77);
  EXPECT_EQ(denied.err, "oobd: alice may not snapshot r1\n");
  EXPECT_EQ(hidden.wait(), 66);
  EXPECT_EQ(hidden.err, "oobd: no such device: x1\n");
  EXPECT_EQ(glob.wait(), 77);
  EXPECT_EQ(objects_of(glob.out).at(0).at("result"), "denied");
  EXPECT_EQ(none.wait(), 66);
  EXPECT_TRUE(shelf.puller->asked.empty());
}

TEST(Snapshot, SaysWhatTheConfigurationLacks) {
  Shelf shelf;
  shelf.inventory.find("r1")->model.clear();
  Visit model(shelf, "alice", "snapshot r1"), ssh(shelf, "alice", "snapshot r2 --method ssh"),
      method(shelf, "alice", "snapshot r2 --method sssh"), wait(shelf, "alice", "snapshot r2 --wait 2h");
  EXPECT_EQ(model.wait(), 64);
  EXPECT_NE(model.err.find("model = "), std::string::npos) << model.err;
  EXPECT_EQ(ssh.wait(), 64);
  EXPECT_NE(ssh.err.find("no address on the management network"), std::string::npos) << ssh.err;
  EXPECT_EQ(method.wait(), 64);
  EXPECT_NE(method.err.find("did you mean 'ssh'?"), std::string::npos) << method.err;
  EXPECT_EQ(wait.wait(), 64);
  shelf.core.history = nullptr;
  Visit kept(shelf, "alice", "snapshot r2");
  EXPECT_EQ(kept.wait(), 69);
  EXPECT_TRUE(shelf.puller->asked.empty());
}

TEST(Snapshot, ARefusedLoginIsTheDevicesAndNotTheVisitorsFault) {
  Shelf shelf;
  shelf.puller->fails["r1"] = base::fail(base::Fault::denied, "r1: user or password were refused");
  Visit visit(shelf, "alice", "snapshot r1");
  EXPECT_EQ(visit.wait(), 69);
  EXPECT_EQ(visit.err, "oobd: r1: user or password were refused\n");
}

TEST(Snapshot, SomebodyWhoTypesIsNoTroubleOfTheDevice) {
  Shelf shelf;
  shelf.puller->fails["r1"] = base::fail(base::Fault::busy, "bob types");
  Visit visit(shelf, "alice", "snapshot r1 --json");
  EXPECT_EQ(visit.wait(), 75);
  EXPECT_EQ(objects_of(visit.out).at(0).at("result"), "busy");
  EXPECT_EQ(shelf.history.latest().count("r1"), 0u);
}

TEST(Snapshot, WhatShrankIsInQuarantineUntilItIsAccepted) {
  Shelf shelf;
  shelf.puller->has["r1"]["a"] = std::string(100, 'x');
  Visit first(shelf, "alice", "snapshot r1");
  ASSERT_EQ(first.wait(), 0);
  shelf.puller->has["r1"]["a"] = "x";
  Visit shrunk(shelf, "alice", "snapshot r1"), json(shelf, "alice", "snapshot r2");
  EXPECT_EQ(shrunk.wait(), 1);
  EXPECT_EQ(
      shrunk.out,
      "r1  QUARANTINED 22222222  it is less than half of what it was; --accept stores it all the same\n");
  EXPECT_TRUE(shelf.journalled("\"ev\":\"snapshot.quarantined\""));
  Visit accepted(shelf, "alice", "snapshot r1 --accept");
  EXPECT_EQ(accepted.wait(), 0);
  EXPECT_TRUE(shelf.history.stored.back().accept);
}

TEST(Snapshot, TellsScriptsAllThatIsKnown) {
  Shelf shelf;
  shelf.puller->holds = true;
  shelf.puller->has["r1"]["config.xml"] = "x\n";
  Visit visit(shelf, "alice", "snapshot r1 --json");
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->held() == 1; }));
  recipe::Progress how_far{"config.xml", 10, 100, 1, 2};
  auto since = base::Clock::now();
  for (int i = 0; i < 5; ++i) shelf.puller->wish("r1").told(how_far);
  bool is_soon = base::Clock::now() - since < SnapshotJob::kTellEvery;  // the machine did not stand still
  const std::string line =
      "{\"device\":\"r1\",\"progress\":{\"file\":\"config.xml\",\"done\":10,\"of\":100,\"number\":1,"
      "\"files\":2}}\n";
  ASSERT_TRUE(visit.wait_for(line));
  shelf.puller->let_go("r1");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_TRUE(visit.out.starts_with(line)) << visit.out;
  if (is_soon) {
    EXPECT_EQ(count(visit.out, "progress"), 1u) << visit.out;
  }
  boost::json::object object = objects_of(visit.out).back();
  EXPECT_EQ(object.at("result"), "stored");
  EXPECT_EQ(object.at("revision"), std::string(40, '1').c_str());
  EXPECT_EQ(object.at("grade"), "device");
  EXPECT_EQ(object.at("method"), "posix-block");
  EXPECT_EQ(object.at("retries"), 2);
  EXPECT_EQ(object.at("bytes_on_wire"), 4711);
  EXPECT_EQ(object.at("recording"), "20261122-160311-7");
  EXPECT_TRUE(object.at("seconds").is_double());
  boost::json::object file = object.at("files").at(0).as_object();
  EXPECT_EQ(file.at("name"), "config.xml");
  EXPECT_EQ(file.at("change"), "added");
  EXPECT_EQ(file.at("size"), 2);
  EXPECT_EQ(file.at("sha256"), "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac");
}

TEST(Snapshot, AConsoleThatIsLeftOpenIsSaidLoudly) {
  Shelf shelf;
  shelf.puller->left_open = "a shell is logged in as root";
  shelf.puller->has["r1"]["a"] = "x";
  Visit visit(shelf, "alice", "snapshot r1"), json(shelf, "alice", "snapshot r2 --json");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.err, "oobd: CONSOLE LEFT OPEN: r1: a shell is logged in as root\n");
  EXPECT_EQ(json.wait(), 0);
  EXPECT_EQ(objects_of(json.out).at(0).at("left_open"), "a shell is logged in as root");
}

TEST(Snapshot, IsGivenUpWhenItsVisitorLeavesAndNothingIsStored) {
  Shelf shelf;
  shelf.puller->holds = true;
  shelf.puller->has["r1"]["a"] = shelf.puller->has["r2"]["a"] = "x";
  Visit hangs_up(shelf, "alice", "snapshot r1"), prompt(shelf, "alice", "", true);
  ASSERT_TRUE(prompt.wait_for("oobd> "));
  prompt.type("snapshot r2\r");
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->held() == 2; }));
  hangs_up.hang_up();
  prompt.type("\003");
  ASSERT_TRUE(prompt.wait_for("given up; 1 device is being left as found"));
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->interrupted.size() == 2; }));
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.core.snapshots->under_way() == 0; }));
  EXPECT_TRUE(shelf.history.stored.empty());
  EXPECT_TRUE(shelf.history.latest().empty());
  EXPECT_TRUE(run_until(shelf.loop, [&] { return count(shelf.journal_text(), "snapshot.failed") == 2; }));
}

TEST(Snapshot, ALostRightEndsIt) {
  Shelf shelf;
  shelf.puller->holds = true;
  Visit visit(shelf, "alice", "snapshot r1");
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->held() == 1; }));
  shelf.allow({Action::watch});
  EXPECT_EQ(visit.wait(), 77);
  EXPECT_NE(visit.err.find("you may no longer snapshot r1"), std::string::npos) << visit.err;
  EXPECT_TRUE(shelf.history.stored.empty());
}

TEST(Snapshot, IsOneAtATimeOfADevice) {
  Shelf shelf;
  shelf.puller->holds = true;
  shelf.puller->has["r1"]["a"] = "x";
  Visit first(shelf, "alice", "snapshot r1");
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->held() == 1; }));
  Visit busy(shelf, "root", "snapshot r1"), late(shelf, "root", "snapshot r1 --wait 0.05"),
      waits(shelf, "root", "snapshot r1 --wait 60");
  EXPECT_EQ(busy.wait(), 75);
  EXPECT_EQ(busy.err, "oobd: r1: another snapshot of it is under way (--wait S waits for it)\n");
  EXPECT_EQ(late.wait(), 75);
  ASSERT_TRUE(waits.wait_for("r1: waiting for another snapshot of it"));
  EXPECT_EQ(shelf.puller->asked.size(), 1u);
  shelf.puller->let_go("r1");
  EXPECT_EQ(first.wait(), 0);
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->asked.size() == 2; }));
  shelf.puller->let_go("r1");
  EXPECT_EQ(waits.wait(), 0);
  EXPECT_NE(waits.out.find("unchanged since 11111111"), std::string::npos) << waits.out;
}

TEST(Snapshot, ADiskThatTakesNothingIsAFault) {
  Shelf shelf;
  shelf.puller->has["r1"]["a"] = "x";
  shelf.history.refuses = "No space left on device";
  Visit visit(shelf, "alice", "snapshot r1");
  EXPECT_EQ(visit.wait(), 1);
  EXPECT_EQ(visit.err, "oobd: r1: No space left on device\n");
  EXPECT_TRUE(shelf.journalled("\"ev\":\"snapshot.failed\""));
}

TEST(Snapshot, DrawsABarForEachDeviceOnATerminalAndTakesItAwayAgain) {
  Shelf shelf;
  shelf.puller->holds = true;
  shelf.puller->has["r1"]["config.xml"] = "x";
  Visit visit(shelf, "alice", "snapshot r1", true);
  ASSERT_TRUE(visit.wait_for("r1  logging in\x1b[K\r\n"));
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->held() == 1; }));
  shelf.puller->wish("r1").told({"config.xml", 50'000, 100'000, 1, 1});
  ASSERT_TRUE(
      visit.wait_for("\x1b[1A\rr1  [####################....................]  50 %  config.xml  100 kB"));
  // Of several, a small one that is there is not all of them.
  shelf.puller->wish("r1").told({"hostname", 12, 12, 1, 4});
  ASSERT_TRUE(visit.wait_for("r1  [##########..............................]  25 %  hostname 1/4  12 B"));
  shelf.puller->let_go("r1");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_NE(visit.out.find("\x1b[1A\r\x1b[Jr1  stored 11111111"), std::string::npos) << visit.out;
}

TEST(Snapshot, ADaemonThatStopsNotesWhatItNeverStored) {
  Shelf shelf;
  shelf.puller->holds = true;
  Visit visit(shelf, "alice", "snapshot r1");
  ASSERT_TRUE(run_until(shelf.loop, [&] { return shelf.puller->held() == 1; }));
  shelf.core.snapshots.reset();
  EXPECT_TRUE(shelf.journalled("the daemon stopped before it was stored"));
}

TEST(Snapshot, IsInTheListTheStatusAndTheMetrics) {
  Shelf shelf;
  shelf.puller->has["r1"]["a"] = "x";
  shelf.puller->fails["r2"] = base::fail(base::Fault::unavailable, "no answer");
  base::Micros before = base::wall_now();
  Visit pulled(shelf, "alice", "snapshot 'r*'");
  EXPECT_EQ(pulled.wait(), 69);
  Visit list(shelf, "root", "list --json"), status(shelf, "root", "status"),
      json(shelf, "root", "status --json"), metrics(shelf, "root", "metrics");
  for (Visit* visit : {&list, &status, &json, &metrics}) EXPECT_EQ(visit->wait(), 0);
  std::vector<boost::json::object> devices = objects_of(list.out);
  EXPECT_TRUE(devices.at(0).at("snapshot").is_string());
  EXPECT_TRUE(devices.at(1).at("snapshot").is_null());
  EXPECT_NE(status.out.find("snapshots    of 1 of 3 devices with a model\n             r1: "),
            std::string::npos)
      << status.out;
  EXPECT_NE(status.out.find(" old, 11111111, device\n             r2: none yet; the last try: no answer\n"),
            std::string::npos)
      << status.out;
  boost::json::array snapshots = objects_of(json.out).at(0).at("snapshots").as_array();
  EXPECT_EQ(snapshots.at(0).at("trouble"), "");
  EXPECT_TRUE(snapshots.at(0).at("age_seconds").is_int64());
  EXPECT_EQ(snapshots.at(1).at("trouble"), "no answer");
  EXPECT_TRUE(snapshots.at(1).at("checked").is_null());
  std::string age = "oobd_snapshot_age_seconds{device=\"r1\"} ";
  std::size_t at = metrics.out.find(age);
  ASSERT_NE(at, std::string::npos) << metrics.out;
  at += age.size();
  std::int64_t seconds = -1;
  ASSERT_TRUE(
      base::parse_number(std::string_view(metrics.out).substr(at, metrics.out.find('\n', at) - at), seconds));
  EXPECT_GE(seconds, 0);
  EXPECT_LE(seconds, (base::wall_now() - before) / 1'000'000);
  EXPECT_EQ(count(metrics.out, "oobd_snapshot_age_seconds{"), 1u);
  EXPECT_NE(metrics.out.find("oobd_snapshot_failures_total 1\n"), std::string::npos);
  EXPECT_NE(metrics.out.find("oobd_snapshots_total{result=\"stored\"} 1\n"), std::string::npos);
}

}  // namespace oob::console

#include "console/bmc_jobs.h"

#include <gtest/gtest.h>

#include "console/sel_job.h"
#include "tests/console/visit.h"

namespace oob::console {

using auth::Action;
using test::Board;
using test::count;
using test::FakeChassis;
using test::run_until;
using test::Visit;
using Asked = std::vector<std::string>;

namespace {

struct Logged : Board {
  Logged() {
    allow({Action::watch, Action::power});
    bmc = &power("r1");
  }
  FakeChassis* bmc;
};

LogEvent event(unsigned id, base::Micros time = 1'700'000'000'000'000) {
  LogEvent event;
  event.id = id;
  event.time = time;
  event.sensor = "CPU Temp";
  event.type = "Temperature";
  event.text = "Upper Critical going high";
  event.raw = base::str("raw", id);
  return event;
}

}  // namespace

TEST(Boot, SetsTheNextBootAndWritesItDown) {
  Logged board;
  Visit visit(board, "alice", "boot r1 pxe");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "r1: the next boot is from the network (PXE)\n");
  EXPECT_EQ(board.bmc->asked, Asked{"boot pxe"});
  EXPECT_NE(board.journal_text().find("\"ev\":\"boot.request\""), std::string::npos);
  EXPECT_TRUE(board.journalled("\"ev\":\"boot.result\""));
}

TEST(Boot, RefusesOtherWordsRightsAndDevices) {
  Logged board;
  Visit typo(board, "alice", "boot r1 cdrm"), bob(board, "bob", "boot r1 pxe"),
      none(board, "alice", "boot r2 pxe");
  EXPECT_EQ(typo.wait(), 64);
  EXPECT_EQ(typo.err, "oobd: boot: it is none, pxe, disk, cdrom or bios, not cdrm; did you mean 'cdrom'?\n");
  EXPECT_EQ(bob.wait(), 77);
  EXPECT_EQ(none.wait(), 69);
  EXPECT_TRUE(board.bmc->asked.empty());
}

TEST(Boot, AFaultOfTheBmcAndALostRightAreTold) {
  Logged board;
  board.bmc->refusal = base::fail(base::Fault::denied, "the BMC's user may not");
  Visit visit(board, "alice", "boot r1 disk");
  EXPECT_EQ(visit.wait(), 77);
  EXPECT_EQ(visit.err, "oobd: r1: the BMC's user may not\n");
  board.bmc->holds = true;
  Visit lost(board, "alice", "boot r1 disk"), interrupted(board, "alice", "boot r1 none", true);
  ASSERT_TRUE(run_until(board.loop, [&] { return board.bmc->held() == 2; }));
  interrupted.type("\003");
  EXPECT_EQ(interrupted.wait(), 130);
  EXPECT_NE(interrupted.err.find("it goes on"), std::string::npos);
  board.allow({});
  EXPECT_EQ(lost.wait(), 66);
}

TEST(Identify, IsOnUnlessToldOff) {
  Logged board;
  Visit on(board, "alice", "identify r1");
  EXPECT_EQ(on.wait(), 0);
  Visit off(board, "alice", "identify r1 off"), typo(board, "alice", "identify r1 of");
  EXPECT_EQ(off.wait(), 0);
  EXPECT_EQ(typo.wait(), 64);
  EXPECT_EQ(off.out, "r1: the identify light is off\n");
  EXPECT_EQ(board.bmc->asked, (Asked{"identify on", "identify off"}));
}

TEST(Sensors, AreATableOrJson) {
  Logged board;
  Sensor temp{.number = 1,
              .name = "CPU Temp",
              .type = "Temperature",
              .value = 42.5,
              .unit = "degrees C",
              .state = "ok",
              .asserted = {},
              .lnr = {},
              .lcr = {},
              .lnc = {},
              .unc = 80.0,
              .ucr = 90.25,
              .unr = {}};
  Sensor psu;
  psu.number = 2;
  psu.name = "PSU1";
  psu.type = "Power Supply";
  psu.state = "ok";
  psu.asserted = {"Presence detected", "Failure detected"};
  board.bmc->sensor_list = {temp, psu};
  Visit table(board, "bob", "sensors r1"), json(board, "bob", "sensors r1 --json");
  EXPECT_EQ(table.wait(), 0);
  EXPECT_EQ(
      table.out,
      "NAME      READING                              UNIT       STATE  LNR  LCR  LNC  UNC  UCR    UNR\n"
      "CPU Temp  42.5                                 degrees C  ok     -    -    -    80   90.25  -\n"
      "PSU1      Presence detected, Failure detected  -          ok     -    -    -    -    -      -\n");
  EXPECT_EQ(json.wait(), 0);
  EXPECT_EQ(
      json.out,
      "{\"device\":\"r1\",\"name\":\"CPU Temp\",\"type\":\"Temperature\",\"value\":42.5,\"unit\":\"degrees "
      "C\",\"state\":\"ok\",\"asserted\":[],\"thresholds\":{\"unc\":80,\"ucr\":90.25}}\n"
      "{\"device\":\"r1\",\"name\":\"PSU1\",\"type\":\"Power Supply\",\"value\":null,\"unit\":\"\",\"state\":"
      "\"ok\",\"asserted\":[\"Presence detected\",\"Failure detected\"],\"thresholds\":{}}\n");
}

TEST(Sensors, ABmcThatNeverAnswersIsGivenUp) {
  Logged board;
  board.bmc->holds = true;
  board.core.chassis_patience = base::milliseconds(20);
  Visit sensors(board, "alice", "sensors r1"), sel(board, "alice", "sel r1");
  EXPECT_EQ(sensors.wait(), 69);
  EXPECT_EQ(sensors.err, "oobd: r1: no answer\n");
  EXPECT_EQ(sel.wait(), 69);
  EXPECT_EQ(sel.err, "oobd: r1: no answer\n");
}

TEST(Sel, TellsOneRecordALine) {
  Logged board;
  LogEvent early = event(2, 12'000'000);
  early.since_boot = true;
  early.sensor = "Fan";
  early.text = "Lower Critical going low";
  early.asserted = false;
  board.bmc->log = {event(1), early, event(3, 0)};
  Visit text(board, "bob", "sel r1"), json(board, "bob", "sel r1 --json");
  EXPECT_EQ(text.wait(), 0);
  EXPECT_EQ(text.out,
            "0001  2023-11-14T22:13:20Z  CPU Temp  Upper Critical going high  asserted\n"
            "0002  since boot +12 s      Fan       Lower Critical going low  deasserted\n"
            "0003  -                     CPU Temp  Upper Critical going high  asserted\n");
  EXPECT_EQ(json.wait(), 0);
  EXPECT_NE(
      json.out.find("{\"device\":\"r1\",\"id\":2,\"time\":null,\"since_boot\":12,\"sensor\":\"Fan\",\"type\":"
                    "\"Temperature\",\"text\":\"Lower Critical going low\",\"asserted\":false,\"raw\":"
                    "\"raw2\"}\n"),
      std::string::npos)
      << json.out;
}

TEST(Sel, ALongLogWaitsForItsReader) {
  Logged board;
  for (unsigned id = 1; id <= 4000; ++id) board.bmc->log.push_back(event(id));
  Visit visit(board, "alice", "sel r1 --json");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(count(visit.out, "\n"), 4000u);
}

TEST(Sel, IsInTheJournalBeforeItIsCleared) {
  Logged board;
  for (unsigned id = 1; id <= 150; ++id) board.bmc->log.push_back(event(id));
  Visit bob(board, "bob", "sel r1 --clear");
  EXPECT_EQ(bob.wait(), 77);
  board.bmc->holds = true;
  Visit visit(board, "alice", "sel r1 --clear");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.bmc->held() == 1; }));
  board.bmc->answer();
  ASSERT_TRUE(run_until(board.loop, [&] { return board.bmc->held() == 1; }));
  EXPECT_EQ(board.bmc->asked, (Asked{"events", "clear 150"}));
  std::string journal = board.journal_text();
  EXPECT_EQ(count(journal, "\"ev\":\"sel.records\""), 3u);
  EXPECT_EQ(count(journal, "\"record_"), 150u);
  EXPECT_NE(journal.find("raw150 0096 2023-11-14T22:13:20Z CPU Temp: Upper Critical going high"),
            std::string::npos);
  EXPECT_NE(journal.find("\"ev\":\"sel.clear.request\""), std::string::npos);
  board.bmc->answer();
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "r1: 150 records cleared\n");
  EXPECT_TRUE(board.journalled("\"ev\":\"sel.clear.result\""));
}

TEST(Sel, WhatComesMeanwhileIsReadAndWrittenDownToo) {
  Logged board;
  board.bmc->log = {event(1)};
  board.bmc->late = {event(2), event(3)};
  Visit visit(board, "alice", "sel r1 --clear --json");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "{\"device\":\"r1\",\"cleared\":3}\n");
  EXPECT_EQ(board.bmc->asked, (Asked{"events", "clear 1", "events", "clear 2", "events", "clear 3"}));
  EXPECT_EQ(count(board.journal_text(), "\"record_"), 3u);
  board.bmc->log = {event(1)};
  board.bmc->late = {event(2), event(3), event(4)};
  Visit never(board, "alice", "sel r1 --clear");
  EXPECT_EQ(never.wait(), 75);
  EXPECT_EQ(board.bmc->log.size(), 4u);
}

TEST(Sel, ALostRightOrARemovedDeviceEndsItBeforeAnythingIsCleared) {
  Logged board;
  board.bmc->log = {event(1)};
  board.bmc->holds = true;
  Visit lost(board, "alice", "sel r1 --clear"), interrupted(board, "alice", "sel r1 --clear", true);
  ASSERT_TRUE(run_until(board.loop, [&] { return board.bmc->held() == 2; }));
  interrupted.type("\003");
  EXPECT_EQ(interrupted.wait(), 130);
  EXPECT_NE(interrupted.err.find("nothing was cleared"), std::string::npos);
  board.allow({Action::watch});
  EXPECT_EQ(lost.wait(), 77);
  Visit watcher(board, "alice", "sel r1"), sensors(board, "alice", "sensors r1");
  ASSERT_TRUE(run_until(board.loop, [&] { return board.bmc->held() == 4; }));
  board.inventory.remove("r1", "taken out of the configuration");
  board.allow({Action::watch});
  EXPECT_EQ(watcher.wait(), 66);
  EXPECT_EQ(sensors.wait(), 66);
}

}  // namespace oob::console

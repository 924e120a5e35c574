#include "ipmi/sensors.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/ipmi/fake_records.h"
#include "tests/support/support.h"

namespace oob {
namespace {

using base::Result;
using console::Sensor;
using ipmi::Sensors;
using test::unhex;
using Read = Result<std::vector<Sensor>>;

struct SensorWorld {
  base::Loop loop;
  base::Blocking blocking{loop};
  test::FakeLink link{loop};
  test::FakeRecords bmc;
  std::unique_ptr<Sensors> sensors = std::make_unique<Sensors>(loop, blocking, link, "");

  SensorWorld() {
    link.answer = [this](const ipmi::Request& request) { return bmc(request); };
    link.come_up();
    // What ipmi_sim 2.0.33 answered to `ipmitool raw 4 0x2d N` and `raw 4 0x27 N`.
    const char* readings[] = {"62c038", "f6c038", "0ec000", "c0c000", "19c000",
                              "1ec000", "2ac000", "0cc000", "00c007", "08c000"};
    const char* thresholds[] = {"3f050301505860", "3fe2ecf1282c30", "3f050403fdfeff", "3fa09c98d0d4d8",
                                "3f0a0806303840"};
    for (int i = 0; i < 10; ++i) bmc.readings[i + 1] = unhex(readings[i]);
    for (int i = 0; i < 5; ++i) bmc.thresholds[i + 1] = unhex(thresholds[i]);
    bmc.readings[32] = unhex("00c00900");
  }
  Read read() {
    std::optional<Read> got;
    sensors->read([&](Read sensors) { got = std::move(sensors); });
    EXPECT_TRUE(test::run_until(loop, [&] { return got.has_value(); }));
    return got ? *got : base::fail(base::Fault::internal, "no answer");
  }
  Sensor read_one(std::size_t which) {
    auto got = read();
    EXPECT_TRUE(got && got->size() == 11);
    return got && got->size() > which ? (*got)[which] : Sensor{};
  }
};

std::string number(const std::optional<double>& value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", value.value_or(0));
  return value ? text : "na";
}

// One line of `ipmitool sensor`, without its padding.
std::string line(const Sensor& s) {
  return base::str(s.name, "|", number(s.value), "|", s.unit, "|", s.state, "|", number(s.lnr), "|",
                   number(s.lcr), "|", number(s.lnc), "|", number(s.unc), "|", number(s.ucr), "|",
                   number(s.unr));
}

TEST(Sensors, ShowsWhatIpmitoolShows) {
  SensorWorld world;
  auto got = world.read();
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 11u);
  EXPECT_EQ(line((*got)[2]), "FAN1|1400.000|RPM|ok|300.000|400.000|500.000|25300.000|25400.000|25500.000");
  EXPECT_EQ(line((*got)[3]), "12V|12.096|Volts|ok|9.576|9.828|10.080|13.104|13.356|13.608");
  EXPECT_EQ(line((*got)[4]), "-12V|-11.600|Volts|ok|-13.728|-13.504|-13.280|-9.024|-8.128|-7.232");
  EXPECT_EQ(line((*got)[0]), "CPU Temp|98.000|degrees C|nr|1.000|3.000|5.000|80.000|88.000|96.000");
  EXPECT_EQ(line((*got)[6]), "Load|42.000|percent|ok|na|na|na|na|na|na");  // thresholds: CBh
  EXPECT_EQ(line((*got)[8]), "Log|na|Volts|nr|na|na|na|na|na|na");
  EXPECT_EQ((*got)[10].type, "Power Supply");
  EXPECT_EQ((*got)[10].state, "ok");
  EXPECT_EQ((*got)[10].number, 32u);
  EXPECT_EQ((*got)[10].asserted, (std::vector<std::string>{"Presence detected", "Power Supply AC lost"}));
}

TEST(Sensors, NamesTheWorstThresholdThatIsCrossed) {
  SensorWorld world;
  const std::pair<const char*, const char*> states[] = {{"62c000", "ok"}, {"62c001", "nc"}, {"62c008", "nc"},
                                                        {"62c003", "cr"}, {"62c018", "cr"}, {"62c007", "nr"},
                                                        {"62c020", "nr"}, {"62c0", "ok"}};
  for (auto [reading, state] : states) {
    world.bmc.readings[1] = unhex(reading);
    EXPECT_EQ(world.read_one(0).state, state) << reading;
  }
}

TEST(Sensors, HasNoReadingWhereTheBmcHasNone) {
  SensorWorld world;
  for (const char* reading : {"62e000", "628000", "62", ""}) {  // unavailable, not scanning, cut
    world.bmc.readings[1] = unhex(reading);
    Sensor sensor = world.read_one(0);
    EXPECT_EQ(sensor.state, "ns") << reading;
    EXPECT_FALSE(sensor.value);
  }
  world.bmc.readings.erase(1);  // CBh
  EXPECT_EQ(world.read_one(0).state, "ns");
  EXPECT_EQ(world.read_one(1).state, "nr");
}

TEST(Sensors, ShowsStatesThatHaveNoName) {
  SensorWorld world;
  world.bmc.readings[32] = unhex("00c00240");
  EXPECT_EQ(world.read_one(10).asserted, (std::vector<std::string>{"Failure detected", "State 14"}));
  world.bmc.readings[32] = unhex("00c0");
  EXPECT_TRUE(world.read_one(10).asserted.empty());
}

TEST(Sensors, TakesFixedThresholdsFromTheRecord) {
  SensorWorld world;
  std::string& record = world.bmc.records[0];
  record[11] = static_cast<char>(record[11] | 0x0c);
  record[18] = 0x18;  // the upper non-critical and critical ones
  record[38] = 80;
  record[37] = 90;
  EXPECT_EQ(line(world.read_one(0)), "CPU Temp|98.000|degrees C|nr|na|na|na|80.000|90.000|na");
}

TEST(Sensors, AsksForTheFactorsOfNonLinearSensors) {
  SensorWorld world;
  world.bmc.records[0][23] = 0x70;
  world.bmc.factors[0x62] = unhex("63020000000000");  // M 2
  world.bmc.factors[0x50] = unhex("51030000000000");  // M 3
  Sensor sensor = world.read_one(0);
  EXPECT_EQ(number(sensor.value), "196.000");
  EXPECT_EQ(number(sensor.unc), "240.000");
  EXPECT_EQ(number(sensor.ucr), "na");
}

TEST(Sensors, LeavesOutWhatOthersOwn) {
  SensorWorld world;
  world.bmc.records[0][5] = 0x22;  // another controller
  world.bmc.records[1][6] = 0x10;  // another channel
  world.bmc.records[3][5] = 0x41;  // system software
  auto got = world.read();
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 8u);
}

TEST(Sensors, AsksEachAtItsLun) {
  SensorWorld world;
  world.bmc.records[2][6] = 0x03;
  ASSERT_TRUE(world.read());
  bool at_3 = false, at_0 = false;
  for (const auto& asked : world.link.asked) {
    at_3 = at_3 || asked.request.lun == 3;
    at_0 = at_0 || (asked.request.netfn == ipmi::NetFn::sensor_event && asked.request.lun == 0);
  }
  EXPECT_TRUE(at_3);
  EXPECT_TRUE(at_0);
}

TEST(Sensors, EndsWithTheLink) {
  SensorWorld world;
  world.link.answer = [&](const ipmi::Request& request) -> std::optional<test::FakeLink::Reply> {
    if (request.command == 0x2d && request.data == "\x05") return std::nullopt;
    return world.bmc(request);
  };
  auto got = world.read();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what, "sensors: fake: no answer");
  world.link.answer = [&](const ipmi::Request& request) { return world.bmc(request); };
  EXPECT_TRUE(world.read());
}

TEST(Sensors, ServesAllWhoAskWithOneReading) {
  SensorWorld world;
  std::size_t served = 0, refused = 0;
  for (std::size_t i = 0; i < Sensors::kMostWaiting + 1; ++i)
    world.sensors->read([&](Read got) {
      if (got) return void(++served);
      EXPECT_EQ(got.error().fault, base::Fault::busy);
      ++refused;
    });
  EXPECT_TRUE(test::run_until(world.loop, [&] { return served + refused == Sensors::kMostWaiting + 1; }));
  EXPECT_EQ(refused, 1u);
  int readings = 0;
  for (const auto& asked : world.link.asked) readings += asked.request.command == 0x2d;
  EXPECT_EQ(readings, 11);
}

TEST(Sensors, CallsNobodyWhenItIsGone) {
  SensorWorld world;
  bool called = false;
  world.sensors->read([&](Read) { called = true; });
  world.sensors.reset();
  EXPECT_FALSE(test::run_until(
      world.loop, [&] { return called; }, base::milliseconds(50)));
}

}  // namespace
}  // namespace oob

#include "ipmi/sdr.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ipmi/captured_sdrs.h"

namespace oob {
namespace {

using ipmi::AnalogFormat;
using ipmi::convert;
using ipmi::Factors;
using ipmi::SensorRecord;
using test::captured_sdrs;
using test::unhex;

SensorRecord only(const std::string& record) {
  auto sensors = ipmi::decode_sdr(record);
  EXPECT_TRUE(sensors && sensors->size() == 1);
  return sensors && !sensors->empty() ? sensors->front() : SensorRecord{};
}

// A compact record (table 43-2) whose ID string is `name`.
std::string compact(const std::string& name, char sharing, char offset) {
  std::string record = unhex("05005102002000030a010000086f000000000000c00000");
  record += sharing;
  record += offset;
  record += std::string(6, '\0');
  record += static_cast<char>(0xc0 | name.size());
  record += name;
  record[4] = static_cast<char>(record.size() - 5);
  return record;
}

TEST(Sdr, ReadsCapturedRecordsAsIpmitoolShowsThem) {
  std::vector<std::string> shown;
  for (const std::string& record : captured_sdrs()) {
    SensorRecord sensor = only(record);
    shown.push_back(base::str(sensor.name, "|", ipmi::sensor_type_name(sensor.type), "|", sensor.units.text(),
                              "|", int{sensor.number}, sensor.analog() ? "|analog" : "|states"));
  }
  EXPECT_EQ(shown, (std::vector<std::string>{
                       "CPU Temp|Temperature|degrees C|1|analog", "Inlet Temp|Temperature|degrees C|2|analog",
                       "FAN1|Fan|RPM|3|analog", "12V|Voltage|Volts|4|analog", "-12V|Voltage|Volts|5|analog",
                       "PSU Power|Power Supply|Watts|6|analog", "Load|Processor|percent|7|analog",
                       "Square|Voltage|Volts|8|analog", "Log|Voltage|Volts|9|analog",
                       "Inverse|Voltage|Volts|10|analog", "PS1 Status|Power Supply||32|states"}));
}

// `ipmitool sensor` about the same records: readings 62h, F6h, 0Eh, C0h, 19h, 1Eh, 2Ah, 0Ch, 00h, 08h.
TEST(Sdr, ConvertsReadingsAsIpmitoolDoes) {
  const int raw[] = {0x62, 0xf6, 0x0e, 0xc0, 0x19, 0x1e, 0x2a, 0x0c, 0x00, 0x08};
  const double expected[] = {98, -10, 1400, 12.096, -11.6, 150, 42, 0.002, NAN, 0.0625};
  std::vector<std::string> records = captured_sdrs();
  for (std::size_t i = 0; i < std::size(raw); ++i) {
    SensorRecord sensor = only(records[i]);
    auto value =
        convert(static_cast<std::uint8_t>(raw[i]), sensor.format, sensor.linearization, sensor.factors);
    if (std::isnan(expected[i])) {
      EXPECT_FALSE(value);  // ipmitool shows "-inf"
    } else {
      ASSERT_TRUE(value) << i;
      EXPECT_NEAR(*value, expected[i], 0.0005) << i;
    }
  }
}

TEST(Sdr, KnowsEveryLinearizationOfTheStandard) {
  Factors plain{2, 0, 0, -1};  // 30 becomes 6
  auto value = [&](std::uint8_t linearization) {
    return convert(30, AnalogFormat::no_sign, linearization, plain).value_or(-1);
  };
  EXPECT_DOUBLE_EQ(value(0x00), 6);
  EXPECT_NEAR(value(0x01), 1.791759469, 1e-9);
  EXPECT_NEAR(value(0x02), 0.778151250, 1e-9);
  EXPECT_NEAR(value(0x03), 2.584962501, 1e-9);
  EXPECT_NEAR(value(0x04), 403.428793493, 1e-6);
  EXPECT_NEAR(value(0x05), 1e6, 1e-3);
  EXPECT_DOUBLE_EQ(value(0x06), 64);
  EXPECT_NEAR(value(0x07), 0.166666667, 1e-9);
  EXPECT_DOUBLE_EQ(value(0x08), 36);
  EXPECT_DOUBLE_EQ(value(0x09), 216);
  EXPECT_NEAR(value(0x0a), 2.449489743, 1e-9);
  EXPECT_NEAR(value(0x0b), 1.817120593, 1e-9);
  EXPECT_DOUBLE_EQ(value(0x70), 6);
  EXPECT_FALSE(convert(30, AnalogFormat::no_sign, 0x0c, plain));  // reserved
}

TEST(Sdr, HasNoValueWhereTheArithmeticHasNone) {
  Factors plain;
  EXPECT_FALSE(convert(0, AnalogFormat::no_sign, 0x07, plain));
  EXPECT_FALSE(convert(0, AnalogFormat::no_sign, 0x01, plain));
  EXPECT_FALSE(convert(0xf0, AnalogFormat::twos_complement, 0x02, plain));
  EXPECT_FALSE(convert(0xf0, AnalogFormat::twos_complement, 0x0a, plain));
  EXPECT_FALSE(convert(1, AnalogFormat::none, 0x00, plain));
  EXPECT_FALSE(convert(255, AnalogFormat::no_sign, 0x05, Factors{511, 511, 7, 7}));
  EXPECT_DOUBLE_EQ(convert(0xf8, AnalogFormat::twos_complement, 0x0b, plain).value_or(0), -2);
}

TEST(Sdr, ReadsSignsByTheAnalogFormat) {
  Factors plain;
  EXPECT_DOUBLE_EQ(convert(0xff, AnalogFormat::no_sign, 0, plain).value_or(9), 255);
  EXPECT_DOUBLE_EQ(convert(0xff, AnalogFormat::ones_complement, 0, plain).value_or(9), 0);
  EXPECT_DOUBLE_EQ(convert(0xfe, AnalogFormat::ones_complement, 0, plain).value_or(9), -1);
  EXPECT_DOUBLE_EQ(convert(0x80, AnalogFormat::ones_complement, 0, plain).value_or(9), -127);
  EXPECT_DOUBLE_EQ(convert(0x80, AnalogFormat::twos_complement, 0, plain).value_or(9), -128);
}

TEST(Sdr, ExtendsTheSignsOfTheFactors) {
  Factors factors = Factors::decode(unhex("ffc0008000f7"));
  EXPECT_EQ(factors.m, -1);
  EXPECT_EQ(factors.b, -512);
  EXPECT_EQ(factors.k1, 7);
  EXPECT_EQ(factors.k2, -1);
  factors = Factors::decode(unhex("ff40ff400078"));
  EXPECT_EQ(factors.m, 511);
  EXPECT_EQ(factors.b, 511);
  EXPECT_EQ(factors.k1, -8);
  EXPECT_EQ(factors.k2, 7);
}

TEST(Sdr, ReadsIdStringsInEveryCode) {
  EXPECT_EQ(ipmi::decode_id_string(0x83, unhex("29dca6")), "IPMI");  // the example of 43.15
  EXPECT_EQ(ipmi::decode_id_string(0x43, unhex("12b3d9")), "12-3:9");
  EXPECT_EQ(ipmi::decode_id_string(0xc4, "Fan1 and more"), "Fan1");
  EXPECT_EQ(ipmi::decode_id_string(0xc6, "Temp\xb0\x43"), "Temp\xc2\xb0\x43");
  EXPECT_EQ(ipmi::decode_id_string(0xc8, std::string("CPU\0\0\0\0\0", 8)), "CPU");
  EXPECT_EQ(ipmi::decode_id_string(0x04, std::string("F\0\xe4\0", 4)), "F\xc3\xa4");
  EXPECT_EQ(ipmi::decode_id_string(0x04, "Fan1"), "Fan1");  // ASCII, whatever the type says
  EXPECT_EQ(ipmi::decode_id_string(0x02, unhex("00d8")), "?");
  EXPECT_EQ(ipmi::decode_id_string(0xc5, "a\x1b[2J"), "a\\x1b[2J");
  EXPECT_EQ(ipmi::decode_id_string(0xdf, "short"), "short");
  EXPECT_EQ(ipmi::decode_id_string(0xc0, "none"), "");
}

TEST(Sdr, MakesOneSensorOfEachThatShareARecord) {
  auto numbers = ipmi::decode_sdr(compact("Temp ", 3, 5));
  ASSERT_TRUE(numbers);
  ASSERT_EQ(numbers->size(), 3u);  // the example of table 43-2
  EXPECT_EQ((*numbers)[0].name, "Temp 5");
  EXPECT_EQ((*numbers)[2].name, "Temp 7");
  EXPECT_EQ((*numbers)[0].number, 3);
  EXPECT_EQ((*numbers)[2].number, 5);
  auto letters = ipmi::decode_sdr(compact("Temp ", 0x12, 25));
  ASSERT_TRUE(letters);
  ASSERT_EQ(letters->size(), 2u);
  EXPECT_EQ((*letters)[0].name, "Temp Z");
  EXPECT_EQ((*letters)[1].name, "Temp AA");
  EXPECT_EQ(only(compact("Alone ", 0, 0)).name, "Alone");
  EXPECT_EQ(only(compact("", 1, 0)).name, "#0x03");
}

TEST(Sdr, ReadsEventOnlyRecords) {
  // Table 43-3.
  SensorRecord sensor = only(unhex("01005103142000000701236f01000000c85761746368646f67"));
  EXPECT_EQ(sensor.kind, SensorRecord::Kind::event_only);
  EXPECT_EQ(sensor.name, "Watchdog");
  EXPECT_EQ(sensor.type, 0x23);
  EXPECT_EQ(sensor.event_type, 0x6f);
  EXPECT_FALSE(sensor.analog());
}

TEST(Sdr, SkipsRecordsThatDescribeNoSensor) {
  for (int type : {0x08, 0x09, 0x10, 0x11, 0x12, 0x13, 0x14, 0xc0, 0x00, 0xff}) {
    std::string record = captured_sdrs()[0];
    record[3] = static_cast<char>(type);
    auto sensors = ipmi::decode_sdr(record);
    ASSERT_TRUE(sensors);
    EXPECT_TRUE(sensors->empty());
  }
}

TEST(Sdr, TakesNothingBeyondTheLengthInTheHeader) {
  std::string record = captured_sdrs()[0];
  EXPECT_EQ(only(record + "more").name, "CPU Temp");
  record[4] = static_cast<char>(record[4] - 5);
  EXPECT_EQ(only(record).name, "CPU");
}

TEST(Sdr, SaysWhatARecordThatIsTooShortLacks) {
  auto sensors = ipmi::decode_sdr(captured_sdrs()[0].substr(0, 40));
  ASSERT_FALSE(sensors);
  EXPECT_EQ(sensors.error().what, "SDR 1: type 1 record of 40 bytes, needs more than 47");
}

TEST(Sdr, SurvivesEveryCutAndEveryChangedByte) {
  std::vector<std::string> records = {captured_sdrs()[0], captured_sdrs()[10], compact("Temp ", 15, 120)};
  for (const std::string& whole : records) {
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
      auto sensors = ipmi::decode_sdr(whole.substr(0, cut));
      EXPECT_EQ(static_cast<bool>(sensors), cut > (whole[3] == 1 ? 47u : 31u)) << cut;
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        std::string changed = whole;
        changed[at] = static_cast<char>(value);
        auto sensors = ipmi::decode_sdr(changed);
        if (!sensors) continue;
        for (const SensorRecord& sensor : *sensors) {
          auto y = convert(0x5a, sensor.format, sensor.linearization, sensor.factors);
          ASSERT_TRUE(!y || std::isfinite(*y));
          for (unsigned char each : sensor.name) ASSERT_TRUE(each >= 0x20 && each != 0x7f) << at;
        }
      }
    }
  }
}

TEST(Sdr, NamesUnitsAsIpmitoolDoes) {
  EXPECT_EQ((ipmi::Units{0, 18, 0}.text()), "RPM");
  EXPECT_EQ((ipmi::Units{1, 0, 0}.text()), "percent");
  EXPECT_EQ((ipmi::Units{2, 4, 22}.text()), "Volts/second");
  EXPECT_EQ((ipmi::Units{4, 6, 24}.text()), "Watts * hour");
  EXPECT_EQ((ipmi::Units{0x20, 17, 0}.text()), "CFM per minute");
  EXPECT_EQ((ipmi::Units{0, 92, 0}.text()), "grams");
  EXPECT_EQ((ipmi::Units{0, 93, 0}.text()), "unknown");
  EXPECT_EQ((ipmi::Units{0, 0, 0}.text()), "");
}

TEST(SensorRecords, FindsASensorByOwnerLunAndNumber) {
  std::vector<std::string> records = captured_sdrs();
  records.push_back("cut");
  ipmi::SensorRecords sensors(records);
  EXPECT_EQ(sensors.broken(), 1u);
  ASSERT_NE(sensors.find(0x20, 0, 3), nullptr);
  EXPECT_EQ(sensors.find(0x20, 0, 3)->name, "FAN1");
  EXPECT_EQ(sensors.find(0x20, 1, 3), nullptr);
  EXPECT_EQ(sensors.find(0x41, 0, 3), nullptr);
}

}  // namespace
}  // namespace oob

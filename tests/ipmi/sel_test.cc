#include "ipmi/sel.h"

#include <gtest/gtest.h>

#include "tests/ipmi/captured_sdrs.h"

namespace oob {
namespace {

using console::LogEvent;
using ipmi::SelRecord;
using test::unhex;

LogEvent shown(const std::string& hex) {
  static const ipmi::SensorRecords sensors(test::captured_sdrs());
  auto record = SelRecord::decode(unhex(hex));
  EXPECT_TRUE(record) << hex;
  return record ? ipmi::describe(*record, sensors) : LogEvent{};
}

std::string line(const LogEvent& event) {
  return base::str(event.id, "|", event.type, "|", event.sensor, "|", event.text, "|",
                   event.asserted ? "asserted" : "deasserted");
}

// `ipmitool raw 0x0a 0x43` from ipmi_sim 2.0.33; what `ipmitool sel elist` says about the same records stands
// above each.
TEST(Sel, ShowsCapturedRecordsAsIpmitoolDoes) {
  // Temperature CPU Temp | Upper Critical going high | Asserted | Reading 98 > Threshold 88 degrees C
  EXPECT_EQ(line(shown("0100021534000020000401010159"
                       "6258")),
            "1|Temperature|CPU Temp|Upper Critical going high: reading 98 > threshold 88 degrees C|asserted");
  // System Event #0x82 | OEM System boot event () | Asserted
  EXPECT_EQ(line(shown("02000215340000200004"
                       "12826f01ffff")),
            "2|System Event|System Event #0x82|OEM System boot event|asserted");
  // Fan #0x03 | Lower Critical going low  | Asserted
  EXPECT_EQ(line(shown("0300028e370000410004"
                       "040301520203")),
            "3|Fan|Fan #0x03|Lower Critical going low|asserted");
  // Power Supply #0x20 | Power Supply AC lost () | Asserted
  EXPECT_EQ(line(shown("0400028e370000410004"
                       "08206f03ffff")),
            "4|Power Supply|Power Supply #0x20|Power Supply AC lost|asserted");
  // System Firmwares #0x06 | System boot initiated () | Asserted
  EXPECT_EQ(
      line(shown("0500028e370000410004"
                 "0f066fc213ff")),
      "5|System Firmware|System Firmware #0x06|System Firmware Progress: System boot initiated|asserted");
  // Temperature #0x02 | Upper Non-critical going high | Deasserted
  EXPECT_EQ(line(shown("0600028e370000410004"
                       "01028157f028")),
            "6|Temperature|Temperature #0x02|Upper Non-critical going high|deasserted");
  // Memory #0x51 | Uncorrectable ECC | Asserted
  EXPECT_EQ(line(shown("0700028e370000410004"
                       "0c516f31ff05")),
            "7|Memory|Memory #0x51|Uncorrectable ECC: memory device 5|asserted");
  // Power Unit #0x70 | Redundancy Degraded | Asserted
  EXPECT_EQ(line(shown("0900028e370000410004"
                       "09700b02ffff")),
            "9|Power Unit|Power Unit #0x70|Redundancy Degraded|asserted");
  // Unknown #0x71 |  | Asserted
  EXPECT_EQ(line(shown("0a00028e370000410004"
                       "c07172a10203")),
            "10|OEM|OEM #0x71|OEM event type 72h, offset 1, data A1h 02h 03h|asserted");
}

TEST(Sel, SaysWhatTriggeredAThresholdEvent) {
  EXPECT_EQ(shown("0100020000005f2000040133015262f0").text,
            "Lower Critical going low");  // not in the records
  EXPECT_EQ(shown("0100020000005f20000401020152f0ec").text,
            "Lower Critical going low: reading -16 < threshold -20 degrees C");
  EXPECT_EQ(shown("0100020000005f20000401020142f0ff").text,
            "Lower Critical going low: reading -16 degrees C");
  EXPECT_EQ(shown("0100020000005f20000401020112ffec").text,
            "Lower Critical going low: threshold -20 degrees C");
  EXPECT_EQ(shown("0100020000005f20000401020102ffff").text, "Lower Critical going low");
}

TEST(Sel, ShowsWhatOnlyTheVendorKnows) {
  EXPECT_EQ(shown("0100020000005f20000407056f820102").text, "FRB1/BIST failure (data 82h 01h 02h)");
  EXPECT_EQ(shown("0100020000005f20000407056f0dffff").text, "event type 6Fh, offset 13, data 0Dh FFh FFh");
  EXPECT_EQ(shown("0100020000005f2000040105046fffff").text, "event type 04h, offset 15, data 6Fh FFh FFh");
  LogEvent oem = shown(
      "0100c00000005f5701000102030405"
      "06");
  EXPECT_EQ(oem.text, "record C0h, manufacturer 343, data 010203040506");
  EXPECT_EQ(oem.time, 0x5f000000LL * 1'000'000);
  oem = shown("0100e0000102030405060708090a0b0c");
  EXPECT_EQ(oem.text, "record E0h, data 000102030405060708090a0b0c");
  EXPECT_EQ(oem.time, 0);
  EXPECT_EQ(oem.type, "OEM");
  EXPECT_EQ(oem.sensor, "OEM");  // it names none
  EXPECT_EQ(shown("0100030000005f010203040506070809").text, "record of type 03h, data 010203040506070809");
}

TEST(Sel, KnowsTimesThatAreNone) {
  EXPECT_EQ(shown("0100020000005f20000407056f07ffff").time, 0x5f000000LL * 1'000'000);
  EXPECT_FALSE(shown("0100020000005f20000407056f07ffff").since_boot);
  EXPECT_FALSE(shown("0100020100002020000407056f07ffff").since_boot);
  LogEvent early = shown("0100020000002020000407056f07ffff");
  EXPECT_TRUE(early.since_boot);
  EXPECT_EQ(early.time, 0x20000000LL * 1'000'000);
  EXPECT_TRUE(shown("0100020000000020000407056f07ffff").since_boot);
  LogEvent unknown = shown("010002ffffffff20000407056f07ffff");
  EXPECT_EQ(unknown.time, 0);
  EXPECT_FALSE(unknown.since_boot);
}

TEST(Sel, KeepsTheBytes) {
  EXPECT_EQ(shown("0100020000005f20000407056f07ffff").raw, "0100020000005f20000407056f07ffff");
}

TEST(Sel, RefusesRecordsOfAnotherSize) {
  for (std::size_t size = 0; size < 40; ++size)
    EXPECT_EQ(static_cast<bool>(SelRecord::decode(std::string(size, '\x02'))), size == 16);
  EXPECT_EQ(SelRecord::decode("short").error().what, "event record of 5 bytes, not 16");
}

TEST(Sel, ShowsEveryRecordSomehow) {
  std::string whole = unhex("01000215340000200004010101596258");
  ipmi::SensorRecords sensors(test::captured_sdrs());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      auto record = SelRecord::decode(changed);
      ASSERT_TRUE(record);
      LogEvent event = ipmi::describe(*record, sensors);
      EXPECT_FALSE(event.text.empty());
      EXPECT_EQ(event.text, base::printable(event.text));
      EXPECT_GE(event.time, 0);
    }
  }
}

}  // namespace
}  // namespace oob

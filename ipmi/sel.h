#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "console/chassis.h"
#include "ipmi/sdr.h"

// System event log records (IPMI 2.0 rev 1.1, 32). Pure.
namespace oob::ipmi {

constexpr std::size_t kSelRecordSize = 16;

// One record as it lies in the log.
struct SelRecord {
  std::uint16_t id = 0;
  std::uint8_t type = 0;  // 02h: an event; C0h to DFh: OEM with a time stamp; E0h to FFh: OEM without
  std::uint32_t timestamp =
      0;              // of types below E0h; seconds since 1970 or, up to kSinceBoot, since the start
  std::string bytes;  // all 16

  static base::Result<SelRecord> decode(base::Bytes record);  // Fault::failed unless there are 16 bytes
  bool is_event() const { return type == 0x02; }
};
constexpr std::uint32_t kSinceBoot = 0x20000000;  // 37
constexpr std::uint32_t kNoTime = 0xffffffff;

// What people are shown of it. `sensors` gives names, units and factors where it knows the sensor.
console::LogEvent describe(const SelRecord& record, const SensorRecords& sensors);

}  // namespace oob::ipmi

#include "ipmi/sel.h"

#include <cstdio>

#include "ipmi/event_texts.h"
#include "ipmi/wire.h"

namespace oob::ipmi {
namespace {

using base::str;

constexpr base::Micros kSecond = 1'000'000;

std::string hex_byte(std::uint8_t value) {
  char text[8];
  std::snprintf(text, sizeof text, "%02Xh", value);
  return text;
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// An event message (29.7, table 29-6): bytes 9 to 15 of a record of type 02h.
struct Event {
  explicit Event(Bytes record)
      : owner(get8(record, 7)),
        lun(get8(record, 8) & 3),
        sensor_type(get8(record, 10)),
        sensor_number(get8(record, 11)),
        event_type(get8(record, 12) & 0x7f),
        offset(get8(record, 13) & 15),
        flags(get8(record, 13)),
        data2(get8(record, 14)),
        data3(get8(record, 15)) {}
  std::uint8_t owner, lun, sensor_type, sensor_number, event_type, offset, flags, data2, data3;

  // What bits 7 to 6 and 5 to 4 of event data 1 say is in data 2 and data 3.
  unsigned kind_of_data2() const { return flags >> 6; }
  unsigned kind_of_data3() const { return flags >> 4 & 3; }
};
constexpr unsigned kTrigger = 1;       // of threshold events: the reading or threshold that triggered it
constexpr unsigned kOemCode = 2;       // of discrete ones
constexpr unsigned kSpecificCode = 3;  // of discrete ones: as table 42-3 says for this sensor type

std::string threshold_values(const Event& event, const SensorRecord* sensor) {
  bool has_reading = event.kind_of_data2() == kTrigger;
  bool has_threshold = event.kind_of_data3() == kTrigger;
  if (!sensor || !sensor->analog() || sensor->non_linear()) return {};
  auto value = [&](std::uint8_t raw) {
    auto converted = convert(raw, sensor->format, sensor->linearization, sensor->factors);
    return converted ? number_text(*converted) : "?";
  };
  std::string text;
  if (has_reading) text += ": reading " + value(event.data2);
  if (has_threshold) {
    // Offsets are odd where the event is about going high (table 42-2).
    text += has_reading ? (event.offset & 1 ? " > " : " < ") : ": ";
    text += "threshold " + value(event.data3);
  }
  std::string unit = sensor->units.text();
  if (!text.empty() && !unit.empty()) text += " " + unit;
  return text;
}

// What event data 2 and 3 add to a sensor-specific event.
std::string specific_details(const Event& event) {
  std::string text;
  if (event.kind_of_data2() == kSpecificCode)
    if (auto more = event_extension(event.sensor_type, event.offset, event.data2)) text += ": " + *more;
  constexpr std::uint8_t kMemory = 0x0c;
  if (event.sensor_type == kMemory && event.kind_of_data3() == kSpecificCode)
    text += str(": memory device ", int{event.data3});
  return text;
}

std::string event_data(const Event& event) {
  return str("data ", hex_byte(event.flags), " ", hex_byte(event.data2), " ", hex_byte(event.data3));
}

std::string text_of(const Event& event, const SensorRecord* sensor) {
  auto meaning = event_text(event.event_type, event.sensor_type, event.offset);
  if (!meaning) {
    const char* what = event.event_type >= 0x70 ? "OEM event type " : "event type ";
    return str(what, hex_byte(event.event_type), ", offset ", int{event.offset}, ", ", event_data(event));
  }
  if (event.event_type == kThresholdEvents) return *meaning + threshold_values(event, sensor);
  if (event.event_type == kSensorSpecificEvents) *meaning += specific_details(event);
  bool oem = event.kind_of_data2() == kOemCode || event.kind_of_data3() == kOemCode;
  return oem ? str(*meaning, " (", event_data(event), ")") : *meaning;
}

}  // namespace

base::Result<SelRecord> SelRecord::decode(Bytes record) {
  if (record.size() != kSelRecordSize)
    return base::fail(base::Fault::failed, str("event record of ", record.size(), " bytes, not 16"));
  SelRecord decoded;
  decoded.id = get16(record, 0);
  decoded.type = get8(record, 2);
  decoded.timestamp = decoded.type < 0xe0 ? get32(record, 3) : kNoTime;
  decoded.bytes = record;
  return decoded;
}

console::LogEvent describe(const SelRecord& record, const SensorRecords& sensors) {
  console::LogEvent shown;
  shown.id = record.id;
  shown.raw = base::hex(record.bytes);
  if (record.timestamp != kNoTime) {
    shown.time = record.timestamp * kSecond;
    shown.since_boot = record.timestamp <= kSinceBoot;
  }
  Bytes bytes = record.bytes;
  if (record.is_event()) {
    Event event(bytes);
    const SensorRecord* sensor = sensors.find(event.owner, event.lun, event.sensor_number);
    shown.type = sensor_type_name(event.sensor_type);
    shown.sensor = sensor ? sensor->name : str(shown.type, " #0x", base::hex(bytes.substr(11, 1)));
    shown.asserted = get8(bytes, 12) < 0x80;
    shown.text = text_of(event, sensor);
  } else if (record.type >= 0xe0) {
    shown.type = "OEM";
    shown.text = str("record ", hex_byte(record.type), ", data ", base::hex(bytes.substr(3)));
  } else if (record.type >= 0xc0) {
    unsigned manufacturer = get16(bytes, 7) | get8(bytes, 9) << 16u;  // IANA enterprise number
    shown.type = "OEM";
    shown.text = str("record ", hex_byte(record.type), ", manufacturer ", manufacturer, ", data ",
                     base::hex(bytes.substr(10)));
  } else {
    shown.type = "Unknown";
    shown.text = str("record of type ", hex_byte(record.type), ", data ", base::hex(bytes.substr(7)));
  }
  if (shown.sensor.empty()) shown.sensor = shown.type;
  return shown;
}

}  // namespace oob::ipmi

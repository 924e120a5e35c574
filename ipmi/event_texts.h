#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace oob::ipmi {

constexpr std::uint8_t kThresholdEvents = 0x01;       // event/reading type codes (IPMI 2.0, table 42-1)
constexpr std::uint8_t kSensorSpecificEvents = 0x6f;  // the sensor's type decides what the offsets mean

// What `offset` (0 to 14) of an event or of a discrete reading means: by the generic tables (42-2) for event
// types 01h to 0Ch, by the sensor's type (42-3) for 6Fh, both in ipmitool's words. Nothing where the standard
// says nothing: OEM types, reserved offsets.
std::optional<std::string> event_text(std::uint8_t event_type, std::uint8_t sensor_type, std::uint8_t offset);

// What the extension code in event data 2 of a sensor-specific event adds (table 42-3, "Event Data 2"):
// "Video initialization". Nothing for most.
std::optional<std::string> event_extension(std::uint8_t sensor_type, std::uint8_t offset, std::uint8_t code);

}  // namespace oob::ipmi

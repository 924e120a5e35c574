#pragma once

#include <cstdint>
#include <string>

namespace oob::ipmi {

// What a sensor is about, by its sensor type code (IPMI 2.0, table 42-3): "Temperature", "Watchdog 2"; "OEM"
// from C0h on, "Unknown" for what is reserved.
const char* sensor_type_name(std::uint8_t type);

// Units of a full or compact sensor record (IPMI 2.0, table 43-1, bytes 21 to 23), in ipmitool's words.
struct Units {
  std::uint8_t flags = 0;     // byte 21: analog format, rate, how the modifier joins, percentage
  std::uint8_t base = 0;      // table 43-15
  std::uint8_t modifier = 0;  // table 43-15

  bool percentage() const { return (flags & 1) != 0; }
  // "degrees C", "percent", "Volts * second", "CFM per minute"; empty when nothing is said.
  std::string text() const;
};

}  // namespace oob::ipmi

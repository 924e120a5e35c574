#include "ipmi/sensor_types.h"

#include <iterator>

namespace oob::ipmi {
namespace {

// Table 42-3, from 00h on.
constexpr const char* kTypes[] = {
    "Unknown",
    "Temperature",
    "Voltage",
    "Current",
    "Fan",
    "Physical Security",
    "Platform Security",
    "Processor",
    "Power Supply",
    "Power Unit",
    "Cooling Device",
    "Other",
    "Memory",
    "Drive Slot / Bay",
    "POST Memory Resize",
    "System Firmware",
    "Event Logging Disabled",
    "Watchdog 1",
    "System Event",
    "Critical Interrupt",
    "Button",
    "Module / Board",
    "Microcontroller",
    "Add-in Card",
    "Chassis",
    "Chip Set",
    "Other FRU",
    "Cable / Interconnect",
    "Terminator",
    "System Boot Initiated",
    "Boot Error",
    "OS Boot",
    "OS Critical Stop",
    "Slot / Connector",
    "System ACPI Power State",
    "Watchdog 2",
    "Platform Alert",
    "Entity Presence",
    "Monitor ASIC",
    "LAN",
    "Management Subsystem Health",
    "Battery",
    "Session Audit",
    "Version Change",
    "FRU State",
};

// Table 43-15, from 0 (unspecified) on.
constexpr const char* kUnits[] = {
    "unspecified",
    "degrees C",
    "degrees F",
    "degrees K",
    "Volts",
    "Amps",
    "Watts",
    "Joules",
    "Coulombs",
    "VA",
    "Nits",
    "lumen",
    "lux",
    "Candela",
    "kPa",
    "PSI",
    "Newton",
    "CFM",
    "RPM",
    "Hz",
    "microsecond",
    "millisecond",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "mil",
    "inches",
    "feet",
    "cu in",
    "cu feet",
    "mm",
    "cm",
    "m",
    "cu cm",
    "cu m",
    "liters",
    "fluid ounce",
    "radians",
    "steradians",
    "revolutions",
    "cycles",
    "gravities",
    "ounce",
    "pound",
    "ft-lb",
    "oz-in",
    "gauss",
    "gilberts",
    "henry",
    "millihenry",
    "farad",
    "microfarad",
    "ohms",
    "siemens",
    "mole",
    "becquerel",
    "PPM",
    "reserved",
    "Decibels",
    "DbA",
    "DbC",
    "gray",
    "sievert",
    "color temp deg K",
    "bit",
    "kilobit",
    "megabit",
    "gigabit",
    "byte",
    "kilobyte",
    "megabyte",
    "gigabyte",
    "word",
    "dword",
    "qword",
    "line",
    "hit",
    "miss",
    "retry",
    "reset",
    "overflow",
    "underrun",
    "collision",
    "packets",
    "messages",
    "characters",
    "error",
    "correctable error",
    "uncorrectable error",
    "fatal error",
    "grams",
};

// Byte 21, bits 5 to 3.
constexpr const char* kRates[] = {
    "", " per microsecond", " per millisecond", " per second", " per minute", " per hour", " per day", ""};

const char* unit_name(std::uint8_t unit) { return unit < std::size(kUnits) ? kUnits[unit] : "unknown"; }

}  // namespace

const char* sensor_type_name(std::uint8_t type) {
  if (type >= 0xc0) return "OEM";
  return type < std::size(kTypes) ? kTypes[type] : "Unknown";
}

std::string Units::text() const {
  std::string text;
  if (base != 0) text = unit_name(base);
  if (percentage()) text = text.empty() ? "percent" : "percent " + text;
  std::uint8_t join = flags >> 1 & 3;
  if (modifier != 0 && (join == 1 || join == 2)) {
    text += join == 1 ? "/" : " * ";
    text += unit_name(modifier);
  }
  return text + kRates[flags >> 3 & 7];
}

}  // namespace oob::ipmi

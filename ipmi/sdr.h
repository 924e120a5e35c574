#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "ipmi/sensor_types.h"

// Sensor data records (IPMI 2.0 rev 1.1, 43) and the conversion of readings (36.3). Pure: bytes come from a
// BMC and may be anything.
namespace oob::ipmi {

// How raw readings become values: y = L[(M*x + B*10^K1) * 10^K2] (36.3).
struct Factors {
  int m = 1, b = 0;  // -512 to 511
  int k1 = 0;        // B's exponent, -8 to 7
  int k2 = 0;        // the result's exponent, -8 to 7

  // The four as they stand in a full sensor record (table 43-1, bytes 25 to 30) and in the answer to Get
  // Sensor Reading Factors (35.5). REQUIRES: six bytes.
  static Factors decode(base::Bytes six);
};

enum class AnalogFormat : std::uint8_t { no_sign = 0, ones_complement = 1, twos_complement = 2, none = 3 };

constexpr std::uint8_t kLinear = 0x00;
constexpr std::uint8_t kNonLinear = 0x70;  // from here on the BMC tells the factors for each reading

// The value of a raw reading; nothing where it has none (1/0, the logarithm of a negative, a reserved
// linearization). What is returned is finite. Non-linear sensors are linear around each reading: `factors`
// must be those for `raw`.
std::optional<double> convert(std::uint8_t raw, AnalogFormat format, std::uint8_t linearization,
                              const Factors& factors);

// Thresholds in the order of Get Sensor Thresholds (35.9), which is also that of the comparison bits in a
// reading (35.14) and of the readable mask.
enum Threshold : std::uint8_t { kLnc, kLcr, kLnr, kUnc, kUcr, kUnr, kThresholds };

// One sensor. A compact or event-only record that several share (43.2, record sharing) makes one of each.
struct SensorRecord {
  enum class Kind : std::uint8_t { full = 1, compact = 2, event_only = 3 };
  std::uint16_t id = 0;  // of the record
  Kind kind = Kind::full;
  std::uint8_t owner = 0;    // I2C slave address (20h: the BMC) or software ID (odd)
  std::uint8_t channel = 0;  // where the owner is; 0: the primary IPMB
  std::uint8_t lun = 0;
  std::uint8_t number = 0;
  std::uint8_t type = 0;        // table 42-3
  std::uint8_t event_type = 0;  // table 42-1
  std::string name;             // printable; "#0x12" where the record has none
  Units units;

  // Of full records:
  AnalogFormat format = AnalogFormat::none;
  std::uint8_t linearization = kLinear;  // table 43-1, byte 24
  Factors factors;
  std::uint8_t threshold_access = 0;  // byte 12, bits 3 to 2: 0 none, 1 readable, 2 settable, 3 fixed
  std::uint8_t readable = 0;          // which thresholds are: bit Threshold
  std::uint8_t thresholds[kThresholds] = {};

  bool threshold_based() const { return event_type == 1; }
  // Whether the reading byte is a number.
  bool analog() const;
  bool non_linear() const { return linearization >= kNonLinear; }
};

// The sensors of a record whose bytes begin with its header: none for records of other types (FRU and MC
// locators, entity associations, OEM). Bytes past the length in the header are not looked at; a record
// shorter than its header says is read as far as it goes, and an Error if a field that must be is not there.
base::Result<std::vector<SensorRecord>> decode_sdr(base::Bytes record);

// An ID string (43.15): `type_length` says how many bytes of `rest` in which code. UTF-8, printable.
std::string decode_id_string(std::uint8_t type_length, base::Bytes rest);

// All sensors of a BMC, to be found by their number.
class SensorRecords {
 public:
  SensorRecords() = default;
  // Records that do not parse are left out.
  explicit SensorRecords(const std::vector<std::string>& records);

  const std::vector<SensorRecord>& all() const { return all_; }
  // null: there is none. Valid as long as this.
  const SensorRecord* find(std::uint8_t owner, std::uint8_t lun, std::uint8_t number) const;
  std::size_t broken() const { return broken_; }  // how many did not parse

 private:
  std::vector<SensorRecord> all_;
  std::map<std::uint32_t, std::size_t> places_;
  std::size_t broken_ = 0;
};

}  // namespace oob::ipmi

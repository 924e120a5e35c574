#include "ipmi/sdr.h"

#include <algorithm>
#include <cmath>

#include "ipmi/wire.h"

namespace oob::ipmi {
namespace {

using base::str;

constexpr std::size_t kHeader = 5;

int sign_extend(unsigned value, unsigned bits) {
  unsigned sign = 1u << (bits - 1);
  return static_cast<int>(value ^ sign) - static_cast<int>(sign);
}

void put_utf8(std::string& to, std::uint32_t point) {
  if (point < 0x80) {
    to += static_cast<char>(point);
  } else if (point < 0x800) {
    to += static_cast<char>(0xc0 | point >> 6);
    to += static_cast<char>(0x80 | (point & 0x3f));
  } else {
    to += static_cast<char>(0xe0 | point >> 12);
    to += static_cast<char>(0x80 | (point >> 6 & 0x3f));
    to += static_cast<char>(0x80 | (point & 0x3f));
  }
}

std::string decode_bcd_plus(Bytes coded) {
  static constexpr char kDigits[] = "0123456789 -.:,_";
  std::string text;
  for (unsigned char two : coded) {
    text += kDigits[two >> 4];
    text += kDigits[two & 15];
  }
  return text;
}

// The first character is in the lowest six bits (43.15: "IPMI" is 29h DCh A6h).
std::string decode_six_bit(Bytes coded) {
  std::string text;
  unsigned held = 0, bits = 0;
  for (unsigned char byte : coded) {
    held |= byte << bits;
    for (bits += 8; bits >= 6; bits -= 6) {
      text += static_cast<char>(0x20 + (held & 0x3f));
      held >>= 6;
    }
  }
  return text;
}

std::string decode_latin1(Bytes coded) {
  std::string text;
  for (unsigned char byte : coded.substr(0, coded.find('\0'))) put_utf8(text, byte);
  return text;
}

// The standard leaves the order of the bytes open, and some firmware says Unicode and sends ASCII.
std::string decode_unicode(Bytes coded) {
  auto is_ascii = [](unsigned char byte) { return byte >= 0x20 && byte < 0x7f; };
  if (coded.size() % 2 != 0 || std::all_of(coded.begin(), coded.end(), is_ascii)) return decode_latin1(coded);
  std::string text;
  for (std::size_t at = 0; at + 1 < coded.size(); at += 2) {
    std::uint16_t point = get16(coded, at);
    if (point == 0) break;
    bool surrogate = point >= 0xd800 && point < 0xe000;  // such names are not for terminals
    put_utf8(text, surrogate ? '?' : point);
  }
  return text;
}

// What makes the name of one of several sensors that share a record (43.2, bytes 24 and 25).
std::string instance_modifier(bool letters, unsigned number) {
  if (!letters) return str(number);
  std::string text(1, static_cast<char>('A' + number % 26));
  if (number >= 26) text.insert(0, 1, static_cast<char>('A' + number / 26 - 1));
  return text;
}

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

// Where things are in each kind of record (tables 43-1, 43-2, 43-3); from 0, header included.
struct Layout {
  std::size_t type, event_type, sharing, id_string;
};
constexpr Layout kFull{12, 13, 0, 47};
constexpr Layout kCompact{12, 13, 23, 31};
constexpr Layout kEventOnly{10, 11, 12, 16};

void decode_full(Bytes record, SensorRecord& sensor) {
  sensor.threshold_access = get8(record, 11) >> 2 & 3;
  sensor.readable = get8(record, 18) & 0x3f;
  sensor.format = static_cast<AnalogFormat>(get8(record, 20) >> 6);
  sensor.linearization = get8(record, 23) & 0x7f;
  sensor.factors = Factors::decode(record.substr(24, 6));
  // The record has them from the upper non-recoverable down.
  constexpr std::size_t kPlaces[kThresholds] = {41, 40, 39, 38, 37, 36};
  for (std::size_t which = 0; which < kThresholds; ++which)
    sensor.thresholds[which] = get8(record, kPlaces[which]);
}

std::uint32_t place_of(std::uint8_t owner, std::uint8_t lun, std::uint8_t number) {
  return static_cast<std::uint32_t>(owner) << 16 | (lun & 3u) << 8 | number;
}

}  // namespace

Factors Factors::decode(Bytes six) {
  Factors factors;
  factors.m = sign_extend(get8(six, 0) | (get8(six, 1) & 0xc0u) << 2, 10);
  factors.b = sign_extend(get8(six, 2) | (get8(six, 3) & 0xc0u) << 2, 10);
  factors.k1 = sign_extend(get8(six, 5) & 15u, 4);
  factors.k2 = sign_extend(get8(six, 5) >> 4u, 4);
  return factors;
}

std::optional<double> convert(std::uint8_t raw, AnalogFormat format, std::uint8_t linearization,
                              const Factors& factors) {
  int x = raw;
  if (format == AnalogFormat::none) return std::nullopt;
  if (format == AnalogFormat::ones_complement && raw >= 0x80) x = raw - 0xff;
  if (format == AnalogFormat::twos_complement && raw >= 0x80) x = raw - 0x100;
  double y = (factors.m * x + factors.b * std::pow(10.0, factors.k1)) * std::pow(10.0, factors.k2);
  switch (linearization) {  // table 43-1, byte 24
    case 0x00:
      break;
    case 0x01:
      y = std::log(y);
      break;
    case 0x02:
      y = std::log10(y);
      break;
    case 0x03:
      y = std::log2(y);
      break;
    case 0x04:
      y = std::exp(y);
      break;
    case 0x05:
      y = std::pow(10.0, y);
      break;
    case 0x06:
      y = std::exp2(y);
      break;
    case 0x07:
      y = 1 / y;
      break;
    case 0x08:
      y = y * y;
      break;
    case 0x09:
      y = y * y * y;
      break;
    case 0x0a:
      y = std::sqrt(y);
      break;
    case 0x0b:
      y = std::cbrt(y);
      break;
    default:
      if (linearization < kNonLinear) return std::nullopt;
  }
  if (!std::isfinite(y)) return std::nullopt;
  return y;
}

bool SensorRecord::analog() const {
  if (kind != Kind::full || format == AnalogFormat::none) return false;
  // Many records of discrete sensors have 0 here, "unsigned", for want of care; some power supplies do count
  // watts beside their states.
  return threshold_based() || units.base != 0 || units.percentage();
}

std::string decode_id_string(std::uint8_t type_length, Bytes rest) {
  Bytes coded = rest.substr(0, type_length & 0x1f);
  std::string text;
  switch (type_length >> 6) {
    case 0:
      text = decode_unicode(coded);
      break;
    case 1:
      text = decode_bcd_plus(coded);
      break;
    case 2:
      text = decode_six_bit(coded);
      break;
    case 3:
      text = decode_latin1(coded);
      break;
  }
  return base::printable(text);
}

base::Result<std::vector<SensorRecord>> decode_sdr(Bytes record) {
  if (record.size() < kHeader) return base::fail(base::Fault::failed, "SDR: no whole header");
  std::uint16_t id = get16(record, 0);
  std::uint8_t kind = get8(record, 3);
  record = record.substr(0, kHeader + get8(record, 4));
  if (kind < 1 || kind > 3) return std::vector<SensorRecord>{};
  const Layout& layout = kind == 1 ? kFull : kind == 2 ? kCompact : kEventOnly;
  if (record.size() <= layout.id_string)
    return base::fail(base::Fault::failed, str("SDR ", id, ": type ", int{kind}, " record of ", record.size(),
                                               " bytes, needs more than ", layout.id_string));
  SensorRecord sensor;
  sensor.id = id;
  sensor.kind = static_cast<SensorRecord::Kind>(kind);
  sensor.owner = get8(record, 5);
  sensor.channel = get8(record, 6) >> 4;
  sensor.lun = get8(record, 6) & 3;
  sensor.number = get8(record, 7);
  sensor.type = get8(record, layout.type);
  sensor.event_type = get8(record, layout.event_type) & 0x7f;
  if (kind != 3) sensor.units = {get8(record, 20), get8(record, 21), get8(record, 22)};
  if (kind == 1) decode_full(record, sensor);
  std::string name = decode_id_string(get8(record, layout.id_string), record.substr(layout.id_string + 1));

  unsigned count = 1, modifier = 0;
  bool letters = false;
  if (layout.sharing != 0) {
    count = std::max(1, get8(record, layout.sharing) & 15);
    letters = (get8(record, layout.sharing) >> 4 & 3) == 1;
    modifier = get8(record, layout.sharing + 1) & 0x7f;
  }
  std::vector<SensorRecord> sensors;
  for (unsigned i = 0; i < count && sensor.number + i <= 0xff; ++i) {
    sensors.push_back(sensor);
    SensorRecord& one = sensors.back();
    one.number = static_cast<std::uint8_t>(sensor.number + i);
    one.name = trimmed(count > 1 ? name + instance_modifier(letters, modifier + i) : name);
    const char number[] = {static_cast<char>(one.number)};
    if (one.name.empty()) one.name = "#0x" + base::hex(Bytes(number, 1));
  }
  return sensors;
}

SensorRecords::SensorRecords(const std::vector<std::string>& records) {
  for (const std::string& record : records) {
    auto sensors = decode_sdr(record);
    if (!sensors) {
      ++broken_;
      continue;
    }
    for (SensorRecord& sensor : *sensors) {
      places_.emplace(place_of(sensor.owner, sensor.lun, sensor.number), all_.size());
      all_.push_back(std::move(sensor));
    }
  }
}

const SensorRecord* SensorRecords::find(std::uint8_t owner, std::uint8_t lun, std::uint8_t number) const {
  auto place = places_.find(place_of(owner, lun, number));
  return place == places_.end() ? nullptr : &all_[place->second];
}

}  // namespace oob::ipmi

#include "tests/bmc/sensors.h"

#include <algorithm>

#include "base/time.h"
#include "tests/bmc/completion.h"
#include "tests/bmc/packet.h"

namespace oob::test {

namespace {

// What a sensor is; the same for all BMCs.
struct Kind {
  std::string_view name;
  unsigned type = 0;           // table 42-3
  unsigned event_type = 0x01;  // 01h threshold, 6Fh sensor-specific
  bool compact = false;
  unsigned entity = 7;
  unsigned units1 = 0;  // bits 7:6: 00b unsigned, 10b two's complement
  unsigned unit = 0;    // table 43-15
  unsigned linearization = 0;
  int m = 1, b = 0, r_exponent = 0, b_exponent = 0;
  unsigned readable = 0;                     // which thresholds, bits as in Get Sensor Thresholds
  std::array<std::uint8_t, 6> thresholds{};  // LNC, LC, LNR, UNC, UC, UNR
  std::uint8_t raw = 0;
  std::uint16_t states = 0;
  std::uint16_t possible = 0;  // states of a discrete one
};

const std::array<Kind, 6>& kinds() {
  static const std::array<Kind, 6> all = [] {
    std::array<Kind, 6> k;
    k[0] = {.name = "CPU Temp",
            .type = 1,
            .entity = 3,
            .units1 = 0x80,
            .unit = 1,
            .readable = 0x3f,
            .thresholds = {5, 0, 0xfb, 80, 90, 95},
            .raw = 45};
    k[1] = {.name = "FAN1",
            .type = 4,
            .entity = 29,
            .unit = 18,
            .m = 100,
            .readable = 0x07,
            .thresholds = {7, 5, 3, 0, 0, 0},
            .raw = 35};
    k[2] = {.name = "12V",
            .type = 2,
            .unit = 4,
            .m = 63,
            .r_exponent = -3,
            .readable = 0x3f,
            .thresholds = {171, 168, 165, 210, 213, 216},
            .raw = 192};
    k[3] = {.name = "PS1 Status", .type = 8, .event_type = 0x6f, .entity = 10, .states = 1, .possible = 0x0f};
    k[4] = {.name = "Chassis Intru",
            .type = 5,
            .event_type = 0x6f,
            .compact = true,
            .entity = 23,
            .possible = 0x01};
    k[5] = {.name = "Airflow",
            .type = 0x0a,
            .entity = 29,
            .unit = 17,
            .linearization = 0x70,
            .readable = 0x02,
            .thresholds = {0, 10, 0, 0, 0, 0},
            .raw = 100};
    return k;
  }();
  return all;
}

const Kind* kind(unsigned number) { return number >= 1 && number <= 6 ? &kinds()[number - 1] : nullptr; }

// M of the non-linear one grows with the reading.
int slope(const Kind& kind, unsigned raw) {
  return kind.linearization == 0x70 ? 1 + static_cast<int>(raw / 50) : kind.m;
}

// The six bytes of Get Sensor Reading Factors, as they also stand in a full record (bytes 25 to 30).
std::string factor_bytes(const Kind& kind, unsigned raw) {
  int m = slope(kind, raw);
  std::string out;
  out += static_cast<char>(m & 0xff);
  out += static_cast<char>(m >> 2 & 0xc0);
  out += static_cast<char>(kind.b & 0xff);
  out += static_cast<char>(kind.b >> 2 & 0xc0);
  out += '\0';
  out += static_cast<char>((kind.r_exponent & 0x0f) << 4 | (kind.b_exponent & 0x0f));
  return out;
}

// Table 43-1 or 43-2.
std::string sensor_record(unsigned number) {
  const Kind& is = *kind(number);
  bool threshold = is.event_type == 1;
  std::string out;
  put16(out, number);
  out += {0x51, static_cast<char>(is.compact ? 2 : 1), 0};
  out += {0x20,
          0,
          static_cast<char>(number),
          static_cast<char>(is.entity),
          1,
          0x7f,
          static_cast<char>(threshold ? 0x68 : 0x40),
          static_cast<char>(is.type),
          static_cast<char>(is.event_type)};
  unsigned events = threshold ? 0 : is.possible;
  put16(out, events);
  put16(out, events);
  if (threshold) {
    out += {static_cast<char>(is.readable), static_cast<char>(is.readable)};  // readable; settable
  } else {
    put16(out, is.possible);
  }
  out += {static_cast<char>(threshold ? is.units1 : 0xc0), static_cast<char>(is.unit), 0};
  if (is.compact) {
    out += {1, 0, 0, 0, 0, 0, 0, 0};  // no sharing, no hysteresis
  } else {
    out += static_cast<char>(is.linearization);
    out += factor_bytes(is, is.raw);
    out += {0,
            0,
            0,
            0,
            static_cast<char>(is.units1 == 0x80 ? 0x7f : 0xff),
            static_cast<char>(is.units1 == 0x80 ? 0x80 : 0)};
    for (std::size_t i : {5u, 4u, 3u, 2u, 1u, 0u}) out += static_cast<char>(is.thresholds[i]);
    out += {1, 1, 0, 0, 0};
  }
  out += static_cast<char>(0xc0 | is.name.size());
  out += is.name;
  out[4] = static_cast<char>(out.size() - 5);
  return out;
}

// The BMC itself: a Management Controller Device Locator (table 43-8).
std::string locator_record(unsigned id) {
  constexpr std::string_view name = "Test BMC";
  std::string out;
  put16(out, id);
  out += {0x51, 0x12, 0, 0x20, 0, 0, static_cast<char>(0xbf), 0, 0, 0, 6, 1, 0};
  out += static_cast<char>(0xc0 | name.size());
  out += name;
  out[4] = static_cast<char>(out.size() - 5);
  return out;
}

const std::vector<std::string>& records() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> made;
    for (unsigned number = 1; number <= kinds().size(); ++number) made.push_back(sensor_record(number));
    made.push_back(locator_record(static_cast<unsigned>(made.size()) + 1));
    return made;
  }();
  return all;
}

}  // namespace

Sensors::Sensors(const BmcOptions& options, Faults& faults) : options_(options), faults_(faults) {
  for (const Kind& is : kinds()) readings_.push_back({is.raw, is.states, false, is.thresholds});
}

void Sensors::set(unsigned number, std::uint8_t raw, std::uint16_t states) {
  if (!kind(number)) return;
  readings_[number - 1].raw = raw;
  readings_[number - 1].states = states;
}

void Sensors::set_unavailable(unsigned number, bool unavailable) {
  if (kind(number)) readings_[number - 1].unavailable = unavailable;
}

std::string Sensors::run(unsigned command, Bytes data) {
  switch (command) {
    case 0x23:
      return factors(data);
    case 0x25:
      return data.size() == 2 && kind(get8(data, 0)) ? done({1, 1}) : code(kNotPresent);
    case 0x26:
      return set_thresholds(data);
    case 0x27:
      return data.size() == 1 ? thresholds(get8(data, 0)) : code(kLength);
    case 0x29:  // Get Sensor Event Enable
      if (data.size() != 1) return code(kLength);
      return kind(get8(data, 0)) ? done({static_cast<char>(0xc0), 0, 0, 0, 0}) : code(kNotPresent);
    case 0x2d:
      return data.size() == 1 ? reading(get8(data, 0)) : code(kLength);
    case 0x2f:  // Get Sensor Type
      if (data.size() != 1) return code(kLength);
      if (!kind(get8(data, 0))) return code(kNotPresent);
      return done(
          {static_cast<char>(kind(get8(data, 0))->type), static_cast<char>(kind(get8(data, 0))->event_type)});
    default:
      return code(kInvalidCommand);
  }
}

std::string Sensors::reading(unsigned number) const {
  const Kind* is = kind(number);
  if (!is) return code(kNotPresent);
  const Reading& now = readings_[number - 1];
  unsigned states = now.states;
  if (is->event_type == 1) {
    auto value = [&](std::uint8_t raw) {
      return is->units1 == 0x80 ? static_cast<std::int8_t>(raw) : int{raw};
    };
    for (unsigned i = 0; i < 6; ++i) {
      if (!(is->readable >> i & 1)) continue;
      bool crossed =
          i < 3 ? value(now.raw) <= value(now.thresholds[i]) : value(now.raw) >= value(now.thresholds[i]);
      if (crossed) states |= 1u << i;
    }
    states |= 0xc0;
    return done({static_cast<char>(now.raw), static_cast<char>(now.unavailable ? 0xe0 : 0xc0),
                 static_cast<char>(states)});
  }
  return done({0, static_cast<char>(now.unavailable ? 0xe0 : 0xc0), static_cast<char>(states & 0xff),
               static_cast<char>(states >> 8 | 0x80)});
}

std::string Sensors::thresholds(unsigned number) const {
  const Kind* is = kind(number);
  if (!is || is->event_type != 1) return code(is ? kInvalidField : kNotPresent);
  std::string out = done({static_cast<char>(is->readable)});
  for (std::uint8_t threshold : readings_[number - 1].thresholds) out += static_cast<char>(threshold);
  return out;
}

std::string Sensors::set_thresholds(Bytes data) {
  if (data.size() != 8) return code(kLength);
  const Kind* is = kind(get8(data, 0));
  if (!is || is->event_type != 1) return code(is ? kInvalidField : kNotPresent);
  if (get8(data, 1) & ~is->readable & 0x3f) return code(kInvalidField);
  for (unsigned i = 0; i < 6; ++i)
    if (get8(data, 1) >> i & 1) readings_[get8(data, 0) - 1u].thresholds[i] = get8(data, 2 + i);
  return done();
}

std::string Sensors::factors(Bytes data) const {
  if (data.size() != 2) return code(kLength);
  const Kind* is = kind(get8(data, 0));
  if (!is) return code(kNotPresent);
  unsigned raw = get8(data, 1);
  unsigned next = is->linearization == 0x70 ? std::min(255u, (raw / 50 + 1) * 50) : 0xff;
  return done({static_cast<char>(next)}) + factor_bytes(*is, raw);
}

std::string Sensors::run_repository(unsigned command, Bytes data) {
  std::string out = done();
  switch (command) {
    case 0x20:  // Get SDR Repository Info
      out += '\x51';
      put16(out, static_cast<std::uint32_t>(records().size()));
      put16(out, 0xffff);
      put32(out, 0x60000000);
      put32(out, 0);
      return out + '\x22';
    case 0x22:  // Reserve SDR Repository
      reservation_ = reservation_ % 0xffff + 1;
      put16(out, reservation_);
      return out;
    case 0x23:
      return record(data);
    case 0x28:  // Get SDR Repository Time
      put32(out, static_cast<std::uint32_t>(base::wall_now() / 1'000'000));
      return out;
    default:
      return code(kInvalidCommand);
  }
}

std::string Sensors::record(Bytes data) {
  if (data.size() != 6) return code(kLength);
  unsigned reservation = get16(data, 0), id = get16(data, 2), offset = get8(data, 4), count = get8(data, 5);
  if (reservation != 0 && strikes(faults_.sdr_reservation_lost)) reservation_ = reservation_ % 0xffff + 1;
  if ((offset != 0 || reservation != 0) && reservation != reservation_) return code(kReservation);
  if (id == 0) id = 1;
  if (id == 0xffff) id = static_cast<unsigned>(records().size());
  if (id > records().size()) return code(kNotPresent);
  std::string found = records()[id - 1];
  found[4] = static_cast<char>(get8(found, 4) + faults_.sdr_length_off);
  if (offset >= found.size()) return code(kOutOfRange);
  std::size_t size = count == 0xff ? found.size() - offset : count;
  if (size > options_.sdr_read_most) return code(kTooMuch);
  std::string out = done();
  bool last = id == records().size();
  put16(out, last ? (faults_.sdr_endless ? 1 : 0xffff) : id + 1);
  return out + found.substr(offset, size);
}

}  // namespace oob::test

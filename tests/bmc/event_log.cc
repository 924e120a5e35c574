#include "tests/bmc/event_log.h"

#include "base/time.h"
#include "tests/bmc/completion.h"
#include "tests/bmc/packet.h"

namespace oob::test {

namespace {

constexpr std::size_t kRoom = 512;

}  // namespace

EventLog::EventLog(Faults& faults) : faults_(faults) {
  // Record type 02h, generator 20h, EvM revision 04h: sensor type, number, direction and type, three bytes.
  auto event = [this](std::initializer_list<int> tail) {
    std::string record(16, '\0');
    record[2] = 2;
    record[7] = 0x20;
    record[9] = 4;
    std::size_t at = 10;
    for (int byte : tail) record[at++] = static_cast<char>(byte);
    add(std::move(record));
  };
  event({0x12, 0x00, 0x6f, 0x01, 0xff, 0xff});  // system event: OEM system boot
  event({0x01, 0x01, 0x01, 0x57, 0x52, 0x50});  // CPU Temp: upper non-critical going high
  event({0x08, 0x04, 0xef, 0x00, 0xff, 0xff});  // PS1 Status: presence, deasserted
}

std::uint32_t EventLog::now() {
  ahead_ += faults_.sel_clock_jump;
  return static_cast<std::uint32_t>(base::wall_now() / 1'000'000 + ahead_);
}

unsigned EventLog::add(std::string record) {
  if (entries_.size() >= kRoom) return 0;
  record.resize(16);
  unsigned id = next_id_++;
  added_ = now();
  if (get32(record, 3) == 0 && get8(record, 2) < 0xe0) {
    std::string time;
    put32(time, added_);
    record.replace(3, 4, time);
  }
  record[0] = static_cast<char>(id & 0xff);
  record[1] = static_cast<char>(id >> 8);
  entries_.push_back(std::move(record));
  return id;
}

std::string EventLog::run(unsigned command, Bytes data) {
  switch (command) {
    case 0x40:
      return info();
    case 0x42: {  // Reserve SEL
      reservation_ = reservation_ % 0xffff + 1;
      std::string out = done();
      put16(out, reservation_);
      return out;
    }
    case 0x43:
      return entry(data);
    case 0x44: {  // Add SEL Entry
      if (data.size() != 16) return code(kLength);
      unsigned id = add(std::string(data));
      if (id == 0) return code(kFull);
      reservation_ = reservation_ % 0xffff + 1;
      std::string out = done();
      put16(out, id);
      return out;
    }
    case 0x46:
      return remove(data);
    case 0x47:
      return clear(data);
    case 0x48: {  // Get SEL Time
      std::string out = done();
      put32(out, now());
      return out;
    }
    case 0x49:  // Set SEL Time
      if (data.size() != 4) return code(kLength);
      ahead_ = static_cast<std::int64_t>(get32(data, 0)) - base::wall_now() / 1'000'000;
      return done();
    default:
      return code(kInvalidCommand);
  }
}

std::string EventLog::info() {
  std::string out = done({0x51});
  put16(out, static_cast<std::uint32_t>(entries_.size()));
  put16(out, static_cast<std::uint32_t>((kRoom - entries_.size()) * 16));
  put32(out, added_);
  put32(out, erased_);
  return out + '\x0a';  // delete and reserve
}

bool EventLog::reserved(unsigned reservation) {
  if (reservation == 0 || reservation != reservation_) return false;
  if (!strikes(faults_.sel_reservation_lost)) return true;
  reservation_ = reservation_ % 0xffff + 1;
  return false;
}

std::string EventLog::entry(Bytes data) {
  if (data.size() != 6) return code(kLength);
  unsigned reservation = get16(data, 0), id = get16(data, 2), offset = get8(data, 4), count = get8(data, 5);
  if ((offset != 0 || reservation != 0) && !reserved(reservation)) return code(kReservation);
  std::size_t at = 0;
  if (id == 0xffff && !entries_.empty()) at = entries_.size() - 1;
  if (id != 0 && id != 0xffff)
    while (at < entries_.size() && get16(entries_[at], 0) != id) ++at;
  if (at >= entries_.size()) return code(kNotPresent);
  if (offset >= 16 || (count != 0xff && offset + count > 16)) return code(kOutOfRange);
  now();
  std::string out = done();
  unsigned next = at + 1 < entries_.size() ? get16(entries_[at + 1], 0) : 0xffff;
  if (next == 0xffff && faults_.sel_endless) next = get16(entries_[0], 0);
  put16(out, next);
  return out + entries_[at].substr(offset, count);
}

std::string EventLog::remove(Bytes data) {
  if (data.size() != 4) return code(kLength);
  if (!reserved(get16(data, 0))) return code(kReservation);
  unsigned id = get16(data, 2);
  for (std::size_t at = 0; at < entries_.size(); ++at) {
    if (get16(entries_[at], 0) != id) continue;
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(at));
    erased_ = now();
    std::string out = done();
    put16(out, id);
    return out;
  }
  return code(kNotPresent);
}

std::string EventLog::clear(Bytes data) {
  if (data.size() != 6) return code(kLength);
  if (!reserved(get16(data, 0))) return code(kReservation);
  unsigned action = get8(data, 5);
  if (data.substr(2, 3) != "CLR" || (action != 0xaa && action != 0)) return code(kInvalidField);
  if (action == 0xaa) {
    entries_.clear();
    erased_ = now();
  }
  return done({1});  // erasure completed
}

}  // namespace oob::test

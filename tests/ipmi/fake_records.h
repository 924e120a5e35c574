#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ipmi/wire.h"
#include "tests/ipmi/captured_sdrs.h"
#include "tests/ipmi/fake_link.h"

namespace oob::test {

// A BMC that keeps sensor records, readings and thresholds, for FakeLink::answer. Each record's id is its
// place, from 1 on; the first is also 0000h, as the standard has it.
struct FakeRecords {
  using Reply = FakeLink::Reply;

  std::vector<std::string> records = captured_sdrs();
  std::uint32_t addition = 0x5f000000, erase = 0x5e000000;
  std::size_t most_bytes = 255;                     // of a record in one answer; more is CAh
  int lose_reservations = 0;                        // so many reads of a piece find it lost
  bool device_only = false;                         // device SDRs instead of a repository
  std::map<int, int> next;                          // where the chain goes elsewhere
  std::map<int, std::uint8_t> refused;              // records by place, with a completion code
  std::map<int, std::string> readings, thresholds;  // by sensor; none: CBh
  std::map<int, std::string> factors;               // by reading, of any sensor
  int pieces = 0;                                   // that were asked for

  std::optional<Reply> operator()(const ipmi::Request& request) {
    base::Bytes data = request.data;
    if (request.netfn == ipmi::NetFn::app)
      return Reply{0, unhex(device_only ? "20810173029d7c2a000d1b" : "2001017302bf7c2a000d1b")};
    bool device = request.netfn == ipmi::NetFn::sensor_event;
    if (device && request.command == 0x2d) return look_up(readings, ipmi::get8(data, 0));
    if (device && request.command == 0x27) return look_up(thresholds, ipmi::get8(data, 0));
    if (device && request.command == 0x23) return look_up(factors, ipmi::get8(data, 1));
    if (device != device_only) return Reply{0xc1, {}};
    if (request.command == 0x20) return device ? device_info() : info();
    if (request.command == 0x22) {
      std::string id;
      ipmi::put16(id, ++reservation_);
      return Reply{0, id};
    }
    if (request.command == (device ? 0x21 : 0x23)) return piece(data);
    return Reply{0xc1, {}};
  }

 private:
  static std::optional<Reply> look_up(const std::map<int, std::string>& what, int which) {
    auto found = what.find(which);
    return found == what.end() ? Reply{0xcb, {}} : Reply{0, found->second};
  }
  Reply info() const {
    std::string data = "\x51";
    ipmi::put16(data, static_cast<std::uint16_t>(records.size()));
    ipmi::put16(data, 0xffff);
    ipmi::put32(data, addition);
    ipmi::put32(data, erase);
    return {0, data + "\x02"};
  }
  Reply device_info() const {
    std::string data(1, static_cast<char>(records.size()));
    return {0, data + "\x01"};
  }
  Reply piece(base::Bytes data) {
    ++pieces;
    if (lose_reservations > 0 && --lose_reservations >= 0) return {0xc5, {}};
    if (ipmi::get16(data, 0) != reservation_) return {0xc5, {}};
    int id = ipmi::get16(data, 2) == 0 ? 1 : ipmi::get16(data, 2);
    std::size_t from = ipmi::get8(data, 4), count = ipmi::get8(data, 5);
    if (id > static_cast<int>(records.size())) return {0xcb, {}};
    if (refused.count(id) != 0 && from >= 5) return {refused[id], {}};
    if (count > most_bytes) return {0xca, {}};
    const std::string& record = records[static_cast<std::size_t>(id) - 1];
    std::string answer;
    int follows = id == static_cast<int>(records.size()) ? 0xffff : id + 1;
    if (next.count(id) != 0) follows = next[id];
    ipmi::put16(answer, static_cast<std::uint16_t>(follows));
    return {0, answer + (from < record.size() ? record.substr(from, count) : "")};
  }
  std::uint16_t reservation_ = 0x40;
};

}  // namespace oob::test

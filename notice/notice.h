#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "auth/journal_reader.h"
#include "base/time.h"

namespace oob::notice {

constexpr std::size_t kMostNotice = 48 * 1024;  // bytes of one as JSON
constexpr std::size_t kMostSummary = 160;       // characters: what one SMS holds

// What somebody is told of one event, or of many at once (docs/formats.md, "Notices").
struct Notice {
  std::string event, device;  // "many" where it is several; the device is empty where it is about none
  std::string json;           // one object
  base::Micros wall = 0;      // when it happened
  std::string summary{};      // one line, with the device
};

// Whether an event is one of the few that somebody should hear of however much else happens.
bool is_urgent(std::string_view event);

// Of a record of the journal. `board`: the host's name.
Notice notice_of(const auth::Record& record, const std::string& board);

// By which a drill tries whether notices arrive. `wall`: now.
Notice test_notice(const std::string& board, base::Micros wall);

// That nothing else is told for now. `why`: the journal, from which it is, can't be written.
Notice journal_notice(const std::string& board, base::Micros wall, const std::string& why);

// Several events that are told together.
struct Many {
  static constexpr std::size_t kMostNamed = 8;  // whose summaries are told
  std::uint64_t count = 0;
  std::map<std::string, std::uint64_t> events;  // how many of each; names from the closed list
  base::Micros from = 0, to = 0;                // wall times of the first and the last
  std::vector<std::string> urgent, others;      // summaries of the last of each, kMostNamed at the most
  void add(const Notice& notice);
  void add(const Many& later);
  Notice notice(const std::string& board) const;
};

// The lines of a field that has several: base::printable() writes a line break as `\n` or `\r\n`, and a
// backslash as two.
std::vector<std::string> lines_of(const std::string& printable);

}  // namespace oob::notice

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::audit {

// The head of a recording (docs/formats.md, "Recordings"; asciicast v2).
struct CastHeader {
  std::string id, user, key, source, device, command;
  std::string term;  // TERM; empty: no terminal
  std::uint64_t session = 0;
  unsigned columns = 80, rows = 24;
  base::Micros started = 0;  // wall clock

  std::string line() const;  // with its LF
  static base::Result<CastHeader> parse(std::string_view line);
};

// One line after the header. `raw` is the exact bytes of an `o` (from the `b` before it, if there is one).
struct CastEvent {
  base::Micros time = 0;  // since the beginning
  char code = 0;          // 'o', 'i', 'r', 'b', 'e'; players may meet others
  std::string text;
  static base::Result<CastEvent> parse(std::string_view line);
};

// Makes the lines of one recording. Pure: the caller gives times (microseconds since the beginning, never
// decreasing; an earlier one counts as the last) and writes what comes out.
class CastEncoder {
 public:
  // Output of the device, or oobd's own words. What may be the beginning of a UTF-8 character is held back.
  void device(std::string& out, base::Micros time, base::Bytes bytes);
  void own(std::string& out, base::Micros time, base::Bytes bytes);
  void typed(std::string& out, base::Micros time, base::Bytes bytes);
  void resized(std::string& out, base::Micros time, unsigned columns, unsigned rows);
  // An `e`; `object` is JSON already: {"ev":"attach"}.
  void event(std::string& out, base::Micros time, std::string_view object);
  // What was held back.
  void flush(std::string& out, base::Micros time);

 private:
  void line(std::string& out, base::Micros time, char code, std::string_view text);
  void put(std::string& out, base::Micros time, base::Bytes bytes);
  std::string held_;
  base::Micros last_ = 0;
};

}  // namespace oob::audit

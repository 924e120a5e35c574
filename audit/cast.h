#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::audit {

// No line of a recording is longer, its LF included; a longer one is damage.
constexpr std::size_t kMostCastLine = 128 * 1024;

// A JSON string (RFC 8259, 7) with its quotes, as recordings have them; what is not UTF-8 becomes U+FFFD.
std::string json_text(base::Bytes text);

// The head of a recording (docs/formats.md, "Recordings"; asciicast v2).
struct CastHeader {
  std::string id, user, key, source, device, command;
  std::string term;  // TERM; empty: no terminal
  std::uint64_t session = 0;
  unsigned columns = 80, rows = 24;
  base::Micros started = 0;  // wall clock

  std::string line() const;  // with its LF
  // `line` is without its LF.
  static base::Result<CastHeader> parse(std::string_view line);
};

// One line after the header.
struct CastEvent {
  base::Micros time = 0;  // since the beginning
  char code = 0;          // 'o', 'i', 'r', 'b', 'e'; players may meet others
  std::string text;       // UTF-8
  // `line` is without its LF. Takes the form that CastEncoder writes, with any JSON string for the text.
  static base::Result<CastEvent> parse(std::string_view line);
};

// Makes the lines of one recording. Pure: the caller gives times (microseconds since the beginning, never
// decreasing; an earlier one counts as the last) and writes what comes out.
class CastEncoder {
 public:
  // Output of the device, or oobd's own words. What may be the beginning of a UTF-8 character is held back:
  // until its rest comes, or anything but more of the same.
  void device(std::string& out, base::Micros time, base::Bytes bytes) { show(out, time, bytes, false); }
  void own(std::string& out, base::Micros time, base::Bytes bytes) { show(out, time, bytes, true); }
  void typed(std::string& out, base::Micros time, base::Bytes bytes);
  void resized(std::string& out, base::Micros time, unsigned columns, unsigned rows);
  // An `e`; `object` is JSON already: {"ev":"attach"}. Not longer than 16 KiB.
  void event(std::string& out, base::Micros time, std::string_view object);
  // What was held back.
  void flush(std::string& out, base::Micros time);

 private:
  void show(std::string& out, base::Micros time, base::Bytes bytes, bool own);
  std::size_t piece(std::string& out, char code, base::Bytes bytes, bool own, bool hold);
  void begin(std::string& out, char code) const;

  std::string held_;
  bool held_own_ = false;
  base::Micros last_ = 0;
};

}  // namespace oob::audit

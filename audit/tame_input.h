#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace oob::audit {

// What libvterm 0.1.4 may be fed, in place of what came: whole UTF-8 characters, since it forgets those that
// are cut; no C1 controls, to which it gives a width of -1; a character as often as REP (ECMA-48 8.3.103)
// wants it, since its own goes on for ever where nothing came before; no numbers that overflow; and no ESC %,
// so that it takes UTF-8 for good.
class TameInput {
 public:
  void add(base::Bytes bytes, std::string& out) {
    for (char c : bytes) step(c, out);
  }

 private:
  static constexpr std::size_t kMostSequence = 128;
  static constexpr std::size_t kMostDigits = 4;  // 9999
  static constexpr unsigned kMostRepeated = 999;
  static constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
  enum class In { text, escape, percent, sequence };

  void step(char c, std::string& out) {
    unsigned byte = static_cast<unsigned char>(c);
    if (!character_.empty()) {
      if (byte >= low_ && byte <= high_) {
        character_ += c;
        low_ = 0x80;
        high_ = 0xbf;
        if (character_.size() == size_) print(std::exchange(character_, {}), out);
        return;
      }
      character_.clear();
      print(std::string(kReplacement), out);
    }
    if (byte == 0x1b) {
      in_ = In::escape;
    } else if (in_ == In::text) {
      if (byte >= 0x80)
        begin(c, byte, out);
      else if (byte < 0x20 || byte == 0x7f)
        out += c;
      else
        print(std::string(1, c), out);
    } else if (in_ == In::escape) {
      in_ = c == '[' ? In::sequence : c == '%' ? In::percent : In::text;
      held_.clear();
      digits_ = 0;
      if (in_ == In::text) out += {'\x1b', byte < 0x80 ? c : '?'};
    } else if (in_ == In::percent) {
      in_ = In::text;
    } else {
      sequence(c, byte, out);
    }
  }

  // Unicode 15, table 3-7.
  void begin(char c, unsigned byte, std::string& out) {
    size_ = byte < 0xc2 ? 0 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf5 ? 4 : 0;
    low_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : byte == 0xc2 ? 0xa0 : 0x80;  // C2 80 to C2 9F are C1
    high_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    if (size_ == 0) return print(std::string(kReplacement), out);
    character_ = c;
  }

  void print(std::string character, std::string& out) {
    out += character;
    last_ = std::move(character);
  }

  void sequence(char c, unsigned byte, std::string& out) {
    if (byte == 0x18 || byte == 0x1a) {  // CAN, SUB
      in_ = In::text;
    } else if (byte < 0x20 || byte >= 0x7f) {
      if (byte < 0x20) out += c;
    } else if (byte < 0x40) {
      digits_ = c >= '0' && c <= '9' ? digits_ + 1 : 0;
      if (digits_ <= kMostDigits && held_.size() <= kMostSequence) held_ += c;
    } else {
      in_ = In::text;
      if (c == 'b') {
        unsigned times = 1;
        if (held_.empty() || base::parse_number(held_, times))
          for (times = std::clamp(times, 1u, kMostRepeated); times > 0; --times) out += last_;
      } else if (held_.size() <= kMostSequence) {
        out += base::str("\x1b[", held_, c);
      }
    }
  }

  std::string character_;  // the beginning of one
  std::size_t size_ = 0;   // of it, when it is whole
  unsigned low_ = 0, high_ = 0;
  std::string last_;  // character that was printed
  std::string held_;  // of a sequence, behind its CSI
  std::size_t digits_ = 0;
  In in_ = In::text;
};

}  // namespace oob::audit

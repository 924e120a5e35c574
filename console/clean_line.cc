#include "console/clean_line.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace oob::console {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::size_t kMostMove = 512;                     // of one sequence: no terminal is wider
constexpr std::size_t kMostPadded = 4096;  // what is longer is no row, and is neither padded nor blanked

// Length of the well-formed UTF-8 sequence at the front (Unicode 15, table 3-7), 0 if there is none.
std::size_t utf8_length(base::Bytes text) {
  auto in = [&](std::size_t at, unsigned low, unsigned high) {
    unsigned byte = at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
    return byte >= low && byte <= high;
  };
  unsigned first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return in(1, 0x80, 0xbf) ? 2 : 0;
  if ((first & 0xf0) == 0xe0)
    return in(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && in(2, 0x80, 0xbf) ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4)
    return in(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && in(2, 0x80, 0xbf) &&
                   in(3, 0x80, 0xbf)
               ? 4
               : 0;
  return 0;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// One row of a screen: text, and a place in it that the next character goes to.
class Row {
 public:
  Row(std::string& text, std::size_t start) : text_(text), start_(start), at_(text.size()) {}

  void put(std::string_view character) {
    if (at_ == text_.size()) {
      text_ += character;
    } else {
      text_.replace(at_, next() - at_, character);
    }
    at_ += character.size();
  }
  void home() { at_ = start_; }
  void left(std::size_t count) {
    while (count-- > 0 && at_ > start_) {
      do --at_;
      while (at_ > start_ && continues(text_[at_]));
    }
  }
  void right(std::size_t count) {
    while (count-- > 0) {
      if (at_ < text_.size()) {
        at_ = next();
      } else if (at_ - start_ < kMostPadded) {
        put(" ");
      }
    }
  }
  void erase_right() { text_.resize(at_); }
  void erase_left() {
    std::size_t here = at_;
    if (here - start_ > kMostPadded) return;
    for (home(); at_ < here;) {
      std::size_t before = next() - at_;
      put(" ");
      here -= before - 1;
    }
  }
  void erase_all() {
    text_.resize(start_);
    home();
  }
  void take_out(std::size_t count) {
    std::size_t here = at_;
    while (count-- > 0 && at_ < text_.size()) at_ = next();
    text_.erase(here, at_ - here);
    at_ = here;
  }
  void part() {
    at_ = text_.size();
    if (at_ > start_ && text_.back() != ' ') put(" ");
  }

 private:
  std::size_t next() const {
    std::size_t end = at_ + 1;
    while (end < text_.size() && continues(text_[end])) ++end;
    return end;
  }
  std::string& text_;
  const std::size_t start_;
  std::size_t at_;
};

// A control sequence's parameters and final byte (ECMA-48, 5.4), acted on as far as one row goes.
void act(Row& row, base::Bytes parameters, char final_byte) {
  std::size_t number = 0;
  base::Bytes first = parameters.substr(0, parameters.find(';'));
  bool given = base::parse_number(first, number);
  std::size_t count = std::clamp<std::size_t>(given ? number : 1, 1, kMostMove);
  switch (final_byte) {
    case 'C':
      row.right(count);
      break;
    case 'D':
      row.left(count);
      break;
    case 'G':
      row.home();
      row.right(count - 1);
      break;
    case 'P':
      row.take_out(count);
      break;
    case 'K':
      if (number == 0) row.erase_right();
      if (number == 1) row.erase_left();
      if (number == 2) row.erase_all();
      break;
    case 'A':
    case 'B':
    case 'E':
    case 'F':
    case 'H':
    case 'J':
    case 'd':
    case 'f':
      row.part();
      break;
    default:
      break;  // colours, modes and the rest leave nothing to read
  }
}

// Skips the string of an OSC, DCS, SOS, PM or APC (ECMA-48, 5.6): up to BEL or ST. One that does not end in
// this line is taken to be a stray introducer, so that it does not swallow what people want to read.
std::size_t string_end(base::Bytes raw, std::size_t at) {
  for (std::size_t i = at; i < raw.size(); ++i) {
    if (raw[i] == '\a') return i + 1;
    if (raw[i] == '\x1b') return i + 1 < raw.size() && raw[i + 1] == '\\' ? i + 2 : at;
  }
  return at;
}

// `at` is behind an ESC; answers where what it begins has ended.
std::size_t escape(Row& row, base::Bytes raw, std::size_t at) {
  if (at >= raw.size()) return at;
  char c = raw[at];
  if (c == '[') {
    std::size_t end = at + 1;
    while (end < raw.size() && raw[end] >= 0x20 && raw[end] <= 0x3f) ++end;
    if (end < raw.size() && raw[end] >= 0x40 && raw[end] <= 0x7e) {
      act(row, raw.substr(at + 1, end - at - 1), raw[end]);
      return end + 1;
    }
    return end;  // broken off by a control character or the line's end
  }
  if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_') return string_end(raw, at + 1);
  std::size_t end = at;
  while (end < raw.size() && raw[end] >= 0x20 && raw[end] <= 0x2f) ++end;
  return end < raw.size() && raw[end] >= 0x30 && raw[end] <= 0x7e ? end + 1 : end;
}

}  // namespace

bool plain(base::Bytes line) {
  const char* at = line.data();
  std::size_t left = line.size();
  // Eight bytes at a time: any below 0x20, 0x7f or above needs the slow way. (Hacker's Delight, 6-1.)
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
    std::uint64_t low = (word - kOnes * 0x20) & ~word,
                  del = ((word ^ kOnes * 0x7f) - kOnes) & ~(word ^ kOnes * 0x7f);
    if ((word | low | del) & kHighs) break;
  }
  for (std::size_t i = 0; i < left;) {
    unsigned char c = static_cast<unsigned char>(at[i]);
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    std::size_t length = utf8_length({at + i, left - i});
    if (length == 0 || (c == 0xc2 && static_cast<unsigned char>(at[i + 1]) < 0xa0)) return false;
    i += length;
  }
  return true;
}

void clean_line(base::Bytes raw, std::string& out) {
  while (!raw.empty() && raw.back() == '\r') raw.remove_suffix(1);
  if (plain(raw)) {
    out += raw;
    return;
  }
  Row row(out, out.size());
  for (std::size_t at = 0; at < raw.size();) {
    unsigned char c = static_cast<unsigned char>(raw[at]);
    if (c == 0x1b) {
      at = escape(row, raw, at + 1);
    } else if (c == '\r') {
      row.home();
      ++at;
    } else if (c == '\b') {
      row.left(1);
      ++at;
    } else if (c == '\v' || c == '\f') {
      row.part();
      ++at;
    } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
      ++at;
    } else if (std::size_t length = utf8_length(raw.substr(at)); length == 0) {
      row.put(kReplacement);
      ++at;
    } else {
      bool control = length == 2 && c == 0xc2 && static_cast<unsigned char>(raw[at + 1]) < 0xa0;
      if (!control) row.put(raw.substr(at, length));
      at += length;
    }
  }
}

}  // namespace oob::console

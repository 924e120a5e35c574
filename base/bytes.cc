#include "base/bytes.h"

#include <openssl/evp.h>

#include <algorithm>
#include <vector>

namespace oob::base {
namespace {

// Length of the well-formed UTF-8 sequence at the front of `text`, 0 if there is none (Unicode 15, table
// 3-7).
std::size_t utf8_length(Bytes text) {
  auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  auto in = [&](std::size_t at, unsigned low, unsigned high) {
    return at < text.size() && byte(at) >= low && byte(at) <= high;
  };
  unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return in(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    unsigned high = first == 0xed ? 0x9f : 0xbf;
    return in(1, low, high) && in(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    unsigned low = first == 0xf0 ? 0x90 : 0x80;
    unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return in(1, low, high) && in(2, 0x80, 0xbf) && in(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

// C1 controls (U+0080 to U+009F) drive terminals as ESC sequences do; U+2028 and U+2029 end lines for some
// programs; U+200E-F, U+202A-E, U+2066-9 and U+061C turn text around (Unicode 15, UAX #9, 2).
bool harmless(Bytes sequence) {
  auto byte = [&](std::size_t at) { return static_cast<unsigned char>(sequence[at]); };
  if (sequence.size() == 2) return !(byte(0) == 0xc2 && byte(1) < 0xa0) && sequence != "\xd8\x9c";
  if (sequence.size() != 3 || byte(0) != 0xe2) return true;
  unsigned last = byte(2);
  if (byte(1) == 0x80) return last != 0x8e && last != 0x8f && (last < 0xa8 || last > 0xae);
  return byte(1) != 0x81 || last < 0xa6 || last > 0xa9;
}

}  // namespace

std::string printable(Bytes raw, std::size_t most) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string clean;
  while (!raw.empty()) {
    if (clean.size() >= most) return clean + "...";
    unsigned char c = static_cast<unsigned char>(raw[0]);
    std::size_t length = utf8_length(raw);
    if (c == '\\') {
      clean += "\\\\";
    } else if (c == '\n') {
      clean += "\\n";
    } else if (c == '\r') {
      clean += "\\r";
    } else if (c == '\t') {
      clean += "\\t";
    } else if (length == 0 || c < 0x20 || c == 0x7f || !harmless(raw.substr(0, length))) {
      clean += "\\x";
      clean += kHex[c >> 4];
      clean += kHex[c & 15];
      length = 1;
    } else {
      clean += raw.substr(0, length);
    }
    raw.remove_prefix(length);
  }
  return clean;
}

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string hex(Bytes raw) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned char c : raw) {
    text += kHex[c >> 4];
    text += kHex[c & 15];
  }
  return text;
}

std::string base64(Bytes raw) {
  std::string text(4 * ((raw.size() + 2) / 3) + 1, '\0');
  int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(raw.data()), static_cast<int>(raw.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t cost = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({cost, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace oob::base

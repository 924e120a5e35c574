#include "recipe/shell_words.h"

#include <algorithm>
#include <array>

#include "recipe/gunzip.h"

namespace oob::recipe {

using base::Bytes;

namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i << 24;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 0x80000000u ? (crc << 1) ^ 0x04c11db7u : crc << 1;
    table[i] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = make_table();

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What no shell sees anything in, wherever in a word it stands.
bool is_plain(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         Bytes("_./:,+-").find(c) != Bytes::npos;
}

void encode(Bytes text, std::size_t at, std::string& to) {
  char c = text[at];
  if (is_plain(c)) {
    to += c;
    return;
  }
  unsigned value = static_cast<unsigned char>(c);
  // `\0` and up to three octal digits: all three where a digit follows.
  bool full = value > 077 || (at + 1 < text.size() && text[at + 1] >= '0' && text[at + 1] <= '7');
  to += "\\\\0";
  if (full) to += static_cast<char>('0' + (value >> 6));
  if (full || value > 7) to += static_cast<char>('0' + (value >> 3 & 7));
  to += static_cast<char>('0' + (value & 7));
}

// Where a line of the kernel that begins at `at` ends; `at` when there is none.
std::size_t end_of_message(Bytes heard, std::size_t at) {
  std::size_t next = heard.find_first_not_of(' ', at + 1);
  auto digits = [&] {
    std::size_t begin = next;
    while (next < heard.size() && is_digit(heard[next])) ++next;
    return next < heard.size() && next > begin;
  };
  if (next == Bytes::npos || !digits() || heard[next++] != '.' || !digits() || heard[next] != ']') return at;
  std::size_t end = heard.find('\n', next);
  return end == Bytes::npos ? heard.size() : end + 1;
}

Words split_words(Bytes text) {
  Words words;
  base::split(text, ' ', [&words](Bytes word) { words.emplace_back(word); });
  return words;
}

// The words of "WORDS CRC LENGTH".
std::optional<Words> proved(Bytes text) {
  std::size_t length_at = text.rfind(' ');
  if (length_at == Bytes::npos || length_at == 0) return std::nullopt;
  std::size_t crc_at = text.rfind(' ', length_at - 1);
  if (crc_at == Bytes::npos) return std::nullopt;
  Bytes body = text.substr(0, crc_at);
  std::uint32_t crc = 0;
  std::size_t length = 0;
  if (!base::parse_number(text.substr(crc_at + 1, length_at - crc_at - 1), crc) ||
      !base::parse_number(text.substr(length_at + 1), length))
    return std::nullopt;
  if (length != body.size() || (crc != cksum(body) && crc != gzip_crc(body))) return std::nullopt;
  return split_words(body);
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (is_digit(c)) return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

std::uint32_t cksum(Bytes bytes) {
  std::uint32_t crc = 0;
  auto add = [&crc](unsigned char byte) { crc = (crc << 8) ^ kTable[(crc >> 24) ^ byte]; };
  for (char c : bytes) add(static_cast<unsigned char>(c));
  for (std::size_t length = bytes.size(); length; length >>= 8) add(length & 0xff);
  return ~crc;
}

std::uint32_t sum_of(Sum kind, Bytes bytes) { return kind == Sum::gzip ? gzip_crc(bytes) : cksum(bytes); }

std::string shell_word(Bytes text) {
  std::string to = "'";
  for (char c : text) {
    if (c == '\'')
      to += "'\\''";
    else
      to += c;
  }
  return to + "'";
}

std::string encoded(Bytes text) {
  std::string to;
  for (std::size_t at = 0; at < text.size(); ++at) encode(text, at, to);
  return to;
}

std::size_t fits_encoded(Bytes text, std::size_t most) {
  std::string to;
  std::size_t fits = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    encode(text, at, to);
    if (to.size() > most) break;
    if (text[at] != '\n' || at + 1 == text.size()) fits = at + 1;
  }
  return std::max<std::size_t>(fits, text.empty() ? 0 : 1);
}

std::string without_messages(Bytes heard, std::vector<std::size_t>& places) {
  std::string clean;
  clean.reserve(heard.size());
  places.clear();
  places.reserve(heard.size());
  for (std::size_t at = 0; at < heard.size();) {
    char c = heard[at];
    if (c == '[') {
      std::size_t end = end_of_message(heard, at);
      if (end != at) {
        at = end;
        continue;
      }
    }
    if (c != '\r' && c != '\n') {
      clean += c;
      places.push_back(at);
    }
    ++at;
  }
  return clean;
}

std::optional<Answer> find_answer(Bytes heard, Bytes nonce) {
  std::vector<std::size_t> places;
  std::string clean = without_messages(heard, places);
  std::string head = base::str('<', nonce, ' ');
  std::size_t begin = clean.find(head);
  while (begin != std::string::npos) {
    std::size_t body = begin + head.size();
    std::size_t next = clean.find(head, body);
    std::size_t limit = std::min(next, clean.size());
    // A message that was not known for one may have a ">" of its own.
    for (std::size_t end = clean.find('>', body), tries = 0; end < limit && tries < 8;
         end = clean.find('>', end + 1), ++tries)
      if (auto words = proved(Bytes(clean).substr(body, end - body)))
        return Answer{std::move(*words), places[end] + 1};
    begin = next;
  }
  return std::nullopt;
}

AnsweredBy answered_by(Bytes first_word) {
  AnsweredBy by;
  if (!first_word.empty() && !is_digit(first_word.front())) {
    by.function = first_word.front();
    first_word.remove_prefix(1);
  }
  if (!base::parse_number(first_word, by.number)) by.number = 0;
  return by;
}

std::optional<std::string> from_base64(const std::string* begin, const std::string* end) {
  // POSIX.1-2017, uuencode -m: "begin-base64 MODE NAME", and "====" at the end.
  if (begin != end && *begin == "begin-base64") {
    if (end - begin < 4 || *(end - 1) != "====") return std::nullopt;
    begin += 3;
    --end;
  }
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned count = 0, padding = 0;
  for (; begin != end; ++begin) {
    for (char c : *begin) {
      int value = base64_value(c);
      if (c == '=' && padding < 2) {
        ++padding;
        value = 0;
      } else if (value < 0 || padding) {
        return std::nullopt;
      }
      bits = bits << 6 | static_cast<std::uint32_t>(value);
      if (++count % 4) continue;
      bytes += static_cast<char>(bits >> 16);
      bytes += static_cast<char>(bits >> 8);
      bytes += static_cast<char>(bits);
      bits = 0;
    }
  }
  if (count % 4) return std::nullopt;
  bytes.resize(bytes.size() - padding);
  return bytes;
}

bool is_sha256(Bytes word) {
  return word.size() == 64 && word.find_first_not_of("0123456789abcdef") == Bytes::npos;
}

}  // namespace oob::recipe

#include "audit/cast.h"

#include <algorithm>
#include <bit>
#include <boost/json.hpp>
#include <charconv>
#include <cstring>
#include <utility>

namespace oob::audit {
namespace {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;

// Of one event: with each byte written in six it is less than kMostCastLine.
constexpr std::size_t kMostPiece = 16 * 1024;
constexpr const char* kReplacement = "\xef\xbf\xbd";  // U+FFFD

bool plain(unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

constexpr std::uint64_t each(unsigned char byte) { return 0x0101010101010101ULL * byte; }
constexpr std::uint64_t zero_in(std::uint64_t word) { return (word - each(1)) & ~word & each(0x80); }

// How many bytes at the front stand in a JSON string as they are. Most of what a console says is such runs,
// so they are looked at by eight; the lowest of the eight that is odd is told rightly.
std::size_t plain_run(Bytes bytes) {
  std::size_t at = 0;
  while (bytes.size() - at >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + at, 8);
    std::uint64_t control = (word - each(0x20)) & ~word;  // < 0x20
    std::uint64_t odd =
        word | control | zero_in(word ^ each('"')) | zero_in(word ^ each('\\')) | zero_in(word ^ each(0x7f));
    if (odd &= each(0x80)) {
      if constexpr (std::endian::native == std::endian::little)
        return at + static_cast<std::size_t>(std::countr_zero(odd)) / 8;
      break;
    }
    at += 8;
  }
  while (at < bytes.size() && plain(static_cast<unsigned char>(bytes[at]))) ++at;
  return at;
}

struct Character {
  enum Kind { whole, cut, bad } kind;
  std::size_t size;  // of it, of what is there of it, or of what can be the beginning of none
};

// The character at the front of `bytes` (not empty) by the table of Unicode 15, 3-7: no overlong forms, no
// surrogates, nothing above U+10FFFF.
Character character(Bytes bytes) {
  auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  unsigned char lead = at(0), low = 0x80, high = 0xbf;
  if (lead < 0x80) return {Character::whole, 1};
  std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return {Character::bad, 1};
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  for (std::size_t i = 1; i < size; ++i) {
    if (i == bytes.size()) return {Character::cut, i};
    if (at(i) < low || at(i) > high) return {Character::bad, i};
    low = 0x80;
    high = 0xbf;
  }
  return {Character::whole, size};
}

void add_escaped(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\t':
      out += "\\t";
      break;
    default: {
      constexpr char kDigits[] = "0123456789abcdef";
      char text[] = {'\\', 'u', '0', '0', kDigits[c >> 4], kDigits[c & 15]};
      out.append(text, sizeof text);
    }
  }
}

// Adds what is UTF-8 at the front of `bytes`; answers how much that was.
std::size_t add_text(std::string& out, Bytes bytes) {
  std::size_t at = 0, begin = 0;  // from there on nothing is added yet
  while (true) {
    at += plain_run(bytes.substr(at));
    if (at == bytes.size()) break;
    Character next = character(bytes.substr(at));
    if (next.kind != Character::whole) break;
    if (next.size == 1) {
      out.append(bytes, begin, at - begin);
      add_escaped(out, static_cast<unsigned char>(bytes[at]));
      begin = at + 1;
    }
    at += next.size;
  }
  out.append(bytes, begin, at - begin);
  return at;
}

// The same of any bytes, with U+FFFD for what is none.
void add_picture(std::string& out, Bytes bytes) {
  while (true) {
    bytes.remove_prefix(add_text(out, bytes));
    if (bytes.empty()) return;
    out += kReplacement;
    bytes.remove_prefix(character(bytes).size);
  }
}

bool hex4(std::string_view text, unsigned& value) {
  auto [end, error] =
      std::from_chars(text.data(), text.data() + std::min<std::size_t>(4, text.size()), value, 16);
  return text.size() >= 4 && error == std::errc{} && end == text.data() + 4 && text[0] != '-';
}

void add_utf8(std::string& out, unsigned point) {
  auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
  }
  put(0x80 | (point & 0x3f));
}

// What follows a backslash; takes it from `rest`.
bool take_escape(std::string_view& rest, std::string& text) {
  if (rest.empty()) return false;
  constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
  char c = rest[0];
  rest.remove_prefix(1);
  if (std::size_t found = kFrom.find(c); found != std::string_view::npos) {
    text += kTo[found];
    return true;
  }
  unsigned point, second;
  if (c != 'u' || !hex4(rest, point)) return false;
  rest.remove_prefix(4);
  if (point >= 0xd800 && point < 0xdc00) {
    if (!rest.starts_with("\\u") || !hex4(rest.substr(2), second) || second < 0xdc00 || second > 0xdfff)
      return false;
    rest.remove_prefix(6);
    point = 0x10000 + ((point - 0xd800) << 10) + (second - 0xdc00);
  } else if (point >= 0xdc00 && point < 0xe000) {
    return false;
  }
  add_utf8(text, point);
  return true;
}

// A JSON string behind its first quote, up to and with its last.
bool take_string(std::string_view& rest, std::string& text) {
  while (!rest.empty()) {
    std::size_t run = plain_run(rest);
    text += rest.substr(0, run);
    rest.remove_prefix(run);
    if (rest.empty()) return false;
    auto c = static_cast<unsigned char>(rest[0]);
    if (c == '"') {
      rest.remove_prefix(1);
      return true;
    }
    if (c == '\\') {
      rest.remove_prefix(1);
      if (!take_escape(rest, text)) return false;
      continue;
    }
    Character next = character(rest);
    if (c < 0x20 || next.kind != Character::whole) return false;
    text += rest.substr(0, next.size);
    rest.remove_prefix(next.size);
  }
  return false;
}

bool take(std::string_view& rest, std::string_view what) {
  if (!rest.starts_with(what)) return false;
  rest.remove_prefix(what.size());
  return true;
}

}  // namespace

std::string json_text(Bytes text) {
  std::string out = "\"";
  add_picture(out, text);
  out += '"';
  return out;
}

std::string CastHeader::line() const {
  std::string line =
      str("{\"version\": 2, \"width\": ", columns, ", \"height\": ", rows,
          ", \"timestamp\": ", started / 1'000'000, ", \"title\": ", json_text(str(user, " on ", device)));
  if (!term.empty()) line += str(", \"env\": {\"TERM\": ", json_text(term), "}");
  return str(line, ", \"oobd\": {\"format\": 1, \"id\": ", json_text(id), ", \"user\": ", json_text(user),
             ", \"key\": ", json_text(key), ", \"source\": ", json_text(source), ", \"session\": ", session,
             ", \"device\": ", json_text(device), ", \"command\": ", json_text(command),
             ", \"started\": ", json_text(base::rfc3339(started)), "}}\n");
}

Result<CastHeader> CastHeader::parse(std::string_view line) {
  namespace json = boost::json;
  boost::system::error_code error;
  json::value value = json::parse(line, error);
  const json::object* whole = error ? nullptr : value.if_object();
  auto object = [](const json::object* in, const char* key) -> const json::object* {
    const json::value* found = in ? in->if_contains(key) : nullptr;
    return found ? found->if_object() : nullptr;
  };
  auto number = [](const json::object* in, const char* key, std::uint64_t most) -> std::int64_t {
    const json::value* found = in ? in->if_contains(key) : nullptr;
    if (!found || (!found->is_int64() && !found->is_uint64())) return -1;
    boost::system::error_code odd;
    std::int64_t given = found->to_number<std::int64_t>(odd);
    return odd || given < 0 || static_cast<std::uint64_t>(given) > most ? -1 : given;
  };
  auto text = [](const json::object* in, const char* key, std::string& to) {
    const json::value* found = in ? in->if_contains(key) : nullptr;
    const json::string* given = found ? found->if_string() : nullptr;
    if (given) to.assign(given->data(), given->size());
    return given != nullptr;
  };
  const json::object* ours = object(whole, "oobd");
  CastHeader header;
  std::int64_t columns = number(whole, "width", 1'000'000), rows = number(whole, "height", 1'000'000),
               session = number(ours, "session", INT64_MAX);
  std::string started;
  text(object(whole, "env"), "TERM", header.term);
  bool well = number(whole, "version", 2) == 2 && number(ours, "format", 1) == 1 && columns >= 0 &&
              rows >= 0 && session >= 0 && text(ours, "id", header.id) && text(ours, "user", header.user) &&
              text(ours, "key", header.key) && text(ours, "source", header.source) &&
              text(ours, "device", header.device) && text(ours, "command", header.command) &&
              text(ours, "started", started);
  if (!well) return fail(Fault::failed, "no header of a recording");
  Result<Micros> time = base::parse_time(started, 0);
  if (!time) return base::wrap("header of a recording: started", time.error());
  header.columns = static_cast<unsigned>(columns);
  header.rows = static_cast<unsigned>(rows);
  header.session = static_cast<std::uint64_t>(session);
  header.started = *time;
  return header;
}

Result<CastEvent> CastEvent::parse(std::string_view line) {
  CastEvent event;
  std::string_view rest = line;
  std::uint64_t seconds = 0, micros = 0;
  std::size_t point = line.find('.');
  // Eleven digits of seconds are beyond every clock, and in microseconds still a number.
  bool well = take(rest, "[") && point != std::string_view::npos && point >= 2 && point <= 12 &&
              line.size() > point + 7 && base::parse_number(line.substr(1, point - 1), seconds) &&
              base::parse_number(line.substr(point + 1, 6), micros);
  if (well) {
    rest = line.substr(point + 7);
    well = take(rest, ", \"") && !rest.empty() && plain(static_cast<unsigned char>(rest[0]));
  }
  if (well) {
    event.time = static_cast<Micros>(seconds * 1'000'000 + micros);
    event.code = rest[0];
    rest.remove_prefix(1);
    well = take(rest, "\", \"") && take_string(rest, event.text) && rest == "]";
  }
  if (!well) return fail(Fault::failed, str("no event of a recording: ", base::printable(line, 60)));
  return event;
}

void CastEncoder::begin(std::string& out, char code) const {
  char text[40], *end = std::to_chars(text + 1, text + 24, last_ / 1'000'000).ptr;
  text[0] = '[';
  *end++ = '.';
  auto micros = static_cast<unsigned>(last_ % 1'000'000);
  for (unsigned part = 100'000; part > 0; part /= 10) *end++ = static_cast<char>('0' + micros / part % 10);
  std::memcpy(end, ", \"o\", \"", 8);
  end[3] = code;
  out.append(text, end + 8);
}

// Writes an event of all of `bytes`, save the beginning of a character at its end where `hold` says so;
// answers how many bytes that were.
std::size_t CastEncoder::piece(std::string& out, char code, Bytes bytes, bool own, bool hold) {
  std::size_t before = out.size();
  auto announce = [&] {
    if (!own) return;
    begin(out, 'e');
    out += "{\\\"ev\\\":\\\"own\\\"}\"]\n";
  };
  announce();
  begin(out, code);
  std::size_t size = add_text(out, bytes);
  if (size < bytes.size()) {
    // Where the rest is a cut character, what is before it is text.
    bool cut = hold && character(bytes.substr(size)).kind == Character::cut;
    if (cut && size == 0) {
      out.resize(before);
      return 0;
    }
    if (!cut) {
      if (hold) {
        std::size_t tail = std::min<std::size_t>(3, bytes.size());
        for (std::size_t back = tail; back > 0; --back) {
          Character last = character(bytes.substr(bytes.size() - back));
          if (last.kind == Character::cut && last.size == back) {
            bytes.remove_suffix(back);
            break;
          }
        }
      }
      out.resize(before);
      announce();
      begin(out, 'b');
      out += base::base64(bytes);
      out += "\"]\n";
      begin(out, code);
      add_picture(out, bytes);
      size = bytes.size();
    }
  }
  out += "\"]\n";
  return size;
}

void CastEncoder::show(std::string& out, Micros time, Bytes bytes, bool own) {
  if (bytes.empty()) return;
  if (!held_.empty() && held_own_ != own) flush(out, time);
  last_ = std::max(last_, time);
  std::string joined;
  if (!held_.empty()) {
    joined = std::move(held_) + std::string(bytes);
    held_.clear();
    bytes = joined;
  }
  while (!bytes.empty()) {
    Bytes next = bytes.substr(0, kMostPiece);
    std::size_t size = piece(out, 'o', next, own, true);
    bytes.remove_prefix(size);
    if (bytes.size() <= 3 && size < next.size()) break;
  }
  held_ = bytes;
  held_own_ = own;
}

void CastEncoder::typed(std::string& out, Micros time, Bytes bytes) {
  last_ = std::max(last_, time);
  while (!bytes.empty()) {
    Bytes next = bytes.substr(0, kMostPiece);
    bytes.remove_prefix(piece(out, 'i', next, false, next.size() < bytes.size()));
  }
}

void CastEncoder::resized(std::string& out, Micros time, unsigned columns, unsigned rows) {
  last_ = std::max(last_, time);
  begin(out, 'r');
  out += str(columns, "x", rows, "\"]\n");
}

void CastEncoder::event(std::string& out, Micros time, std::string_view object) {
  flush(out, time);
  begin(out, 'e');
  add_picture(out, object.substr(0, kMostPiece));
  out += "\"]\n";
}

void CastEncoder::flush(std::string& out, Micros time) {
  last_ = std::max(last_, time);
  if (!held_.empty()) piece(out, 'o', std::exchange(held_, {}), held_own_, false);
}

}  // namespace oob::audit

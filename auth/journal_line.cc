#include "auth/journal_line.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/fd.h"

namespace oob::auth {

using base::Bytes;
using base::str;

namespace {

constexpr std::string_view kOwn[] = {"boot", "ev", "mono", "n", "t"};

void add_unit(std::string& line, unsigned unit) {
  char text[16];
  std::snprintf(text, sizeof text, "\\u%04x", unit);
  line += text;
}

// The code point at the front of `text`, and its length; U+FFFD for a byte that begins none (RFC 3629).
unsigned code_point(Bytes text, std::size_t& length) {
  auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  length = 1;
  unsigned first = byte(0);
  if (first < 0x80) return first;
  unsigned more = first >= 0xf0 && first <= 0xf4  ? 3
                  : first >= 0xe0 && first < 0xf0 ? 2
                  : first >= 0xc2 && first < 0xe0 ? 1
                                                  : 0;
  if (more == 0 || text.size() <= more) return 0xfffd;
  unsigned point = first & (0x3fu >> more);
  for (unsigned i = 1; i <= more; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0xfffd;
    point = point << 6 | (byte(i) & 0x3f);
  }
  constexpr unsigned kLeast[] = {0, 0x80, 0x800, 0x10000};
  if (point < kLeast[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return 0xfffd;
  length = more + 1;
  return point;
}

void add_text(std::string& line, Bytes text) {
  line += '"';
  while (!text.empty()) {
    std::size_t length;
    unsigned point = code_point(text, length);
    text.remove_prefix(length);
    if (point == '"' || point == '\\') {
      line += '\\';
      line += static_cast<char>(point);
    } else if (point >= 0x20 && point < 0x7f) {
      line += static_cast<char>(point);
    } else if (point < 0x10000) {
      add_unit(line, point);
    } else {
      add_unit(line, 0xd800 + ((point - 0x10000) >> 10));
      add_unit(line, 0xdc00 + ((point - 0x10000) & 0x3ff));
    }
  }
  line += '"';
}

void add_value(std::string& line, const JournalFields::mapped_type& value) {
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value))
    line += std::to_string(*number);
  else
    add_text(line, std::get<std::string>(value));
}

}  // namespace

bool is_journal_key(std::string_view key) {
  return !key.empty() &&
         key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

bool is_journal_text(Bytes text) {
  // A byte that was not UTF-8 became three, so only code points can be counted.
  std::size_t bytes = 0, most = kMostJournalText;
  if (text.ends_with("...")) most += 3;
  while (!text.empty() && bytes <= most) {
    std::size_t length;
    bytes += code_point(text, length) == 0xfffd ? 1 : length;
    text.remove_prefix(length);
  }
  return bytes <= most;
}

std::string canonical_json(const JournalFields& fields) {
  std::string line = "{";
  for (const auto& [key, value] : fields) {
    line += str(line.size() == 1 ? "\"" : ",\"", key, "\":");
    add_value(line, value);
  }
  return line + "}";
}

namespace {

std::int64_t monotonic_now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000;
}

}  // namespace

// A process that is kept from its turn between the two readings would look like a clock that was set.
JournalStamp JournalStamp::now() {
  constexpr std::int64_t kTogether = 10'000;  // microseconds
  constexpr int kTries = 10;
  JournalStamp stamp;
  stamp.mono = monotonic_now();
  for (int i = 0; i < kTries; ++i) {
    stamp.wall = base::wall_now();
    const std::int64_t after = monotonic_now();
    if (after - std::exchange(stamp.mono, after) < kTogether) break;
  }
  return stamp;
}

std::string journal_line(const Entry& entry, const JournalStamp& stamp, std::uint64_t number,
                         const std::string& boot) {
  JournalFields all = entry.fields;
  for (auto& [key, value] : all) {
    assert(is_journal_key(key) && "a journal key is lower-case letters, digits and _");
    assert(std::find(std::begin(kOwn), std::end(kOwn), key) == std::end(kOwn) &&
           "the journal adds this key itself");
    std::string* text = std::get_if<std::string>(&value);
    if (text && text->size() > kMostJournalText) *text = text->substr(0, kMostJournalText) + "...";
  }
  all["boot"] = boot;
  all["ev"] = entry.ev;
  all["mono"] = stamp.mono;
  all["n"] = static_cast<std::int64_t>(number);
  all["t"] = base::rfc3339(stamp.wall);
  return canonical_json(all) + "\n";
}

bool journal_number(Bytes line, std::uint64_t& number) {
  if (!line.starts_with('{') || !line.ends_with('}')) return false;
  if (std::any_of(line.begin(), line.end(), [](char c) { return c < 0x20 || c > 0x7e; })) return false;
  // Inside a text the quotes would be escaped, so this can only be the key.
  constexpr std::string_view kKey = ",\"n\":";
  std::size_t at = line.find(kKey);
  if (at == Bytes::npos) return false;
  std::string_view digits = line.substr(at + kKey.size());
  digits = digits.substr(0, digits.find_first_of(",}"));
  return base::parse_number(digits, number);
}

std::string boot_id() {
  base::Fd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  char text[64];
  ssize_t size = file ? ::read(file.get(), text, sizeof text) : -1;
  if (size == 37 && text[36] == '\n') return std::string(text, 36);
  unsigned char random[16];
  if (RAND_bytes(random, sizeof random) != 1) return "unknown";
  return base::hex(Bytes(reinterpret_cast<const char*>(random), sizeof random));
}

}  // namespace oob::auth

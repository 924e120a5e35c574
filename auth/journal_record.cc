#include <limits>

#include "auth/journal_line.h"
#include "auth/journal_reader.h"
#include "base/time.h"

namespace oob::auth {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

void add_utf8(std::string& to, unsigned point) {
  if (point < 0x80) {
    to += static_cast<char>(point);
  } else if (point < 0x800) {
    to += static_cast<char>(0xc0 | point >> 6);
    to += static_cast<char>(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    to += static_cast<char>(0xe0 | point >> 12);
    to += static_cast<char>(0x80 | (point >> 6 & 0x3f));
    to += static_cast<char>(0x80 | (point & 0x3f));
  } else {
    to += static_cast<char>(0xf0 | point >> 18);
    to += static_cast<char>(0x80 | (point >> 12 & 0x3f));
    to += static_cast<char>(0x80 | (point >> 6 & 0x3f));
    to += static_cast<char>(0x80 | (point & 0x3f));
  }
}

// Takes the JSON apart that the one form allows, roughly: that it was exactly this form shows when what was
// read is written again.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool take(char wanted) {
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  bool at_end() const { return at_ == text_.size(); }

  bool value(Record::Value& value) {
    if (at_ < text_.size() && text_[at_] == '"') {
      std::string text;
      if (!this->text(text)) return false;
      value = std::move(text);
      return true;
    }
    std::size_t end = std::min(text_.find_first_of(",}", at_), text_.size());
    std::int64_t number = 0;
    if (!base::parse_number(text_.substr(at_, end - at_), number)) return false;
    at_ = end;
    value = number;
    return true;
  }

  bool text(std::string& text) {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      char c = text_[at_++];
      if (c == '"') return true;
      if (c != '\\') {
        text += c;
      } else if (take('"')) {
        text += '"';
      } else if (take('\\')) {
        text += '\\';
      } else {
        unsigned point = 0, low = 0;
        if (!unit(point)) return false;
        if (point >= 0xd800 && point < 0xdc00) {
          if (!take('\\') || !unit(low) || low < 0xdc00 || low > 0xdfff) return false;
          point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        }
        add_utf8(text, point);
      }
    }
    return false;
  }

 private:
  bool unit(unsigned& unit) {
    if (!take('u') || text_.size() - at_ < 4) return false;
    auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, unit, 16);
    if (error != std::errc{} || end != text_.data() + at_ + 4) return false;
    at_ += 4;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool read_fields(std::string_view line, std::map<std::string, Record::Value>& fields) {
  Scanner scan(line);
  if (!scan.take('{')) return false;
  do {
    std::string key;
    Record::Value value;
    if (!scan.text(key) || !scan.take(':') || !scan.value(value)) return false;
    fields[std::move(key)] = std::move(value);
  } while (scan.take(','));
  return scan.take('}') && scan.at_end();
}

}  // namespace

Result<Record> Record::parse(std::string_view line) {
  auto wrong = [](std::string_view why) { return fail(Fault::failed, str("no record: ", why)); };
  if (line.size() >= kMostJournalLine) return wrong("it is too long");
  Record record;
  if (!read_fields(line, record.fields)) return wrong("it is not one JSON object of texts and whole numbers");
  for (const auto& [key, value] : record.fields) {
    if (!is_journal_key(key)) return wrong("a key has more than lower-case letters, digits and _");
    const std::string* text = std::get_if<std::string>(&value);
    if (text && !is_journal_text(*text)) return wrong(str("the text of ", key, " is too long"));
  }
  if (canonical_json(record.fields) != line) return wrong("it is not written in the one form for its values");
  const std::string *boot = record.text("boot"), *ev = record.text("ev"), *t = record.text("t");
  std::optional<std::int64_t> mono = record.number("mono"), n = record.number("n");
  if (!boot || !ev || !t || !mono || !n) return wrong("boot, ev, mono, n or t is missing");
  if (*n < 0) return wrong("n is negative");
  Result<base::Micros> wall = base::parse_time(*t, 0);
  if (!wall || base::rfc3339(*wall) != *t) return wrong("t is no time in UTC with microseconds");
  record.n = static_cast<std::uint64_t>(*n);
  record.mono = *mono;
  record.wall = *wall;
  record.boot = *boot;
  record.ev = *ev;
  return record;
}

const std::string* Record::text(const std::string& key) const {
  auto found = fields.find(key);
  return found == fields.end() ? nullptr : std::get_if<std::string>(&found->second);
}

std::optional<std::int64_t> Record::number(const std::string& key) const {
  auto found = fields.find(key);
  const std::int64_t* number = found == fields.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
  return number ? std::optional(*number) : std::nullopt;
}

}  // namespace oob::auth

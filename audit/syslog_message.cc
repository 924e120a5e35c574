#include "audit/syslog_message.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace oob::audit {

using auth::Record;
using base::Bytes;
using base::str;

namespace {

// RFC 5424, 6.2.1.
constexpr unsigned kLogAudit = 13;
enum class Severity : unsigned { critical = 2, warning = 4, notice = 5, informational = 6 };

constexpr std::size_t kMostName = 32;   // MSGID and PARAM-NAME
constexpr std::size_t kMostText = 400;  // of MSG, in octets
constexpr std::string_view kBom = "\xef\xbb\xbf";

struct Param {
  std::string name, value;
};

struct Message {
  Severity severity = Severity::informational;
  std::string time, event;
  std::vector<Param> params;
  std::string text;
};

// The last piece of an event's name tells how it went: "bmc.failed", "login.refused".
bool ends(std::string_view event, std::string_view end) { return event.ends_with(end); }

Severity severity_of(const Record& record) {
  const std::string& event = record.ev;
  if (event == "disk.level") {
    const std::string* to = record.text("to");
    if (to && (*to == "critical" || *to == "full")) return Severity::critical;
    return to && *to == "fine" ? Severity::informational : Severity::warning;
  }
  if (event == "transcripts.failing" || event == "gap" || event == "recording.gap" || event == "syslog.lost")
    return Severity::critical;
  if (event == "journal.begin" && record.text("why")) return Severity::critical;
  if (event.starts_with("login.refused") || event == "denied" || ends(event, ".failed") ||
      ends(event, ".down") || ends(event, ".damaged"))
    return Severity::warning;
  if (ends(event, ".request") || event == "clock.step" || event == "retention" || event == "redaction" ||
      event == "key.rotate" || event == "grant" || event == "approval.given")
    return Severity::notice;
  return Severity::informational;
}

bool is_graphic(char c) { return c > 0x20 && c < 0x7f; }

// The bytes of the UTF-8 character (RFC 3629) that begins here; 0: there is none.
std::size_t character_size(std::string_view text) {
  auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = at(0);
  if (first < 0x80) return 1;
  std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  bool overlong = (first == 0xe0 && at(1) < 0xa0) || (first == 0xf0 && at(1) < 0x90);
  bool outside = (first == 0xed && at(1) > 0x9f) || (first == 0xf4 && at(1) > 0x8f);
  return overlong || outside ? 0 : size;
}

// Whole UTF-8 stays; control characters (C1 too) and what is no UTF-8 are written \xNN, as base::printable()
// does, but a backslash is itself.
std::string shown(std::string_view raw) {
  std::string text;
  while (!raw.empty()) {
    std::size_t size = character_size(raw);
    bool control = size == 1 && (static_cast<unsigned char>(raw[0]) < 0x20 || raw[0] == 0x7f);
    bool c1 = size == 2 && raw[0] == '\xc2' && static_cast<unsigned char>(raw[1]) < 0xa0;
    std::size_t taken = std::max<std::size_t>(size, 1);
    if (size == 0 || control || c1) {
      for (std::size_t i = 0; i < taken; ++i) text += str("\\x", base::hex(raw.substr(i, 1)));
    } else {
      text += raw.substr(0, size);
    }
    raw.remove_prefix(taken);
  }
  return text;
}

// At most so many octets, without half a character at the end.
std::string_view cut_to(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

void add_param(std::string& to, std::string_view name, std::string_view value) {
  to += str(' ', name, "=\"");
  for (char c : value) {
    if (c == '"' || c == '\\' || c == ']') to += '\\';  // RFC 5424, 6.3.3
    to += c;
  }
  to += '"';
}

std::string head_of(const Message& message, std::string_view hostname) {
  unsigned priority = kLogAudit * 8 + static_cast<unsigned>(message.severity);
  std::string id;
  for (char c : std::string_view(message.event).substr(0, kMostName)) id += is_graphic(c) ? c : '-';
  return str('<', priority, ">1 ", message.time, ' ', hostname, " oobd - ", id.empty() ? "-" : id, ' ');
}

// With every value cut at `most` octets, and the parameters after the first `count` left out.
std::string write(const Message& message, std::string_view head, std::size_t most, std::size_t count) {
  std::string out(head);
  out += "[oobd@32473";  // the number for examples (RFC 5612): oobd has none of its own
  std::string params;
  bool cut = count < message.params.size();
  for (std::size_t i = 0; i < std::min(count, message.params.size()); ++i) {
    const Param& param = message.params[i];
    std::string_view value = cut_to(param.value, most);
    cut = cut || value.size() < param.value.size();
    add_param(params, std::string_view(param.name).substr(0, kMostName), value);
  }
  out += params;
  if (cut) add_param(out, "cut", "1");
  out += ']';
  if (message.text.empty()) return out;
  bool ascii = std::all_of(message.text.begin(), message.text.end(),
                           [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  out += str(' ', ascii ? "" : kBom, message.text);  // RFC 5424, 6.4
  return out;
}

std::string fit(const Message& message, std::string_view hostname) {
  std::string head = head_of(message, hostname);
  std::size_t count = message.params.size();
  for (std::size_t most : {kMostSyslogMessage, std::size_t{4096}, std::size_t{2048}, std::size_t{1024},
                           std::size_t{512}, std::size_t{256}, std::size_t{128}, std::size_t{64}}) {
    std::string out = write(message, head, most, count);
    if (out.size() <= kMostSyslogMessage) return out;
  }
  while (true) {  // ends: without parameters it fits
    count -= std::max<std::size_t>(count / 8, 1);
    std::string out = write(message, head, 64, count);
    if (out.size() <= kMostSyslogMessage) return out;
  }
}

std::string text_of(const Record& record) {
  std::string text = record.ev;
  // What a person asks first, in this order.
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kWords = {{
      {"user", " user "},
      {"device", " device "},
      {"bmc", " bmc "},
      {"action", " "},
      {"result", ": "},
      {"text", ": "},
      {"why", ": "},
      {"source", " from "},
  }};
  for (const auto& [key, before] : kWords) {
    const std::string* value = record.text(std::string(key));
    if (value && !value->empty()) text += str(before, shown(*value));
  }
  return std::string(cut_to(text, kMostText));
}

}  // namespace

std::string syslog_hostname(std::string_view name) {
  constexpr std::size_t kMost = 255;
  std::string host;
  for (char c : name.substr(0, kMost)) host += is_graphic(c) ? c : '-';
  return host.empty() ? "-" : host;
}

std::string syslog_record(const Record& record, std::string_view hostname) {
  Message message;
  message.severity = severity_of(record);
  const std::string* time = record.text("t");
  message.time = time ? *time : "-";
  message.event = record.ev;
  message.params.push_back({"n", str(record.n)});
  for (const auto& [key, value] : record.fields) {
    if (key == "n") continue;
    const std::string* text = std::get_if<std::string>(&value);
    message.params.push_back({key, text ? shown(*text) : str(std::get<std::int64_t>(value))});
  }
  // What identifies the record goes before what may be left out.
  auto first = [](const Param& param) {
    return param.name == "n" || param.name == "boot" || param.name == "ev" || param.name == "mono" ||
           param.name == "t";
  };
  std::stable_partition(message.params.begin(), message.params.end(), first);
  message.text = text_of(record);
  return fit(message, hostname);
}

std::string syslog_damaged(std::uint64_t n, Bytes line, std::string_view why, base::Micros now,
                           std::string_view hostname) {
  Message message;
  message.severity = Severity::critical;
  message.time = base::rfc3339(now);
  message.event = "journal.damaged";
  message.params = {{"n", str(n)}, {"why", shown(why)}, {"line", shown(line.substr(0, kMostSyslogMessage))}};
  message.text = str("journal.damaged: the line of record ", n, " is no record");
  return fit(message, hostname);
}

std::string syslog_checkpoint(const auth::SignedNote& note, base::Micros now, std::string_view hostname) {
  Message message;
  message.time = base::rfc3339(now);
  message.event = "checkpoint";
  message.params = {{"size", str(note.checkpoint.size)},
                    {"root", base::base64(note.checkpoint.root)},
                    {"origin", shown(note.checkpoint.origin)},
                    {"note", base::base64(note.text())}};
  message.text = str("checkpoint ", note.checkpoint.brief());
  return fit(message, hostname);
}

std::string syslog_frame(std::string_view message) { return str(message.size(), ' ', message); }

}  // namespace oob::audit

#include "notice/notice.h"

#include <algorithm>
#include <boost/json.hpp>
#include <vector>

#include "base/bytes.h"

namespace oob::notice {

namespace json = boost::json;
using auth::Record;
using base::str;

namespace {

// What is already there under another name, or of use to verifiers alone.
constexpr std::string_view kLeftOut[] = {"t", "ev", "boot", "mono"};
// Fields whose text is a piece of a console.
constexpr std::string_view kLines[] = {"lines", "tail"};
constexpr const char* kJournalFails = "journal.failing";
constexpr std::string_view kUrgent[] = {"console.alarm", "guard.failed", kJournalFails, "uplink.down",
                                        "watch.lost"};

template <class Words>
bool has(const Words& words, std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

std::string text_of(const Record& record, const std::string& key) {
  const std::string* text = record.text(key);
  return text ? *text : std::string();
}

// One line of at most kMostSummary characters, cut at a whole one.
std::string one_line(const std::string& text) {
  std::string line = text;
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  std::size_t characters = 0, at = 0;
  for (; at < line.size(); ++at) {
    bool begins = (static_cast<unsigned char>(line[at]) & 0xc0) != 0x80;
    if (begins && ++characters > kMostSummary) break;
  }
  if (at == line.size()) return line;
  while (characters > kMostSummary - 2) {
    --at;
    if ((static_cast<unsigned char>(line[at]) & 0xc0) != 0x80) --characters;
  }
  return line.substr(0, at) + "...";
}

// What an event says for itself, in the words of whoever wrote it down.
std::string said_by(const Record& record) {
  for (const char* key : {"text", "line", "why", "result"})
    if (std::string text = text_of(record, key); !text.empty()) return text;
  std::string from = text_of(record, "from"), to = text_of(record, "to");
  return from.empty() || to.empty() ? to : str(from, " to ", to);
}

// The first thing a record is about; empty: the board.
std::string subject_of(const Record& record) {
  for (const char* key : {"device", "bmc", "uplink", "watch", "callhome"})
    if (std::string name = text_of(record, key); !name.empty()) return name;
  return "";
}

std::string summary_of(const Record& record, const std::string& board) {
  std::string subject = subject_of(record), said = said_by(record);
  std::string summary = str(subject.empty() ? board : subject, ": ");
  // An alarm's line speaks for itself.
  bool is_plain = record.ev == "console.alarm" && !said.empty();
  if (!is_plain) summary += record.ev;
  if (std::string user = text_of(record, "user"); !user.empty() && !is_plain) summary += str(" by ", user);
  if (!said.empty()) summary += str(is_plain ? "" : ": ", said);
  return one_line(summary);
}

void keep_last(std::vector<std::string>& kept, const std::vector<std::string>& more) {
  kept.insert(kept.end(), more.begin(), more.end());
  if (kept.size() > Many::kMostNamed)
    kept.erase(kept.begin(), kept.end() - static_cast<std::ptrdiff_t>(Many::kMostNamed));
}

Notice notice_without_record(const std::string& board, base::Micros wall, const char* event,
                             const std::string& text) {
  std::string summary = one_line(str(board, ": ", text));
  json::object object{{"board", board},
                      {"event", event},
                      {"time", base::rfc3339(wall)},
                      {"summary", summary},
                      {"text", text}};
  return {event, "", json::serialize(object), wall, summary};
}

}  // namespace

bool is_urgent(std::string_view event) { return has(kUrgent, event); }

std::vector<std::string> lines_of(const std::string& printable) {
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < printable.size(); ++i) {
    bool is_pair = printable[i] == '\\' && i + 1 < printable.size();
    if (is_pair && printable[i + 1] == 'n') {
      lines.emplace_back();
      ++i;
    } else if (is_pair && printable[i + 1] == '\\') {
      lines.back() += '\\';
      ++i;
    } else if (printable[i] == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += printable[i];
    }
  }
  if (lines.back().empty()) lines.pop_back();
  for (std::string& line : lines) {
    constexpr std::string_view kReturn = "\\r";
    if (line.ends_with(kReturn)) line.resize(line.size() - kReturn.size());
  }
  return lines;
}

Notice notice_of(const Record& record, const std::string& board) {
  Notice notice;
  notice.event = record.ev;
  notice.device = text_of(record, "device");
  notice.wall = record.wall;
  notice.summary = summary_of(record, board);
  json::object object{{"board", board},
                      {"event", record.ev},
                      {"time", base::rfc3339(record.wall)},
                      {"summary", notice.summary}};
  std::size_t size = 512;
  for (const auto& [key, value] : record.fields) {
    if (has(kLeftOut, key) || object.contains(key)) continue;
    const std::string* text = std::get_if<std::string>(&value);
    // The journal's texts are short, and a record has few; but each byte may become six.
    size += key.size() + 32 + (text ? text->size() * 6 : 0);
    if (size > kMostNotice) {
      object["cut"] = true;
      break;
    }
    if (!text) {
      object[key] = std::get<std::int64_t>(value);
    } else if (has(kLines, key)) {
      json::array lines;
      for (const std::string& line : lines_of(*text)) lines.emplace_back(line);
      object[key] = std::move(lines);
    } else {
      object[key] = *text;
    }
  }
  notice.json = json::serialize(object);
  return notice;
}

Notice test_notice(const std::string& board, base::Micros wall) {
  return notice_without_record(board, wall, "drill.test",
                               "a test: the drill tries whether this arrives; nothing has happened");
}

Notice journal_notice(const std::string& board, base::Micros wall, const std::string& why) {
  return notice_without_record(board, wall, kJournalFails,
                               str(why, "; what happens is told when it can be again"));
}

void Many::add(const Notice& notice) {
  if (count == 0) from = notice.wall;
  to = notice.wall;
  ++count;
  ++events[notice.event];
  keep_last(is_urgent(notice.event) ? urgent : others, {notice.summary});
}

void Many::add(const Many& later) {
  if (count == 0) from = later.from;
  to = later.to;
  count += later.count;
  for (const auto& [event, number] : later.events) events[event] += number;
  keep_last(urgent, later.urgent);
  keep_last(others, later.others);
}

Notice Many::notice(const std::string& board) const {
  std::vector<std::pair<std::uint64_t, std::string>> most;
  json::object by_event;
  for (const auto& [event, number] : events) {
    by_event[event] = number;
    most.emplace_back(number, event);
  }
  std::sort(most.begin(), most.end(), [](const auto& a, const auto& b) {
    bool first = is_urgent(a.second), second = is_urgent(b.second);
    if (first != second) return first;
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::string list;
  for (const auto& [number, event] : most) list += str(list.empty() ? "" : ", ", event, " ", number);
  json::array last;
  for (const std::string& each : urgent) last.emplace_back(each);
  for (std::size_t i = others.size() - std::min(others.size(), kMostNamed - urgent.size()); i < others.size();
       ++i)
    last.emplace_back(others[i]);
  // In an SMS the first of what matters most has its own words.
  std::string summary =
      str(board, ": ", count, " events: ", urgent.empty() ? "" : urgent.front() + "; ", list);
  summary = one_line(summary);
  json::object object{{"board", board},
                      {"event", "many"},
                      {"time", base::rfc3339(to)},
                      {"summary", summary},
                      {"count", count},
                      {"events", std::move(by_event)},
                      {"from", base::rfc3339(from)},
                      {"to", base::rfc3339(to)},
                      {"last", std::move(last)}};
  return {"many", "", json::serialize(object), to, summary};
}

}  // namespace oob::notice

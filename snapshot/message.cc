#include "snapshot/message.h"

#include "base/bytes.h"

namespace oob::snapshot {

using base::str;
using Change = console::History::Change;

namespace {

constexpr std::size_t kMostNamed = 2;  // files in a subject

std::string_view word_of(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::added:
      return "added";
    case Change::Kind::removed:
      return "removed";
    case Change::Kind::changed:
      break;
  }
  return "changed";
}

std::string subject(const Message& message) {
  std::string text = message.device + ":";
  if (!message.why.empty()) text += " quarantine:";
  std::uint64_t added = 0, removed = 0;
  for (const Change& change : message.changes) {
    added += change.lines_added;
    removed += change.lines_removed;
  }
  if (message.changes.size() > kMostNamed)
    return str(text, " ", message.changes.size(), " files +", added, " -", removed);
  // The same bytes, whose meta.json was damaged.
  if (message.changes.empty()) return text + " 0 files +0 -0";
  const char* between = " ";
  for (const Change& change : message.changes) {
    text += str(between, change.file, " +", change.lines_added, " -", change.lines_removed);
    between = ", ";
  }
  return text;
}

// Cuts what is before `mark` off `rest`.
bool cut(std::string_view& rest, std::string_view mark, std::string_view& piece) {
  std::size_t at = rest.find(mark);
  if (at == std::string_view::npos) return false;
  piece = rest.substr(0, at);
  rest.remove_prefix(at + mark.size());
  return true;
}

bool read_change(std::string_view line, Change& change) {
  std::string_view kind, added, removed, size;
  if (!cut(line, " +", kind) || !cut(line, " -", added) || !cut(line, ", ", removed)) return false;
  if (!base::parse_number(added, change.lines_added) || !base::parse_number(removed, change.lines_removed))
    return false;
  if (kind == "removed") {
    change.kind = Change::Kind::removed;
    if (!line.starts_with("gone: ")) return false;
    change.file = line.substr(6);
    return !change.file.empty();
  }
  if (kind != "added" && kind != "changed") return false;
  change.kind = kind == "added" ? Change::Kind::added : Change::Kind::changed;
  std::string_view sha256;
  if (!cut(line, " bytes, sha256 ", size) || !cut(line, ": ", sha256)) return false;
  if (!base::parse_number(size, change.size) || sha256.size() != 64 ||
      sha256.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    return false;
  change.sha256 = sha256;
  change.file = line;
  return !line.empty();
}

}  // namespace

std::string write_message(const Message& message) {
  std::string text = str(subject(message), "\n\n");
  for (const Change& change : message.changes) {
    text += str(word_of(change.kind), " +", change.lines_added, " -", change.lines_removed, ", ");
    if (change.kind == Change::Kind::removed)
      text += str("gone: ", change.file, "\n");
    else
      text += str(change.size, " bytes, sha256 ", change.sha256, ": ", change.file, "\n");
  }
  if (!message.changes.empty()) text += "\n";
  if (!message.why.empty()) text += str(message.why, "\n\n");
  if (message.accepted) text += "Accepted: yes\n";
  for (auto [key, value] : {std::pair{"Checkpoint", &message.checkpoint},
                            {"Session", &message.session},
                            {"Grade", &message.grade},
                            {"Method", &message.method}})
    if (!value->empty()) text += str(key, ": ", *value, "\n");
  return text;
}

std::string message_in_view(std::string message, const std::string& revision) {
  if (!message.ends_with('\n')) message += '\n';
  // Trailers are one paragraph (git-interpret-trailers(1)); who else writes a commit may have none.
  Message read = read_message(message);
  bool has_trailers = !read.grade.empty() || !read.method.empty() || read.accepted;
  return str(message, has_trailers ? "" : "\n", "Revision: ", revision, "\n");
}

Message read_message(std::string_view text) {
  Message message;
  bool body = false;
  base::split(text, '\n', [&](std::string_view line) {
    if (line.empty()) {
      body = true;
      return;
    }
    if (!body) return;
    Change change;
    if (read_change(line, change)) {
      message.changes.push_back(std::move(change));
      return;
    }
    for (auto [key, value] : {std::pair{"Checkpoint: ", &message.checkpoint},
                              {"Session: ", &message.session},
                              {"Grade: ", &message.grade},
                              {"Method: ", &message.method},
                              {"Revision: ", &message.revision}})
      if (line.starts_with(key)) *value = base::printable(line.substr(std::string_view(key).size()));
    if (line == "Accepted: yes") message.accepted = true;
  });
  return message;
}

}  // namespace oob::snapshot

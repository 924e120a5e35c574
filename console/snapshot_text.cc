#include "console/snapshot_text.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "console/progress_bar.h"

namespace oob::console {

namespace json = boost::json;
using base::Fault;
using base::printable;
using base::str;

namespace {

std::string seconds_text(base::milliseconds took) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", static_cast<double>(took.count()) / 1000);
  return text;
}

// How the file is against the revision before.
const History::Change* change_of(const std::vector<History::Change>& changes, const std::string& file) {
  auto at =
      std::find_if(changes.begin(), changes.end(), [&](const auto& change) { return change.file == file; });
  return at == changes.end() ? nullptr : &*at;
}

json::object file_json(const std::string& name, const History::Change* change) {
  json::object object{{"name", printable(name, 4096)}};
  object["change"] = change ? name_of(change->kind) : "unchanged";
  if (change && change->lines_added + change->lines_removed > 0) {
    object["lines_added"] = change->lines_added;
    object["lines_removed"] = change->lines_removed;
  }
  return object;
}

json::array files_json(const Snapshots::Outcome& outcome) {
  static const std::vector<History::Change> none;
  const auto& changes = outcome.stored ? outcome.stored->changes : none;
  json::array files;
  for (const History::File& file : outcome.files) {
    json::object object = file_json(file.name, change_of(changes, file.name));
    object["size"] = file.size;
    object["sha256"] = file.sha256;
    files.push_back(std::move(object));
  }
  for (const History::Change& change : changes)
    if (change.kind == History::Change::Kind::removed) {
      json::object object = file_json(change.file, &change);
      object["size"] = 0;
      object["sha256"] = nullptr;
      files.push_back(std::move(object));
    }
  return files;
}

const char* result_of(const Snapshots::Outcome& outcome) {
  if (!outcome.stored) {
    Fault fault = outcome.stored.error().fault;
    return fault == Fault::busy ? "busy" : fault == Fault::denied ? "denied" : "failed";
  }
  switch (outcome.stored->kind) {
    case History::Stored::Kind::stored:
      return "stored";
    case History::Stored::Kind::unchanged:
      return "unchanged";
    case History::Stored::Kind::quarantined:
      break;
  }
  return "quarantined";
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(printable(text, 4096));
}

}  // namespace

std::string short_revision(const std::string& revision) { return revision.substr(0, 8); }

const char* name_of(History::Change::Kind kind) {
  switch (kind) {
    case History::Change::Kind::added:
      return "added";
    case History::Change::Kind::changed:
      return "changed";
    case History::Change::Kind::removed:
      break;
  }
  return "removed";
}

std::string changes_text(const std::vector<History::Change>& changes, std::size_t most) {
  std::string text;
  std::size_t count = 0;
  for (const History::Change& change : changes) {
    if (count++ == most) return str(text, " and ", changes.size() - most, " more");
    std::string how = change.kind == History::Change::Kind::added     ? "new"
                      : change.kind == History::Change::Kind::removed ? "removed"
                      : change.lines_added + change.lines_removed == 0
                          ? "changed"
                          : str("+", change.lines_added, " -", change.lines_removed);
    text += str(text.empty() ? "" : ", ", printable(change.file, 120), " ", how);
  }
  return text;
}

std::string outcome_text(const Snapshots::Outcome& outcome, base::Micros since) {
  if (!outcome.stored) return str("error: ", outcome.stored.error().what);
  const History::Stored& stored = *outcome.stored;
  std::uint64_t size = 0;
  for (const History::File& file : outcome.files) size += file.size;
  std::string facts = str(size_text(size), ", ", outcome.grade, outcome.method == "ssh" ? ", ssh" : "", ", ",
                          seconds_text(outcome.took), " s");
  if (outcome.retries > 0) facts += str(", ", outcome.retries, outcome.retries == 1 ? " retry" : " retries");
  std::string revision = short_revision(stored.revision);
  switch (stored.kind) {
    case History::Stored::Kind::stored: {
      std::string changes = changes_text(stored.changes);
      return str("stored ", revision, "  ", changes, changes.empty() ? "" : "  ", facts);
    }
    case History::Stored::Kind::unchanged: {
      std::string when = since ? str(" (", base::rfc3339(since, base::Precision::seconds), ")") : "";
      return str("unchanged since ", revision, when, "  ", facts);
    }
    case History::Stored::Kind::quarantined:
      break;
  }
  return str("QUARANTINED ", revision, "  ", stored.why);
}

std::string outcome_json(const std::string& device, const Snapshots::Outcome& outcome) {
  json::object object{{"device", device}, {"result", result_of(outcome)}};
  object["revision"] = text_or_null(outcome.stored ? outcome.stored->revision : "");
  object["grade"] = text_or_null(outcome.grade);
  object["method"] = text_or_null(outcome.method);
  object["files"] = files_json(outcome);
  object["retries"] = outcome.retries;
  object["bytes_on_wire"] = outcome.wire_bytes;
  object["recording"] = text_or_null(outcome.recording);
  if (outcome.stored && !outcome.stored->why.empty()) object["why"] = printable(outcome.stored->why, 4096);
  if (!outcome.stored) object["error"] = printable(outcome.stored.error().what, 4096);
  if (!outcome.left_open.empty()) object["left_open"] = printable(outcome.left_open, 4096);
  std::string text = json::serialize(object);
  // By hand: Boost writes 8.2 as 8.2E0.
  text.pop_back();
  return str(text, ",\"seconds\":", seconds_text(outcome.took), "}\n");
}

std::string progress_json(const std::string& device, const recipe::Progress& progress) {
  json::object how_far{{"file", printable(progress.file, 4096)},
                       {"done", progress.done},
                       {"of", progress.of},
                       {"number", progress.file_number},
                       {"files", progress.files}};
  json::object object{{"device", device}, {"progress", std::move(how_far)}};
  return json::serialize(object) + "\n";
}

}  // namespace oob::console

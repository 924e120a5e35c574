#include "audit/recovery.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "audit/cast_file.h"
#include "audit/library.h"
#include "audit/redact.h"
#include "audit/transcript_marks.h"
#include "auth/journal_reader.h"
#include "base/log.h"

namespace oob::audit {

using auth::Entry;
using base::Result;
using base::str;

namespace {

std::set<std::string> left_open(const std::string& directory) {
  std::set<std::string> ids;
  std::error_code error;
  for (std::filesystem::directory_iterator each(directory + "/open", error), end; !error && each != end;
       each.increment(error))
    if (std::string id = each->path().filename().string(); is_recording_id(id)) ids.insert(std::move(id));
  return ids;
}

// Takes those out of `ids` that records from `from` up to `end` tell were opened.
Result<> take_opened(auth::JournalReader& reader, std::uint64_t from, std::uint64_t end,
                     std::set<std::string>& ids) {
  Result<> there = reader.seek(from);
  if (!there) return there;
  std::string line;
  auth::JournalReader::Place place;
  while (!ids.empty()) {
    Result<bool> more = reader.next(line, place);
    if (!more) return more.error();
    if (!*more || place.n >= end) return {};
    if (line.find("\"ev\":\"recording.open\"") == std::string::npos) continue;
    Result<auth::Record> record = auth::Record::parse(line);
    const std::string* id = record && record->ev == "recording.open" ? record->text("recording") : nullptr;
    if (id) ids.erase(*id);
  }
  return {};
}

// Those of `ids` that the journal does not know. They are looked for among its newest records, where a crash
// leaves them, and then among all.
Result<std::set<std::string>> strangers(const std::string& folder, std::uint64_t end,
                                        std::set<std::string> ids) {
  if (end == 0) return ids;  // a journal that has just begun
  Result<std::unique_ptr<auth::JournalReader>> reader = auth::JournalReader::open(folder);
  if (!reader) return reader.error();
  std::uint64_t first = (*reader)->first(), newest = std::max(first, end - std::min(end, kMostRecords));
  Result<> looked = take_opened(**reader, newest, end, ids);
  if (looked && !ids.empty() && first < newest) looked = take_opened(**reader, first, newest, ids);
  if (!looked) return looked.error();
  return ids;
}

void note_recovered(auth::Journal& journal, const std::string& directory, const std::string& id) {
  Result<RecoveredCast> found = recover_cast(directory, id);
  if (!found) return base::log(str("recordings: ", found.error().what));
  if (found->size == 0) return forget_open(directory, id);
  auto size = static_cast<std::int64_t>(found->size);
  journal.note(Entry("recording.recovered")
                   .with("recording", id)
                   .with("size", size)
                   .with("cut", static_cast<std::int64_t>(found->cut)));
  // It counts as open until the journal has it all.
  journal.commit(Entry("recording.mark")
                     .with("recording", id)
                     .with("from", std::int64_t{0})
                     .with("to", size)
                     .with("sha256", found->sha256),
                 [directory, id](const Result<>& written) {
                   if (written) forget_open(directory, id);
                 });
}

void note_strange(auth::Journal& journal, const std::string& directory, const std::string& id) {
  Result<std::string> path = set_aside(directory, id);
  if (!path) return base::log(str("recordings: ", path.error().what));
  if (path->empty()) return forget_open(directory, id);
  base::log(str("recordings: the journal does not know ", id, ": moved to ", *path));
  journal.commit(Entry("recording.strange").with("recording", id).with("path", *path),
                 [directory, id](const Result<>& written) {
                   if (written) forget_open(directory, id);
                 });
}

}  // namespace

void recover_recordings(auth::Journal& journal, const std::string& directory) {
  if (!journal.is_open()) return;
  std::string folder = std::filesystem::path(directory).parent_path() / "journal";
  std::set<std::string> open = left_open(directory);
  if (!open.empty()) {
    Result<std::set<std::string>> strange = strangers(folder, journal.written(), open);
    if (!strange) base::log(str("recordings: ", strange.error().what));
    for (const std::string& id : strange ? open : std::set<std::string>()) {
      if (strange->count(id))
        note_strange(journal, directory, id);
      else
        note_recovered(journal, directory, id);
    }
  }
  for (const std::string& id : finish_redactions(directory, folder, journal.written()))
    base::log(str("recordings: ", id, ": a redaction that was interrupted is done"));
}

}  // namespace oob::audit

#include "audit/transcript_marks.h"

#include <algorithm>

#include "auth/journal_reader.h"

namespace oob::audit {

std::map<std::string, std::uint64_t> marked_transcripts(const std::string& directory, std::uint64_t end) {
  std::map<std::string, std::uint64_t> marked;
  auto reader = auth::JournalReader::open(directory);
  if (!reader) return marked;
  std::uint64_t from = std::max((*reader)->first(), end - std::min(end, kMostRecords));
  if (!(*reader)->seek(from)) return marked;
  std::string line;
  auth::JournalReader::Place place;
  for (auto more = (*reader)->next(line, place); more && *more; more = (*reader)->next(line, place)) {
    if (line.find("\"ev\":\"transcript.") == std::string::npos) continue;
    base::Result<auth::Record> record = auth::Record::parse(line);
    const std::string* device = record ? record->text("device") : nullptr;
    if (!device) continue;
    if (record->ev == "transcript.open") marked.try_emplace(*device, 0);
    std::optional<std::int64_t> to = record->number("to");
    if (record->ev == "transcript.mark" && to && *to > 0)
      marked[*device] = std::max(marked[*device], static_cast<std::uint64_t>(*to));
  }
  return marked;
}

}  // namespace oob::audit

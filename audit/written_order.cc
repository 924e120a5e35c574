#include "audit/written_order.h"

#include <algorithm>

#include "auth/journal_reader.h"

namespace oob::audit {

using KeptKind = KeptFile::Kind;

WrittenOrder::Key WrittenOrder::key_of(const KeptFile& file) {
  bool is_recording = file.kind == KeptKind::recording;
  return {(is_recording ? "r" : "t") + file.name, is_recording ? 0 : file.from};
}

void WrittenOrder::place(std::vector<KeptFile>& files, std::uint64_t end) {
  Keys listed;
  for (const KeptFile& file : files) {
    if (file.kind != KeptKind::journal) listed.insert(key_of(file));
  }
  std::erase_if(found_, [&](const auto& one) { return !listed.contains(one.first); });
  std::erase_if(before_, [&](const Key& key) { return !listed.contains(key); });
  read(listed, end);
  if (std::exchange(first_, false)) before_ = listed;
  for (KeptFile& file : files) {
    if (file.kind == KeptKind::journal) continue;
    Key key = key_of(file);
    auto found = found_.find(key);
    if (found == found_.end()) {
      file.order = before_.contains(key) ? KeptFile::kNoOrder : KeptFile::kNewest;
      continue;
    }
    file.order = found->second.order;
    if (file.kind == KeptKind::recording) file.written = found->second.wall;
  }
}

void WrittenOrder::read(const Keys& listed, std::uint64_t end) {
  auto reader = auth::JournalReader::open(journal_);
  if (!reader) return;
  next_ = std::max(next_, (*reader)->first());
  if (next_ >= end || !(*reader)->seek(next_)) return;
  std::string line;
  auth::JournalReader::Place place;
  while (next_ < end) {
    base::Result<bool> more = (*reader)->next(line, place);
    if (!more || !*more) return;
    take(line, place.n, listed);
    next_ = place.n + 1;
  }
}

void WrittenOrder::take(const std::string& line, std::uint64_t n, const Keys& listed) {
  bool of_recording = line.find("\"ev\":\"recording.") != std::string::npos;
  if (!of_recording && line.find("\"ev\":\"transcript.mark\"") == std::string::npos) return;
  base::Result<auth::Record> record = auth::Record::parse(line);
  if (!record) return;
  if (of_recording) {
    const std::string* id = record->text("recording");
    Key key{"r" + (id ? *id : ""), 0};
    // What has come since the files were listed is asked for the next time.
    if (!first_ || listed.contains(key)) found_[key] = {n + 1, record->wall};
    return;
  }
  const std::string* device = record->text("device");
  std::optional<std::int64_t> to = record->number("to");
  if (!device || !to || *to <= 0) return;
  // The last segment that begins before it: the mark ends in that one.
  auto after = listed.lower_bound({"t" + *device, static_cast<std::uint64_t>(*to)});
  if (after == listed.begin()) return;
  const Key& key = *std::prev(after);
  if (key.first == "t" + *device) found_[key] = {n + 1, record->wall};
}

}  // namespace oob::audit

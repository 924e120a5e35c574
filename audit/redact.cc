#include "audit/redact.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "audit/library.h"
#include "audit/transcript_marks.h"
#include "auth/journal_reader.h"

namespace oob::audit {

using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kCopyAtOnce = 64 * 1024;
constexpr int kOpenFlags = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;

// The text of an event as it stands in its line, every character as so many '*' as it has bytes there. Line
// ends stay.
std::string hidden_text(std::string_view text) {
  std::string hidden(text.size(), '*');
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    if (text[at] != '\\') continue;
    if (text[at + 1] == 'r' || text[at + 1] == 'n') hidden.replace(at, 2, text.substr(at, 2));
    ++at;
  }
  return hidden;
}

// What precedes a text in an event: TEXT is JSON that holds JSON there, {\"ev\":\"note\",\"text\":\"…\"}.
constexpr std::string_view kEventText = R"(\"text\":\")";

std::string hidden_event(std::string_view object) {
  std::size_t from = object.find(kEventText) + kEventText.size(), to = from;
  auto character = [&](std::size_t at) { return at < object.size() && object[at] == '\\' ? 2u : 1u; };
  while (to < object.size() && !object.substr(to).starts_with(R"(\")")) {
    bool escape = object.substr(to).starts_with(R"(\\)");  // of the inner JSON: one more belongs to it
    to += character(to);
    if (escape) to += character(to);
  }
  std::string hidden(object);
  to = std::min(to, object.size());
  return hidden.replace(from, to - from, to - from, '*');
}

std::string hidden_base64(std::string_view text) {
  std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  return base::base64(std::string(text.size() / 4 * 3 - padding, '*'));
}

// The hash of a range of a file: as it is, and as it would be with the pieces.
struct RangeHash {
  std::string before, after;
};

Result<RangeHash> hash_range(std::ifstream& file, const RedactionPlan& plan, std::uint64_t from,
                             std::uint64_t to) {
  base::Sha256 before, after;
  std::string buffer(kCopyAtOnce, '\0');
  auto piece = std::upper_bound(
      plan.pieces.begin(), plan.pieces.end(), from,
      [](std::uint64_t at, const RedactionPlan::Piece& one) { return at < one.at + one.bytes.size(); });
  file.clear();
  file.seekg(static_cast<std::streamoff>(from));
  for (std::uint64_t at = from; at < to;) {
    std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(kCopyAtOnce, to - at));
    if (!file.read(buffer.data(), static_cast<std::streamsize>(size)))
      return fail(Fault::failed, str(plan.path, ": shorter than its marks"));
    before.add(base::Bytes(buffer).substr(0, size));
    for (; piece != plan.pieces.end() && piece->at < at + size; ++piece) {
      std::uint64_t first = std::max(at, piece->at),
                    last = std::min(at + size, piece->at + piece->bytes.size());
      std::copy(piece->bytes.begin() + static_cast<std::ptrdiff_t>(first - piece->at),
                piece->bytes.begin() + static_cast<std::ptrdiff_t>(last - piece->at),
                buffer.begin() + static_cast<std::ptrdiff_t>(first - at));
      if (piece->at + piece->bytes.size() > at + size) break;
    }
    after.add(base::Bytes(buffer).substr(0, size));
    at += size;
  }
  return RangeHash{base::hex(before.digest()), base::hex(after.digest())};
}

// Finds the lines of that time, and what is to be in their place.
Result<> find_pieces(std::ifstream& file, Micros from, Micros to, RedactionPlan& plan) {
  std::string line;
  std::uint64_t at = 0;
  std::getline(file, line);  // the header
  for (at = line.size() + 1; std::getline(file, line); at += line.size() + 1) {
    if (file.eof()) break;  // no LF behind it
    Result<CastEvent> event = CastEvent::parse(line);
    if (!event) return fail(Fault::failed, str(plan.path, ": at byte ", at, ": ", event.error().what));
    bool bytes = event->code == 'o' || event->code == 'i' || event->code == 'b';
    bool words = event->code == 'e' && line.find(kEventText) != std::string::npos;
    if (!(bytes || words) || event->time < from || event->time > to) continue;
    if (event->code != 'b') ++plan.events;
    // [TIME, "C", "TEXT"]: no quote before the fourth is part of the text.
    std::size_t start = line.find(", \"", line.find(", \"") + 3) + 3;
    std::string_view text = std::string_view(line).substr(start, line.size() - 2 - start);
    std::string hidden = words                ? hidden_event(text)
                         : event->code == 'b' ? hidden_base64(text)
                                              : hidden_text(text);
    if (hidden != text) plan.pieces.push_back({at + start, std::move(hidden)});
  }
  if (plan.events == 0) return fail(Fault::missing, str(plan.path, ": shows nothing at that time"));
  return {};
}

// Whether what is there is what the journal knows of the range, or half of what it was to become. `told`: the
// journal has the record of what the plan makes of it, and a crash came in between.
bool known_hash(const RecordingMarks& known, const CastMark& mark, const RangeHash& hash, bool& told) {
  std::string now = mark.sha256;
  bool well = hash.before == now;
  for (const RedactionPlan::Range& one : known.redactions) {
    if (one.from != mark.from || one.to != mark.to || one.before != now) continue;
    now = one.after;
    well = well || hash.before == now;
  }
  told = hash.after == now;
  return well || told;
}

Result<> find_ranges(std::ifstream& file, const RecordingMarks& known, RedactionPlan& plan) {
  std::vector<CastMark> covered;
  for (const CastMark& mark : known.marks) {
    bool touched =
        std::any_of(plan.pieces.begin(), plan.pieces.end(), [&](const RedactionPlan::Piece& piece) {
          return piece.at < mark.to && piece.at + piece.bytes.size() > mark.from;
        });
    if (!touched) continue;
    Result<RangeHash> hash = hash_range(file, plan, mark.from, mark.to);
    if (!hash) return hash.error();
    bool told = false;
    if (!known_hash(known, mark, *hash, told))
      return fail(Fault::failed, str(plan.path, ": bytes ", mark.from, " to ", mark.to,
                                     " are not what was recorded; see oobd verify"));
    covered.push_back(mark);
    if (!told) plan.ranges.push_back({mark.from, mark.to, hash->before, hash->after});
  }
  // What no mark covers, as the last bytes before a power cut, is told of by itself.
  for (const RedactionPlan::Piece& piece : plan.pieces) {
    std::uint64_t end = piece.at + piece.bytes.size();
    bool is_covered = std::any_of(covered.begin(), covered.end(), [&](const CastMark& mark) {
      return mark.from <= piece.at && mark.to >= end;
    });
    if (is_covered) continue;
    Result<RangeHash> hash = hash_range(file, plan, piece.at, end);
    if (!hash) return hash.error();
    plan.ranges.push_back({piece.at, end, hash->before, hash->after});
  }
  return {};
}

// Held until what it answers is closed; there is none where the recording is missing. Waits for who has it,
// and that one waits for the disk alone.
base::Fd lock(const std::string& path) {
  base::Fd file(::open(path.c_str(), O_RDONLY | kOpenFlags));
  while (file && ::flock(file.get(), LOCK_EX) < 0 && errno == EINTR) {
  }
  return file;
}

// What the journal says is to be there, in the end, and the times of the redactions that it came by.
struct Told {
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> after;  // by range
  std::set<std::pair<Micros, Micros>> times;
};

std::map<std::string, Told> told_redactions(const std::string& journal, std::uint64_t end) {
  std::map<std::string, Told> all;
  Result<std::unique_ptr<auth::JournalReader>> reader = auth::JournalReader::open(journal);
  if (!reader) return all;
  if (!(*reader)->seek(std::max((*reader)->first(), end - std::min(end, kMostRecords)))) return all;
  std::string line;
  auth::JournalReader::Place place;
  for (auto more = (*reader)->next(line, place); more && *more; more = (*reader)->next(line, place)) {
    if (line.find("\"ev\":\"redaction\"") == std::string::npos) continue;
    Result<auth::Record> record = auth::Record::parse(line);
    if (!record) continue;
    const std::string *id = record->text("recording"), *after = record->text("after");
    std::optional<std::int64_t> from = record->number("from"), to = record->number("to"),
                                since = record->number("since"), until = record->number("until");
    if (!id || !is_recording_id(*id) || !after || !from || !to || !since || !until) continue;
    if (*from < 0 || *to < *from) continue;
    Told& told = all[*id];
    told.after[{static_cast<std::uint64_t>(*from), static_cast<std::uint64_t>(*to)}] = *after;
    told.times.insert({*since, *until});
  }
  return all;
}

bool is_done(const std::string& path, const Told& told) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return true;  // is for verify
  return std::all_of(told.after.begin(), told.after.end(), [&](const auto& one) {
    Result<RangeHash> hash = hash_range(file, RedactionPlan(), one.first.first, one.first.second);
    return hash && hash->before == one.second;
  });
}

}  // namespace

Result<RecordingMarks> marks_of(const std::string& journal, const std::string& id) {
  Result<std::unique_ptr<auth::JournalReader>> reader = auth::JournalReader::open(journal);
  if (!reader) return reader.error();
  RecordingMarks found;
  std::string line;
  auth::JournalReader::Place place;
  Result<bool> there = (*reader)->next(line, place);
  for (; there && *there; there = (*reader)->next(line, place)) {
    bool mark = line.find("\"ev\":\"recording.mark\"") != std::string::npos;
    if (!mark && line.find("\"ev\":\"redaction\"") == std::string::npos) continue;
    Result<auth::Record> record = auth::Record::parse(line);
    if (!record) continue;  // is for verify
    const std::string* of = record->text("recording");
    std::optional<std::int64_t> from = record->number("from"), to = record->number("to");
    if (!of || *of != id || !from || !to || *from < 0 || *to < *from) continue;
    auto begin = static_cast<std::uint64_t>(*from), end = static_cast<std::uint64_t>(*to);
    if (const std::string* sum = record->text("sha256"); mark && sum)
      found.marks.push_back({begin, end, *sum});
    const std::string *before = record->text("before"), *after = record->text("after");
    if (!mark && before && after) found.redactions.push_back({begin, end, *before, *after});
  }
  if (!there) return there.error();
  return found;
}

Result<RedactionPlan> plan_redaction(const std::string& recordings, const std::string& id, Micros from,
                                     Micros to, const RecordingMarks& known) {
  Result<Recording> recording = find_recording(recordings, id);
  if (!recording) return recording.error();
  if (recording->live) return fail(Fault::busy, str(id, ": is still being recorded"));
  RedactionPlan plan;
  plan.path = str(recordings, "/", recording->path);
  std::ifstream file(plan.path, std::ios::binary);
  if (!file) return base::system_error(plan.path);
  Result<> done = find_pieces(file, from, to, plan);
  if (done) done = find_ranges(file, known, plan);
  if (!done) return done.error();
  return plan;
}

Result<> apply(const RedactionPlan& plan) {
  if (plan.pieces.empty()) return {};
  base::Fd closed(::open(plan.path.c_str(), O_RDONLY | kOpenFlags));
  // Its owner may not write it either.
  if (!closed || ::fchmod(closed.get(), 0600) < 0) return base::system_error(plan.path);
  base::Fd file(::open(plan.path.c_str(), O_WRONLY | kOpenFlags));
  Result<> done;
  if (!file) done = base::system_error(plan.path);
  for (const RedactionPlan::Piece& piece : plan.pieces) {
    for (std::size_t at = 0; done && at < piece.bytes.size();) {
      ssize_t n = ::pwrite(file.get(), piece.bytes.data() + at, piece.bytes.size() - at,
                           static_cast<off_t>(piece.at + at));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) done = base::system_error(plan.path);
      if (n > 0) at += static_cast<std::size_t>(n);
    }
  }
  if (done && ::fdatasync(file.get()) < 0) done = base::system_error(str(plan.path, ": sync"));
  if (::fchmod(closed.get(), 0400) < 0 && done) done = base::system_error(plan.path);
  return done;
}

std::vector<std::string> finish_redactions(const std::string& recordings, const std::string& journal,
                                           std::uint64_t end) {
  std::vector<std::string> finished;
  for (const auto& [id, told] : told_redactions(journal, end)) {
    std::string path = str(recordings, "/", recording_path(id));
    if (is_done(path, told)) continue;
    Result<RecordingMarks> known = marks_of(journal, id);
    for (const auto& [from, to] : told.times) {
      Result<RedactionPlan> plan =
          known ? plan_redaction(recordings, id, from, to, *known) : Result<RedactionPlan>(known.error());
      // What the journal has not all of was never begun, and nobody was told that it is done.
      if (!plan || !plan->ranges.empty() || plan->pieces.empty()) continue;
      if (apply(*plan)) finished.push_back(id);
    }
  }
  return finished;
}

void redact(base::Blocking& blocking, auth::Journal& journal, const std::string& state, const std::string& id,
            Micros from, Micros to, auth::Entry record, std::function<void(Result<std::size_t>)> done) {
  struct Work {
    auth::Entry record;
    std::function<void(Result<std::size_t>)> done;
    Result<RedactionPlan> plan = RedactionPlan();
    Result<> applied{};
    std::size_t next = 0;  // range to be committed
    base::Fd lock{};
    void finish(Result<std::size_t> result) {
      lock.reset();
      done(std::move(result));
    }
  };
  auto work = std::make_shared<Work>(Work{std::move(record), std::move(done)});
  work->record.with("recording", id).with("since", from).with("until", to);
  auto write = [&blocking, work] {
    blocking.run([work] { work->applied = apply(*work->plan); },
                 [work] {
                   if (!work->applied) return work->finish(work->applied.error());
                   work->finish(work->plan->events);
                 });
  };
  // One record after the other: nothing is written before the last of them is on the disk, and a checkpoint
  // holds it. What none holds excuses nothing: whoever can write the folder can append it.
  auto seal = [&journal, work, write] {
    journal.seal([work, write](const Result<auth::Checkpoint>& sealed) {
      if (!sealed) return work->finish(sealed.error());
      write();
    });
  };
  auto commit = [&journal, work, seal](auto again) -> void {
    if (work->next == work->plan->ranges.size()) return seal();
    const RedactionPlan::Range& range = work->plan->ranges[work->next++];
    auth::Entry entry = work->record;
    entry.with("from", static_cast<std::int64_t>(range.from)).with("to", static_cast<std::int64_t>(range.to));
    entry.with("before", range.before).with("after", range.after);
    journal.commit(std::move(entry), [work, again](const Result<>& written) {
      if (!written) return work->finish(written.error());
      again(again);
    });
  };
  blocking.run(
      [work, state, id, from, to] {
        if (is_recording_id(id)) work->lock = lock(str(state, "/recordings/", recording_path(id)));
        Result<RecordingMarks> known = marks_of(state + "/journal", id);
        work->plan = known ? plan_redaction(state + "/recordings", id, from, to, *known)
                           : Result<RedactionPlan>(known.error());
      },
      [work, commit] {
        if (!work->plan) return work->finish(work->plan.error());
        commit(commit);
      });
}

}  // namespace oob::audit

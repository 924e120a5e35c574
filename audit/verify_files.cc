#include "audit/verify_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "audit/cast.h"
#include "audit/library.h"
#include "base/sha256.h"

namespace oob::audit {

using auth::Record;
using base::fail;
using base::Fault;
using base::Result;
using base::str;
using Kind = Finding::Kind;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kHashAtOnce = 256 * 1024;
constexpr std::size_t kMostHeader = 8 * 1024;  // bytes of a recording's
// What a recording that did not end may have after its last mark: one mark's distance, and what one batch of
// the disk may bring at once (Recordings::kMostHeld).
constexpr std::uint64_t kMostUnmarked = (4 << 20) + (64 << 10);

// The same of transcripts (TranscriptSeal::kBytes and Archive::kMostHeld).
constexpr std::uint64_t kMostUnmarkedTranscript = (4 << 20) + (256 << 10);

// "20261122-160311-17" is YYYYMMDD-HHMMSS-N: its folder is in its name.
bool is_id(const std::string& id) {
  constexpr std::size_t kDate = 8;
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  auto plain = [&](char c) { return digit(c) || (c >= 'a' && c <= 'z') || c == '-'; };
  return id.size() > kDate && id.size() < 100 && std::all_of(id.begin(), id.begin() + kDate, digit) &&
         std::all_of(id.begin(), id.end(), plain);
}

std::string cast_path(const std::string& id) {
  return str("recordings/", id.substr(0, 4), "/", id.substr(4, 2), "/", id.substr(6, 2), "/", id, ".cast");
}

// A device's folder of transcripts (docs/formats.md, "Transcripts").
std::string transcript_folder(const std::string& device) {
  std::string name;
  for (char c : device) {
    bool escaped = c == '/' || c == '%' || c == '\0' || (c == '.' && name.empty());
    char text[4];
    std::snprintf(text, sizeof text, "%%%02X", static_cast<unsigned char>(c));
    name += escaped ? text : std::string(1, c);
  }
  return "transcripts/" + name;
}

// A regular file, or an empty Fd; never waits as a FIFO would.
base::Fd open_file(const std::string& path, std::uint64_t& size) {
  base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat state {};
  if (!file || ::fstat(file.get(), &state) < 0 || !S_ISREG(state.st_mode)) return {};
  size = static_cast<std::uint64_t>(state.st_size);
  return file;
}

// How far the ranges reach from `from` on without a hole.
template <class Ranges>
std::uint64_t reach(Ranges ranges, std::uint64_t from) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.from < b.from; });
  for (const auto& range : ranges)
    if (range.from <= from) from = std::max(from, range.to);
  return from;
}

// A recording that has no event yet.
bool is_header(const std::string& path) {
  std::uint64_t size = 0;
  base::Fd file = open_file(path, size);
  std::string text(kMostHeader, '\0');
  if (!file || size > text.size()) return false;
  ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return got >= 0 && std::min(text.find('\n'), text.size()) + 1 >= text.size();
}

// Whether some text in these bytes has what a redaction puts there.
bool hides_text(int file, std::uint64_t from, std::uint64_t to) {
  std::string line, piece(std::min<std::uint64_t>(kHashAtOnce, to - from), '\0'), bytes;
  bool found = false;
  auto look = [&] {
    Result<CastEvent> event = CastEvent::parse(line);
    std::string_view text = event ? std::string_view(event->text) : line;
    if (event && event->code == 'b') text = unbase64(event->text, bytes) ? bytes : "";
    found = found || text.find('*') != text.npos;
    line.clear();
  };
  while (from < to && !found) {
    ssize_t got = ::pread(file, piece.data(), std::min<std::uint64_t>(piece.size(), to - from),
                          static_cast<off_t>(from));
    if (got <= 0) return false;
    from += static_cast<std::uint64_t>(got);
    for (char c : std::string_view(piece).substr(0, static_cast<std::size_t>(got))) {
      if (c == '\n') {
        look();
      } else if (line.size() < kMostCastLine) {
        line += c;
      }
    }
  }
  look();
  return found;
}

}  // namespace

void BoundFiles::lacks(const Record& record, const std::string& place, const char* key) {
  report_.add({Kind::altered, place, record.n, str(record.ev, " has no '", key, "' that can be so")});
}

bool BoundFiles::take(const Record& record, const std::string& place, Mark& mark) {
  std::optional<std::int64_t> from = record.number("from"), to = record.number("to");
  const std::string* text = record.text(record.ev == "redaction" ? "before" : "sha256");
  std::string hash;
  if (!from || !to || *from < 0 || *to < *from) return lacks(record, place, "from"), false;
  if (!text || !unhex(*text, hash) || hash.size() != mark.hash.size())
    return lacks(record, place, "sha256"), false;
  mark.from = static_cast<std::uint64_t>(*from);
  mark.to = static_cast<std::uint64_t>(*to);
  std::copy(hash.begin(), hash.end(), mark.hash.begin());
  return true;
}

bool BoundFiles::concerns(const Record& record) {
  const std::string& ev = record.ev;
  return ev == "recording.mark" || ev == "transcript.mark" || ev == "recording.open" ||
         ev == "recording.close" || ev == "recording.recovered" || ev == "redaction" || ev == "retention" ||
         ev == "recording.strange" || ev == "transcript.open";
}

void BoundFiles::pruned(const Record& oldest) {
  const std::string* time = oldest.text("t");
  std::string digits;
  for (char c : time ? *time : "") {
    if (c == '.') break;
    if (c >= '0' && c <= '9') digits += c;
  }
  pruned_ = std::max(pruned_, digits);
}

void BoundFiles::add(const Record& record, const std::string& place, bool sealed) {
  const std::string *device = record.text("device"), *kind = record.text("kind");
  Mark mark;
  mark.sealed = sealed;
  if (record.ev == "transcript.open") {
    if (device) lines_.insert(*device);
    return;
  }
  if (record.ev == "recording.strange") {
    if (const std::string* path = record.text("path"))
      aside_.insert(path->starts_with("recordings/") ? *path : "recordings/" + *path);
    return;
  }
  bool removes = record.ev == "retention";
  if (record.ev == "transcript.mark" || (removes && kind && *kind == "transcript")) {
    if (!device) return lacks(record, place, "device");
    if (!take(record, place, mark)) return;
    Said& said = transcripts_[*device];
    (removes ? said.retired : said.marks).push_back(mark);
    return;
  }
  if (removes && (!kind || *kind != "recording")) return;
  const std::string* id = record.text("recording");
  if (!id || !is_id(*id)) return lacks(record, place, "recording");
  Cast& cast = casts_[*id];
  Told told = sealed ? Told::sealed : Told::unsealed;
  if (removes) {
    cast.retired = std::max(cast.retired, told);
  } else if (record.ev == "recording.open") {
    cast.opened = true;
  } else if (record.ev == "recording.mark") {
    if (take(record, place, mark)) cast.marks.push_back(mark);
  } else if (record.ev == "redaction") {
    const std::string* text = record.text("after");
    std::string after;
    if (!take(record, place, mark)) return;
    Redaction redaction{{mark.from, mark.to}, mark.hash, {}, sealed};
    if (!text || !unhex(*text, after) || after.size() != redaction.after.size())
      return lacks(record, place, "after");
    std::copy(after.begin(), after.end(), redaction.after.begin());
    cast.redactions.push_back(redaction);
  } else {  // recording.close, or recording.recovered
    std::optional<std::int64_t> size = record.number("size");
    if (!size || *size < 0) return lacks(record, place, "size");
    if (cast.closed > told) return;  // what is sealed stands
    cast.closed = told;
    cast.size = static_cast<std::uint64_t>(*size);
  }
}

Result<> BoundFiles::went_on(std::uint64_t bytes) {
  done_ += bytes;
  if (options_.progress && !options_.progress(done_, all_, phase_)) return fail(Fault::failed, "stopped");
  return {};
}

Result<std::string> BoundFiles::hash_of(int file, std::uint64_t from, std::uint64_t to) {
  base::Sha256 sum;
  std::string piece(std::min<std::uint64_t>(kHashAtOnce, to - from), '\0');
  while (from < to) {
    std::size_t most = std::min<std::uint64_t>(piece.size(), to - from);
    ssize_t got = ::pread(file, piece.data(), most, static_cast<off_t>(from));
    if (got <= 0) return std::string();
    sum.add(base::Bytes(piece).substr(0, static_cast<std::size_t>(got)));
    from += static_cast<std::uint64_t>(got);
    Result<> on = went_on(static_cast<std::uint64_t>(got));
    if (!on) return on.error();
  }
  return sum.digest();
}

template <class HashOf>
Result<BoundFiles::Judged> BoundFiles::judge(const std::vector<Mark>& marks,
                                             const std::vector<Redaction>& redactions, HashOf hash_of) {
  Judged judged;
  std::vector<Range> fits;  // what may stand for others
  for (const Mark& mark : marks) {
    Result<std::string> found = hash_of(mark);
    if (!found) return found.error();
    auto is = [&](const Hash& hash) { return base::Bytes(hash.data(), hash.size()) == *found; };
    if (is(mark.hash)) {
      judged.good.push_back(mark);
      if (mark.sealed) fits.push_back(mark);
      continue;
    }
    // A redacted range may be redacted again. `before` is then what the last one left, or what was there
    // before that one, which a crash kept from being done.
    std::vector<std::pair<Hash, bool>> may_have{
        {mark.hash, true}};  // and whether all that led there is sealed
    bool redacted = false, sealed = false;
    for (const Redaction& redaction : redactions) {
      if (redaction.from != mark.from || redaction.to != mark.to) continue;
      bool known = false, proven = false;
      for (const auto& [hash, is_sealed] : may_have) {
        known = known || hash == redaction.before;
        proven = proven || (hash == redaction.before && is_sealed && redaction.sealed);
      }
      if (!known) continue;
      may_have.emplace_back(redaction.after, proven);
      redacted = redacted || is(redaction.after);
      sealed = sealed || (proven && is(redaction.after));
    }
    (!redacted ? judged.bad : sealed ? judged.redacted : judged.unsealed).push_back(mark);
  }
  // A mark that a redaction of another range meets can't fit any more: others have to cover its bytes.
  fits.insert(fits.end(), judged.redacted.begin(), judged.redacted.end());
  std::erase_if(judged.bad, [&](const Range& range) {
    bool met = std::any_of(redactions.begin(), redactions.end(), [&](const Redaction& redaction) {
      return redaction.sealed && redaction.meets(range);
    });
    return met && reach(fits, range.from) >= range.to;
  });
  return judged;
}

bool BoundFiles::is_open(const std::string& id) const {
  return ::access(str(options_.state, "/recordings/open/", id).c_str(), F_OK) == 0;
}

bool BoundFiles::is_older(const std::string& id) const {
  return !pruned_.empty() && is_recording_id(id) && str(id.substr(0, 8), id.substr(9, 6)) <= pruned_;
}

Result<> BoundFiles::check_recording(const std::string& id, const Cast& cast) {
  auto say = [&](Kind kind, std::string text) { report_.add({kind, id, std::nullopt, std::move(text)}); };
  std::uint64_t size = 0;
  base::Fd file = open_file(str(options_.state, "/", cast_path(id)), size);
  if (!file) {
    if (cast.retired == Told::sealed) return ++report_.retired, Result<>();
    if (!cast.begun() && cast.retired == Told::no) return {};
    ++report_.missing;
    if (cast.retired == Told::unsealed) {
      say(Kind::unsealed, "the recording is missing, and the retention that tells why has no checkpoint");
    } else if (is_open(id) && cast.marks.empty() && cast.closed == Told::no) {
      --report_.missing;
      say(Kind::note, "was begun, and nothing of it was written");
    } else {
      say(Kind::missing, "the recording is missing, and no retention tells why");
    }
    return {};
  }
  if (!cast.begun()) return {};  // is looked at as a stranger
  ++report_.recordings;
  if (cast.closed == Told::no) ++report_.live;
  if (!cast.opened && !is_older(id)) say(Kind::altered, "no recording.open of the journal tells of it");
  std::vector<Mark> marks = cast.marks;
  // Nothing comes after the end.
  if (cast.closed == Told::sealed) std::erase_if(marks, [](const Mark& mark) { return !mark.sealed; });
  Result<Judged> judged = judge(marks, cast.redactions, [&](const Mark& mark) -> Result<std::string> {
    if (mark.to > size) return std::string();
    return hash_of(file.get(), mark.from, mark.to);
  });
  if (!judged) return judged.error();
  for (const Range& range : judged->bad)
    say(size < range.to ? Kind::missing : Kind::altered,
        size < range.to ? str("was cut: it has ", size, " bytes, and had at least ", range.to)
                        : str("bytes ", range.from, " to ", range.to, " are not those that were recorded"));
  for (const Range& range : judged->unsealed)
    say(Kind::unsealed, str("bytes ", range.from, " to ", range.to,
                            " were changed, and the redaction that tells why has no checkpoint"));
  if (!judged->redacted.empty()) ++report_.redacted;
  for (const Range& range : judged->redacted) {
    if (hides_text(file.get(), range.from, range.to)) {
      say(Kind::redacted, str("text was hidden in bytes ", range.from, " to ", range.to));
    } else {
      say(Kind::altered, str("bytes ", range.from, " to ", range.to,
                             " are said to be redacted, and nothing in them is '*'"));
    }
  }
  check_length(id, cast, marks, size);
  return {};
}

// That marks reach from its beginning to its end, as far as they can.
void BoundFiles::check_length(const std::string& id, const Cast& cast, const std::vector<Mark>& marks,
                              std::uint64_t size) {
  auto say = [&](Kind kind, std::string text) { report_.add({kind, id, std::nullopt, std::move(text)}); };
  bool closed = cast.closed != Told::no;
  if (closed && cast.size != size)
    say(size < cast.size ? Kind::missing : Kind::altered,
        str("has ", size, " bytes, and had ", cast.size, " when it was closed"));
  std::uint64_t from = 0;
  if (!cast.opened && is_older(id)) {
    from = marks.empty() ? size : UINT64_MAX;
    for (const Mark& mark : marks) from = std::min(from, mark.from);
    if (from > 0)
      say(Kind::note,
          str("the marks of its first ", from, " bytes were in records that were removed as being old"));
  }
  std::uint64_t covered = reach(marks, from);
  report_.recording_bytes += std::min(covered, size) - std::min(from, size);
  if (covered >= size || (options_.daemon && !closed)) return;
  if (closed || size - covered > kMostUnmarked) {
    say(Kind::unsealed, str("bytes ", covered, " to ", size, " have no mark in the journal"));
  } else {
    say(Kind::note, str("did not end; its last ", size - covered, " bytes have no mark yet"));
  }
}

// The raw SHA-256 of a mark's bytes over the segments that hold them; empty where some can't be read.
// `whole`: none are missing.
Result<std::string> BoundFiles::hash_of(const std::vector<Segment>& segments, const Mark& mark, bool& whole) {
  base::Sha256 sum;
  std::uint64_t at = mark.from;
  std::string piece(std::min<std::uint64_t>(kHashAtOnce, mark.to - mark.from), '\0');
  for (const Segment& segment : segments) {
    if (at >= mark.to || segment.start > at) break;  // the end, or a hole
    if (segment.start + segment.size <= at) continue;
    std::uint64_t size = 0;
    base::Fd file = open_file(segment.path, size);
    std::uint64_t end = std::min(mark.to, segment.start + segment.size);
    while (file && at < end) {
      ssize_t got = ::pread(file.get(), piece.data(), std::min<std::uint64_t>(piece.size(), end - at),
                            static_cast<off_t>(at - segment.start));
      if (got <= 0) return std::string();
      sum.add(base::Bytes(piece).substr(0, static_cast<std::size_t>(got)));
      at += static_cast<std::uint64_t>(got);
      Result<> on = went_on(static_cast<std::uint64_t>(got));
      if (!on) return on.error();
    }
  }
  whole = at == mark.to;
  return whole ? sum.digest() : std::string();
}

Result<> BoundFiles::check_transcript(const std::string& device, const Said& said) {
  std::string place = "transcript of " + base::printable(device, 100);
  std::vector<Segment> segments;
  std::error_code none;
  for (fs::directory_iterator at(str(options_.state, "/", transcript_folder(device)), none), end; at != end;
       at.increment(none)) {
    Segment segment;
    std::string name = at->path().filename().string();
    if (name.size() != 24 || !name.ends_with(".log") ||
        !base::parse_number(std::string_view(name).substr(0, 20), segment.start))
      continue;
    segment.path = at->path().string();
    if (open_file(segment.path, segment.size)) segments.push_back(std::move(segment));
  }
  std::sort(segments.begin(), segments.end(),
            [](const Segment& a, const Segment& b) { return a.start < b.start; });
  std::map<std::uint64_t, Told> gone;  // by `from` of marks whose bytes are not all there
  Result<Judged> judged = judge(said.marks, {}, [&](const Mark& mark) -> Result<std::string> {
    bool whole = false;
    Result<std::string> sum = hash_of(segments, mark, whole);
    if (!sum || whole) return sum;
    for (const Mark& retired : said.retired)
      if (retired.meets(mark))
        gone[mark.from] = std::max(gone[mark.from], retired.sealed ? Told::sealed : Told::unsealed);
    return sum;
  });
  if (!judged) return judged.error();
  for (const Range& range : judged->good) report_.transcript_bytes += range.to - range.from;
  for (const Range& range : judged->bad) {
    auto found = gone.find(range.from);
    Told told = found == gone.end() ? Told::no : found->second;
    if (told == Told::sealed) continue;
    std::string bytes = str("bytes ", range.from, " to ", range.to);
    if (told == Told::unsealed) {
      report_.add({Kind::unsealed, place, std::nullopt,
                   bytes + " are missing, and the retention that tells why has no checkpoint"});
    } else {
      report_.add({Kind::altered, place, std::nullopt, bytes + " are not those that were recorded"});
    }
  }
  check_unmarked(place, said, segments);
  return {};
}

// Bytes that no mark covers: the last ones, before a crash.
void BoundFiles::check_unmarked(const std::string& place, const Said& said,
                                const std::vector<Segment>& segments) {
  std::vector<Range> known(said.marks.begin(), said.marks.end());
  known.insert(known.end(), said.retired.begin(), said.retired.end());
  std::sort(known.begin(), known.end(), [](const Range& a, const Range& b) { return a.from < b.from; });
  // What was before the oldest mark that is left had its own in records that are gone.
  std::uint64_t at = pruned_.empty() ? 0 : known.front().from, unmarked = 0, first = 0;
  auto next = known.begin();
  for (const Segment& segment : segments) {
    at = std::max(at, segment.start);
    std::uint64_t end = segment.start + segment.size;
    while (at < end) {
      while (next != known.end() && next->to <= at) ++next;
      if (next != known.end() && next->from <= at) {
        at = next->to;
        continue;
      }
      if (next == known.end() && options_.daemon) break;  // is being written
      std::uint64_t until = next == known.end() ? end : std::min(end, next->from);
      if (unmarked == 0) first = at;
      unmarked += until - at;
      at = until;
    }
  }
  if (unmarked == 0) return;
  if (unmarked > kMostUnmarkedTranscript) {
    report_.add({Kind::unsealed, place, std::nullopt,
                 str(unmarked, " bytes from ", first,
                     " on have no mark in the journal; a crash leaves at most ", kMostUnmarkedTranscript)});
  } else {
    report_.add({Kind::note, place, std::nullopt,
                 str(unmarked, " bytes from ", first, " on have no mark in the journal yet")});
  }
}

// Recordings and transcripts that nobody began.
void BoundFiles::check_strangers() {
  std::error_code none;
  std::string root = options_.state + "/recordings";
  for (fs::recursive_directory_iterator at(root, none), end; at != end; at.increment(none)) {
    std::string id = at->path().filename().string();
    std::string below = at->path().string().substr(options_.state.size() + 1);
    auto known = casts_.find(id);
    if (below == str("recordings/open/", id) && (known == casts_.end() || !known->second.opened) &&
        ::access(str(options_.state, "/", is_id(id) ? cast_path(id) : below).c_str(), F_OK) < 0)
      report_.add({Kind::note, base::printable(below, 200), std::nullopt,
                   "marks a recording as live of which neither a file nor the journal tells"});
    if (at->path().extension() == ".cast") check_stranger(below, at->path().stem().string());
  }
  check_strange_transcripts();
}

void BoundFiles::check_stranger(const std::string& below, const std::string& id) {
  if (aside_.contains(below))
    return report_.add({Kind::note, base::printable(below, 200), std::nullopt,
                        "was moved aside: the journal knows no recording of it"});
  bool in_place = is_id(id) && below == cast_path(id);
  auto known = casts_.find(id);
  if (in_place && known != casts_.end() && known->second.begun()) return;
  Kind kind = Kind::altered;
  std::string text = "no recording of the journal's is this file";
  if (in_place && is_open(id)) {
    // Between the making of the file and its record there is nothing in it but its header.
    bool begins = is_header(str(options_.state, "/", below));
    kind = options_.daemon || begins ? Kind::note : Kind::unsealed;
    text = "is marked as live, and the journal does not tell of it";
  } else if (in_place && is_older(id)) {
    kind = Kind::note;
    text = "is older than what is left of the journal: nothing tells whether it is whole";
  }
  report_.add({kind, base::printable(below, 200), std::nullopt, text});
}

void BoundFiles::check_strange_transcripts() {
  std::set<std::string> marked, up;
  for (const auto& [device, said] : transcripts_) marked.insert(transcript_folder(device));
  for (const std::string& device : lines_) up.insert(transcript_folder(device));
  std::error_code none;
  for (fs::directory_iterator at(options_.state + "/transcripts", none), end; at != end; at.increment(none)) {
    std::string below = "transcripts/" + at->path().filename().string();
    if (marked.contains(below)) continue;
    std::uint64_t bytes = 0, size = 0;
    for (fs::directory_iterator file(at->path(), none), last; file != last; file.increment(none))
      if (file->path().extension() == ".log" && open_file(file->path().string(), size)) bytes += size;
    none.clear();
    if (bytes == 0) continue;
    // A console that is new may not have had its first mark before a crash.
    bool fresh = up.contains(below) && (options_.daemon || bytes <= kMostUnmarkedTranscript);
    Kind kind = fresh || !pruned_.empty() ? Kind::note : Kind::unsealed;
    report_.add({kind, base::printable(below, 200), std::nullopt,
                 str("the journal has no mark of any of its ", bytes, " bytes")});
  }
}

Result<> BoundFiles::check() {
  for (const auto& [id, cast] : casts_)
    for (const Mark& mark : cast.marks) all_ += mark.to - mark.from;
  for (const auto& [id, cast] : casts_) {
    Result<> checked = check_recording(id, cast);
    if (!checked) return checked.error();
  }
  check_strangers();
  phase_ = "transcripts";
  done_ = all_ = 0;
  for (const auto& [device, said] : transcripts_)
    for (const Mark& mark : said.marks) all_ += mark.to - mark.from;
  for (const auto& [device, said] : transcripts_) {
    Result<> checked = check_transcript(device, said);
    if (!checked) return checked.error();
  }
  return {};
}

}  // namespace oob::audit

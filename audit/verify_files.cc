#include "audit/verify_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

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

constexpr std::size_t kPiece = 256 * 1024;
// What a recording that did not end may have after its last mark: one mark's distance, and what one batch of
// the disk may bring at once (Recordings::kMostHeld).
constexpr std::uint64_t kMostUnmarked = (4 << 20) + (64 << 10);

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

void BoundFiles::add(const Record& record, const std::string& place) {
  bool of_recording = record.ev.starts_with("recording.") || record.ev == "redaction";
  Mark mark;
  if (of_recording || record.ev == "retention") {
    const std::string* kind = record.text("kind");
    if (!of_recording && kind && *kind == "transcript") {
      const std::string* device = record.text("device");
      if (!device) return lacks(record, place, "device");
      if (take(record, place, mark)) transcripts_[*device].retired.push_back(mark);
      return;
    }
    if (!of_recording && (!kind || *kind != "recording")) return;
    const std::string* id = record.text("recording");
    if (!id || !is_id(*id)) return lacks(record, place, "recording");
    Cast& cast = casts_[*id];
    if (record.ev == "retention") cast.retired = true;
    if (record.ev == "recording.open") cast.opened = true;
    if (record.ev == "recording.mark" && take(record, place, mark)) cast.marks.push_back(mark);
    if (record.ev == "recording.close") {
      std::optional<std::int64_t> size = record.number("size");
      if (!size || *size < 0) return lacks(record, place, "size");
      cast.closed = true;
      cast.size = static_cast<std::uint64_t>(*size);
    }
    if (record.ev == "redaction" && take(record, place, mark)) {
      const std::string* text = record.text("after");
      std::string after;
      Redaction redaction{{mark.from, mark.to}, mark.hash, {}};
      if (!text || !unhex(*text, after) || after.size() != redaction.after.size())
        return lacks(record, place, "after");
      std::copy(after.begin(), after.end(), redaction.after.begin());
      cast.redactions.push_back(redaction);
    }
  } else if (record.ev == "transcript.mark") {
    const std::string* device = record.text("device");
    if (!device) return lacks(record, place, "device");
    if (take(record, place, mark)) transcripts_[*device].marks.push_back(mark);
  }
}

Result<> BoundFiles::went_on(std::uint64_t bytes) {
  done_ += bytes;
  if (options_.progress && !options_.progress(done_, all_, phase_)) return fail(Fault::failed, "stopped");
  return {};
}

Result<std::string> BoundFiles::hash_of(int file, std::uint64_t from, std::uint64_t to) {
  base::Sha256 sum;
  std::string piece(std::min<std::uint64_t>(kPiece, to - from), '\0');
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
  for (const Mark& mark : marks) {
    Result<std::string> found = hash_of(mark);
    if (!found) return found.error();
    auto is = [&](const Hash& hash) { return base::Bytes(hash.data(), hash.size()) == *found; };
    if (is(mark.hash)) {
      judged.good.push_back(mark);
      continue;
    }
    // A redacted range may be redacted again. `before` is then what the last one left, or what was there
    // before that one, which a crash kept from being done.
    std::vector<Hash> may_have{mark.hash};
    bool redacted = false;
    for (const Redaction& redaction : redactions)
      if (redaction.from == mark.from && redaction.to == mark.to &&
          std::find(may_have.begin(), may_have.end(), redaction.before) != may_have.end()) {
        may_have.push_back(redaction.after);
        redacted = redacted || is(redaction.after);
      }
    (redacted ? judged.redacted : judged.bad).push_back(mark);
  }
  // A mark that a redaction of another range meets can't fit any more: others have to cover its bytes.
  std::vector<Range> fits = judged.good;
  fits.insert(fits.end(), judged.redacted.begin(), judged.redacted.end());
  std::erase_if(judged.bad, [&](const Range& range) {
    bool met = std::any_of(redactions.begin(), redactions.end(),
                           [&](const Redaction& redaction) { return redaction.meets(range); });
    return met && reach(fits, range.from) >= range.to;
  });
  return judged;
}

bool BoundFiles::is_open(const std::string& id) const {
  return ::access(str(options_.state, "/recordings/open/", id).c_str(), F_OK) == 0;
}

Result<> BoundFiles::check_recording(const std::string& id, const Cast& cast) {
  auto say = [&](Kind kind, std::string text) { report_.add({kind, id, std::nullopt, std::move(text)}); };
  std::uint64_t size = 0;
  base::Fd file = open_file(str(options_.state, "/", cast_path(id)), size);
  if (!file) {
    ++(cast.retired ? report_.retired : report_.missing);
    if (cast.retired) return {};
    if (is_open(id) && cast.marks.empty() && !cast.closed) {
      say(Kind::note, "was begun, and nothing of it was written");
    } else {
      say(Kind::missing, "the recording is missing, and no retention tells why");
    }
    return {};
  }
  ++report_.recordings;
  if (!cast.closed) ++report_.live;
  Result<Judged> judged = judge(cast.marks, cast.redactions, [&](const Mark& mark) -> Result<std::string> {
    if (mark.to > size) return std::string();
    return hash_of(file.get(), mark.from, mark.to);
  });
  if (!judged) return judged.error();
  for (const Range& range : judged->bad)
    say(size < range.to ? Kind::missing : Kind::altered,
        size < range.to ? str("was cut: it has ", size, " bytes, and had at least ", range.to)
                        : str("bytes ", range.from, " to ", range.to, " are not those that were recorded"));
  if (!judged->redacted.empty()) {
    ++report_.redacted;
    for (const Range& range : judged->redacted)
      say(Kind::redacted, str("text was hidden in bytes ", range.from, " to ", range.to));
  }
  if (cast.closed && cast.size != size)
    say(size < cast.size ? Kind::missing : Kind::altered,
        str("has ", size, " bytes, and had ", cast.size, " when it was closed"));
  std::uint64_t covered = reach(cast.marks, 0);
  report_.recording_bytes += std::min(covered, size);
  if (covered < size && pruned_ && !cast.opened) {
    say(Kind::note,
        str("bytes ", covered, " to ", size, " had their marks in records that were removed as being old"));
  } else if (covered < size && (cast.closed || size - covered > kMostUnmarked)) {
    if (!options_.daemon || cast.closed)
      say(Kind::unsealed, str("bytes ", covered, " to ", size, " have no mark in the journal"));
  } else if (covered < size && !options_.daemon) {
    say(Kind::note, str("did not end; its last ", size - covered, " bytes have no mark yet"));
  }
  return {};
}

Result<> BoundFiles::check_transcript(const std::string& device, const Said& said) {
  std::string place = "transcript of " + base::printable(device, 100);
  struct Segment {
    std::uint64_t start = 0, size = 0;
    std::string path;
  };
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
  std::vector<Range> unknown;
  Result<Judged> judged = judge(said.marks, {}, [&](const Mark& mark) -> Result<std::string> {
    base::Sha256 sum;
    std::uint64_t at = mark.from;
    for (const Segment& segment : segments) {
      if (at >= mark.to) break;
      if (segment.start > at) break;  // a hole
      if (segment.start + segment.size <= at) continue;
      std::uint64_t size = 0;
      base::Fd file = open_file(segment.path, size);
      std::uint64_t end = std::min(mark.to, segment.start + size);
      std::string piece(kPiece, '\0');
      while (file && at < end) {
        ssize_t got = ::pread(file.get(), piece.data(), std::min<std::uint64_t>(kPiece, end - at),
                              static_cast<off_t>(at - segment.start));
        if (got <= 0) return std::string();
        sum.add(base::Bytes(piece).substr(0, static_cast<std::size_t>(got)));
        at += static_cast<std::uint64_t>(got);
        Result<> on = went_on(static_cast<std::uint64_t>(got));
        if (!on) return on.error();
      }
    }
    if (at == mark.to) return sum.digest();
    if (std::any_of(said.retired.begin(), said.retired.end(),
                    [&](const Range& range) { return range.meets(mark); }))
      unknown.push_back(mark);
    return std::string();
  });
  if (!judged) return judged.error();
  for (const Range& range : judged->good) report_.transcript_bytes += range.to - range.from;
  for (const Range& range : judged->bad) {
    bool gone = std::any_of(unknown.begin(), unknown.end(),
                            [&](const Range& one) { return one.from == range.from && one.to == range.to; });
    if (!gone)
      report_.add({Kind::altered, place, std::nullopt,
                   str("bytes ", range.from, " to ", range.to, " are not those that were recorded")});
  }
  std::vector<Range> known(said.marks.begin(), said.marks.end());
  known.insert(known.end(), said.retired.begin(), said.retired.end());
  for (const Segment& segment : segments) {
    std::uint64_t end = segment.start + segment.size, covered = reach(known, segment.start);
    if (covered < end && (&segment != &segments.back() || !options_.daemon)) {
      report_.add({Kind::note, place, std::nullopt,
                   str("from byte ", covered, " to ", end, " not all has a mark in the journal")});
      break;
    }
  }
  return {};
}

// Recordings that nobody began.
void BoundFiles::check_strangers() {
  std::error_code none;
  std::string root = options_.state + "/recordings";
  for (fs::recursive_directory_iterator at(root, none), end; at != end; at.increment(none)) {
    if (at->path().extension() != ".cast") continue;
    std::string id = at->path().stem().string();
    std::string below = at->path().string().substr(options_.state.size() + 1);
    bool in_place = is_id(id) && below == cast_path(id);
    if ((in_place && casts_.contains(id)) || is_open(id)) continue;
    bool older = pruned_ && in_place;
    report_.add({older ? Kind::note : Kind::altered, base::printable(below, 200), std::nullopt,
                 older ? "is older than what is left of the journal: nothing tells whether it is whole"
                       : "no recording of the journal's is this file"});
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

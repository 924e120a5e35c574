#include "console/search_job.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <set>

#include "audit/screen_text.h"
#include "console/clean_line.h"
#include "console/index_walk.h"
#include "console/line_scan.h"
#include "console/log_reader.h"
#include "console/segments.h"

namespace oob::console {

using base::fail;
using base::Fault;
using base::Micros;
using base::printable;
using base::Result;
using base::str;
using Made = Result<std::unique_ptr<Job>>;

namespace {

constexpr std::size_t kSearchBlock = 1 << 20;     // of a transcript, read at once
constexpr std::size_t kSome = 256 * 1024;         // of a recording, rendered at once
constexpr std::size_t kSearchAtOnce = 64 * 1024;  // of output
constexpr std::chrono::milliseconds kSlice{100};  // of a thread's time, for one piece
constexpr std::chrono::milliseconds kTell{1000};  // how far it is, on a terminal

// The rendered text of one recording.
class RecordingSearch {
 public:
  RecordingSearch(std::string path, audit::CastHeader header)
      : path_(std::move(path)), header_(std::move(header)) {}

  // Searches some of it; false where it is done.
  Result<bool> some(LineScan& scan, std::string& out) {
    if (!reader_) {
      Result<std::unique_ptr<audit::CastReader>> opened = audit::CastReader::open(path_);
      if (!opened) return opened.error();
      reader_ = std::move(*opened);
      screen_ = std::make_unique<audit::ScreenText>(header_.columns, header_.rows);
    }
    for (std::size_t read = 0; read < kSome;) {
      audit::CastReader::Item item;
      Result<bool> got = reader_->next(item);
      read += item.raw.size() + 64;
      if (!got) continue;  // `verify` tells of it
      if (!*got) {
        give(screen_->finish(), scan, out);
        return false;
      }
      if (item.event.code != 'o') continue;
      for (base::Bytes rest = item.raw; !rest.empty();) {
        rest.remove_prefix(screen_->feed(rest, item.event.time));
        give(screen_->take_lines(), scan, out);
      }
    }
    return true;
  }

 private:
  void give(const std::vector<audit::ScreenText::Line>& lines, const LineScan& scan, std::string& out) {
    for (const audit::ScreenText::Line& line : lines) {
      if (!scan.matches(line.text)) continue;
      Micros millis = (line.time + 999) / 1000;  // never before the line was there
      std::string fraction = str(1000 + millis % 1000).substr(1);
      out += str(header_.id, "@", millis / 1000, ".", fraction, "  ", printable(header_.device), "  ",
                 line.text, "\n");
    }
  }

  std::string path_;
  audit::CastHeader header_;
  std::unique_ptr<audit::CastReader> reader_;
  std::unique_ptr<audit::ScreenText> screen_;
};

// The lines of one transcript.
class TranscriptSearch {
 public:
  TranscriptSearch(const std::string& directory, std::string device, Micros since)
      : segments_(transcript_folder(directory, device)), device_(std::move(device)), since_(since) {}

  Result<bool> some(LineScan& scan, std::string& out) {
    if (!walk_) {
      Result<> listed = segments_.refresh();
      if (!listed) return listed.error();
      at_ = since_ == INT64_MIN ? segments_.begin() : find_since(segments_, since_);
      at_ = std::max(at_, segments_.begin());
      walk_.emplace(segments_, at_);
    }
    std::size_t had = buffer_.size();
    std::uint64_t from = at_ + had, expected = from;
    buffer_.resize(had + kSearchBlock);
    Result<std::size_t> got = segments_.read(from, buffer_.data() + had, kSearchBlock);
    buffer_.resize(had + (got ? *got : 0));
    if (!got) return got.error();
    bool gap = *got > 0 && from != expected;
    if (gap && had > 0) {  // what came before it is a line of its own
      std::string behind = buffer_.substr(had);
      buffer_.resize(had);
      search(scan, true, out);
      buffer_ = std::move(behind);
    }
    if (gap) at_ = from;
    search(scan, *got == 0, out);
    return *got > 0;
  }

 private:
  void search(LineScan& scan, bool all, std::string& out) {
    std::size_t done = scan.scan(buffer_, all, LogReader::kMostLine, [&](std::size_t line, base::Bytes raw) {
      std::uint64_t offset = at_ + line;
      walk_->advance(offset, [](const IndexLine&) {});
      std::string time =
          walk_->time() == INT64_MIN ? "-" : base::rfc3339(walk_->time(), base::Precision::millis);
      out += str(printable(device_), "@", offset, "  ", time, "  ");
      clean_line(raw, out);
      out += '\n';
      return true;
    });
    at_ += done;
    buffer_.erase(0, done);
  }

  Segments segments_;
  std::string device_;
  Micros since_;
  std::optional<IndexWalk> walk_;
  std::uint64_t at_ = 0;  // of the buffer
  std::string buffer_;
};

// The device whose transcript is in the folder with this name; empty: it is no transcript's.
std::string device_of(const std::string& directory, const std::string& name) {
  std::string device;
  for (std::size_t i = 0; i < name.size(); ++i) {
    static constexpr std::pair<std::string_view, char> kCoded[] = {
        {"%2F", '/'}, {"%25", '%'}, {"%00", '\0'}, {"%2E", '.'}};
    char c = name[i];
    for (const auto& [code, meant] : kCoded)
      if (name.compare(i, code.size(), code) == 0) c = meant;
    if (name[i] == '%') i += 2;
    device += c;
  }
  return transcript_folder(directory, device) == str(directory, "/", name) ? device : "";
}

// The devices that have a folder of transcripts, whether they are configured or not.
Result<std::vector<std::string>> transcribed(const std::string& directory) {
  std::vector<std::string> devices;
  std::error_code error;
  std::filesystem::directory_iterator each(directory, error), end;
  for (; !error && each != end; each.increment(error)) {
    std::string device = each->is_directory() ? device_of(directory, each->path().filename().string()) : "";
    if (!device.empty()) devices.push_back(std::move(device));
  }
  if (error && error.value() != ENOENT) return base::system_error(str("read ", directory), error.value());
  return devices;
}

struct Order {
  std::string recordings, transcripts;  // the folders
  std::vector<audit::Recording> records;
  std::vector<std::string> devices;  // whose transcripts
  Micros since = INT64_MIN;
  bool tells = false;
};

class Search : public StreamJob::Source {
 public:
  Search(Order order, std::unique_ptr<LineScan> scan) : order_(std::move(order)), scan_(std::move(scan)) {}

  Result<bool> next(StreamJob::Piece& piece) override {
    base::Clock::time_point begun = base::Clock::now();
    std::size_t given = 0;
    while (given < kSearchAtOnce && base::Clock::now() - begun < kSlice) {
      std::string out;
      Result<bool> more = true;
      std::string device;
      if (record_ < order_.records.size()) {
        const audit::Recording& record = order_.records[record_];
        device = record.header.device;
        if (!recording_) recording_.emplace(str(order_.recordings, "/", record.path), record.header);
        more = recording_->some(*scan_, out);
        if (!more || !*more) recording_.reset(), ++record_;
      } else if (transcript_at_ < order_.devices.size()) {
        device = order_.devices[transcript_at_];
        if (!transcript_) transcript_.emplace(order_.transcripts, device, order_.since);
        more = transcript_->some(*scan_, out);
        if (!more || !*more) transcript_.reset(), ++transcript_at_;
      } else {
        return false;
      }
      // One that retention has just removed must not end the search of the others.
      if (!more) piece.remark = str("oobd: ", printable(device), ": ", more.error().what);
      given += out.size();
      if (!out.empty()) piece.parts.push_back({device, std::move(out), ""});
    }
    if (order_.tells && piece.remark.empty() && begun - told_ > kTell) {
      told_ = begun;
      piece.remark = str("[oobd: searched ", record_, " of ", order_.records.size(), " recordings, ",
                         transcript_at_, " of ", order_.devices.size(), " transcripts]");
    }
    return true;
  }

 private:
  Order order_;
  std::unique_ptr<LineScan> scan_;
  std::size_t record_ = 0, transcript_at_ = 0;
  std::optional<RecordingSearch> recording_;
  std::optional<TranscriptSearch> transcript_;
  base::Clock::time_point told_ = base::Clock::now();
};

}  // namespace

Made SearchJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  if (a.words[0] != "grep")
    return fail(Fault::usage,
                str("audit: no such word: ", printable(a.words[0], 60), "; 'audit grep RE' searches"));
  if (a.has("--recordings") && a.has("--transcripts"))
    return fail(Fault::usage, "audit grep: without --recordings and --transcripts both are searched");
  Micros since = INT64_MIN;
  if (a.has("--since")) {
    Result<Micros> time = base::parse_time(a.options["--since"], base::wall_now());
    if (!time) return base::wrap("audit grep: --since", time.error());
    since = *time;
  }
  if (a.words[1].empty()) return fail(Fault::usage, "audit grep: an empty expression would match every line");
  Result<std::unique_ptr<LineScan>> scan = LineScan::make(a.words[1]);
  if (!scan) return base::wrap("audit grep", scan.error());
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  return std::make_unique<SearchJob>(core, visitor, io, std::move(a), since);
}

SearchJob::SearchJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, Micros since)
    : StreamJob(core, visitor, io), arguments_(std::move(arguments)), since_(since) {}

bool SearchJob::wanted(const std::string& device) const {
  auto glob = arguments_.options.find("--device");
  if (glob != arguments_.options.end() && !base::glob_match(glob->second, device)) return false;
  return may_audit(core_, visitor_, device);
}

void SearchJob::start() {
  Arguments asked = arguments_;
  asked.words.resize(1);
  core_.journal.note(search_of(visitor_, "grep", asked, arguments_.words[1]));
  core_.archive.flush();
  auto found = std::make_shared<Found>();
  auto call = [found, recordings = arguments_.has("--transcripts") ? "" : recordings_of(core_),
               transcripts = audits_all(core_, visitor_) ? core_.transcripts : ""] {
    // One that was begun before may go on after `since`: its lines tell.
    if (!recordings.empty()) found->recordings = audit::list_recordings(recordings, INT64_MIN);
    if (!transcripts.empty()) found->transcripts = transcribed(transcripts);
  };
  on_thread(call, [this, found] {
    if (!found->recordings) return stop(found->recordings.error());
    if (!found->transcripts) return stop(found->transcripts.error());
    search(*found);
  });
}

void SearchJob::search(Found& found) {
  Order order{recordings_of(core_), core_.transcripts, {}, {}, since_, io_.terminal().pty};
  auto user = arguments_.options.find("--user");
  for (audit::Recording& each : *found.recordings) {
    bool theirs = user == arguments_.options.end() || user->second == each.header.user;
    bool recent = since_ == INT64_MIN || each.header.started + each.length >= since_;
    if (theirs && recent && wanted(each.header.device)) order.records.push_back(std::move(each));
  }
  // A transcript is nobody's: what a user saw is in recordings.
  if (!arguments_.has("--recordings") && user == arguments_.options.end()) {
    std::set<std::string> devices(found.transcripts->begin(), found.transcripts->end());
    for (const auto& [name, device] : core_.inventory.all()) devices.insert(name);
    for (const std::string& name : devices)
      if (wanted(name)) order.devices.push_back(name);
  }
  Result<std::unique_ptr<LineScan>> scan = LineScan::make(arguments_.words[1]);
  if (!scan) return stop(scan.error());
  begin(std::make_shared<Search>(std::move(order), std::move(*scan)));
}

}  // namespace oob::console

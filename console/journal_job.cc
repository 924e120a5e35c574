#include "console/journal_job.h"

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>

#include "auth/journal_reader.h"
#include "console/line_scan.h"

namespace oob::console {

namespace json = boost::json;
using base::fail;
using base::Fault;
using base::Micros;
using base::printable;
using base::Result;
using base::str;
using Made = Result<std::unique_ptr<Job>>;

namespace {

constexpr std::size_t kPiece = 64 * 1024;   // of output
constexpr std::size_t kMostRead = 4 << 20;  // in one piece, where little is found

struct Query {
  Micros since = INT64_MIN, until = INT64_MAX;
  std::string user, device, event;  // the last two are globs; empty: all
  bool json = false;
  std::unique_ptr<LineScan> grep;
};

std::string shown(const auth::Record::Value& value) {
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value)) return str(*number);
  std::string text = printable(std::get<std::string>(value), 4200);
  bool plain = !text.empty() && text.find_first_of(" \"") == std::string::npos;
  return plain ? text : str("\"", text, "\"");
}

// "17  2026-11-22 16:03:11Z  alice  power.request  edge1  action=cycle".
std::string human(const auth::Record& record) {
  auto text = [&](const char* key) {
    const std::string* value = record.text(key);
    return value && !value->empty() ? printable(*value) : std::string("-");
  };
  std::string time = base::rfc3339(record.wall, base::Precision::seconds);
  if (time.size() > 10) time[10] = ' ';
  std::string line =
      str(record.n, "  ", time, "  ", text("user"), "  ", printable(record.ev), "  ", text("device"));
  const char* separator = "  ";
  for (const auto& [key, value] : record.fields) {
    static constexpr const char* kElsewhere[] = {"boot", "device", "ev", "mono", "n", "t", "user"};
    if (std::find(std::begin(kElsewhere), std::end(kElsewhere), key) != std::end(kElsewhere)) continue;
    line += str(std::exchange(separator, " "), key, "=", shown(value));
  }
  return line;
}

class Records : public StreamJob::Source {
 public:
  Records(std::string directory, Query query) : directory_(std::move(directory)), query_(std::move(query)) {}

  Result<bool> next(StreamJob::Piece& piece) override {
    if (!reader_) {
      Result<std::unique_ptr<auth::JournalReader>> opened = auth::JournalReader::open(directory_);
      if (!opened) return opened.error();
      reader_ = std::move(*opened);
      Result<> sought = seek();
      if (!sought) return sought.error();
    }
    std::string line;
    auth::JournalReader::Place place;
    for (std::size_t read = 0, given = 0; read < kMostRead && given < kPiece; read += line.size() + 1) {
      Result<bool> more = reader_->next(line, place);
      if (!more || !*more) return more;
      Result<auth::Record> record = auth::Record::parse(line);
      if (!record) {
        if (!damaged_) piece.remark = str("oobd: ", place.file, ":", place.line, ": ", record.error().what);
        damaged_ = true;
        continue;
      }
      if (!wanted(*record)) continue;
      std::string text = query_.json ? line : human(*record);
      if (!query_.grep->any() && !query_.grep->matches(text) && !query_.grep->matches(line)) continue;
      given += text.size() + 1;
      const std::string *device = record->text("device"), *user = record->text("user");
      bool of_session = record->number("session") || record->number("connection");
      piece.parts.push_back({device ? *device : "", text + "\n", user && of_session ? *user : ""});
    }
    return true;
  }

 private:
  bool wanted(const auth::Record& record) const {
    if (record.wall < query_.since || record.wall > query_.until) return false;
    const std::string *user = record.text("user"), *device = record.text("device");
    if (!query_.user.empty() && (!user || *user != query_.user)) return false;
    if (!query_.device.empty() && (!device || !base::glob_match(query_.device, *device))) return false;
    return query_.event.empty() || base::glob_match(query_.event, record.ev);
  }

  // The last file whose first record is not later than `since`. Where the clock was set back this is one of
  // the places that fit.
  Result<> seek() {
    if (query_.since == INT64_MIN) return {};
    std::vector<std::uint64_t> firsts;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
      std::uint64_t first = 0;
      if (entry.path().extension() == ".jsonl" && base::parse_number(entry.path().stem().string(), first))
        firsts.push_back(first);
    }
    std::sort(firsts.begin(), firsts.end());
    std::size_t low = 0, high = firsts.size();  // before `low`: not later; from `high` on: later
    while (low < high) {
      std::size_t middle = low + (high - low) / 2;
      Result<> sought = reader_->seek(firsts[middle]);
      std::string line;
      auth::JournalReader::Place place;
      Result<bool> got = sought ? reader_->next(line, place) : Result<bool>(sought.error());
      if (!got) return got.error();
      Result<auth::Record> record =
          *got ? auth::Record::parse(line) : Result<auth::Record>(fail(Fault::failed, "an empty file"));
      if (record && record->wall <= query_.since)
        low = middle + 1;
      else
        high = middle;
    }
    return reader_->seek(low == 0 ? reader_->first() : firsts[low - 1]);
  }

  std::string directory_;
  Query query_;
  std::unique_ptr<auth::JournalReader> reader_;
  bool damaged_ = false;
};

}  // namespace

Made JournalJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Query query;
  Micros now = base::wall_now();
  for (auto [name, to] :
       {std::pair<const char*, Micros*>{"--since", &query.since}, {"--until", &query.until}}) {
    if (!a.has(name)) continue;
    Result<Micros> time = base::parse_time(a.options[name], now);
    if (!time) return base::wrap(str("journal: ", name), time.error());
    *to = *time;
  }
  if (a.has("--follow") && a.has("--until"))
    return fail(Fault::usage, "journal: --follow has no end, --until has");
  query.user = a.options.count("--user") ? a.options["--user"] : "";
  query.device = a.options.count("--device") ? a.options["--device"] : "";
  query.event = a.options.count("--event") ? a.options["--event"] : "";
  query.json = a.has("--json");
  Result<std::unique_ptr<LineScan>> grep = LineScan::make(a.has("--grep") ? a.options["--grep"] : "");
  if (!grep) return base::wrap("journal", grep.error());
  query.grep = std::move(*grep);
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  auto source = std::make_shared<Records>(str(core.state, "/journal"), std::move(query));
  return std::make_unique<JournalJob>(core, visitor, io, std::move(a), std::move(source));
}

JournalJob::JournalJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments,
                       std::shared_ptr<Source> source)
    : StreamJob(core, visitor, io), arguments_(std::move(arguments)), records_(std::move(source)) {}

void JournalJob::start() {
  if (auto sought = arguments_.options.extract("--grep"))
    core_.journal.note(search_of(visitor_, "journal", arguments_, sought.mapped()));
  else
    core_.journal.note(reading_of(visitor_, "journal", arguments_));
  if (!audits_all(core_, visitor_))
    io_.remark("[oobd: of the devices you may audit, and of your own sessions, alone]");
  if (arguments_.has("--follow")) growth_ = core_.journal.on_growth(life_.wrap([this] { more(); }));
  begin(records_);
}

bool JournalJob::may(const Part& part) {
  if (audits_all(core_, visitor_)) return true;
  if (!part.device.empty() && may_audit(core_, visitor_, part.device)) return true;
  return part.user == visitor_.who.user;
}

void JournalJob::at_end() {
  if (!arguments_.has("--follow")) finish(kDone);
}

Made CheckpointJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  return std::make_unique<CheckpointJob>(core, visitor, io, std::move(a));
}

void CheckpointJob::start() {
  core_.journal.note(reading_of(visitor_, "checkpoint", arguments_));
  core_.journal.seal(life_.wrap([this](const Result<auth::Checkpoint>& sealed) {
    if (over_) return;
    if (!sealed) return stop(sealed.error());
    const std::optional<auth::SignedNote>& note = core_.journal.checkpoint();
    if (!note) return stop(fail(Fault::journal, "there is no checkpoint"));
    if (arguments_.has("--json")) {
      const auth::Checkpoint& head = note->checkpoint;
      json::object object{{"origin", head.origin},
                          {"size", head.size},
                          {"root", base::base64(head.root)},
                          {"note", note->text()},
                          {"vkey", core_.journal.vkey()}};
      io_.print(json::serialize(object) + "\n");
    } else {
      io_.print(note->text());
    }
    finish(kDone);
  }));
}

}  // namespace oob::console

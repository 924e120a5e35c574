#include "console/recording_jobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "audit/player.h"
#include "audit/screen_text.h"
#include "console/page_job.h"
#include "console/reports.h"

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

constexpr std::size_t kExportAtOnce = 64 * 1024;

// The file as it is.
class FileSource : public StreamJob::Source {
 public:
  explicit FileSource(std::string path) : path_(std::move(path)) {}
  Result<bool> next(StreamJob::Piece& piece) override {
    if (!file_) {
      file_ = base::Fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
      if (!file_) return base::system_error(str("open ", path_));
    }
    std::string text(kExportAtOnce, '\0');
    ssize_t size = ::read(file_.get(), text.data(), text.size());
    if (size < 0) return base::system_error(str("read ", path_));
    text.resize(static_cast<std::size_t>(size));
    piece.parts.push_back({"", std::move(text), ""});
    return size > 0;
  }

 private:
  std::string path_;
  base::Fd file_;
};

// What a reader of one recording's events makes of them.
class CastSource : public StreamJob::Source {
 public:
  explicit CastSource(std::string path) : path_(std::move(path)) {}
  Result<bool> next(StreamJob::Piece& piece) override {
    if (!reader_) {
      Result<std::unique_ptr<audit::CastReader>> opened = audit::CastReader::open(path_);
      if (!opened) return opened.error();
      reader_ = std::move(*opened);
    }
    std::string out;
    bool more = true;
    for (std::size_t read = 0; more && read < kExportAtOnce && out.size() < kExportAtOnce;) {
      audit::CastReader::Item item;
      Result<bool> got = reader_->next(item);
      if (!got) {
        if (damaged_++ == 0) piece.remark = str("oobd: ", got.error().what);
        read += 64;
        continue;
      }
      read += item.raw.size() + 64;
      more = *got && take(item, out);
    }
    if (!more) finish(out);
    piece.parts.push_back({"", std::move(out), ""});
    return more;
  }

 protected:
  virtual bool take(const audit::CastReader::Item& item, std::string& out) = 0;  // false: enough
  virtual void finish(std::string&) {}
  const audit::CastHeader& header() const { return reader_->header(); }

 private:
  std::string path_;
  std::unique_ptr<audit::CastReader> reader_;
  std::size_t damaged_ = 0;
};

class DeviceBytes : public CastSource {
 public:
  using CastSource::CastSource;

 private:
  bool take(const audit::CastReader::Item& item, std::string& out) override {
    if (item.event.code == 'o' && !item.own) out += item.raw;
    return true;
  }
};

class RenderedText : public CastSource {
 public:
  // The screen at `at`, or (INT64_MAX) all lines.
  RenderedText(std::string path, Micros at) : CastSource(std::move(path)), at_(at) {}

 private:
  audit::ScreenText& screen() {
    if (!screen_) screen_ = std::make_unique<audit::ScreenText>(header().columns, header().rows);
    return *screen_;
  }
  void add(std::vector<audit::ScreenText::Line> lines, std::string& out) {
    if (at_ != INT64_MAX) return;
    for (audit::ScreenText::Line& line : lines) out += str(line.text, "\n");
  }
  bool take(const audit::CastReader::Item& item, std::string& out) override {
    if (item.event.time > at_) return false;
    if (item.event.code == 'r') {
      unsigned columns = 0, rows = 0;
      std::string_view size = item.event.text;
      std::size_t x = size.find('x');
      if (x != std::string_view::npos && base::parse_number(size.substr(0, x), columns) &&
          base::parse_number(size.substr(x + 1), rows))
        screen().resize(columns, rows);
    }
    base::Bytes rest = item.event.code == 'o' ? base::Bytes(item.raw) : base::Bytes();
    while (!rest.empty()) {
      rest.remove_prefix(screen().feed(rest, item.event.time));
      add(screen().take_lines(), out);
    }
    return true;
  }
  void finish(std::string& out) override {
    if (at_ == INT64_MAX) return add(screen().finish(), out);
    for (const std::string& row : screen().screen()) out += str(row, "\n");
  }

  Micros at_;
  std::unique_ptr<audit::ScreenText> screen_;
};

std::string json_of(const audit::Recording& recording) {
  const audit::CastHeader& header = recording.header;
  json::object object{{"id", header.id},
                      {"started", base::rfc3339(header.started)},
                      {"seconds", static_cast<double>(recording.length) / 1e6},
                      {"user", header.user},
                      {"key", header.key},
                      {"source", header.source},
                      {"device", header.device},
                      {"command", header.command},
                      {"bytes", recording.bytes},
                      {"live", recording.live},
                      {"held", recording.held},
                      {"path", str("recordings/", recording.path)}};
  return json::serialize(object) + "\n";
}

}  // namespace

Made SessionsJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Micros since = INT64_MIN;
  if (a.has("--since")) {
    Result<Micros> time = base::parse_time(a.options["--since"], base::wall_now());
    if (!time) return base::wrap("sessions: --since", time.error());
    since = *time;
  }
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  return std::make_unique<SessionsJob>(core, visitor, io, std::move(a), since);
}

SessionsJob::SessionsJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, Micros since)
    : AuditJob(core, visitor, io), arguments_(std::move(arguments)), since_(since) {}

void SessionsJob::start() {
  core_.journal.note(reading_of(visitor_, "sessions", arguments_));
  struct Answer {
    Result<std::vector<audit::Recording>> all = std::vector<audit::Recording>();
    std::size_t damaged = 0;
  };
  auto answer = std::make_shared<Answer>();
  on_thread([answer, directory = recordings_of(core_),
             since = since_] { answer->all = audit::list_recordings(directory, since, &answer->damaged); },
            [this, answer] {
              if (!answer->all) return stop(answer->all.error());
              show(*answer->all, answer->damaged);
            });
}

void SessionsJob::show(const std::vector<audit::Recording>& all, std::size_t damaged) {
  auto wanted = [&](const audit::Recording& each) {
    auto user = arguments_.options.find("--user"), glob = arguments_.options.find("--device");
    if (user != arguments_.options.end() && user->second != each.header.user) return false;
    if (glob != arguments_.options.end() && !base::glob_match(glob->second, each.header.device)) return false;
    return may_audit(core_, visitor_, each.header.device);
  };
  std::string text;
  std::vector<std::vector<std::string>> rows = {
      {"ID", "WHEN", "LENGTH", "USER", "DEVICE", "COMMAND", "BYTES", ""}};
  for (const audit::Recording& each : all) {
    if (!wanted(each)) continue;
    const audit::CastHeader& header = each.header;
    if (arguments_.has("--json"))
      text += json_of(each);
    else
      rows.push_back({header.id, base::rfc3339(header.started, base::Precision::seconds),
                      audit::place_text(each.length), printable(header.user), printable(header.device),
                      printable(header.command), str(each.bytes),
                      each.live ? (each.held ? "live held" : "live") : (each.held ? "held" : "")});
  }
  if (!arguments_.has("--json")) {
    if (rows.size() > 1)
      text = table(rows);
    else
      io_.remark("oobd: no recordings");
  }
  io_.print(text);
  if (damaged > 0) io_.remark(str("oobd: ", damaged, " recordings can't be read; 'verify' tells which"));
  finish(kDone);
}

Made ExportJob::make_export(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  if (a.has("--raw") + a.has("--text") + a.has("--html") > 1)
    return fail(Fault::usage, "export: --raw, --text and --html exclude each other");
  if (a.has("--html")) return PageJob::make(core, visitor, io, std::move(a));
  Form form = a.has("--raw") ? Form::raw : a.has("--text") ? Form::text : Form::cast;
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  return std::make_unique<ExportJob>(core, visitor, io, std::move(a), form, INT64_MAX);
}

Made ExportJob::make_text(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Micros at = INT64_MAX;
  if (a.has("--at")) {
    Result<Micros> place = audit::parse_place(a.options["--at"]);
    if (!place) return base::wrap("text: --at", place.error());
    at = *place;
  }
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  Form form = a.has("--at") ? Form::screen : Form::text;
  return std::make_unique<ExportJob>(core, visitor, io, std::move(a), form, at);
}

ExportJob::ExportJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, Form form, Micros at)
    : StreamJob(core, visitor, io), arguments_(std::move(arguments)), form_(form), at_(at) {}

void ExportJob::start() {
  find(arguments_.words[0], [this](const audit::Recording& recording) {
    const char* what = form_ == Form::cast ? "export" : form_ == Form::raw ? "bytes" : "text";
    core_.journal.note(reading_of(visitor_, what, arguments_)
                           .with("recording", recording.header.id)
                           .with("device", printable(recording.header.device)));
    std::string path = str(recordings_of(core_), "/", recording.path);
    if (form_ == Form::cast) return begin(std::make_shared<FileSource>(path), true);
    if (form_ == Form::raw) return begin(std::make_shared<DeviceBytes>(path), true);
    begin(std::make_shared<RenderedText>(path, at_));
  });
}

Made HoldJob::make_hold(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  std::string why;
  for (std::size_t i = 1; i < a.words.size(); ++i) why += str(i > 1 ? " " : "", a.words[i]);
  return std::make_unique<HoldJob>(core, visitor, io, a.words[0], why);
}

Made HoldJob::make_unhold(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  return std::make_unique<HoldJob>(core, visitor, io, a.words[0], std::nullopt);
}

HoldJob::HoldJob(Core& core, Visitor& visitor, JobIo& io, std::string id, std::optional<std::string> why)
    : AuditJob(core, visitor, io), id_(std::move(id)), why_(std::move(why)) {}

void HoldJob::start() {
  find(id_, [this](const audit::Recording& recording) {
    if (!why_) {
      Result<auth::Grant> grant = decide(core_, visitor_, auth::Action::admin, recording.header.device);
      if (!grant) return stop(grant.error());
    }
    if (recording.held == why_.has_value()) {
      io_.print(str(recording.header.id, why_ ? " is held already\n" : " is not held\n"));
      return finish(kDone);
    }
    auth::Entry entry = why_ ? event_of(visitor_, "hold") : event_of(visitor_, "unhold");
    entry.with("recording", recording.header.id).with("device", printable(recording.header.device));
    if (why_) entry.with("why", printable(*why_, 2000));
    core_.journal.commit(std::move(entry), life_.wrap([this, recording](const Result<>& written) {
      if (over_) return;
      if (!written) return stop(written.error());
      mark(recording);
    }));
  });
}

void HoldJob::mark(const audit::Recording& recording) {
  auto result = std::make_shared<Result<>>();
  auto call = [result, hold = why_.has_value(), folder = str(recordings_of(core_), "/holds"),
               id = recording.header.id, cast = str(recordings_of(core_), "/", recording.path)] {
    std::string path = str(folder, "/", id);
    if (!hold) {
      if (::unlink(path.c_str()) != 0 && errno != ENOENT) *result = base::system_error(str("remove ", path));
      return;
    }
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
      *result = base::system_error(str("make ", folder));
      return;
    }
    base::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    base::Fd above(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file || ::fsync(file.get()) != 0 || !above || ::fsync(above.get()) != 0)
      *result = base::system_error(str("make ", path));
    // Retention may have chosen it before it was held.
    else if (::access(cast.c_str(), F_OK) != 0) {
      *result = fail(Fault::missing, str(id, ": it was removed before it could be held"));
      ::unlink(path.c_str());  // it holds nothing
    }
  };
  on_thread(call, [this, result, id = recording.header.id] {
    if (!*result) return stop(result->error());
    io_.print(str(id, why_ ? " is held\n" : " is no longer held\n"));
    finish(kDone);
  });
}

}  // namespace oob::console

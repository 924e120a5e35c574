#include "console/log_job.h"

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

Result<LogQuery> log_query(const Arguments& arguments, base::Micros now) {
  LogQuery query;
  auto option = [&](const char* name) -> const std::string* {
    auto at = arguments.options.find(name);
    return at == arguments.options.end() ? nullptr : &at->second;
  };
  if (const std::string* since = option("--since")) {
    Result<base::Micros> time = base::parse_time(*since, now);
    if (!time) return base::wrap("log: --since", time.error());
    query.since = *time;
  }
  if (const std::string* until = option("--until")) {
    Result<base::Micros> time = base::parse_time(*until, now);
    if (!time) return base::wrap("log: --until", time.error());
    query.until = *time;
  }
  if (const std::string* lines = option("--lines"))
    if (!base::parse_number(*lines, query.lines) || query.lines < 0)
      return fail(Fault::usage, "log: --lines takes a number");
  if (const std::string* grep = option("--grep")) query.grep = *grep;
  query.stamp = option("--stamp") != nullptr;
  query.raw = option("--raw") != nullptr || option("--safe") != nullptr;
  query.follow = option("--follow") != nullptr;
  if (query.raw && (query.stamp || !query.grep.empty()))
    return fail(Fault::usage, "log: --raw and --safe give bytes as they came, without --stamp or --grep");
  if (query.follow && query.until != INT64_MAX)
    return fail(Fault::usage, "log: --follow has no end, --until has");
  return query;
}

// Owned by the thread's call and by nobody else while it runs: the job may be gone before it is done.
struct LogJob::Reading {
  std::string directory, device;
  LogQuery query;
  std::unique_ptr<LogReader> reader;
  std::string out;
  Result<bool> more = true;

  void work() {
    if (!reader) {
      Result<std::unique_ptr<LogReader>> opened = LogReader::open(directory, device, query);
      if (!opened) {
        more = opened.error();
        return;
      }
      reader = std::move(*opened);
    }
    more = reader->next(out);
  }
};

LogJob::LogJob(Core& core, Visitor& visitor, JobIo& io, const Arguments& arguments, LogQuery query)
    : core_(core),
      visitor_(visitor),
      io_(io),
      device_(arguments.device->name),
      query_(std::move(query)),
      follow_(query_.follow) {
  bool wanted = io.terminal().pty && core.policy->safe_for(visitor.who, device_);
  if (arguments.has("--safe") || wanted) safe_.emplace();
}

void LogJob::start() {
  Device* device = core_.inventory.find(device_);
  if (device && follow_) attachment_ = device->console->attach(*this, visitor_.who.user);
  core_.archive.flush();
  read();
}

void LogJob::read() {
  if (over_ || reading_ || io_.room() == 0 || (at_end_ && !more_)) return;
  reading_ = true;
  more_ = false;
  auto reading = std::make_shared<Reading>();
  reading->directory = core_.transcripts;
  reading->device = device_;
  reading->query = query_;
  reading->reader = std::move(reader_);
  core_.blocking.run([reading] { reading->work(); }, life_.wrap([this, reading] { came(*reading); }));
}

void LogJob::came(Reading& reading) {
  reading_ = false;
  if (over_) return;
  reader_ = std::move(reading.reader);
  if (query_.raw && safe_) {
    io_.raw(safe_->pass(reading.out));
  } else if (query_.raw) {
    io_.raw(reading.out);
  } else {
    io_.print(reading.out);
  }
  if (!reading.more) return stop(reading.more.error());
  at_end_ = !*reading.more;
  if (at_end_ && !follow_) return finish(kDone);
  read();
}

void LogJob::more() {
  if (attachment_) attachment_->take(attachment_->waiting());
  more_ = true;
  read();
}

void LogJob::recheck() {
  Result<> grant = still_may(core_, visitor_, auth::Action::watch, device_);
  if (!grant) stop(grant.error());
}

void LogJob::gone(const std::string& why) {
  core_.loop.post(life_.wrap([this, why] { stop(fail(Fault::missing, str(device_, ": ", why))); }));
}

void LogJob::stop(const base::Error& error) {
  if (over_) return;
  io_.remark(str("oobd: ", error.what));
  finish(static_cast<int>(error.fault));
}

void LogJob::finish(int status) {
  if (safe_ && io_.terminal().pty) io_.raw(safe_->settle());
  over_ = true;
  attachment_.reset();
  io_.finish(status);
}

}  // namespace oob::console

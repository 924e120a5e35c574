#include "console/watch_job.h"

#include "console/clean_line.h"

namespace oob::console {

using base::Fault;
using base::Result;
using base::str;

namespace {

// Moves what belongs to `line` from the front of `bytes`, its newline dropped. False: the line has not ended,
// and `bytes` are used up. A line of `most` bytes counts as ended.
bool take_line(base::Bytes& bytes, std::string& line, std::size_t most) {
  std::size_t size = std::min(bytes.find('\n'), std::min(bytes.size(), most - line.size()));
  line += bytes.substr(0, size);
  bytes.remove_prefix(size);
  bool ended = !bytes.empty() && bytes[0] == '\n';
  if (ended) bytes.remove_prefix(1);
  return ended || line.size() >= most;
}

}  // namespace

WatchJob::WatchJob(Core& core, Visitor& visitor, JobIo& io, const Arguments& arguments)
    : core_(core),
      visitor_(visitor),
      io_(io),
      device_(arguments.device->name),
      raw_(arguments.has("--raw") || arguments.has("--safe")),
      quiet_(core.loop) {
  bool wanted = io.terminal().pty && core.policy->safe_for(visitor.who, device_);
  if (arguments.has("--safe") || wanted) safe_.emplace();
}

WatchJob::~WatchJob() = default;

void WatchJob::start() {
  visit_.begin(device_, "watch", [this](const Result<std::string>& recorded) {
    if (!recorded) return stop(recorded.error());
    arrive(*recorded);
  });
}

void WatchJob::arrive(const std::string& unrecorded) {
  if (!unrecorded.empty()) io_.remark(unrecorded);
  Device* device = core_.inventory.find(device_);
  if (!device) return stop(auth::Policy::no_such_device(device_));
  attachment_ = device->console->attach(*this, visitor_.who.user);
  if (device->console->state() != Console::State::up && !device->console->why_down().empty())
    told(str("line down: ", base::printable(device->console->why_down())));
}

void WatchJob::pump() {
  while (!over_ && attachment_ && io_.room() > 0) {
    Attachment::Piece piece = attachment_->next();
    if (piece.skipped) {
      give_line();
      if (safe_) safe_->restart();
      visit_.event(auth::Entry("skipped").with("bytes", static_cast<std::int64_t>(piece.skipped)));
      told(str(piece.skipped, " bytes skipped"));
    }
    if (piece.bytes.empty()) return;
    quiet_.cancel();
    base::Bytes bytes = piece.bytes.substr(0, io_.room());
    attachment_->take(bytes.size());
    if (raw_) {
      if (safe_) {
        visit_.output(bytes, safe_->pass(bytes));
      } else {
        visit_.output(bytes, bytes);
      }
      continue;
    }
    std::string out;
    const base::Bytes all = bytes;
    while (!bytes.empty()) {
      if (!take_line(bytes, line_, kMostLine)) break;
      clean_line(line_, out);
      out += '\n';
      line_.clear();
    }
    show(all, std::move(out));
    // A prompt is a line that does not end.
    if (!line_.empty()) quiet_.after(kQuiet, [this] { give_line(); });
  }
}

void WatchJob::give_line() {
  if (line_.empty() || over_) return;
  std::string out;
  clean_line(line_, out);
  line_.clear();
  show({}, out + "\n");
}

// What the console said, as the lines that are shown of it.
void WatchJob::show(base::Bytes bytes, std::string lines) {
  if (io_.terminal().pty)
    for (std::size_t at = 0; (at = lines.find('\n', at)) != std::string::npos; at += 2)
      lines.replace(at, 1, "\r\n");
  visit_.output(bytes, lines);
}

void WatchJob::told(const std::string& what) { io_.remark(str("[oobd: ", what, "]")); }

void WatchJob::recheck() {
  Result<> grant = still_may(core_, visitor_, auth::Action::watch, device_);
  if (!grant) stop(grant.error());
}

void WatchJob::gone(const std::string& why) {
  core_.loop.post(life_.wrap([this, why] { stop(base::fail(Fault::missing, str(device_, ": ", why))); }));
}

void WatchJob::stop(const base::Error& error) {
  if (over_) return;
  give_line();
  if (safe_ && io_.terminal().pty) io_.raw(safe_->settle());
  over_ = true;
  attachment_.reset();
  io_.remark(str("oobd: ", error.what));
  visit_.end(static_cast<int>(error.fault));
  io_.finish(static_cast<int>(error.fault));
}

// --- expect
// ---------------------------------------------------------------------------------------------------------

ExpectJob::ExpectJob(Core& core, Visitor& visitor, JobIo& io, const Arguments& arguments,
                     std::unique_ptr<RE2> expression, base::milliseconds timeout)
    : core_(core),
      visitor_(visitor),
      io_(io),
      device_(arguments.device->name),
      expression_(std::move(expression)),
      timeout_(timeout),
      timer_(core.loop),
      quiet_(core.loop) {}

void ExpectJob::start() {
  visit_.begin(device_, "expect", [this](const Result<std::string>& recorded) {
    if (!recorded) return stop(recorded.error());
    arrive(*recorded);
  });
}

void ExpectJob::arrive(const std::string& unrecorded) {
  if (!unrecorded.empty()) io_.remark(unrecorded);
  Device* device = core_.inventory.find(device_);
  if (!device) return stop(auth::Policy::no_such_device(device_));
  attachment_ = device->console->attach(*this, visitor_.who.user);
  timer_.after(timeout_, [this] {
    std::string span = base::human_span(std::chrono::microseconds(timeout_).count());
    stop(base::fail(Fault::failed, str(device_, ": nothing matched within ", span)));
  });
}

void ExpectJob::recheck() {
  Result<> grant = still_may(core_, visitor_, auth::Action::watch, device_);
  if (!grant) stop(grant.error());
}

void ExpectJob::more() {
  while (!over_ && attachment_) {
    Attachment::Piece piece = attachment_->next();
    if (piece.skipped) {
      visit_.event(auth::Entry("skipped").with("bytes", static_cast<std::int64_t>(piece.skipped)));
      line_.clear();
    }
    if (piece.bytes.empty()) return;
    std::size_t size = piece.bytes.size();
    visit_.output(piece.bytes, {});
    bool matched = look(piece.bytes);
    attachment_->take(size);
    if (matched) return;
  }
}

// A line that has not ended may be a prompt, or still be arriving: only quiet tells.
bool ExpectJob::look(base::Bytes bytes) {
  quiet_.cancel();
  std::string text;
  while (!bytes.empty()) {
    if (!take_line(bytes, line_, kMostLine)) break;
    if (matches(text)) {
      found(std::move(text));
      return true;
    }
    line_.clear();
  }
  if (!line_.empty() && matches(text)) quiet_.after(kQuiet, [this, text = std::move(text)] { found(text); });
  return false;
}

bool ExpectJob::matches(std::string& text) const {
  text.clear();
  clean_line(line_, text);
  return RE2::PartialMatch(text, *expression_);
}

// A Watcher notes and returns: the end comes from the loop.
void ExpectJob::found(std::string text) {
  io_.print(text + "\n");
  over_ = true;
  timer_.cancel();
  core_.loop.post(life_.wrap([this] {
    attachment_.reset();
    visit_.end(kDone);
    io_.finish(kDone);
  }));
}

void ExpectJob::told(const std::string& what) { io_.remark(str("[oobd: ", what, "]")); }

void ExpectJob::gone(const std::string& why) {
  core_.loop.post(life_.wrap([this, why] { stop(base::fail(Fault::missing, str(device_, ": ", why))); }));
}

void ExpectJob::stop(const base::Error& error) {
  if (over_) return;
  over_ = true;
  timer_.cancel();
  quiet_.cancel();
  attachment_.reset();
  io_.remark(str("oobd: ", error.what));
  visit_.end(static_cast<int>(error.fault));
  io_.finish(static_cast<int>(error.fault));
}

}  // namespace oob::console

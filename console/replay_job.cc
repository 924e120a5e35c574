#include "console/replay_job.h"

#include <chrono>

namespace oob::console {

using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kBatch = 64 * 1024;

Micros steady_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now().time_since_epoch()).count();
}

}  // namespace

struct ReplayJob::Reading {
  std::string path;
  std::unique_ptr<audit::CastReader> reader;
  std::vector<audit::CastReader::Item> items;
  std::string damage;  // a line that is none
  Result<bool> more = true;

  void work() {
    if (!reader) {
      Result<std::unique_ptr<audit::CastReader>> opened = audit::CastReader::open(path);
      if (!opened) {
        more = opened.error();
        return;
      }
      reader = std::move(*opened);
    }
    for (std::size_t size = 0; size < kBatch;) {
      audit::CastReader::Item item;
      Result<bool> got = reader->next(item);
      size += item.raw.size() + 64;
      if (!got) {
        if (damage.empty()) damage = got.error().what;
        continue;
      }
      more = *got;
      if (!*got) return;
      items.push_back(std::move(item));
    }
  }
};

Result<std::unique_ptr<Job>> ReplayJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  auto option = [&](const char* name) -> const std::string* {
    auto at = a.options.find(name);
    return at == a.options.end() ? nullptr : &at->second;
  };
  std::string id = a.words[0], from;
  if (std::size_t at = id.find('@'); at != std::string::npos) {
    if (option("--from")) return fail(Fault::usage, "replay: ID@T and --from are the same thing twice");
    from = id.substr(at + 1);
    id.resize(at);
  }
  Result<audit::PlayOptions> options =
      audit::PlayOptions::parse(option("--speed"), option("--idle"), from.empty() ? option("--from") : &from);
  if (!options) return base::wrap("replay", options.error());
  if (!io.terminal().pty && !option("--speed")) options->speed = 0;
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  return std::make_unique<ReplayJob>(core, visitor, io, std::move(a), id, *options);
}

ReplayJob::ReplayJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, std::string id,
                     audit::PlayOptions options)
    : AuditJob(core, visitor, io),
      arguments_(std::move(arguments)),
      id_(std::move(id)),
      options_(options),
      next_(core.loop),
      look_(core.loop) {}

void ReplayJob::start() {
  find(id_, [this](const audit::Recording& recording) {
    id_ = recording.header.id;
    core_.journal.note(reading_of(visitor_, "replay", arguments_)
                           .with("recording", id_)
                           .with("device", base::printable(device_)));
    path_ = str(recordings_of(core_), "/", recording.path);
    bool pty = io_.terminal().pty;
    filter_ = arguments_.has("--safe") || (pty && core_.policy->safe_for(visitor_.who, device_));
    const audit::CastHeader& header = recording.header;
    std::optional<audit::Player::Size> shown;
    if (pty) shown = audit::Player::Size{io_.terminal().columns, io_.terminal().rows};
    if (pty && (header.columns > shown->columns || header.rows > shown->rows))
      io_.remark(str("[oobd: recorded on ", header.columns, "x", header.rows, ", this terminal is ",
                     shown->columns, "x", shown->rows, "]"));
    player_ =
        std::make_unique<audit::Player>(options_, audit::Player::Size{header.columns, header.rows}, shown);
    play();
  });
}

void ReplayJob::read() {
  if (reading_ || at_end_ || !player_->wants()) return;
  reading_ = true;
  auto reading = std::make_shared<Reading>();
  reading->path = path_;
  reading->reader = std::move(reader_);
  on_thread([reading] { reading->work(); }, [this, reading] { came(*reading); });
}

void ReplayJob::came(Reading& reading) {
  reading_ = false;
  reader_ = std::move(reading.reader);
  if (!reading.damage.empty() && !said_) {
    said_ = true;
    io_.remark(str("oobd: ", reading.damage, "; what can be read is shown"));
  }
  for (audit::CastReader::Item& item : reading.items) {
    if (item.event.code == 'e' && item.event.text.find("\"ev\":\"close\"") != std::string::npos)
      closed_ = true;
    player_->add(item.event.time, item.event.code,
                 item.event.code == 'o' ? std::move(item.raw) : std::move(item.event.text));
  }
  if (!reading.more) return stop(reading.more.error());
  if (!*reading.more) {
    at_end_ = true;
    if (arguments_.has("--follow") && !closed_)
      look_.after(kLook, [this] {
        at_end_ = false;
        read();
      });
    else
      player_->end();
  }
  play();
}

void ReplayJob::play() {
  if (over_ || !player_) return;
  while (std::size_t room = io_.room()) {
    std::string out = player_->take(steady_now(), room);
    if (out.empty()) break;
    std::string safe = safe_.pass(out);
    io_.raw(filter_ ? safe : out);
  }
  if (player_->over()) return leave(str("the end of ", id_));
  read();
  std::optional<Micros> due = player_->due();
  if (!due) return next_.cancel();
  Micros wait = *due - steady_now();
  if (wait <= 0) return;  // there is no room: room() is called when there is
  next_.after(std::chrono::ceil<base::milliseconds>(std::chrono::microseconds(wait)), [this] { play(); });
}

std::size_t ReplayJob::typed(base::Bytes bytes) {
  if (over_ || !io_.terminal().pty || !player_) {
    bool leaves = io_.terminal().pty && bytes.find_first_of("q\x03") != base::Bytes::npos;
    if (leaves && !over_) finish(kInterrupted);
    return bytes.size();
  }
  if (!player_->typed(bytes, steady_now())) {
    leave(str(id_, " at ", audit::place_text(player_->position())));
    return bytes.size();
  }
  play();
  return bytes.size();
}

void ReplayJob::leave(const std::string& words) {
  if (io_.terminal().pty) {
    io_.raw(safe_.settle());
    io_.raw("\r\n");
    io_.remark(str("[oobd: ", words, "]"));
  }
  finish(kDone);
}

void ReplayJob::finish(int status) {
  if (!over_ && io_.terminal().pty) io_.raw(safe_.settle());
  next_.cancel();
  look_.cancel();
  AuditJob::finish(status);
}

}  // namespace oob::console

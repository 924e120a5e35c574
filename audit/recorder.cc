#include "audit/recorder.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "audit/cast_file.h"
#include "audit/library.h"
#include "audit/recovery.h"
#include "base/log.h"

namespace oob::audit {

using auth::Entry;
using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostEventText = 2000;       // bytes of one text in an event
constexpr std::size_t kEventsBeyond = 256 * 1024;  // events are taken so far above Recordings::kMostHeld

std::string object_of(const Entry& entry) {
  std::string object = str("{\"ev\":", json_text(entry.ev));
  for (const auto& [key, value] : entry.fields) {
    object += str(",", json_text(key), ":");
    if (const auto* number = std::get_if<std::int64_t>(&value))
      object += std::to_string(*number);
    else
      object += json_text(base::Bytes(std::get<std::string>(value)).substr(0, kMostEventText));
  }
  return object + "}";
}

}  // namespace

// One recording, from its beginning until its last byte is on the disk.
struct Recorder::State {
  using Created = Result<std::shared_ptr<CastFile>>;

  State(std::shared_ptr<Recordings::State> whole, base::Loop& loop)
      : recordings(std::move(whole)), patience(loop) {}

  std::shared_ptr<Recordings::State> recordings;
  CastHeader header;
  base::Clock::time_point began = base::Clock::now();
  std::function<void(Result<>)> opened;
  base::Timer patience;  // with its file, and then until that is tried again
  CastEncoder encoder;
  std::string lines;                  // not yet handed over
  std::uint64_t output = 0;           // bytes of the console that they hold
  std::uint64_t gap = 0;              // bytes dropped, and not yet told in the file
  std::uint64_t gap_to_note = 0;      // … in the journal
  std::shared_ptr<CastFile> file;     // once it is there
  std::shared_ptr<CastHeader> named;  // is made on the syncing thread, with the id
  std::shared_ptr<Created> created;
  std::vector<CastMark> marks;    // of bytes that may not be synced
  std::vector<CastMark> syncing;  // that wait for a sync under way
  bool dead = false;              // no file could be made so far
  bool queued = false, in_batch = false, sync_runs = false, unsynced = false, want_mark = false;
  bool ended = false, close_noted = false, finished = false;
  int status = 0;
  base::Clock::time_point ended_at{}, marked_at = base::Clock::now(), synced_at{}, gap_noted_at{};

  Micros time() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now() - began).count();
  }
};

struct Recordings::State : std::enable_shared_from_this<Recordings::State> {
  using Each = std::shared_ptr<Recorder::State>;
  struct Item {
    Each one;
    std::string lines;
    std::uint64_t output;
    bool want_mark;
    Result<> result{};  // the answer
    std::optional<CastMark> mark{};
  };
  using Batch = std::vector<Item>;

  State(base::Loop& l, base::Disk& d, auth::Journal& j, std::string folder)
      : loop(l),
        disk(d),
        journal(j),
        directory(std::move(folder)),
        syncer(std::make_unique<base::Disk>(l)),
        flush_timer(l),
        retry_timer(l),
        tick_timer(l),
        mark_timer(l) {}

  base::Loop& loop;
  base::Disk& disk;
  auth::Journal& journal;
  const std::string directory;
  std::unique_ptr<base::Disk> syncer;  // apart, so that syncing never delays writing
  base::Timer flush_timer, retry_timer, tick_timer, mark_timer;
  std::vector<Each> all, gathered;
  std::shared_ptr<Batch> under_way;
  std::size_t held = 0;  // bytes of lines, gathered and under way
  std::string trouble, sync_trouble;
  std::uint64_t lost = 0;
  bool paused = false, alive = true;
  std::size_t creating = 0;  // files

  void create(const Each& one);
  void created(const Each& one);
  void not_made(const Each& one, const std::string& why);
  void tell_opened(const Each& one, const Result<>& result);
  bool room(const Each& one, std::size_t size);
  void tell_gap(const Each& one);
  void note_gap(const Each& one, bool empty_too = false);
  // Adds lines by `write(lines)`.
  template <class Write>
  void add(const Each& one, Write write) {
    if (one->dead) return;
    tell_gap(one);
    std::size_t before = one->lines.size();
    write(one->lines);
    held += one->lines.size() - before;
    gather(one);
  }
  void show(const Each& one, base::Bytes bytes, bool own);
  void gather(const Each& one);
  void hand_over();
  void take_answers(Batch& batch);
  void sync(const Each& one);
  void sync_marks(const Each& one);
  void note_marks(const Each& one, const std::vector<CastMark>& marks);
  void tick();
  void end(const Each& one);
  void advance(const Each& one);
  void give_up(const Each& one);
  void forget(const Each& one);
  void last_words(const Each& one);
  Entry entry(const Each& one, const char* ev) const { return Entry(ev).with("recording", one->header.id); }
};

// --- beginning
// ------------------------------------------------------------------------------------------------------

void Recordings::State::create(const Each& one) {
  if (creating == kMostCreating) {
    loop.post([self = shared_from_this(), one] {
      if (self->alive) self->not_made(one, "recordings: the disk does not answer");
    });
    return;
  }
  ++creating;
  one->named = std::make_shared<CastHeader>(one->header);
  one->created = std::make_shared<Recorder::State::Created>(std::shared_ptr<CastFile>());
  one->patience.after(auth::Journal::kPatience, [this, one = std::weak_ptr<Recorder::State>(one)] {
    if (auto still = one.lock())
      tell_opened(still, fail(Fault::journal, "recordings: the disk does not answer"));
  });
  syncer->run(
      [folder = directory, named = one->named, to = one->created] { *to = CastFile::create(folder, *named); },
      [self = shared_from_this(), one] {
        --self->creating;
        if (self->alive) self->created(one);
      });
}

void Recordings::State::created(const Each& one) {
  Recorder::State::Created made = std::move(*one->created);
  one->created.reset();
  if (!made) return not_made(one, made.error().what);
  one->file = *made;
  one->header.id = one->named->id;
  if (std::exchange(one->dead, false) && one->ended) last_words(one);
  auto open = [this, one] {
    return entry(one, "recording.open")
        .with("device", one->header.device)
        .with("path", recording_path(one->header.id));
  };
  journal.commit(open(), [self = shared_from_this(), one, open](const Result<>& written) {
    if (!self->alive) return;
    // Later is better than never.
    if (!written) self->journal.note(open());
    self->tell_opened(one, written);
  });
  gather(one);
}

// Without a file the journal alone tells that there is a visit nobody records.
void Recordings::State::not_made(const Each& one, const std::string& why) {
  trouble = why;
  std::uint64_t dropped = std::exchange(one->output, 0);
  lost += dropped;
  one->gap += dropped;
  one->gap_to_note += dropped;
  held -= one->lines.size();
  one->lines = {};
  tell_opened(one, fail(Fault::journal, why));
  bool first = !std::exchange(one->dead, true);
  if (first || one->ended || base::Clock::now() - one->gap_noted_at >= kMarkAfter) note_gap(one, first);
  if (one->ended) return forget(one);
  one->patience.after(kRetryAfter, [this, one = std::weak_ptr<Recorder::State>(one)] {
    if (auto still = one.lock()) create(still);
  });
}

void Recordings::State::tell_opened(const Each& one, const Result<>& result) {
  one->patience.cancel();
  if (auto opened = std::exchange(one->opened, nullptr)) opened(result);
}

// --- what comes
// -----------------------------------------------------------------------------------------------------

bool Recordings::State::room(const Each& one, std::size_t size) {
  if (!one->dead && !paused && held + size <= kMostHeld) return true;
  lost += size;
  one->gap += size;
  one->gap_to_note += size;
  return false;
}

void Recordings::State::tell_gap(const Each& one) {
  if (one->gap == 0) return;
  std::size_t before = one->lines.size();
  one->encoder.event(one->lines, one->time(),
                     object_of(Entry("gap").with("bytes", static_cast<std::int64_t>(one->gap))));
  held += one->lines.size() - before;
  one->gap = 0;
}

void Recordings::State::note_gap(const Each& one, bool empty_too) {
  if (one->gap_to_note == 0 && !empty_too) return;
  one->gap_noted_at = base::Clock::now();
  Entry gap = entry(one, "recording.gap");
  if (!one->file) {
    gap = Entry("recording.gap").with("device", one->header.device);
    gap.with("session", static_cast<std::int64_t>(one->header.session));
  }
  gap.with("bytes", static_cast<std::int64_t>(std::exchange(one->gap_to_note, 0)));
  journal.note(std::move(gap));
}

void Recordings::State::show(const Each& one, base::Bytes bytes, bool own) {
  if (bytes.empty() || !room(one, bytes.size())) return;
  one->output += bytes.size();
  add(one, [&](std::string& lines) {
    if (own)
      one->encoder.own(lines, one->time(), bytes);
    else
      one->encoder.device(lines, one->time(), bytes);
  });
}

void Recordings::State::gather(const Each& one) {
  if (!std::exchange(one->queued, true)) gathered.push_back(one);
  if (under_way || retry_timer.waiting()) return;
  if (one->lines.size() >= kFlushBytes || one->ended) return hand_over();
  if (!flush_timer.waiting()) flush_timer.after(kFlushAfter, [this] { hand_over(); });
}

// --- to the disk
// ----------------------------------------------------------------------------------------------------

void Recordings::State::hand_over() {
  if (under_way || !alive) return;
  auto batch = std::make_shared<Batch>();
  for (const Each& one : gathered) {
    one->queued = false;
    if (!one->file) continue;  // created() gathers it again
    one->in_batch = true;
    bool mark = one->ended || std::exchange(one->want_mark, false);
    batch->push_back({one, std::move(one->lines), std::exchange(one->output, 0), mark});
    one->lines = {};
  }
  gathered.clear();
  if (batch->empty()) return;
  under_way = batch;
  disk.run(
      [batch] {
        for (Item& item : *batch) {
          CastFile& file = *item.one->file;
          item.result = file.append(item.lines);
          if (item.want_mark || file.unmarked() >= kMarkBytes) item.mark = file.mark();
        }
      },
      [self = shared_from_this(), batch] {
        if (!self->alive) return;
        self->under_way.reset();
        self->take_answers(*batch);
        for (Item& item : *batch) self->advance(item.one);
        if (!self->gathered.empty() && !self->retry_timer.waiting()) self->hand_over();
        if (!self->tick_timer.waiting() && !self->all.empty())
          self->tick_timer.after(kSyncEvery, [state = self.get()] { state->tick(); });
      });
}

void Recordings::State::take_answers(Batch& batch) {
  std::string failed;
  for (Item& item : batch) {
    Recorder::State& one = *item.one;
    one.in_batch = false;
    if (item.mark) {
      one.marks.push_back(std::move(*item.mark));
      one.marked_at = base::Clock::now();
    }
    if (item.result) {
      held -= item.lines.size();
      one.unsynced = one.unsynced || !item.lines.empty();
      continue;
    }
    failed = item.result.error().what;
    one.lines.insert(0, item.lines);
    one.output += item.output;
    one.want_mark = one.want_mark || item.want_mark;
    if (!std::exchange(one.queued, true)) gathered.push_back(item.one);
  }
  if (trouble != failed) {
    if (!failed.empty()) base::log(str("recordings: ", failed));
    trouble = failed;
  }
  if (failed.empty() || !alive) return;
  retry_timer.after(kRetryAfter, [this] {
    for (const Each& one : std::vector<Each>(all))
      if (one->ended && !one->lines.empty() && base::Clock::now() - one->ended_at >= kLastTry) give_up(one);
    hand_over();
  });
}

// What the disk does not take of one that has ended is lost: the bound is for those that live.
void Recordings::State::give_up(const Each& one) {
  lost += one->output;
  one->gap_to_note += one->output;
  one->output = 0;
  held -= one->lines.size();
  one->lines = {};
}

void Recordings::State::sync(const Each& one) {
  if (!one->file || one->sync_runs || (!one->unsynced && one->marks.empty())) return;
  one->sync_runs = true;
  one->synced_at = base::Clock::now();
  one->unsynced = false;
  one->syncing = std::exchange(one->marks, {});
  auto result = std::make_shared<Result<>>();
  syncer->run([file = one->file, result] { *result = file->sync(); },
              [self = shared_from_this(), one, result] {
                if (!self->alive) return;
                one->sync_runs = false;
                self->sync_trouble = *result ? std::string() : result->error().what;
                std::vector<CastMark> marks = std::exchange(one->syncing, {});
                if (*result) {
                  self->note_marks(one, marks);
                } else {
                  one->unsynced = true;
                  one->marks.insert(one->marks.begin(), marks.begin(), marks.end());
                  // One that has ended does not wait for ever.
                  if (one->ended && base::Clock::now() - one->ended_at >= kLastTry) one->marks.clear();
                }
                self->advance(one);
              });
}

// One that pours out marks has them synced and noted together: a sync costs more than what it is for.
void Recordings::State::sync_marks(const Each& one) {
  if (one->marks.empty()) return;
  if (base::Clock::now() - one->synced_at >= kMarksWait) return sync(one);
  if (mark_timer.waiting()) return;
  mark_timer.after(kMarksWait, [this] {
    for (const Each& each : all) sync_marks(each);
  });
}

void Recordings::State::note_marks(const Each& one, const std::vector<CastMark>& marks) {
  for (const CastMark& mark : marks)
    journal.note(entry(one, "recording.mark")
                     .with("from", static_cast<std::int64_t>(mark.from))
                     .with("to", static_cast<std::int64_t>(mark.to))
                     .with("sha256", mark.sha256));
}

void Recordings::State::tick() {
  auto now = base::Clock::now();
  for (const Each& one : std::vector<Each>(all)) {
    sync(one);
    if (one->file && !one->ended && now - one->marked_at >= kMarkAfter) {
      one->marked_at = now;
      one->want_mark = true;
      gather(one);
    }
    if (now - one->gap_noted_at >= kMarkAfter) note_gap(one);
  }
  if (!all.empty()) tick_timer.after(kSyncEvery, [this] { tick(); });
}

// --- end
// ------------------------------------------------------------------------------------------------------------

void Recordings::State::end(const Each& one) {
  one->ended = true;
  one->ended_at = base::Clock::now();
  one->opened = nullptr;
  one->patience.cancel();
  last_words(one);
  if (one->dead && !one->created) {
    note_gap(one);
    return forget(one);
  }
  gather(one);
}

void Recordings::State::last_words(const Each& one) {
  add(one, [&](std::string& lines) {
    one->encoder.event(lines, one->time(), object_of(Entry("close").with("status", one->status)));
  });
}

// One step further with one that has ended: written, synced, noted, finished.
void Recordings::State::advance(const Each& one) {
  if (!one->ended) return sync_marks(one);
  if (!one->file || one->in_batch || !one->lines.empty() || one->sync_runs || one->close_noted) return;
  if (!one->marks.empty()) return sync(one);
  one->close_noted = true;
  note_gap(one);
  auto close = [this, one] {
    return entry(one, "recording.close").with("size", static_cast<std::int64_t>(one->file->size()));
  };
  journal.commit(close(), [self = shared_from_this(), one, close](const Result<>& written) {
    if (!self->alive) return;
    if (!written) self->journal.note(close());
    one->finished = true;
    self->syncer->run([file = one->file] {
      if (Result<> done = file->finish(); !done) base::log(str("recordings: ", done.error().what));
    });
    self->forget(one);
  });
}

void Recordings::State::forget(const Each& one) {
  std::erase(gathered, one);
  std::erase(all, one);
}

Recordings::Recordings(base::Loop& loop, base::Disk& disk, auth::Journal& journal, std::string directory)
    : state_(std::make_shared<State>(loop, disk, journal, std::move(directory))) {
  recover_recordings(journal, state_->directory);
}

Recordings::~Recordings() {
  State& state = *state_;
  state.alive = false;
  state.flush_timer.cancel();
  state.retry_timer.cancel();
  state.tick_timer.cancel();
  state.mark_timer.cancel();
  state.disk.drain();
  if (state.under_way) state.take_answers(*std::exchange(state.under_way, nullptr));
  state.syncer.reset();
  for (const auto& one : std::exchange(state.all, {})) {
    one->patience.cancel();
    if (one->created && *one->created && **one->created) {
      one->file = **one->created;
      one->header.id = one->named->id;
      one->dead = false;
      state.journal.note(state.entry(one, "recording.open")
                             .with("device", one->header.device)
                             .with("path", recording_path(one->header.id)));
    }
    if (!one->file) state.note_gap(one);
    if (!one->file || one->finished) continue;
    if (!one->ended) state.last_words(one);
    if (Result<> written = one->file->append(one->lines); !written) {
      state.give_up(one);
      base::log(str("recordings: ", written.error().what));
    }
    std::vector<CastMark> marks = std::exchange(one->syncing, {});
    marks.insert(marks.end(), one->marks.begin(), one->marks.end());
    if (std::optional<CastMark> last = one->file->mark()) marks.push_back(*last);
    if (Result<> synced = one->file->sync(); !synced)
      base::log(str("recordings: ", synced.error().what));
    else
      state.note_marks(one, marks);
    state.note_gap(one);
    state.journal.note(
        state.entry(one, "recording.close").with("size", static_cast<std::int64_t>(one->file->size())));
    if (Result<> done = one->file->finish(); !done) base::log(str("recordings: ", done.error().what));
  }
  state.gathered.clear();
}

std::unique_ptr<Recorder> Recordings::begin(CastHeader header, std::function<void(Result<>)> opened) {
  auto one = std::make_shared<Recorder::State>(state_, state_->loop);
  one->header = std::move(header);
  one->header.started = base::wall_now();
  one->opened = std::move(opened);
  state_->all.push_back(one);
  state_->create(one);
  return std::unique_ptr<Recorder>(new Recorder(std::move(one)));
}

const std::string& Recordings::directory() const { return state_->directory; }
std::string Recordings::trouble() const {
  return state_->trouble.empty() ? state_->sync_trouble : state_->trouble;
}
std::uint64_t Recordings::lost() const { return state_->lost; }
std::size_t Recordings::live() const {
  return static_cast<std::size_t>(
      std::count_if(state_->all.begin(), state_->all.end(), [](const auto& one) { return !one->ended; }));
}
void Recordings::pause(bool paused) { state_->paused = paused; }

// --- one
// ------------------------------------------------------------------------------------------------------------

Recorder::Recorder(std::shared_ptr<State> state) : state_(std::move(state)) {}
Recorder::~Recorder() {
  if (state_->recordings->alive) state_->recordings->end(state_);
}

const std::string& Recorder::id() const { return state_->header.id; }
void Recorder::device(base::Bytes bytes) { state_->recordings->show(state_, bytes, false); }
void Recorder::own(base::Bytes bytes) { state_->recordings->show(state_, bytes, true); }

void Recorder::typed(base::Bytes bytes) {
  if (bytes.empty() || !state_->recordings->room(state_, bytes.size())) return;
  state_->recordings->add(state_,
                          [&](std::string& lines) { state_->encoder.typed(lines, state_->time(), bytes); });
}

void Recorder::resized(unsigned columns, unsigned rows) {
  if (state_->recordings->held > Recordings::kMostHeld + kEventsBeyond) return;
  state_->recordings->add(
      state_, [&](std::string& lines) { state_->encoder.resized(lines, state_->time(), columns, rows); });
}

void Recorder::event(const auth::Entry& entry) {
  if (state_->recordings->held > Recordings::kMostHeld + kEventsBeyond) return;
  state_->recordings->add(
      state_, [&](std::string& lines) { state_->encoder.event(lines, state_->time(), object_of(entry)); });
}

void Recorder::closing(int status) { state_->status = status; }

}  // namespace oob::audit

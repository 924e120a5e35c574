#include "console/transcript.h"

#include <algorithm>
#include <cassert>
#include <mutex>
#include <utility>
#include <vector>

#include "console/segment_writer.h"
#include "console/segments.h"
#include "console/time_index.h"

namespace oob::console {
namespace {

constexpr base::milliseconds kSilence{250};      // what comes after it begins a burst, and gets a stamp
constexpr base::milliseconds kStampAfter{1000};  // while output flows
constexpr base::milliseconds kRetryEvery{1000};  // of transcripts that could not be written
constexpr std::size_t kHeadroom = 256 * 1024;    // crowded() warns so much before the bound
constexpr std::size_t kMostMarks = 256;          // of one transcript, not yet handed over

base::Micros micros(base::Clock::duration time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

}  // namespace

struct Transcript::State {
  std::string device;
  std::shared_ptr<Archive::State> archive;
  std::shared_ptr<SegmentWriter> writer;  // touched on the disk thread only
  std::string bytes;                      // not yet handed over
  std::vector<Mark> marks;
  base::Micros began = 0;  // when the first of them came
  Offset end = 0, written = 0, shown = 0, told = 0;
  std::optional<std::uint64_t> origin;
  bool holes = false;  // something was lost: offsets here and in the files no longer go together
  base::Clock::time_point last_append = base::Clock::now(), last_stamp{};
  bool stamped = false;   // false: the next byte needs a stamp, whenever it comes
  bool queued = false;    // in Archive::State::gathered
  bool failing = false;   // in Archive::State::failing
  bool closed = false;    // its Transcript is gone
  bool unsealed = false;  // holds bytes of no finished range
  std::string trouble;
  std::function<void()> on_showable;
};

struct Archive::State : std::enable_shared_from_this<Archive::State> {
  using Each = std::shared_ptr<Transcript::State>;
  struct Item {
    Each transcript;
    std::string bytes;
    std::vector<Mark> marks;
    base::Micros began;
    Transcript::Offset end;
    bool last;  // its Transcript is gone
    // The answer.
    std::string trouble{};
    std::uint64_t file_end = 0, lost = 0;
    bool unsealed = false;
  };
  struct Sealed {
    std::string device;
    SealedRange range;
  };
  // Ranges that were written and perhaps not yet synced: the disk thread adds, the loop takes.
  struct SealBox {
    std::mutex mutex;
    std::vector<Sealed> ranges;

    void add(const std::string& device, std::vector<SealedRange> some) {
      std::lock_guard lock(mutex);
      for (SealedRange& each : some) ranges.push_back({device, std::move(each)});
    }
    std::vector<Sealed> take() {
      std::lock_guard lock(mutex);
      return std::exchange(ranges, {});
    }
  };
  using Batch = std::vector<Item>;

  State(base::Loop& l, base::Disk& d, std::string folder, std::uint64_t size)
      : disk(d),
        directory(std::move(folder)),
        segment_size(size),
        syncer(std::make_unique<base::Disk>(l)),
        flush_timer(l),
        slow_timer(l),
        retry_timer(l),
        sync_timer(l),
        seal_timer(l) {}

  base::Disk& disk;
  const std::string directory;
  const std::uint64_t segment_size;
  std::shared_ptr<Unsynced> unsynced = std::make_shared<Unsynced>();
  std::unique_ptr<base::Disk> syncer;  // apart, so that syncing never delays writing
  base::Timer flush_timer, slow_timer, retry_timer, sync_timer, seal_timer;
  std::vector<Each> open;      // all there are
  std::vector<Each> gathered;  // with something to hand over
  std::vector<Each> failing;   // whose last write failed
  std::size_t held = 0;        // bytes, gathered and under way
  bool under_way = false, slow = false, syncing = false, to_sync = false;
  base::Clock::time_point handed_over{};
  std::string trouble, sync_trouble;
  std::uint64_t lost = 0;
  std::function<void()> on_trouble;
  std::shared_ptr<SealBox> sealed = std::make_shared<SealBox>();
  std::map<std::string, std::uint64_t> marked;  // by earlier runs
  std::vector<Sealed> in_sync;                  // told when the sync under way has worked
  std::function<void(const std::string&)> on_open;
  std::function<void(const std::string&, const SealedRange&)> on_sealed;

  void gather(const Each& one);
  void hand_over();
  void finished(Batch& batch);
  void look_whether_slow();
  void arm_sync();
  void tell(const std::vector<Each>& some);
  void settle_trouble();
  void settle_sealed(bool synced);
  void arm_seal();
};

void Archive::State::gather(const Each& one) {
  if (std::exchange(one->queued, true)) return;
  one->began = base::wall_now();
  gathered.push_back(one);
  if (!flush_timer.waiting() && !under_way)
    flush_timer.after(kFlushAfter, [this] {
      if (!under_way) hand_over();
    });
}

void Archive::State::hand_over() {
  if (gathered.empty()) return;
  auto batch = std::make_shared<Batch>();
  batch->reserve(gathered.size());
  for (Each& one : gathered) {
    one->queued = false;
    Transcript::Offset end = one->end;
    batch->push_back({.transcript = one,
                      .bytes = std::move(one->bytes),
                      .marks = std::move(one->marks),
                      .began = one->began,
                      .end = end,
                      .last = one->closed});
    one->bytes = {};
    one->marks = {};
  }
  gathered.clear();
  under_way = true;
  handed_over = base::Clock::now();
  if (!slow_timer.waiting()) slow_timer.after(kBehindAfter, [this] { look_whether_slow(); });
  disk.run(
      [batch, box = sealed] {
        for (Item& item : *batch) {
          base::Result<> result = item.transcript->writer->write(item.bytes, item.marks, item.began);
          if (!result) item.trouble = result.error().what;
          item.file_end = item.transcript->writer->end();
          item.lost = item.transcript->writer->lost_now();
          TranscriptSeal& seal = item.transcript->writer->seal();
          if (item.last)
            seal.finish();
          else
            seal.look(base::Clock::now());
          box->add(item.transcript->device, seal.take());
          item.unsealed = seal.open();
        }
      },
      [self = shared_from_this(), batch] { self->finished(*batch); });
}

void Archive::State::finished(Batch& batch) {
  under_way = false;
  std::vector<Each> grown;
  grown.reserve(batch.size());
  for (Item& item : batch) {
    Transcript::State& one = *item.transcript;
    held -= item.bytes.size();
    one.written = item.end;
    if (!one.origin && !one.holes && item.trouble.empty() && item.file_end >= item.end)
      one.origin = item.file_end - item.end;
    one.trouble = std::move(item.trouble);
    lost += item.lost;
    one.unsealed = item.unsealed;
    if (item.lost) {
      one.origin.reset();
      one.holes = true;
    }
    if (!one.trouble.empty() && !std::exchange(one.failing, true)) failing.push_back(item.transcript);
    grown.push_back(std::move(item.transcript));
  }
  batch.clear();
  if (std::exchange(slow, false))
    for (const Each& one : open) one->shown = one->end;
  settle_trouble();
  to_sync = true;
  arm_sync();
  arm_seal();
  hand_over();
  tell(grown);
}

void Archive::State::settle_trouble() {
  std::erase_if(failing, [](const Each& one) {
    one->failing = !one->trouble.empty() && !one->closed;
    return !one->failing;
  });
  const std::string& now = failing.empty() ? sync_trouble : failing.front()->trouble;
  if (trouble != now) {
    trouble = now;
    if (on_trouble) on_trouble();
  }
  if (failing.empty() || retry_timer.waiting() || !syncer) return;
  // Silent consoles too: their gaps are to be marked, and the trouble to end, without waiting for a byte.
  retry_timer.after(kRetryEvery, [this] {
    for (const Each& one : failing) gather(one);
    if (!under_way) hand_over();
  });
}

void Archive::State::look_whether_slow() {
  if (!under_way) return;
  auto taken = base::Clock::now() - handed_over;
  if (taken < kBehindAfter) {
    auto rest = std::chrono::ceil<base::milliseconds>(kBehindAfter - taken);
    slow_timer.after(rest, [this] { look_whether_slow(); });
    return;
  }
  slow = true;
  tell(std::vector<Each>(open));
}

void Archive::State::tell(const std::vector<Each>& some) {
  for (const Each& one : some) {
    Transcript::Offset now = slow ? one->end : std::max(one->written, one->shown);
    if (one->closed || now <= one->told) continue;
    one->told = now;
    if (one->on_showable) one->on_showable();
  }
}

void Archive::State::arm_sync() {
  if (syncing || !to_sync || sync_timer.waiting() || !syncer) return;
  sync_timer.after(kSyncEvery, [this] {
    syncing = true;
    to_sync = false;
    auto result = std::make_shared<base::Result<>>();
    in_sync = sealed->take();
    syncer->run([list = unsynced, result] { *result = list->sync(); },
                [self = shared_from_this(), result] {
                  self->syncing = false;
                  self->settle_sealed(bool(*result));
                  self->sync_trouble = *result ? std::string() : result->error().what;
                  self->settle_trouble();
                  self->arm_sync();
                });
  });
}

// What could not be synced waits for a sync that works.
void Archive::State::settle_sealed(bool synced) {
  for (Sealed& each : std::exchange(in_sync, {})) {
    if (!synced)
      sealed->add(each.device, {std::move(each.range)});
    else if (on_sealed)
      on_sealed(each.device, each.range);
  }
}

// A console that has fallen silent gets its last range sealed too.
void Archive::State::arm_seal() {
  if (seal_timer.waiting() || !syncer) return;
  bool any = std::any_of(open.begin(), open.end(), [](const Each& one) { return one->unsealed; });
  if (!any) return;
  seal_timer.after(kSealEvery, [this] {
    for (const Each& one : open)
      if (one->unsealed) gather(one);
    if (!under_way) hand_over();
    arm_seal();
  });
}

Archive::Archive(base::Loop& loop, base::Disk& disk, std::string directory, std::uint64_t segment_size)
    : state_(std::make_shared<State>(loop, disk, std::move(directory), segment_size)) {}

Archive::~Archive() {
  state_->hand_over();  // behind a batch under way: jobs keep their order
  state_->failing.clear();
  state_->syncer.reset();
  state_->disk.run([list = state_->unsynced] {
    base::Result<> ignored = list->sync();  // at the end there is nobody left to tell
    (void)ignored;
  });
  for (base::Timer* timer : {&state_->flush_timer, &state_->slow_timer, &state_->retry_timer,
                             &state_->sync_timer, &state_->seal_timer})
    timer->cancel();
}

std::unique_ptr<Transcript> Archive::open(const std::string& device) {
  auto one = std::make_shared<Transcript::State>();
  one->device = device;
  one->archive = state_;
  one->writer = std::make_shared<SegmentWriter>(transcript_folder(state_->directory, device),
                                                state_->segment_size, state_->unsynced);
  if (auto marked = state_->marked.find(device); marked != state_->marked.end()) {
    one->writer->resume_seal(marked->second, kMostResumed);
    state_->marked.erase(marked);
  }
  state_->open.push_back(one);
  if (state_->on_open) state_->on_open(device);
  std::unique_ptr<Transcript> transcript(new Transcript(std::move(one)));
  transcript->mark("start", "");
  return transcript;
}

void Archive::flush() {
  State& state = *state_;
  if (!state.under_way) {
    state.hand_over();
  } else if (state.slow && !state.gathered.empty()) {
    state.tell(std::vector<State::Each>(state.gathered));
  }
}

bool Archive::crowded() const { return state_->held + kHeadroom >= kMostHeld; }
bool Archive::behind() const { return state_->slow; }
const std::string& Archive::trouble() const { return state_->trouble; }
std::uint64_t Archive::lost() const { return state_->lost; }
void Archive::on_trouble(std::function<void()> what) { state_->on_trouble = std::move(what); }

void Archive::on_sealed(std::function<void(const std::string&, const SealedRange&)> what) {
  state_->on_sealed = std::move(what);
}

void Archive::on_open(std::function<void(const std::string&)> what) { state_->on_open = std::move(what); }

void Archive::resume_seals(std::map<std::string, std::uint64_t> marked) {
  state_->marked = std::move(marked);
}

void Archive::seal() {
  State& state = *state_;
  state.hand_over();
  state.disk.drain();
  state.syncer->drain();
  // Neither thread is at work: what is theirs may be touched.
  for (const State::Each& one : state.open) {
    one->writer->seal().finish();
    state.sealed->add(one->device, one->writer->seal().take());
  }
  for (State::Sealed& each : state.sealed->take()) state.in_sync.push_back(std::move(each));
  state.settle_sealed(bool(state.unsynced->sync()));
}

Transcript::Transcript(std::shared_ptr<State> state) : state_(std::move(state)) {}

Transcript::~Transcript() {
  Archive::State& archive = *state_->archive;
  state_->closed = true;
  if (!archive.under_way) archive.hand_over();
  std::erase(archive.open, state_);
}

void Transcript::append(base::Bytes bytes) {
  if (bytes.empty()) return;
  State& state = *state_;
  Archive::State& archive = *state.archive;
  archive.gather(state_);
  auto now = base::Clock::now();
  auto silence = now - state.last_append;
  state.last_append = now;
  std::size_t taken = std::min(bytes.size(), Archive::kMostHeld - std::min(Archive::kMostHeld, archive.held));
  if (taken > 0 && (silence >= kSilence || now - state.last_stamp >= kStampAfter || !state.stamped)) {
    state.last_stamp = now;
    state.stamped = true;
    mark("at", silence >= kSilence ? silence_text(micros(silence)) : std::string());
  }
  state.bytes.append(bytes.substr(0, taken));
  state.end += bytes.size();
  archive.held += taken;
  if (taken == bytes.size()) return;
  std::size_t dropped = bytes.size() - taken, before = 0;
  archive.lost += dropped;
  state.origin.reset();
  state.holes = true;
  state.stamped = false;
  if (!state.marks.empty() && state.marks.back().kind == "gap" &&
      state.marks.back().at == state.bytes.size() && base::parse_number(state.marks.back().text, before)) {
    state.marks.back().text = std::to_string(before + dropped);
  } else {
    mark("gap", std::to_string(dropped));
  }
}

void Transcript::mark(std::string_view kind, std::string_view text) {
  assert(!kind.empty() && kind.size() <= 15);
  State& state = *state_;
  state.archive->gather(state_);
  if (state.marks.size() >= kMostMarks && kind != "gap") return;
  bool last = state.marks.size() + 1 == kMostMarks && kind != "gap";
  state.marks.push_back({state.bytes.size(), base::wall_now(), std::string(last ? "note" : kind),
                         last ? "further marks are lost: the disk is slow" : std::string(text)});
}

Transcript::Offset Transcript::end() const { return state_->end; }
Transcript::Offset Transcript::written() const { return state_->written; }
Transcript::Offset Transcript::showable() const {
  return state_->archive->slow ? state_->end : std::max(state_->written, state_->shown);
}
std::optional<std::uint64_t> Transcript::origin() const { return state_->origin; }
void Transcript::on_showable(std::function<void()> what) { state_->on_showable = std::move(what); }

}  // namespace oob::console

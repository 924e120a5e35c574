#include "auth/journal.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "auth/journal_line.h"
#include "auth/journal_writer.h"
#include "base/log.h"

namespace oob::auth {

using base::Disk;
using base::fail;
using base::Fault;
using base::Loop;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostCommits = 1024;  // waiting
constexpr std::size_t kMostSeals = 1024;    // waiting
constexpr std::size_t kMostNotes = 4096;    // waiting while all is well
constexpr std::size_t kMostKept = 256;      // waiting while writing fails
constexpr std::size_t kMostBatch = 1024;
constexpr base::milliseconds kLater{1000};  // until a failed write is tried again
constexpr base::milliseconds kGrowth{250};  // between two words to followers, at least

// A disk that hangs must not hang whoever waits: `answer` gets its result or, later than kPatience, an error.
template <class Value>
std::function<void(Result<Value>)> with_patience(Loop& loop, std::function<void(Result<Value>)> answer) {
  struct Waiting {
    explicit Waiting(Loop& l) : limit(l) {}
    std::function<void(Result<Value>)> answer;
    base::Timer limit;
  };
  auto waiting = std::make_shared<Waiting>(loop);
  waiting->answer = std::move(answer);
  waiting->limit.after(Journal::kPatience, [one = std::weak_ptr<Waiting>(waiting)] {
    auto still = one.lock();
    if (still && still->answer)
      std::exchange(still->answer, nullptr)(fail(Fault::journal, "journal: the disk does not answer"));
  });
  return [waiting](Result<Value> result) {
    waiting->limit.cancel();
    if (waiting->answer) std::exchange(waiting->answer, nullptr)(std::move(result));
  };
}

}  // namespace

Entry& Entry::with(std::string key, std::string value) & {
  fields[std::move(key)] = std::move(value);
  return *this;
}
Entry&& Entry::with(std::string key, std::string value) && {
  return std::move(with(std::move(key), std::move(value)));
}
Entry& Entry::with(std::string key, std::int64_t value) & {
  fields[std::move(key)] = value;
  return *this;
}
Entry&& Entry::with(std::string key, std::int64_t value) && { return std::move(with(std::move(key), value)); }

// One job is under way at a time; what comes meanwhile goes into the next batch and shares its sync.
struct Journal::State : std::enable_shared_from_this<Journal::State> {
  struct Seal {
    std::uint64_t after;  // the item that has to be written before
    std::function<void(Result<Checkpoint>)> done;
  };
  struct Follower {
    std::function<void()> what;
  };

  // What opening came to.
  struct Opened {
    Result<> result;
    std::shared_ptr<JournalWriter> writer;
    JournalWriter::Progress progress;
    std::int64_t dropped = 0;
    std::string loss;
    bool born = false;
  };

  State(Loop& l, Disk& d, std::string directory, Options o, std::shared_ptr<JournalDisk> f)
      : loop(l),
        disk(d),
        state(std::move(directory)),
        options(std::move(o)),
        files(std::move(f)),
        timer(std::make_unique<base::Timer>(l)),
        key_timer(std::make_unique<base::Timer>(l)),
        growth_timer(std::make_unique<base::Timer>(l)) {}

  Loop& loop;
  Disk& disk;
  std::string state;  // the folder
  Options options;
  std::shared_ptr<JournalDisk> files;
  std::int64_t dropped = 0;
  std::string loss;
  std::shared_ptr<JournalWriter> writer;  // the disk thread's; none until it is open
  std::optional<SignedNote> checkpoint;
  JournalWriter::Progress progress;
  std::deque<JournalItem> queue;
  std::deque<Seal> seals;
  std::size_t notes = 0;    // in the queue
  std::size_t commits = 0;  // in the queue and under way
  std::uint64_t lost = 0;
  std::uint64_t came = 0, went = 0;  // items that were queued, and that are in the files or given up
  std::string trouble, seal_trouble;
  std::unique_ptr<base::Timer> timer, key_timer, growth_timer;
  std::vector<std::weak_ptr<Follower>> followers;
  std::uint64_t told = 0;  // to them
  bool busy = false;
  bool unsynced = false;     // something noted may not be on the disk yet
  bool sync_failed = false;  // the trouble is that of a sync alone
  bool alive = true;
  bool failing = false;  // as the followers know it

  // Blocks. `now`: of the first record that is to come.
  static Opened open(const std::shared_ptr<JournalDisk>& files, const std::string& state,
                     std::uint64_t reserve, const JournalStamp& now) {
    Opened opened;
    std::string boot = boot_id();
    Result<JournalLife> life = start_journal(*files, state, boot, now);
    if (!life) {
      opened.result = life.error();
      return opened;
    }
    opened.dropped = life->dropped;
    opened.loss = life->loss;
    opened.born = life->born;
    opened.writer = std::make_shared<JournalWriter>(files, state, std::move(*life), std::move(boot), reserve);
    opened.progress = opened.writer->progress();
    return opened;
  }

  void adopt(Opened opened) {
    writer = std::move(opened.writer);
    dropped = opened.dropped;
    loss = std::move(opened.loss);
    show(opened.progress);
    if (!opened.born) rotate();
    key_timer->after(options.new_key_after, [this] { next_day(); });
  }

  void open_later(base::milliseconds after) {
    timer->after(after, [this] {
      auto opened = std::make_shared<Opened>();
      auto began = base::Clock::now();
      JournalStamp first = queue.empty() ? options.now() : queue.front().stamp;
      disk.run([opened, first, one = files, folder = state,
                reserve = options.reserve] { *opened = open(one, folder, reserve, first); },
               [self = shared_from_this(), opened, began] {
                 if (self->alive) self->opened_later(std::move(*opened), base::Clock::now() - began);
               });
    });
  }

  // A journal that takes long to be read keeps the disk thread from its other work: then less often.
  void opened_later(Opened opened, base::Clock::duration took) {
    if (!opened.result) {
      if (trouble != opened.result.error().what) base::log(opened.result.error().what);
      trouble = opened.result.error().what;
      auto rest = std::chrono::duration_cast<base::milliseconds>(10 * took);
      return open_later(std::max<base::milliseconds>(options.open_again_after, rest));
    }
    base::log(str("journal: opened at last, ", notes, " entries waited",
                  lost > 0 ? str(" and ", lost, " are lost") : "",
                  opened.dropped > 0 ? str("; ", opened.dropped, " torn bytes are cut off") : ""));
    if (!opened.loss.empty()) base::log(str("THE JOURNAL BEGINS ANEW: ", opened.loss));
    trouble.clear();
    adopt(std::move(opened));
    start();
    arm();
    tell_of_trouble();
  }

  void next_day() {
    rotate();
    key_timer->after(options.new_key_after, [this] { next_day(); });
  }

  void rotate() {
    bool waits =
        std::any_of(queue.begin(), queue.end(), [](const JournalItem& item) { return item.rotates; });
    if (waits) return;
    queue.push_back({Entry("key.rotate"), options.now(), nullptr, true, ++came});
    ++notes;
    start();
  }

  void note(Entry entry) {
    // After the first loss all is lost until the gap is told, so that the gap is one.
    if (lost > 0 || notes >= (trouble.empty() ? kMostNotes : kMostKept)) {
      lose(1);
    } else {
      queue.push_back({std::move(entry), options.now(), nullptr, false, ++came});
      ++notes;
    }
    if (trouble.empty()) start();
    arm();
  }

  void commit(Entry entry, std::function<void(Result<>)> done) {
    if (!writer) return later_answer<void>(std::move(done), trouble);
    if (commits >= kMostCommits) {
      later_answer<void>(std::move(done), "journal: too many waiting");
      return;
    }
    ++commits;
    queue.push_back({std::move(entry), options.now(), std::move(done), false, ++came});
    start();
  }

  template <class Value>
  void later_answer(std::function<void(Result<Value>)> done, std::string why) {
    loop.post([self = shared_from_this(), done = std::move(done), why = std::move(why)] {
      if (self->alive) done(fail(Fault::journal, why));
    });
  }

  void seal(std::function<void(Result<Checkpoint>)> done) {
    if (!writer) return later_answer<Checkpoint>(std::move(done), trouble);
    if (seals.size() >= kMostSeals) {
      later_answer<Checkpoint>(std::move(done), "journal: too many waiting");
      return;
    }
    seals.push_back({came, std::move(done)});
    start();
  }

  void lose(std::uint64_t count) {
    if (lost == 0) base::log("journal: entries are being lost");
    lost += count;
  }

  // The next job for the disk thread, if there is one. Checkpoints that are due go first, lest more and more
  // records wait for theirs.
  void start() {
    if (busy || !writer) return;
    bool items = !queue.empty() || lost > 0;
    bool asked = !seals.empty() && (queue.empty() || seals.front().after <= went);
    if (seal_trouble.empty() && progress.due) return start_seal(asked);
    if (asked) return start_seal(true);
    if (!items) return;
    auto batch = std::make_shared<JournalBatch>();
    while (!queue.empty() && batch->items.size() < kMostBatch) {
      JournalItem& first = queue.front();
      if (first.done)
        batch->sync = true;
      else
        --notes;
      batch->items.push_back(std::move(first));
      queue.pop_front();
    }
    if (queue.empty()) add_gap(*batch);
    hand_over(std::move(batch));
  }

  void add_gap(JournalBatch& batch) {
    if (lost == 0) return;
    Entry gap("gap");
    gap.with("lost", static_cast<std::int64_t>(lost));
    batch.lost = std::exchange(lost, 0);
    batch.items.push_back({std::move(gap), options.now(), nullptr, false, 0});
  }

  void hand_over(std::shared_ptr<JournalBatch> batch) {
    busy = true;
    auto after = std::make_shared<JournalWriter::Progress>();
    disk.run(
        [writer = writer, batch, after] {
          batch->result = writer->write(*batch);
          *after = writer->progress();
        },
        [self = shared_from_this(), batch, after] { self->finished(*batch, *after); });
  }

  void show(const JournalWriter::Progress& now) {
    progress = now;
    if (!checkpoint || checkpoint->checkpoint != now.checkpoint.checkpoint) checkpoint = now.checkpoint;
    if (progress.synced > told && !growth_timer->waiting() && !followers.empty()) tell();
  }

  void tell() {
    told = progress.synced;
    growth_timer->after(kGrowth, [this] {
      if (progress.synced > told) tell();
    });
    loop.post([self = shared_from_this()] { self->call_followers(); });
  }

  void tell_of_trouble() {
    const bool fails = !trouble.empty() || !seal_trouble.empty();
    if (std::exchange(failing, fails) == fails) return;
    loop.post([self = shared_from_this()] { self->call_followers(); });
  }

  void call_followers() {
    std::vector<std::weak_ptr<Follower>> now = followers;
    for (const auto& one : now) {
      std::shared_ptr<Follower> follower = one.lock();
      if (follower && alive) follower->what();
    }
    std::erase_if(followers, [](const auto& one) { return one.expired(); });
  }

  void finished(JournalBatch& batch, const JournalWriter::Progress& now) {
    busy = false;
    if (!alive) return;
    show(now);
    commits -= static_cast<std::size_t>(std::count_if(
        batch.items.begin(), batch.items.end(), [](const JournalItem& item) { return bool(item.done); }));
    bool only_sync = batch.items.empty();
    std::deque<Seal> given_up;
    if (batch.result) {
      // That a sync works says nothing of room for more.
      if (!trouble.empty() && (!only_sync || sync_failed)) {
        base::log("journal: written again");
        trouble.clear();
      }
      unsynced = !batch.sync;
      for (const JournalItem& item : batch.items) went = std::max(went, item.number);
      start();
    } else {
      if (trouble.empty()) base::log(batch.result.error().what);
      trouble = batch.result.error().what;
      sync_failed = only_sync;
      keep(batch);
      given_up.swap(seals);
      if (commits > 0) start();  // a commit is tried at once, notes wait for the timer
    }
    arm();
    tell_of_trouble();
    for (JournalItem& item : batch.items) {
      if (!item.done) continue;
      item.done(batch.result);
      if (!alive) return;
    }
    for (Seal& seal : given_up) {
      seal.done(batch.result.error());
      if (!alive) return;
    }
  }

  void start_seal(bool everything) {
    busy = true;
    struct Job {
      Result<> result;
      JournalWriter::Progress after;
    };
    auto job = std::make_shared<Job>();
    disk.run(
        [writer = writer, everything, job] {
          job->result = writer->seal(everything);
          job->after = writer->progress();
        },
        [self = shared_from_this(), everything, job, covers = queue.empty() ? came : went] {
          self->sealed(job->result, job->after, everything, covers);
        });
  }

  void sealed(const Result<>& result, const JournalWriter::Progress& now, bool everything,
              std::uint64_t covers) {
    busy = false;
    if (!alive) return;
    show(now);
    std::deque<Seal> answers;
    if (!result) {
      if (trouble.empty() && seal_trouble.empty()) base::log(result.error().what);
      seal_trouble = result.error().what;
      answers.swap(seals);
    } else {
      if (!seal_trouble.empty()) base::log("journal: sealed again");
      seal_trouble.clear();
      if (everything) unsynced = false;
      while (everything && !seals.empty() && seals.front().after <= covers) {
        answers.push_back(std::move(seals.front()));
        seals.pop_front();
      }
    }
    start();
    arm();
    tell_of_trouble();
    for (Seal& seal : answers) {
      seal.done(result ? Result<Checkpoint>(now.checkpoint.checkpoint) : Result<Checkpoint>(result.error()));
      if (!alive) return;
    }
  }

  // Puts the notes of a failed batch back to the front, and drops the newest beyond the bound.
  void keep(JournalBatch& batch) {
    if (batch.lost > 0) batch.items.pop_back();
    lost += batch.lost;
    for (auto item = batch.items.rbegin(); item != batch.items.rend(); ++item) {
      if (item->done) continue;
      queue.push_front({item->entry, item->stamp, nullptr, item->rotates, item->number});
      ++notes;
    }
    for (std::size_t at = queue.size(); notes > kMostKept && at-- > 0;) {
      if (queue[at].done || queue[at].rotates) continue;
      queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(at));
      --notes;
      lose(1);
    }
  }

  void arm() {
    bool waits = unsynced || progress.unsealed || (!trouble.empty() && (notes > 0 || lost > 0));
    if (!waits || busy || !writer || timer->waiting()) return;
    bool fails = !trouble.empty() || !seal_trouble.empty();
    timer->after(fails ? kLater : kSealAfter, [this] { later(); });
  }

  // Tries again what failed, and seals what has waited long enough, which syncs it as well.
  void later() {
    if (busy) {
      timer->after(base::milliseconds(10), [this] { later(); });
      return;
    }
    if (!trouble.empty() && (!queue.empty() || lost > 0)) {
      start();
      if (busy) return;
    }
    if (unsynced || progress.unsealed) start_seal(true);
  }
};

Result<std::unique_ptr<Journal>> Journal::open(Loop& loop, Disk& disk, std::string directory) {
  return open(loop, disk, std::move(directory), Options{});
}

Result<std::unique_ptr<Journal>> Journal::open(Loop& loop, Disk& disk, std::string directory,
                                               Options options) {
  return open(loop, disk, std::move(directory), std::move(options), std::make_shared<JournalDisk>());
}

Result<std::unique_ptr<Journal>> Journal::open(Loop& loop, Disk& disk, std::string directory, Options options,
                                               std::shared_ptr<JournalDisk> files) {
  State::Opened opened = State::open(files, directory, options.reserve, options.now());
  if (!opened.result && (!options.opens_later || opened.result.error().fault != Fault::journal))
    return opened.result.error();
  auto state =
      std::make_shared<State>(loop, disk, std::move(directory), std::move(options), std::move(files));
  if (opened.result) {
    state->adopt(std::move(opened));
  } else {
    state->trouble = opened.result.error().what;
    base::log(str("THE JOURNAL CAN'T BE OPENED, and is tried again: ", state->trouble));
    state->open_later(state->options.open_again_after);
  }
  return std::unique_ptr<Journal>(new Journal(std::move(state)));
}

Journal::Journal(std::shared_ptr<State> state) : state_(std::move(state)) {}

Journal::~Journal() {
  state_->alive = false;
  state_->timer.reset();
  state_->key_timer.reset();
  state_->growth_timer.reset();
  if (!state_->writer) {
    base::log(str("journal: never opened, ", state_->notes + state_->lost, " entries are lost"));
    return;
  }
  auto last = std::make_shared<JournalBatch>();
  last->sync = true;
  for (JournalItem& item : state_->queue) {
    if (!item.done) last->items.push_back(std::move(item));
  }
  state_->queue.clear();
  state_->seals.clear();
  state_->add_gap(*last);
  state_->disk.run([writer = state_->writer, last] {
    Result<> written = writer->write(*last);
    if (!written) base::log(written.error().what);
    if (Result<> sealed = writer->seal(true); !sealed && written) base::log(sealed.error().what);
  });
}

void Journal::note(Entry entry) { state_->note(std::move(entry)); }

void Journal::commit(Entry entry, std::function<void(Result<>)> done) {
  // After an error the entry may be written all the same: an intent, not carried out.
  state_->commit(std::move(entry), with_patience<void>(state_->loop, std::move(done)));
}

void Journal::seal(std::function<void(Result<Checkpoint>)> done) {
  state_->seal(with_patience<Checkpoint>(state_->loop, std::move(done)));
}

std::string Journal::trouble() const {
  return state_->trouble.empty() ? state_->seal_trouble : state_->trouble;
}
bool Journal::is_open() const { return state_->writer != nullptr; }
std::int64_t Journal::dropped_bytes() const { return state_->dropped; }
const std::optional<SignedNote>& Journal::checkpoint() const { return state_->checkpoint; }
std::string Journal::vkey() const { return state_->progress.vkey; }
const std::string& Journal::loss() const { return state_->loss; }
std::uint64_t Journal::written() const { return state_->progress.synced; }
std::uint64_t Journal::reserve_left() const { return state_->progress.reserve; }

Journal::Handle Journal::on_growth(std::function<void()> what) {
  auto follower = std::make_shared<State::Follower>(std::move(what));
  state_->followers.push_back(follower);
  return follower;
}

void Journal::drop_oldest(base::Blocking& blocking, std::function<void(Result<>)> done) {
  if (!is_open()) return state_->later_answer<void>(std::move(done), trouble());
  struct Drop {
    Result<Entry> record = fail(Fault::internal, "");
    std::uint64_t to = 0;
    Result<JournalWriter::Cut> cut = JournalWriter::Cut();
    Result<> removed;
    std::function<void(Result<>)> done;
  };
  auto drop = std::make_shared<Drop>();
  drop->done = std::move(done);
  auto remove = [state = state_, drop] {
    if (!state->alive) return;
    // What is left of them could not be written: they are cut with a later file.
    if (!drop->cut) base::log(drop->cut.error().what), drop->cut = JournalWriter::Cut();
    state->disk.run([state, drop] { drop->removed = state->writer->remove_before(drop->to, *drop->cut); },
                    [state, drop] {
                      if (state->alive) drop->done(drop->removed);
                    });
  };
  auto cut = [state = state_, &blocking, drop, remove] {
    blocking.run(
        [files = state->files, folder = state->state + "/journal", upto = state->progress.notes_bytes, drop] {
          drop->cut = JournalWriter::cut_notes(*files, folder, drop->to, upto);
        },
        remove);
  };
  // Reading and hashing 16 MiB would keep commits waiting, were it done by the disk thread.
  blocking.run([folder = state_->state + "/journal", sealed = state_->progress.checkpoint.checkpoint.size,
                drop] { drop->record = JournalWriter::oldest(folder, sealed, drop->to); },
               [state = state_, drop, cut] {
                 if (!state->alive) return;
                 if (!drop->record) return drop->done(drop->record.error());
                 // A verifier believes only a retention that a checkpoint holds.
                 state->commit(std::move(*drop->record), [state, drop, cut](Result<> written) {
                   if (!written) return drop->done(written);
                   state->seal([drop, cut](const Result<Checkpoint>& sealed) {
                     if (!sealed) return drop->done(sealed.error());
                     cut();
                   });
                 });
               });
}

}  // namespace oob::auth

#include "auth/journal.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "auth/journal_files.h"
#include "auth/journal_line.h"
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
constexpr std::size_t kMostNotes = 4096;    // waiting while all is well
constexpr std::size_t kMostKept = 256;      // waiting while writing fails
constexpr std::size_t kMostBatch = 1024;
constexpr base::milliseconds kLater{
    1000};  // until a failed write is tried again, or what was noted is synced

struct Item {
  Entry entry;
  JournalStamp stamp;
  std::function<void(Result<>)> done;  // of a commit
};

// What is written together.
struct Batch {
  std::vector<Item> items;
  std::uint64_t lost = 0;  // told by the gap entry at its end
  bool sync = false;
  Result<> result;
};

// The disk thread's side. Numbers are given here and only for good when all of a batch is in the file, so
// that a failure leaves neither a hole nor a double.
class Writer {
 public:
  explicit Writer(std::unique_ptr<JournalFiles> files)
      : files_(std::move(files)), boot_(boot_id()), next_(files_->next_number()), whole_(files_->size()) {}

  Result<> write(const Batch& batch) {
    if (batch.items.empty()) return batch.sync ? files_->sync() : Result<>();
    if (Result<> ready = make_ready(); !ready) return ready;
    std::string lines;
    std::uint64_t number = next_;
    for (const Item& item : batch.items) lines += journal_line(item.entry, item.stamp, number++, boot_);
    Result<> written = files_->append(lines);
    if (written && batch.sync) written = files_->sync();
    if (!written) {
      torn_ = !files_->truncate(whole_);
      return written;
    }
    whole_ += lines.size();
    next_ = number;
    return written;
  }

 private:
  Result<> make_ready() {
    if (torn_) {
      if (Result<> cut = files_->truncate(whole_); !cut) return cut;
      torn_ = false;
    }
    if (whole_ > 0 && whole_ < JournalFiles::kMostFile) return {};
    if (begun_ && whole_ == 0) return {};
    if (whole_ > 0) {
      if (Result<> synced = files_->sync(); !synced) return synced;
    }
    if (Result<> begun = files_->begin(next_); !begun) return begun;
    begun_ = true;
    whole_ = 0;
    return {};
  }

  std::unique_ptr<JournalFiles> files_;
  std::string boot_;
  std::uint64_t next_;
  std::uint64_t whole_;  // bytes of the current file that are whole records
  bool torn_ = false;    // more than that may be in the file
  bool begun_ = false;   // the current file was begun by this object
};

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

// One batch is under way at a time; what comes meanwhile goes into the next and shares its sync.
struct Journal::State : std::enable_shared_from_this<Journal::State> {
  State(Loop& l, Disk& d, std::unique_ptr<JournalFiles> files)
      : loop(l),
        disk(d),
        dropped(files->dropped_bytes()),
        writer(std::make_shared<Writer>(std::move(files))),
        timer(std::make_unique<base::Timer>(l)) {}

  Loop& loop;
  Disk& disk;
  std::int64_t dropped;
  std::shared_ptr<Writer> writer;
  std::deque<Item> queue;
  std::size_t notes = 0;    // in the queue
  std::size_t commits = 0;  // in the queue and under way
  std::uint64_t lost = 0;
  std::string trouble;
  std::unique_ptr<base::Timer> timer;
  bool busy = false;
  bool unsynced = false;     // something noted may not be on the disk yet
  bool sync_failed = false;  // the trouble is that of a sync alone
  bool alive = true;

  void note(Item item) {
    // After the first loss all is lost until the gap is told, so that the gap is one.
    if (lost > 0 || notes >= (trouble.empty() ? kMostNotes : kMostKept)) {
      lose(1);
    } else {
      queue.push_back(std::move(item));
      ++notes;
    }
    if (trouble.empty()) start();
    arm();
  }

  void commit(Item item) {
    if (commits >= kMostCommits) {
      loop.post([self = shared_from_this(), done = std::move(item.done)] {
        if (self->alive) done(fail(Fault::journal, "journal: too many waiting"));
      });
      return;
    }
    ++commits;
    queue.push_back(std::move(item));
    start();
  }

  void lose(std::uint64_t count) {
    if (lost == 0) base::log("journal: entries are being lost");
    lost += count;
  }

  void start() {
    if (busy || (queue.empty() && lost == 0)) return;
    auto batch = std::make_shared<Batch>();
    while (!queue.empty() && batch->items.size() < kMostBatch) {
      Item& first = queue.front();
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

  void add_gap(Batch& batch) {
    if (lost == 0) return;
    Entry gap("gap");
    gap.with("lost", static_cast<std::int64_t>(lost));
    batch.lost = std::exchange(lost, 0);
    batch.items.push_back({std::move(gap), JournalStamp::now(), nullptr});
  }

  void hand_over(std::shared_ptr<Batch> batch) {
    busy = true;
    disk.run([writer = writer, batch] { batch->result = writer->write(*batch); },
             [self = shared_from_this(), batch] { self->finished(*batch); });
  }

  void finished(Batch& batch) {
    busy = false;
    if (!alive) return;
    commits -= static_cast<std::size_t>(std::count_if(batch.items.begin(), batch.items.end(),
                                                      [](const Item& item) { return bool(item.done); }));
    bool only_sync = batch.items.empty();
    if (batch.result) {
      // That a sync works says nothing of room for more.
      if (!trouble.empty() && (!only_sync || sync_failed)) {
        base::log("journal: written again");
        trouble.clear();
      }
      unsynced = !batch.sync;
      start();
    } else {
      if (trouble.empty()) base::log(batch.result.error().what);
      trouble = batch.result.error().what;
      sync_failed = only_sync;
      keep(batch);
      if (commits > 0) start();  // a commit is tried at once, notes wait for the timer
    }
    arm();
    for (Item& item : batch.items) {
      if (!item.done) continue;
      item.done(batch.result);
      if (!alive) return;
    }
  }

  // Puts the notes of a failed batch back to the front, and drops the newest beyond the bound.
  void keep(Batch& batch) {
    if (batch.lost > 0) batch.items.pop_back();
    lost += batch.lost;
    for (auto item = batch.items.rbegin(); item != batch.items.rend(); ++item) {
      if (item->done) continue;
      queue.push_front({item->entry, item->stamp, nullptr});
      ++notes;
    }
    for (std::size_t at = queue.size(); notes > kMostKept && at-- > 0;) {
      if (queue[at].done) continue;
      queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(at));
      --notes;
      lose(1);
    }
  }

  void arm() {
    bool waits = unsynced || (!trouble.empty() && (notes > 0 || lost > 0));
    if (waits && !busy && !timer->waiting()) timer->after(kLater, [this] { later(); });
  }

  void later() {
    if (busy) return;  // finished() arms it again
    start();
    if (busy || !unsynced) return;
    auto batch = std::make_shared<Batch>();
    batch->sync = true;
    hand_over(std::move(batch));
  }
};

Result<std::unique_ptr<Journal>> Journal::open(Loop& loop, Disk& disk, std::string directory) {
  Result<std::unique_ptr<JournalFiles>> files = JournalFiles::open(directory);
  if (!files) return files.error();
  return open(loop, disk, std::move(*files));
}

Result<std::unique_ptr<Journal>> Journal::open(Loop& loop, Disk& disk, std::unique_ptr<JournalFiles> files) {
  return std::unique_ptr<Journal>(new Journal(std::make_shared<State>(loop, disk, std::move(files))));
}

Journal::Journal(std::shared_ptr<State> state) : state_(std::move(state)) {}

Journal::~Journal() {
  state_->alive = false;
  state_->timer.reset();
  auto last = std::make_shared<Batch>();
  last->sync = true;
  for (Item& item : state_->queue) {
    if (!item.done) last->items.push_back(std::move(item));
  }
  state_->queue.clear();
  state_->add_gap(*last);
  state_->disk.run([writer = state_->writer, last] {
    if (Result<> written = writer->write(*last); !written) base::log(written.error().what);
  });
}

void Journal::note(Entry entry) { state_->note({std::move(entry), JournalStamp::now(), nullptr}); }

void Journal::commit(Entry entry, std::function<void(Result<>)> done) {
  // A disk that hangs must not hang whoever waits. The entry may be written all the same: an intent, not
  // carried out.
  struct Waiting {
    explicit Waiting(base::Loop& loop) : limit(loop) {}
    std::function<void(Result<>)> done;
    base::Timer limit;
  };
  auto waiting = std::make_shared<Waiting>(state_->loop);
  waiting->done = std::move(done);
  waiting->limit.after(kPatience, [one = std::weak_ptr<Waiting>(waiting)] {
    auto still = one.lock();
    if (still && still->done)
      std::exchange(still->done, nullptr)(fail(Fault::journal, "journal: the disk does not answer"));
  });
  state_->commit({std::move(entry), JournalStamp::now(), [waiting](Result<> result) {
                    waiting->limit.cancel();
                    if (waiting->done) std::exchange(waiting->done, nullptr)(std::move(result));
                  }});
}

std::string Journal::trouble() const { return state_->trouble; }
std::int64_t Journal::dropped_bytes() const { return state_->dropped; }

}  // namespace oob::auth

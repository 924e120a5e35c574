#include "snapshot/store.h"

#include <optional>

#include "base/log.h"
#include "base/whole_file.h"
#include "snapshot/depot.h"
#include "snapshot/kept.h"

namespace oob::snapshot {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostFile = 64 << 20;
constexpr std::size_t kMostTrouble = 400;

std::string file_of(const std::string& state) { return state + "/snapshots.json"; }

}  // namespace

Store::Store(base::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      depot_(std::make_shared<Depot>(options_.state, options_.host, options_.step)),
      disk_(loop) {
  Result<std::string> text = base::read_whole(file_of(options_.state), kMostFile);
  if (text) {
    Result<LatestOfAll> read = read_latest(*text);
    if (read)
      latest_ = std::move(*read);
    else
      base::log(str(file_of(options_.state), ": ", read.error().what, ": made anew from snapshots.git"));
  }
  run<LatestOfAll>([](Depot& depot) { return depot.known(); },
                   [this](Result<LatestOfAll> known) {
                     if (!known) return base::log(known.error().what);
                     std::string others = learn(*known);
                     if (others.empty()) return;
                     std::string text = str("the history is not as it was noted last, of ", others,
                                            ": a crash came between, or somebody else has changed it");
                     base::log(text);
                     options_.changed(text);
                   });
}

Store::~Store() = default;

template <class T>
void Store::run(std::function<Result<T>(Depot&)> call, Done<T> done) {
  auto answer = std::make_shared<std::optional<Result<T>>>();
  auto changed = std::make_shared<std::optional<std::string>>();
  disk_.run(
      [depot = depot_, call = std::move(call), answer, changed] {
        answer->emplace(call(*depot));
        *changed = depot->moved();
      },
      [this, done = std::move(done), answer, changed] {
        if (*changed) moved(**changed);
        done(std::move(**answer));
      });
}

// Told before what was asked for is.
void Store::moved(const std::string& text) {
  base::log(text);
  options_.changed(text);
  run<LatestOfAll>([](Depot& depot) { return depot.known(); },
                   [this](Result<LatestOfAll> known) {
                     if (known) learn(*known);
                   });
}

template <class T>
void Store::ask(std::function<Result<T>(Depot&)> question, Done<T> done) {
  if (questions_ >= kMostAtOnce) {
    // Later, as always.
    disk_.run([] {}, [done] { done(fail(Fault::busy, "too much is asked of the snapshots at once")); });
    return;
  }
  ++questions_;
  run<T>(std::move(question), [this, done = std::move(done)](Result<T> answer) {
    --questions_;
    done(std::move(answer));
  });
}

void Store::store(Snapshot snapshot, Done<Stored> done) {
  auto shared = std::make_shared<Snapshot>(std::move(snapshot));
  // Without what takes room: note() needs the rest of it.
  auto brief = std::make_shared<Snapshot>();
  brief->device = shared->device;
  brief->ended = shared->ended;
  std::string grade = meta_of(*shared).grade;
  run<Stored>([shared, book = options_.recipes()](Depot& depot) { return depot.store(*shared, book); },
              [this, brief, grade, done = std::move(done)](Result<Stored> stored) {
                note(brief->device, *brief, stored);
                if (stored && stored->kind == Stored::Kind::stored) latest_[brief->device].grade = grade;
                save();
                tidy();
                done(std::move(stored));
              });
}

void Store::note(const std::string& device, const Snapshot& snapshot, const Result<Stored>& stored) {
  Latest& latest = latest_[device];
  if (!stored || stored->kind == Stored::Kind::quarantined) {
    latest.trouble = base::printable(stored ? stored->why : stored.error().what, kMostTrouble);
    return;
  }
  latest.trouble.clear();
  latest.checked = snapshot.ended > 0 ? snapshot.ended : base::wall_now();
  latest.size = 0;
  for (const File& file : stored->files) latest.size += file.size;
  if (stored->kind == Stored::Kind::stored) latest.stored = base::wall_now() / 1'000'000 * 1'000'000;
  latest.revision = stored->revision;
}

std::string Store::learn(const std::map<std::string, Latest>& known) {
  bool changed = false;
  std::string others;
  auto name = [&](const std::string& device) { others += str(others.empty() ? "" : ", ", device); };
  for (const auto& [device, git] : known) {
    Latest& latest = latest_[device];
    if (latest.revision == git.revision) continue;
    // It was stored, and then there was no time to note it; or somebody else has changed it.
    if (!latest.revision.empty()) name(device);
    latest.revision = git.revision;
    latest.stored = git.stored;
    latest.checked = std::max(latest.checked, git.checked);
    latest.grade = git.grade;
    latest.size = git.size;
    changed = true;
  }
  for (auto& [device, latest] : latest_) {
    if (latest.revision.empty() || known.count(device)) continue;
    // Its repository was taken away.
    name(device);
    std::string trouble = latest.trouble;
    latest = {};
    latest.trouble = std::move(trouble);
    changed = true;
  }
  if (changed) save();
  return base::printable(others, 1000);
}

void Store::save() {
  disk_.run([text = write_latest(latest_), path = file_of(options_.state), step = options_.step] {
    step("latest");
    Result<> written = base::write_whole(path, text, 0600);
    // It is made anew from the repository; the time of the last look is lost with it.
    if (!written) base::log(written.error().what);
  });
}

void Store::tidy() {
  disk_.run([depot = depot_] {
    Result<> tidied = depot->tidy();
    if (!tidied) base::log(tidied.error().what);
  });
}

void Store::failed(const std::string& device, const std::string& why) {
  latest_[device].trouble = base::printable(why, kMostTrouble);
  save();
}

void Store::revisions(const std::string& device, std::size_t most, Done<std::vector<Revision>> done) {
  ask<std::vector<Revision>>([device, most](Depot& depot) { return depot.revisions(device, most); },
                             std::move(done));
}

void Store::files(const std::string& device, const std::string& revision, Done<std::vector<File>> done) {
  ask<std::vector<File>>([device, revision](Depot& depot) { return depot.files(device, revision); },
                         std::move(done));
}

void Store::file(const std::string& device, const std::string& revision, const std::string& name,
                 Done<std::string> done) {
  ask<std::string>([device, revision, name](Depot& depot) { return depot.file(device, revision, name); },
                   std::move(done));
}

void Store::diff(Diff wish, Done<std::string> done) {
  ask<std::string>(
      [wish = std::move(wish), book = options_.recipes()](Depot& depot) { return depot.diff(wish, book); },
      std::move(done));
}

void Store::masked(const std::string& device, const std::string& revision, const std::string& name,
                   std::string bytes, Done<std::string> done) {
  auto shared = std::make_shared<std::string>(std::move(bytes));
  ask<std::string>(
      [device, revision, name, shared, book = options_.recipes()](Depot& depot) {
        return depot.masked(device, revision, name, std::move(*shared), book);
      },
      std::move(done));
}

audit::ReadSnapshots Store::to_verify() const { return read_kept; }

void Store::view(std::set<std::string> devices, Done<View> done) {
  ask<View>([devices = std::move(devices)](Depot& depot) { return depot.view(devices); }, std::move(done));
}

}  // namespace oob::snapshot

#include "console/snapshots.h"

#include <algorithm>
#include <utility>

#include "auth/journal_line.h"
#include "base/sha256.h"
#include "console/dialogue.h"
#include "console/inventory.h"

namespace oob::console {

using base::Error;
using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;

struct Snapshots::Pull {
  enum class At { waiting, writing, fetching, storing };

  Pull(Core& core_of_it, std::uint64_t its_number, Order given, Told teller)
      : core(core_of_it),
        number(its_number),
        order(std::move(given)),
        told(std::move(teller)),
        patience(core.loop),
        began(base::wall_now()),
        begun_at(base::Clock::now()) {}

  auth::Entry event(const char* ev) const {
    auth::Entry entry = event_of(order.visitor, ev);
    entry.with("device", order.device);
    if (!outcome.recording.empty()) entry.with("recording", outcome.recording);
    return entry;
  }

  Core& core;
  std::uint64_t number;
  Order order;
  Told told;
  At at = At::waiting;
  base::Timer patience;        // while another snapshot of the device is waited for
  std::uint64_t fetching = 0;  // of the Puller
  std::optional<Error> unwanted;
  base::Micros began;
  base::Clock::time_point begun_at;
  Outcome outcome;
};

namespace {

// The lowest that any of the files has.
recipe::Grade grade_of(const recipe::Pulled& pulled) {
  bool proved = std::all_of(pulled.files.begin(), pulled.files.end(),
                            [](const auto& file) { return file.grade == recipe::Grade::device; });
  return proved ? recipe::Grade::device : recipe::Grade::twice;
}

// "config.xml SHA256 SIZE, …" as far as a text of the journal goes.
std::string list_of(const std::vector<History::File>& files) {
  constexpr std::size_t kRoom = auth::kMostJournalText - 40;
  std::string text;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const History::File& file = files[i];
    std::string one = str(printable(file.name, 255), " ", file.sha256, " ", file.size);
    if (text.size() + one.size() + 2 > kRoom) return str(text, " and ", files.size() - i, " more");
    text += str(text.empty() ? "" : ", ", one);
  }
  return text;
}

// The SHA-256 of what sha256sum prints of the files: stands for all of them, however many there are.
std::string sums_of(const std::vector<History::File>& files) {
  std::string text;
  for (const History::File& file : files) text += str(file.sha256, "  ", file.name, "\n");
  return base::hex(base::sha256(text));
}

const char* event_of(History::Stored::Kind kind) {
  switch (kind) {
    case History::Stored::Kind::stored:
      return "snapshot.stored";
    case History::Stored::Kind::unchanged:
      return "snapshot.unchanged";
    case History::Stored::Kind::quarantined:
      break;
  }
  return "snapshot.quarantined";
}

// An error of the device is not one of whoever asked: they may do it, and the device exists.
Error as_seen(Core& core, const Snapshots::Order& order, Error error) {
  bool ours = error.fault == Fault::denied || error.fault == Fault::missing;
  if (!ours || !core.inventory.find(order.device)) return error;
  if (core.policy->decide(order.visitor.who, auth::Action::snapshot, order.device))
    error.fault = Fault::unavailable;
  return error;
}

// Whether it says something about the device that the next who looks should know.
bool is_trouble(const Error& error) {
  return error.fault == Fault::unavailable || error.fault == Fault::failed || error.fault == Fault::internal;
}

}  // namespace

Result<> can_be_pulled(const Core& core, const Device& device) {
  if (!core.history || !core.snapshots || !core.dialogues || !core.recipes)
    return fail(Fault::unavailable, "no snapshots are kept on this board");
  auto recipe = recipe_of(core, device);
  if (!recipe) return recipe.error();
  return {};
}

Snapshots::Snapshots(std::unique_ptr<Puller> puller) : puller_(std::move(puller)) {}

Snapshots::~Snapshots() {
  // What is being stored will be: nobody is there to tell, and the next start does.
  for (const auto& pull : pulls_) {
    if (pull->at == Pull::At::fetching)
      pull->core.journal.note(
          pull->event("snapshot.failed").with("text", "the daemon stopped before it was stored"));
  }
}

Snapshots::Pull* Snapshots::find(std::uint64_t number) {
  for (const auto& pull : pulls_)
    if (pull->number == number) return pull.get();
  return nullptr;
}

bool Snapshots::has(const std::string& device) const {
  return std::any_of(pulls_.begin(), pulls_.end(), [&](const auto& pull) {
    return pull->order.device == device && pull->at != Pull::At::waiting;
  });
}

Result<auth::Grant> Snapshots::allowed(Core& core, const Order& order) const {
  const Device* device = core.inventory.find(order.device);
  if (!device) return auth::Policy::no_such_device(order.device);
  Result<auth::Grant> grant = core.policy->decide(order.visitor.who, auth::Action::snapshot, order.device);
  if (!grant) return grant;
  Result<> can = can_be_pulled(core, *device);
  if (!can) return can.error();
  if (order.way == Puller::Way::network && !device->in_band)
    return fail(Fault::usage, str("its configuration has no address on the management network: [device.",
                                  device->name, ".ssh] or --method console"));
  return grant;
}

std::uint64_t Snapshots::begin(Core& core, Order order, Told told) {
  std::uint64_t number = next_++;
  Result<auth::Grant> grant = allowed(core, order);
  bool taken = has(order.device);
  Result<> now = grant ? Result<>() : Result<>(grant.error());
  if (now && pulls_.size() >= kMost) now = fail(Fault::busy, str(kMost, " snapshots are under way"));
  if (now && taken && order.wait.count() == 0)
    now = fail(Fault::busy, "another snapshot of it is under way (--wait S waits for it)");
  if (!now) {
    Outcome outcome;
    outcome.stored = now.error();
    core.loop.post([told = std::move(told), outcome] { told(outcome); });
    return number;
  }
  base::milliseconds wait = order.wait;
  pulls_.push_back(std::make_unique<Pull>(core, number, std::move(order), std::move(told)));
  Pull& pull = *pulls_.back();
  if (!taken) {
    write_down(core, pull);
    return number;
  }
  pull.order.remark(str(pull.order.device, ": waiting for another snapshot of it"));
  pull.patience.after(wait, [this, &core, &pull] {
    pull.outcome.stored = fail(Fault::busy, "another snapshot of it is under way still");
    finish(core, pull);
  });
  return number;
}

void Snapshots::write_down(Core& core, Pull& pull) {
  pull.patience.cancel();
  pull.at = Pull::At::writing;
  auth::Entry entry = pull.event("snapshot.pull");
  if (pull.order.way == Puller::Way::console) entry.with("method", "console");
  if (pull.order.way == Puller::Way::network) entry.with("method", "ssh");
  if (pull.order.accept) entry.with("accept", std::int64_t{1});
  core.journal.commit(std::move(entry),
                      life_.wrap([this, &core, number = pull.number](const Result<>& written) {
                        Pull* pull = find(number);
                        if (!pull) return;
                        if (written) return fetch(core, *pull);
                        pull->outcome.stored = written.error();
                        finish(core, *pull);
                      }));
}

void Snapshots::fetch(Core& core, Pull& pull) {
  pull.at = Pull::At::fetching;
  const Order& order = pull.order;
  Result<auth::Grant> grant = allowed(core, order);
  if (grant && pull.unwanted) grant = *pull.unwanted;
  if (!grant) {
    pull.outcome.stored = grant.error();
    return finish(core, pull);
  }
  Puller::Wish wish{order.visitor, *grant, order.device, order.way,
                    order.wait,    kLimit, order.told,   order.remark};
  pull.fetching = puller_->begin(core, std::move(wish),
                                 life_.wrap([this, &core, number = pull.number](Puller::Brought what) {
                                   if (Pull* pull = find(number)) brought(core, *pull, std::move(what));
                                 }));
}

void Snapshots::brought(Core& core, Pull& pull, Puller::Brought what) {
  Outcome& outcome = pull.outcome;
  outcome.left_open = std::move(what.left_open);
  outcome.recording = std::move(what.recording);
  if (what.pulled && pull.unwanted) what.pulled = *pull.unwanted;
  if (!what.pulled) {
    outcome.stored = pull.unwanted ? *pull.unwanted : as_seen(core, pull.order, what.pulled.error());
    return finish(core, pull);
  }
  const recipe::Pulled& pulled = *what.pulled;
  outcome.grade = name_of(grade_of(pulled));
  outcome.method = pulled.method;
  outcome.retries = pulled.retries;
  outcome.wire_bytes = pulled.wire_bytes;
  for (const recipe::PulledFile& file : pulled.files)
    outcome.files.push_back({file.name, file.sha256, file.bytes.size()});
  pull.at = Pull::At::storing;
  // A journal that signs nothing now is no reason to lose what was pulled.
  core.journal.seal(life_.wrap([this, &core, number = pull.number, pulled = std::move(*what.pulled)](
                                   const Result<auth::Checkpoint>& checkpoint) mutable {
    Pull* pull = find(number);
    if (!pull) return;
    History::Snapshot snapshot;
    snapshot.checkpoint = checkpoint ? checkpoint->brief() : "";
    snapshot.pulled = std::move(pulled);
    store(core, *pull, std::move(snapshot));
  }));
}

void Snapshots::store(Core& core, Pull& pull, History::Snapshot snapshot) {
  snapshot.device = pull.order.device;
  const Device* device = core.inventory.find(snapshot.device);
  auto recipe = device ? core.recipes->find(device->model) : nullptr;
  if (!recipe) {
    pull.outcome.stored = auth::Policy::no_such_device(snapshot.device);
    return finish(core, pull);
  }
  snapshot.recipe = str(recipe->name, " ", recipe->version);
  snapshot.user = pull.order.visitor.who.user;
  snapshot.recording = pull.outcome.recording;
  snapshot.began = pull.began;
  snapshot.ended = base::wall_now();
  snapshot.accept = pull.order.accept;
  snapshot.fetch = device->fetch;
  core.history->store(std::move(snapshot),
                      life_.wrap([this, &core, number = pull.number](const Result<History::Stored>& stored) {
                        Pull* pull = find(number);
                        if (!pull) return;
                        pull->outcome.stored = stored;
                        finish(core, *pull);
                      }));
}

void Snapshots::finish(Core& core, Pull& pull) {
  Outcome& outcome = pull.outcome;
  outcome.took = std::chrono::duration_cast<base::milliseconds>(base::Clock::now() - pull.begun_at);
  bool begun = pull.at == Pull::At::fetching || pull.at == Pull::At::storing;
  if (outcome.stored) {
    using Kind = History::Stored::Kind;
    const History::Stored& stored = *outcome.stored;
    auth::Entry entry = pull.event(event_of(stored.kind));
    entry.with("revision", stored.revision).with("grade", outcome.grade).with("method", outcome.method);
    entry.with("files", list_of(outcome.files)).with("sums", sums_of(outcome.files));
    if (stored.kind == Kind::quarantined) entry.with("text", printable(stored.why, 2000));
    core.journal.note(std::move(entry));
    ++(stored.kind == Kind::stored      ? figures_.stored
       : stored.kind == Kind::unchanged ? figures_.unchanged
                                        : figures_.quarantined);
  } else if (begun) {
    const Error& error = outcome.stored.error();
    core.journal.note(pull.event("snapshot.failed").with("text", printable(error.what, 2000)));
    bool counts = !pull.unwanted && is_trouble(error);
    if (counts) ++figures_.failed;
    if (counts) core.history->failed(pull.order.device, error.what);
  }
  auto at = std::find_if(pulls_.begin(), pulls_.end(), [&](const auto& each) { return each.get() == &pull; });
  std::unique_ptr<Pull> ended = std::move(*at);
  pulls_.erase(at);
  core.loop.post([told = std::move(ended->told), outcome = std::move(outcome)] { told(outcome); });
  if (has(ended->order.device)) return;
  for (const auto& next : pulls_)
    if (next->order.device == ended->order.device) return write_down(core, *next);
}

void Snapshots::interrupt(Core& core, std::uint64_t number, const Error& why) {
  Pull* pull = find(number);
  if (!pull || pull->unwanted || pull->at == Pull::At::storing) return;
  pull->unwanted = why;
  if (pull->at == Pull::At::waiting) {
    pull->outcome.stored = why;
    return finish(core, *pull);
  }
  if (pull->at == Pull::At::fetching) puller_->interrupt(core, pull->fetching, why);
}

}  // namespace oob::console

#include "console/approvals.h"

#include <algorithm>

#include "console/core.h"
#include "console/dispatcher.h"
#include "console/reports.h"

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {
constexpr std::size_t kMostShown = 20;  // devices of an order that are named
}

std::string Intent::text() const {
  std::string order = kind == "sel.clear" ? str("sel ", pattern, " --clear")
                                          : str(kind, " ", pattern, action.empty() ? "" : " ", action);
  if (devices.empty() || (devices.size() == 1 && devices[0] == pattern)) return order;
  // A pattern stands for something else with everybody's rights.
  std::string names;
  for (std::size_t i = 0; i < devices.size() && i < kMostShown; ++i)
    names += str(names.empty() ? "" : " ", devices[i]);
  if (devices.size() > kMostShown) names += str(" and ", devices.size() - kMostShown, " more");
  return str(order, " (", names, ")");
}

bool Approval::covers(const std::string& user, const std::string& kind, const std::string& action,
                      const std::string& device) const {
  return who_.user == user && intent_.kind == kind && intent_.action == action &&
         std::find(intent_.devices.begin(), intent_.devices.end(), device) != intent_.devices.end();
}

struct Approvals::Request {
  Request(Core& core_of_it, std::uint64_t number, Ask given, Done teller)
      : core(core_of_it), id(number), ask(std::move(given)), done(std::move(teller)), lapse(core.loop) {}

  // What is written down of it, by whoever it is that `entry` names.
  auth::Entry event(auth::Entry entry, const char* ev) const {
    entry.ev = ev;
    entry.with("approval", static_cast<std::int64_t>(id)).with("kind", ask.intent.kind);
    entry.with("device", base::printable(ask.intent.pattern));
    if (!ask.intent.action.empty()) entry.with("action", ask.intent.action);
    std::string devices;
    for (const std::string& name : ask.intent.devices) devices += str(devices.empty() ? "" : " ", name);
    if (devices != ask.intent.pattern) entry.with("devices", devices);
    return entry;
  }
  // On the consoles of all that it is about. REQUIRES: it was taken out, for whoever is told may withdraw it.
  void announce(const std::string& what) const {
    for (const std::string& name : ask.intent.devices)
      if (Device* device = core.inventory.find(name))
        device->console->announce(str(ask.who.user, ": ", ask.intent.text(), " ", what));
  }

  Core& core;
  std::uint64_t id;
  Ask ask;
  Done done;
  base::Timer lapse;
  base::Clock::time_point until{};
  bool shown = false;      // it is in the journal, and may be approved
  bool approving = false;  // that is being written down
};

Approvals::Approvals() = default;

Approvals::~Approvals() {
  for (const auto& request : requests_)
    request->core.journal.note(
        request->event(request->ask.entry, "approval.lapsed").with("why", "the daemon stopped"));
}

bool Approvals::wanted(const Core& core, const auth::Principal& who,
                       const std::vector<std::string>& devices) {
  return std::any_of(devices.begin(), devices.end(), [&](const std::string& device) {
    Result<auth::Grant> grant = core.policy->decide(who, auth::Action::power, device);
    return grant && grant->needs_second();
  });
}

// --- the asker's side
// -------------------------------------------------------------------------------------------------

std::uint64_t Approvals::seek(Core& core, Ask ask, Done done) {
  auto of_one = std::count_if(requests_.begin(), requests_.end(),
                              [&](const auto& other) { return other->ask.session == ask.session; });
  if (requests_.size() >= kMost || static_cast<std::size_t>(of_one) >= kMostOfOne) {
    core.loop.post([done = std::move(done)] {
      done(fail(Fault::busy, "too many actions wait for a second person; nothing was done"));
    });
    return 0;
  }
  std::uint64_t id = next_id_++;
  requests_.push_back(std::make_unique<Request>(core, id, std::move(ask), std::move(done)));
  const Request& request = *requests_.back();
  core.journal.commit(request.event(request.ask.entry, "approval.request"),
                      life_.wrap([this, id](const Result<>& written) {
                        Request* found = find(id);
                        if (!found) return;
                        if (written) return asked(id);
                        std::unique_ptr<Request> ended = take(id);
                        ended->done(written.error());
                      }));
  return id;
}

// Whoever is told may turn out to have gone, the asker too; then it is withdrawn from inside here. So nothing
// of the request is used once somebody was told, unless it still waits.
void Approvals::asked(std::uint64_t id) {
  Request* request = find(id);
  request->shown = true;
  request->until = base::Clock::now() + patience;
  request->lapse.at(request->until, [this, id] { lapsed(id); });
  std::string within = base::human_span(std::chrono::microseconds(patience).count());
  const Core& core = request->core;
  const Intent intent = request->ask.intent;
  const auto told = request->ask.waits;
  const std::string text = str(request->ask.who.user, ": ", intent.text(),
                               " waits for a second person: 'approve ", id, "' (within ", within, ")");
  for (const std::string& name : intent.devices) {
    if (Device* device = core.inventory.find(name)) device->console->announce(text);
    if (!waits(id)) return;
  }
  if (told)
    told(str(intent.text(), " waits for a second person: another one says 'approve ", id, "' (within ",
             within, ")"));
}

void Approvals::lapsed(std::uint64_t id) {
  std::unique_ptr<Request> ended = take(id);
  ended->core.journal.note(ended->event(ended->ask.entry, "approval.lapsed"));
  ended->announce("was not approved in time; nothing was done");
  ended->done(fail(Fault::denied,
                   str(ended->ask.intent.text(), ": nobody approved within ",
                       base::human_span(std::chrono::microseconds(patience).count()), "; nothing was done")));
}

void Approvals::withdraw(std::uint64_t id) {
  std::unique_ptr<Request> ended = take(id);
  if (!ended) return;
  ended->core.journal.note(ended->event(ended->ask.entry, "approval.withdrawn"));
  if (ended->shown) ended->announce("is withdrawn; nothing was done");
}

void Approvals::left(std::uint64_t session) {
  std::vector<std::uint64_t> ids;
  for (const auto& request : requests_)
    if (request->ask.session == session) ids.push_back(request->id);
  for (std::uint64_t id : ids) withdraw(id);
}

bool Approvals::waits(std::uint64_t id) const { return find(id) != nullptr; }

Approvals::Request* Approvals::find(std::uint64_t id) const {
  for (const auto& request : requests_)
    if (request->id == id) return request.get();
  return nullptr;
}

std::unique_ptr<Approvals::Request> Approvals::take(std::uint64_t id) {
  std::unique_ptr<Request> taken;
  for (auto at = requests_.begin(); at != requests_.end(); ++at) {
    if ((*at)->id != id) continue;
    taken = std::move(*at);
    requests_.erase(at);
    break;
  }
  return taken;
}

// --- the approver's side
// ----------------------------------------------------------------------------------------------

namespace {

// That both may do it now, on all of it, and are two.
Result<> both_may(const Core& core, const auth::Principal& who, const auth::Principal& second,
                  const std::vector<std::string>& devices) {
  for (const std::string& device : devices) {
    Result<auth::Grant> grant = core.policy->decide_together(who, second, device);
    if (!grant) return grant.error();
  }
  return {};
}

}  // namespace

void Approvals::approve(Core& core, const Visitor& visitor, std::uint64_t id,
                        std::function<void(Result<std::string>)> told) {
  Request* request = find(id);
  bool seen = request && request->shown &&
              (request->ask.who.user == visitor.who.user ||
               std::any_of(request->ask.intent.devices.begin(), request->ask.intent.devices.end(),
                           [&](const std::string& name) { return core.policy->may_see(visitor.who, name); }));
  if (!seen) return told(fail(Fault::missing, str("no such request: ", id, " ('approve' lists what waits)")));
  Result<> may = both_may(core, request->ask.who, visitor.who, request->ask.intent.devices);
  if (!may) {
    core.journal.note(request->event(event_of(visitor, ""), "denied").with("action", "approve"));
    // What is hidden of it is not named.
    bool hidden = may.error().fault == Fault::missing;
    return told(hidden ? fail(Fault::denied, str(visitor.who.user, " may not power all of it"))
                       : may.error());
  }
  if (request->approving) return told(fail(Fault::busy, str("request ", id, " is being approved already")));
  request->approving = true;
  auth::Entry entry = request->event(event_of(visitor, ""), "approval.given");
  entry.with("for_user", request->ask.who.user);
  core.journal.commit(std::move(entry), life_.wrap([this, &core, id, second = visitor.who,
                                                    told = std::move(told)](const Result<>& written) {
    if (Request* still = find(id)) still->approving = false;
    if (!written) return told(written.error());
    given(core, id, second, told);
  }));
}

void Approvals::given(Core& core, std::uint64_t id, const auth::Principal& second,
                      const std::function<void(Result<std::string>)>& told) {
  Request* request = find(id);
  if (!request) return told(fail(Fault::missing, str("request ", id, " waits no longer; nothing was done")));
  Result<> may = both_may(core, request->ask.who, second, request->ask.intent.devices);
  if (!may) return told(may.error());
  std::unique_ptr<Request> ended = take(id);
  ended->lapse.cancel();
  std::string text = ended->ask.intent.text();
  ended->announce(str("is approved by ", second.user));
  told(str("approved: ", text, ", for ", ended->ask.who.user, "\n"));
  ended->done(ApprovalPtr(new Approval(ended->ask.intent, ended->ask.who, second)));
}

std::string Approvals::list(const Core& core, const Visitor& visitor) const {
  std::vector<std::vector<std::string>> rows = {{"ID", "USER", "ACTION", "LEFT"}};
  for (const auto& request : requests_) {
    bool own = request->ask.who.user == visitor.who.user;
    if (!request->shown ||
        (!own && !both_may(core, request->ask.who, visitor.who, request->ask.intent.devices)))
      continue;
    auto left = std::chrono::duration_cast<std::chrono::microseconds>(request->until - base::Clock::now());
    rows.push_back({str(request->id), request->ask.who.user, request->ask.intent.text(),
                    base::human_span(left.count())});
  }
  return rows.size() > 1 ? table(rows) : "";
}

}  // namespace oob::console

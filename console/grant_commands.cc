#include "console/grant_commands.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/life.h"
#include "console/reports.h"

namespace oob::console {

namespace json = boost::json;
using auth::TimedGrant;
using base::fail;
using base::Fault;
using base::Micros;
using base::printable;
using base::Result;
using base::str;
using Made = Result<std::unique_ptr<Job>>;

namespace {

// What is written down, or waits for another, before its one line is printed.
class Awaited : public Job {
 public:
  using Told = std::function<void(Result<std::string>)>;
  Awaited(JobIo& io, std::function<void(Told)> begin) : io_(io), begin_(std::move(begin)) {}
  void start() override {
    begin_(life_.wrap([this](const Result<std::string>& text) {
      if (text) io_.print(*text);
      if (!text) io_.remark(str("oobd: ", text.error().what));
      io_.finish(text ? kDone : static_cast<int>(text.error().fault));
    }));
  }

 private:
  JobIo& io_;
  std::function<void(Told)> begin_;
  base::Life life_;
};

Made say(JobIo& io, std::string text) {
  return std::make_unique<Awaited>(io, [text = std::move(text)](const Awaited::Told& told) { told(text); });
}

std::string names_of(const std::set<auth::Action>& actions) {
  std::string names;
  for (auth::Action action : actions) names += str(names.empty() ? "" : ",", auth::name_of(action));
  return names;
}

std::string until_of(const TimedGrant& grant) { return base::rfc3339(grant.until, base::Precision::seconds); }

Result<std::set<auth::Action>> actions_of(const std::string& words) {
  std::set<auth::Action> actions;
  std::string wrong;
  base::split(words, ',', [&](std::string_view word) {
    auth::Action action{};
    if (auth::action_named(word, action)) {
      actions.insert(action);
      return;
    }
    std::vector<std::string_view> known;
    for (auth::Action each : auth::kActions) known.push_back(auth::name_of(each));
    std::string_view near = base::nearest(word, known);
    wrong = str("grant: no such action: ", printable(word, 60),
                near.empty() ? "" : str("; did you mean '", near, "'?"));
  });
  if (!wrong.empty()) return fail(Fault::usage, wrong);
  return actions;
}

Result<auth::Grant> need_admin(Core& core, const Visitor& visitor) {
  Result<auth::Grant> admin = core.policy->decide(visitor.who, auth::Action::admin);
  if (!admin) core.journal.note(event_of(visitor, "denied").with("action", "admin"));
  return admin;
}

Result<Micros> span_of(const std::string& text) {
  if (text.find_first_not_of("0123456789") == std::string::npos)
    return fail(Fault::usage, str("grant: '", printable(text, 60), "' has no unit: 2h, 30m, 3d"));
  Result<Micros> span = base::parse_span(text);
  if (!span) return base::wrap("grant", span.error());
  if (*span < auth::TimedGrants::kLeast || *span > auth::TimedGrants::kLongest)
    return fail(Fault::usage, "grant: a grant is for 1s to 30d");
  return span;
}

Result<std::uint64_t> id_of(const char* command, const std::string& word) {
  std::uint64_t id = 0;
  if (base::parse_number(word, id)) return id;
  return fail(Fault::usage, str(command, ": '", printable(word, 60), "' is not a number"));
}

// Those on whose consoles the grantee is are told what they see them do.
void announce(Core& core, const TimedGrant& grant, const std::string& what) {
  for (const auto& [name, device] : core.inventory.all()) {
    if (!base::glob_match(grant.devices, name)) continue;
    std::vector<std::string> here = device->console->watchers();
    if (std::find(here.begin(), here.end(), grant.user) != here.end()) device->console->announce(what);
  }
}

void store(Core& core, const TimedGrant& grant, const Awaited::Told& told) {
  core.grants->add(grant, [&core, grant, told](const Result<>& stored) {
    if (!stored) {
      core.journal.note(grant_event(auth::Entry("grant.ended"), grant).with("why", stored.error().what));
      core.rights_changed();
      return told(base::wrap("the grant could not be stored and does not hold", stored.error()));
    }
    std::string text =
        str(grant.user, " may ", names_of(grant.actions), " ", grant.devices, " until ", until_of(grant));
    announce(core, grant, str(text, " (", grant.by, ")"));
    told(str("grant ", grant.id, ": ", text, "\n"));
  });
  core.rights_changed();
}

}  // namespace

auth::Entry grant_event(auth::Entry entry, const TimedGrant& grant) {
  entry.with("grant", static_cast<std::int64_t>(grant.id)).with("for_user", grant.user);
  entry.with("actions", names_of(grant.actions)).with("devices", grant.devices);
  entry.with("by", grant.by).with("until", base::rfc3339(grant.until));
  return entry;
}

Made make_grant(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<auth::Grant> admin = need_admin(core, visitor);
  if (!admin) return admin.error();
  const std::string &user = a.words[0], &glob = a.words[2];
  if (!core.policy->knows(user)) return fail(Fault::missing, str("no such user: ", printable(user, 60)));
  Result<std::set<auth::Action>> actions = actions_of(a.words[1]);
  if (!actions) return actions.error();
  const auto& devices = core.inventory.all();
  // Of what the giver may not see it is not told that it is there.
  if (std::none_of(devices.begin(), devices.end(), [&](const auto& device) {
        return base::glob_match(glob, device.first) && core.policy->may_see(visitor.who, device.first);
      }))
    return auth::Policy::no_such_device(glob);
  Result<Micros> span = span_of(a.words[3]);
  if (!span) return span.error();
  for (auth::Action action : *actions) {
    Result<> may = core.policy->may_give(visitor.who, action, glob);
    if (may) continue;
    core.journal.note(event_of(visitor, "denied").with("action", "grant").with("device", glob));
    return may.error();
  }
  for (const auto& [name, device] : devices) {
    if (!base::glob_match(glob, name)) continue;
    for (auth::Action action : *actions)
      if (Result<> may = core.policy->may_have(user, action, name); !may) return may.error();
  }
  Result<TimedGrant> grant =
      core.grants->reserve(user, *actions, glob, visitor.who.user, *span, core.time->now());
  if (!grant) return grant.error();
  return std::make_unique<Awaited>(io, [&core, &visitor, grant = *grant](const Awaited::Told& told) {
    core.journal.commit(grant_event(event_of(visitor, "grant"), grant),
                        [&core, grant, told](const Result<>& written) {
                          if (written) return store(core, grant, told);
                          core.grants->drop(grant.id);
                          told(written.error());
                        });
  });
}

Made make_grants(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  bool all = core.policy->decide(visitor.who, auth::Action::admin).has_value();
  std::string text;
  std::vector<std::vector<std::string>> rows = {{"ID", "USER", "ACTIONS", "DEVICES", "BY", "UNTIL"}};
  for (const TimedGrant& grant : core.grants->all()) {
    if (!all && grant.user != visitor.who.user) continue;
    if (!a.has("--json")) {
      rows.push_back(
          {str(grant.id), grant.user, names_of(grant.actions), grant.devices, grant.by, until_of(grant)});
      continue;
    }
    json::array actions;
    for (auth::Action action : grant.actions) actions.emplace_back(auth::name_of(action));
    text += json::serialize(json::object{{"id", grant.id},
                                         {"user", grant.user},
                                         {"actions", std::move(actions)},
                                         {"devices", grant.devices},
                                         {"by", grant.by},
                                         {"until", base::rfc3339(grant.until)}}) +
            "\n";
  }
  if (rows.size() > 1) text = table(rows);
  if (text.empty() && !a.has("--json")) io.remark("oobd: no grants");
  return say(io, std::move(text));
}

Made make_revoke(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<std::uint64_t> id = id_of("revoke", a.words[0]);
  if (!id) return id.error();
  const TimedGrant* found = core.grants->find(*id);
  bool may = found && (found->user == visitor.who.user ||
                       core.policy->decide(visitor.who, auth::Action::admin).has_value());
  if (!may) return fail(Fault::missing, str("no such grant: ", *id, " ('grants' lists them)"));
  return std::make_unique<Awaited>(io, [&core, &visitor, grant = *found](const Awaited::Told& told) {
    core.journal.commit(grant_event(event_of(visitor, "grant.revoked"), grant), [&core, grant, told](
                                                                                    const Result<>& written) {
      if (!written) return told(written.error());
      core.grants->remove(grant.id, [grant, told](const Result<>& stored) {
        std::string text = str("grant ", grant.id, " of ", grant.user, " is ended");
        if (stored) return told(text + "\n");
        told(fail(stored.error().fault, str(text,
                                            ", but a restart would bring it back, for it could not be "
                                            "stored: ",
                                            stored.error().what)));
      });
      core.rights_changed();
    });
  });
}

Made make_approve(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  if (a.words.empty()) {
    std::string text = core.approvals->list(core, visitor);
    if (text.empty()) io.remark("oobd: nothing waits for you to approve it");
    return say(io, std::move(text));
  }
  Result<std::uint64_t> id = id_of("approve", a.words[0]);
  if (!id) return id.error();
  return std::make_unique<Awaited>(io, [&core, &visitor, id = *id](const Awaited::Told& told) {
    core.approvals->approve(core, visitor, id, told);
  });
}

}  // namespace oob::console

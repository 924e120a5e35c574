#include "console/short_commands.h"

#include <re2/re2.h>

#include "base/life.h"
#include "console/attach_job.h"
#include "console/log_job.h"
#include "console/reports.h"
#include "console/send_job.h"
#include "console/session.h"
#include "console/uplink_report.h"
#include "console/watch_job.h"

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;
using Made = Result<std::unique_ptr<Job>>;

namespace {

// A command whose whole answer is there at once.
class Answer : public Job {
 public:
  Answer(JobIo& io, std::string text, int status = kDone)
      : io_(io), text_(std::move(text)), status_(status) {}
  void start() override {
    io_.print(text_);
    io_.finish(status_);
  }

 private:
  JobIo& io_;
  std::string text_;
  int status_;
};

Made answer(JobIo& io, std::string text) { return std::make_unique<Answer>(io, std::move(text)); }

// Something that is written down first and then done.
class Deed : public Job {
 public:
  Deed(Core& core, JobIo& io, auth::Entry entry, std::function<Result<std::string>()> deed)
      : core_(core), io_(io), entry_(std::move(entry)), deed_(std::move(deed)) {}
  void start() override {
    core_.journal.commit(std::move(entry_), life_.wrap([this](const Result<>& written) {
      Result<std::string> done = written ? deed_() : Result<std::string>(written.error());
      if (done) io_.print(*done);
      if (!done) io_.remark(str("oobd: ", done.error().what));
      io_.finish(done ? kDone : static_cast<int>(done.error().fault));
    }));
  }

 private:
  Core& core_;
  JobIo& io_;
  auth::Entry entry_;
  std::function<Result<std::string>()> deed_;
  base::Life life_;
};

// Whose session or forward has this number in `who`; empty: nobody's.
std::string user_of(Core& core, std::uint64_t number) {
  if (Session* session = session_numbered(core, number)) return session->visitor().who.user;
  for (const Forwards::Shown& forward : core.forwards->all())
    if (forward.visitor.session == number) return forward.visitor.who.user;
  return "";
}

}  // namespace

Made make_list(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<std::string> text = list_report(core, visitor, a.words.empty() ? "*" : a.words[0], a.has("--json"));
  if (!text) return text.error();
  if (text->empty() && !a.has("--json")) io.remark("oobd: no devices");
  // Beside the table, which tells of devices alone. On a terminal all is one stream, where JSON has to stay
  // what it is.
  std::string remark = a.has("--json") && io.terminal().pty ? "" : uplink_remark(core);
  if (!remark.empty()) io.remark("oobd: " + remark);
  return answer(io, *text);
}

Made make_attach(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  int wishes = a.has("--watch") + a.has("--force") + a.has("--join");
  if (wishes > 1) return fail(Fault::usage, "attach: --watch, --force and --join exclude each other");
  using Wish = AttachJob::Wish;
  Wish wish = a.has("--watch")   ? Wish::watch
              : a.has("--force") ? Wish::force
              : a.has("--join")  ? Wish::join
                                 : Wish::write_if_free;
  if (wish == Wish::force || wish == Wish::join) {
    Result<auth::Grant> write = core.policy->decide(visitor.who, auth::Action::write, a.device->name);
    if (!write && wish == Wish::force) write = decide(core, visitor, auth::Action::admin, a.device->name);
    if (!write) return write.error();
  }
  return std::make_unique<AttachJob>(core, visitor, io, *a.device, wish, a.has("--safe"));
}

Made make_watch(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  return std::make_unique<WatchJob>(core, visitor, io, a);
}

Made make_log(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<LogQuery> query = log_query(a, base::wall_now());
  if (!query) return query.error();
  return std::make_unique<LogJob>(core, visitor, io, a, *query);
}

Made make_send(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  SendJob::Work work;
  work.from_stdin = a.rest == "-";
  if (!work.from_stdin) work.text = a.rest + (a.has("--no-enter") ? "" : "\r");
  return std::make_unique<SendJob>(core, visitor, io, std::move(a), std::move(work));
}

Made make_break(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  SendJob::Work work;
  work.is_break = true;
  if (a.has("--ms") && (!base::parse_number(a.options["--ms"], work.milliseconds) || work.milliseconds < 1 ||
                        work.milliseconds > 5000))
    return fail(Fault::usage, "break: --ms takes a number from 1 to 5000");
  return std::make_unique<SendJob>(core, visitor, io, std::move(a), std::move(work));
}

Made make_expect(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  base::milliseconds timeout = std::chrono::seconds(60);
  if (a.has("--timeout")) {
    Result<base::Micros> span = base::parse_span(a.options["--timeout"]);
    if (!span) return base::wrap("expect: --timeout", span.error());
    timeout = std::chrono::duration_cast<base::milliseconds>(std::chrono::microseconds(*span));
  }
  RE2::Options options;
  options.set_log_errors(false);
  auto expression = std::make_unique<RE2>(a.words[1], options);
  if (!expression->ok())
    return fail(Fault::usage,
                str("expect: ", base::printable(a.words[1]), ": ", base::printable(expression->error())));
  return std::make_unique<ExpectJob>(core, visitor, io, a, std::move(expression), timeout);
}

Made make_who(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  return answer(io, who_report(core, visitor, a.has("--json")));
}

Made make_kick(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  std::uint64_t number = 0;
  if (!base::parse_number(a.words[0], number))
    return fail(Fault::usage,
                str("kick: '", base::printable(a.words[0]), "' is not a session's number; 'who' tells them"));
  std::string user = user_of(core, number);
  if (user.empty()) return fail(Fault::missing, str("no such session: ", number));
  Result<auth::Grant> grant = core.policy->decide(visitor.who, auth::Action::admin);
  if (!grant && user != visitor.who.user) {
    core.journal.note(event_of(visitor, "denied").with("action", "admin"));
    return grant.error();
  }
  auth::Entry entry = event_of(visitor, "kick");
  entry.with("kicked", static_cast<std::int64_t>(number)).with("kicked_user", user);
  return std::make_unique<Deed>(core, io, std::move(entry),
                                [&core, &visitor, number, user]() -> Result<std::string> {
                                  std::string why = str("ended by ", visitor.who.user);
                                  Session* found = session_numbered(core, number);
                                  if (found) found->end(why, static_cast<int>(Fault::denied));
                                  if (!found && !core.forwards->end_numbered(number, why))
                                    return fail(Fault::missing, str("no such session: ", number));
                                  return str("session ", number, " of ", user, " is ended\n");
                                });
}

Made make_note(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  auth::Entry entry = event_of(visitor, "note");
  entry.with("device", a.device->name).with("text", base::printable(a.rest, 2000));
  std::string mark = str(visitor.who.user, ": ", base::printable(a.rest, 2000));
  return std::make_unique<Deed>(core, io, std::move(entry),
                                [&core, name = a.device->name, mark]() -> Result<std::string> {
                                  Device* device = core.inventory.find(name);
                                  if (device) device->console->transcript().mark("note", mark);
                                  core.archive.flush();
                                  return std::string();
                                });
}

Made make_status(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  return answer(io, status_report(core, visitor, a.has("--json")));
}

Made make_metrics(Core& core, Visitor& visitor, JobIo& io, Arguments) {
  return answer(io, metrics_report(core, visitor));
}

Made make_reload(Core& core, Visitor& visitor, JobIo& io, Arguments) {
  Result<auth::Grant> grant = core.policy->decide(visitor.who, auth::Action::admin);
  if (!grant) {
    core.journal.note(event_of(visitor, "denied").with("action", "admin"));
    return grant.error();
  }
  return std::make_unique<Deed>(core, io, event_of(visitor, "reload.request"),
                                [&core]() -> Result<std::string> {
                                  Result<std::string> changed = core.reload();
                                  if (!changed) return changed.error();
                                  return *changed + "\n";
                                });
}

Made make_help(Core&, Visitor&, JobIo& io, Arguments a) {
  std::string text = help_text(a.words.empty() ? "" : a.words[0]);
  if (text.empty())
    return fail(Fault::usage, str("help: no such command: ", base::printable(a.words[0], 60)));
  return answer(io, text);
}

Made make_version(Core& core, Visitor&, JobIo& io, Arguments) { return answer(io, str(core.version, "\n")); }

}  // namespace oob::console

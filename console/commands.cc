// The table of commands, and the short ones among them. Longer ones have files of their own.
#include <re2/re2.h>

#include "base/life.h"
#include "console/attach_job.h"
#include "console/bmc_jobs.h"
#include "console/dispatcher.h"
#include "console/grant_commands.h"
#include "console/journal_job.h"
#include "console/log_job.h"
#include "console/power_job.h"
#include "console/recording_jobs.h"
#include "console/redact_job.h"
#include "console/replay_job.h"
#include "console/reports.h"
#include "console/search_job.h"
#include "console/sel_job.h"
#include "console/send_job.h"
#include "console/session.h"
#include "console/verify_job.h"
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

Made make_list(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<std::string> text = list_report(core, visitor, a.words.empty() ? "*" : a.words[0], a.has("--json"));
  if (!text) return text.error();
  if (text->empty() && !a.has("--json")) io.remark("oobd: no devices");
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

// Whose session or forward has this number in `who`; empty: nobody's.
std::string user_of(Core& core, std::uint64_t number) {
  if (Session* session = session_numbered(core, number)) return session->visitor().who.user;
  for (const Forwards::Shown& forward : core.forwards->all())
    if (forward.visitor.session == number) return forward.visitor.who.user;
  return "";
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

}  // namespace

const std::vector<CommandRow>& command_rows() {
  using auth::Action;
  constexpr auto none = std::nullopt;
  static const std::vector<CommandRow> rows = {
      {"list",
       "list [GLOB] [--json]",
       "devices: line, who types, who watches, last output",
       none,
       false,
       false,
       0,
       1,
       {{"--json", nullptr}},
       make_list},
      {"attach",
       "attach D [--watch|--force|--join] [--safe]",
       "the console on this terminal; --safe: only text, colours and cursor moves, till one attaches anew",
       Action::watch,
       true,
       false,
       1,
       1,
       {{"--watch", nullptr}, {"--force", nullptr}, {"--join", nullptr}, {"--safe", nullptr}},
       make_attach},
      {"watch",
       "watch D [--raw|--safe]",
       "what the console says from now on, for pipes; --safe: --raw without what harms a terminal",
       Action::watch,
       true,
       false,
       1,
       1,
       {{"--raw", nullptr}, {"--safe", nullptr}},
       make_watch},
      {"log",
       "log D [--since T] [--until T] [--lines N] [--grep RE] [--follow] [--stamp] [--raw|--safe]",
       "what the console said; --safe: --raw without what harms a terminal",
       Action::watch,
       true,
       false,
       1,
       1,
       {{"--since", "T"},
        {"--until", "T"},
        {"--lines", "N"},
        {"--grep", "RE"},
        {"--follow", nullptr},
        {"--stamp", nullptr},
        {"--raw", nullptr},
        {"--safe", nullptr}},
       make_log},
      {"send",
       "send D TEXT… [--no-enter]",
       "types TEXT and Enter; '-' types stdin",
       Action::write,
       true,
       true,
       2,
       2,
       {{"--no-enter", nullptr}},
       make_send},
      {"expect",
       "expect D RE [--timeout S]",
       "waits (60 s) for new output that matches, prints the line; 1: timed out",
       Action::watch,
       true,
       false,
       2,
       2,
       {{"--timeout", "S"}},
       make_expect},
      {"break",
       "break D [--ms N]",
       "sends a break",
       Action::write,
       true,
       false,
       1,
       1,
       {{"--ms", "N"}},
       make_break},
      {"note",
       "note D TEXT…",
       "a remark for the console's log and the journal",
       Action::watch,
       true,
       true,
       2,
       2,
       {},
       make_note},
      {"power",
       "power D [status|on|off|cycle|reset|soft] [--wait S] [--yes NAME] [--json]",
       "chassis power, read back until it is so (30 s); D may be a glob; all but status need 'power'",
       none,
       false,
       false,
       1,
       2,
       {{"--wait", "S"}, {"--yes", "NAME"}, {"--json", nullptr}},
       PowerJob::make},
      {"boot",
       "boot D none|pxe|disk|cdrom|bios",
       "what the next boot is from",
       Action::power,
       true,
       false,
       2,
       2,
       {},
       DeedJob::make_boot},
      {"identify",
       "identify D [on|off]",
       "the light that shows which machine it is",
       Action::power,
       true,
       false,
       1,
       2,
       {},
       DeedJob::make_identify},
      {"sensors",
       "sensors D [--json]",
       "what the BMC measures",
       Action::watch,
       true,
       false,
       1,
       1,
       {{"--json", nullptr}},
       SensorsJob::make},
      {"sel",
       "sel D [--clear] [--json]",
       "the BMC's event log; --clear needs 'power', and keeps all of it in the journal",
       Action::watch,
       true,
       false,
       1,
       1,
       {{"--clear", nullptr}, {"--json", nullptr}},
       SelJob::make},
      {"who",
       "who [--json]",
       "who is logged in, and what they do",
       none,
       false,
       false,
       0,
       0,
       {{"--json", nullptr}},
       make_who},
      {"kick", "kick ID", "ends a session; others' need 'admin'", none, false, false, 1, 1, {}, make_kick},
      {"grant",
       "grant USER ACTION[,ACTION] D SPAN",
       "a right for a while (1s to 30d), on a device or a glob; needs 'admin'",
       none,
       false,
       false,
       4,
       4,
       {},
       make_grant},
      {"grants",
       "grants [--json]",
       "rights that were granted for a while: one's own, and all with 'admin'",
       none,
       false,
       false,
       0,
       0,
       {{"--json", nullptr}},
       make_grants},
      {"revoke",
       "revoke ID",
       "ends a grant; others' need 'admin'",
       none,
       false,
       false,
       1,
       1,
       {},
       make_revoke},
      {"approve",
       "approve [ID]",
       "says yes, as the second person, to what waits for one; without ID: what waits",
       none,
       false,
       false,
       0,
       1,
       {},
       make_approve},
      {"sessions",
       "sessions [--user U] [--device GLOB] [--since T] [--json]",
       "what was recorded; needs 'audit' on the devices",
       none,
       false,
       false,
       0,
       0,
       {{"--user", "U"}, {"--device", "GLOB"}, {"--since", "T"}, {"--json", nullptr}},
       SessionsJob::make},
      {"replay",
       "replay ID[@T] [--speed X] [--idle S] [--from T] [--follow] [--safe]",
       "plays a recording; keys: blank pauses, + - speed, . or right arrow skips 10 s, q leaves",
       none,
       false,
       false,
       1,
       1,
       {{"--speed", "X"}, {"--idle", "S"}, {"--from", "T"}, {"--follow", nullptr}, {"--safe", nullptr}},
       ReplayJob::make},
      {"export",
       "export ID [--raw|--text|--html]",
       "a recording as asciicast v2; --raw: the device's bytes; --text: what was read; --html: a page that "
       "plays it",
       none,
       false,
       false,
       1,
       1,
       {{"--raw", nullptr}, {"--text", nullptr}, {"--html", nullptr}},
       ExportJob::make_export},
      {"text",
       "text ID [--at T]",
       "the lines that a recording's screen showed, or the screen at one time",
       none,
       false,
       false,
       1,
       1,
       {{"--at", "T"}},
       ExportJob::make_text},
      {"audit",
       "audit grep RE [--device GLOB] [--user U] [--since T] [--recordings|--transcripts]",
       "searches recordings and transcripts; what is found can be given to 'replay'",
       none,
       false,
       false,
       2,
       2,
       {{"--device", "GLOB"},
        {"--user", "U"},
        {"--since", "T"},
        {"--recordings", nullptr},
        {"--transcripts", nullptr}},
       SearchJob::make},
      {"journal",
       "journal [--since T] [--until T] [--follow] [--json] [--grep RE] [--user U] [--device GLOB] [--event "
       "EV]",
       "who did what; --json: the records as they are on the disk; needs 'audit'",
       none,
       false,
       false,
       0,
       0,
       {{"--since", "T"},
        {"--until", "T"},
        {"--follow", nullptr},
        {"--json", nullptr},
        {"--grep", "RE"},
        {"--user", "U"},
        {"--device", "GLOB"},
        {"--event", "EV"}},
       JournalJob::make},
      {"checkpoint",
       "checkpoint [--json]",
       "signs the journal as it is now: keep it elsewhere, for 'oobd verify --anchor'; needs 'audit'",
       none,
       false,
       false,
       0,
       0,
       {{"--json", nullptr}},
       CheckpointJob::make},
      {"hold",
       "hold ID WHY…",
       "keeps a recording whatever its age; needs 'audit' on the device",
       none,
       false,
       false,
       2,
       99,
       {},
       HoldJob::make_hold},
      {"unhold",
       "unhold ID",
       "ends that; needs 'admin' on the device",
       none,
       false,
       false,
       1,
       1,
       {},
       HoldJob::make_unhold},
      {"redact",
       "redact ID --from T --to T --why TEXT",
       "hides what a recording shows of that time, for good; needs 'audit' and 'admin' on the device",
       none,
       false,
       false,
       1,
       1,
       {{"--from", "T"}, {"--to", "T"}, {"--why", "TEXT"}},
       RedactJob::make},
      {"status",
       "status [--json]",
       "how this board itself is",
       none,
       false,
       false,
       0,
       0,
       {{"--json", nullptr}},
       make_status},
      {"verify",
       "verify [--json]",
       "whether the audit trail is whole: 0 yes, 1 no, 2 not to be read; needs 'audit'",
       none,
       false,
       false,
       0,
       0,
       {{"--json", nullptr}},
       VerifyJob::make},
      {"metrics", "metrics", "figures for Prometheus", none, false, false, 0, 0, {}, make_metrics},
      {"reload",
       "reload",
       "reads the configuration again; needs 'admin'",
       none,
       false,
       false,
       0,
       0,
       {},
       make_reload},
      {"help", "help [WORD]", "this, or more on one command", none, false, false, 0, 1, {}, make_help},
      {"version", "version", "what runs here", none, false, false, 0, 0, {}, make_version},
  };
  return rows;
}

}  // namespace oob::console

#include "console/guard_commands.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/life.h"
#include "console/confirm.h"
#include "console/dialogue.h"
#include "console/guard_revert.h"
#include "console/guards.h"
#include "console/login.h"
#include "console/words.h"

namespace oob::console {

namespace json = boost::json;
using base::fail;
using base::Fault;
using base::Micros;
using base::printable;
using base::Result;
using base::str;
using Made = Result<std::unique_ptr<Job>>;

namespace {

// Confirms, which waits for the disk, or looks, and then has one thing to say.
class GuardJob : public Job {
 public:
  using Told = std::function<void(Result<std::string>)>;
  GuardJob(JobIo& io, std::vector<std::string> remarks, std::function<void(Told)> begin)
      : io_(io), remarks_(std::move(remarks)), begin_(std::move(begin)) {}
  void start() override {
    begin_(life_.wrap([this](const Result<std::string>& text) {
      if (text) io_.print(*text);
      if (!text) io_.remark(str("oobd: ", text.error().what));
      for (const std::string& remark : remarks_)
        if (text) io_.remark(str("oobd: ", remark));
      io_.finish(text ? kDone : static_cast<int>(text.error().fault));
    }));
  }

 private:
  JobIo& io_;
  const std::vector<std::string> remarks_;
  std::function<void(Told)> begin_;
  base::Life life_;
};

// Arms one, once what it logs in with could be read: when its time is over, nobody may be there any more to
// mend that.
class ArmJob : public Job {
 public:
  struct Wish {
    std::string line;
    Micros span = 0;
    bool replace = false;
  };
  ArmJob(Core& core, Visitor& visitor, JobIo& io, const Device& device, Wish wish,
         std::vector<std::string> remarks)
      : core_(core),
        visitor_(visitor),
        io_(io),
        device_(device.name),
        login_(device.login),
        wish_(std::move(wish)),
        remarks_(std::move(remarks)) {}

  void start() override {
    if (login_.password_file.empty() && login_.enable_file.empty()) return arm();
    auto read = std::make_shared<Result<>>(fail(Fault::internal, "not read"));
    auto go_on = life_.wrap([this, read] {
      if (!*read)
        return refuse(fail(read->error().fault, str(device_, ": ", read->error().what,
                                                    "; the line could not be typed, so no guard is armed")));
      // A right may have ended meanwhile.
      Result<> may = still_may(core_, visitor_, auth::Action::write, device_);
      if (!may) return refuse(may.error());
      arm();
    });
    core_.blocking.run(
        [read, login = login_] {
          Result<recipe::Credentials> credentials = read_login(login);
          *read = credentials ? Result<>() : Result<>(credentials.error());
        },
        go_on);
  }

 private:
  void arm() {
    core_.guards->arm(
        visitor_, device_, wish_.line, wish_.span, wish_.replace,
        life_.wrap([this](const Result<Guard>& guard) {
          if (!guard) return refuse(guard.error());
          Micros runs = std::chrono::microseconds(kRevertRun).count();
          io_.print(str(device_, ": ", text_of(*guard, guard->span), ", by typing\n  ",
                        printable(guard->revert, Guards::kMostRevert * 4), "\nwhich may run for ",
                        base::human_span(runs), ", unless somebody says\n  guard ", device_, " confirm\n"));
          for (const std::string& remark : remarks_) io_.remark(str("oobd: ", remark));
          io_.finish(kDone);
        }));
  }
  void refuse(const base::Error& why) {
    io_.remark(str("oobd: ", why.what));
    io_.finish(static_cast<int>(why.fault));
  }

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  const std::string device_;
  const LoginSettings login_;
  const Wish wish_;
  const std::vector<std::string> remarks_;
  base::Life life_;
};

// What was called: "10m --replace -- LINE", "confirm", "status --json".
struct GuardWish {
  std::vector<std::string> words;
  bool replace = false, as_json = false, has_line = false;
  std::string line;
};

Result<GuardWish> wish_of(std::string_view rest) {
  GuardWish wish;
  while (!rest.empty()) {
    std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (word == "--") {
      wish.has_line = true;
      wish.line = rest.substr(std::min(rest.size(), rest.find_first_not_of(' ')));
      break;
    }
    if (word == "--replace") {
      wish.replace = true;
    } else if (word == "--json") {
      wish.as_json = true;
    } else if (word.starts_with("-")) {
      return fail(Fault::usage, str("guard: no such option: ", printable(word, 60)));
    } else if (!word.empty()) {
      wish.words.emplace_back(word);
    }
  }
  return wish;
}

Result<Micros> guard_span(const std::string& text) {
  if (text.find_first_not_of("0123456789.") == std::string::npos)
    return fail(Fault::usage, str("guard: '", printable(text, 60), "' has no unit: 30s, 10m, 2h"));
  Result<Micros> span = base::parse_span(text);
  if (!span) return base::wrap("guard", span.error());
  if (*span < Guards::kLeast || *span > Guards::kLongest)
    return fail(Fault::usage, "guard: a change is guarded for 30s to 24h");
  return span;
}

// Whether the visitor, as things are configured now, will have the right when it is used.
Result<> may_at(const Core& core, const Visitor& visitor, auth::Action action, const std::string& device,
                Micros in) {
  auth::Moment then = core.time->now();
  then.wall += in;
  then.latest += in;
  auth::Policy later = *core.policy;
  later.consult([then] { return then; }, core.grants.get());
  Result<auth::Grant> grant = later.decide(visitor.who, action, device);
  if (!grant) return grant.error();
  return {};
}

// What the recipe would type on the way in, and nobody has configured.
void warn_of_login(const Device& device, const recipe::Recipe& recipe, std::vector<std::string>& warnings) {
  const LoginSettings& login = device.login;
  auto wants = [&recipe](const char* placeholder) {
    return std::any_of(recipe.states.begin(), recipe.states.end(), [placeholder](const recipe::State& state) {
      return state.go && state.go->find(placeholder) != std::string::npos;
    });
  };
  bool no_user = login.user.empty() && wants("{user}");
  bool no_secret = login.password_file.empty() && wants("{secret}");
  if (no_user && no_secret) {
    warnings.push_back(str(device.name,
                           ": NO LOGIN IS CONFIGURED: the line is typed only if a shell is logged "
                           "in on the console then"));
    return;
  }
  auto note = [&](bool missing, const char* what) {
    if (missing)
      warnings.push_back(str(device.name, ": note: no ", what,
                             " is configured: if the device asks for one then, nothing is typed"));
  };
  note(no_user, "user");
  note(no_secret, "password_file");
  note(login.enable_file.empty() && wants("{enable}"), "enable_file");
}

// What somebody who relies on the guard should know now.
std::vector<std::string> warnings_of(const Core& core, const Visitor& visitor, const Device& device,
                                     const recipe::Recipe& recipe, Micros span) {
  std::vector<std::string> warnings;
  warn_of_login(device, recipe, warnings);
  if (device.console->state() != Console::State::up)
    warnings.push_back(str(device.name, ": THE CONSOLE IS DOWN NOW (",
                           printable(device.console->why_down(), 200),
                           "): unless it comes back, nothing can be typed"));
  if (!device.chassis || !device.guard_power) {
    warnings.push_back(str(
        device.name, ": note: ", device.chassis ? "guard_power is not set" : "it has no BMC to reset it by",
        ", so when the console does not answer then, nothing more is done"));
  } else if (Result<> may = may_at(core, visitor, auth::Action::power, device.name, span); !may) {
    warnings.push_back(str(device.name, ": note: the chassis would not be reset: ", may.error().what));
  } else if (Approvals::wanted(core, visitor.who, {device.name})) {
    warnings.push_back(str(device.name, ": note: a reset would wait for a second person"));
  }
  return warnings;
}

Made arm(Core& core, Visitor& visitor, JobIo& io, const Device& device, GuardWish wish) {
  if (wish.words.size() != 1) return fail(Fault::usage, "guard: usage: guard D SPAN [--replace] -- REVERT");
  Result<Micros> span = guard_span(wish.words[0]);
  if (!span) return span.error();
  if (wish.line.empty()) return fail(Fault::usage, "guard: what takes the change back is missing after --");
  if (wish.line.size() > Guards::kMostRevert)
    return fail(Fault::usage, str("guard: that line has ", wish.line.size(), " bytes; ", Guards::kMostRevert,
                                  " at most (put it into a file on the device, and run that)"));
  if (is_quoted_whole(wish.line))
    return fail(
        Fault::usage,
        "guard: the quotes around the line would be typed too, and the device has no program of that name; "
        "quote it once, not twice (at oobd's own prompt not at all)");
  if (std::any_of(wish.line.begin(), wish.line.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return fail(Fault::usage, "guard: that line has a control character in it");
  Result<auth::Grant> grant = decide(core, visitor, auth::Action::write, device.name);
  if (!grant) return grant.error();
  if (Result<> may = may_at(core, visitor, auth::Action::write, device.name, *span); !may)
    return fail(Fault::denied, str("guard: your right to type on ", device.name,
                                   " ends before that, and nothing would be typed: make it shorter"));
  auto recipe = recipe_of(core, device);
  if (!recipe) return base::wrap("guard", recipe.error());
  ArmJob::Wish order{.line = std::move(wish.line), .span = *span, .replace = wish.replace};
  return std::make_unique<ArmJob>(core, visitor, io, device, std::move(order),
                                  warnings_of(core, visitor, device, **recipe, *span));
}

Made confirm(Core& core, Visitor& visitor, JobIo& io, const Device& device) {
  Result<auth::Grant> grant = decide(core, visitor, auth::Action::write, device.name);
  if (!grant) return grant.error();
  const Guard* guard = core.guards->find(device.name);
  if (!guard) return fail(Fault::missing, core.guards->no_guard(device.name));
  bool failed = guard->state == Guard::State::failed;
  return std::make_unique<GuardJob>(
      io, std::vector<std::string>(),
      [&core, &visitor, name = device.name, failed](const GuardJob::Told& told) {
        core.guards->confirm(visitor, name, [name, failed, told](const Result<>& done) {
          if (!done) return told(done.error());
          told(str(name, failed ? ": its guard is ended\n" : ": confirmed, the change stays\n"));
        });
      });
}

std::vector<const Guard*> seen_guards(const Core& core, const Visitor& visitor) {
  std::vector<const Guard*> guards = core.guards ? core.guards->all() : std::vector<const Guard*>();
  std::erase_if(guards,
                [&](const Guard* guard) { return !core.policy->may_see(visitor.who, guard->device); });
  return guards;
}

const char* name_of(Guard::State state) {
  return state == Guard::State::armed ? "armed" : state == Guard::State::failed ? "failed" : "firing";
}

json::object json_of(const Core& core, const Guard& guard) {
  json::object object{{"device", guard.device},
                      {"state", name_of(guard.state)},
                      {"at", base::rfc3339(guard.until)},
                      {"seconds_left", core.guards->left(guard) / 1'000'000},
                      {"revert", printable(guard.revert, Guards::kMostRevert * 4)},
                      {"by", guard.who.user}};
  if (!guard.why.empty()) object["why"] = guard.why;
  return object;
}

const char* name_of(PastGuard::End end) {
  return end == PastGuard::End::taken_back  ? "taken_back"
         : end == PastGuard::End::confirmed ? "confirmed"
                                            : "seen";
}

json::object json_of(const PastGuard& past) {
  json::object object{{"device", past.device},
                      {"state", name_of(past.end)},
                      {"at", base::rfc3339(past.at)},
                      {"by", past.user}};
  if (past.end == PastGuard::End::taken_back) object["status"] = 0;
  if (!past.by.empty()) object["confirmed_by"] = past.by;
  if (!past.why.empty()) object["why"] = past.why;
  return object;
}

std::string status_text(const Core& core, const Guard& guard) {
  return str(guard.device, ": ", text_of(guard, core.guards->left(guard)), "\n  ",
             printable(guard.revert, Guards::kMostRevert * 4), "\n");
}

Made status(Core& core, JobIo& io, const Device& device, bool as_json) {
  const Guard* guard = core.guards->find(device.name);
  std::string text;
  std::vector<std::string> remarks;
  if (!guard) remarks.push_back(core.guards->no_guard(device.name));
  const PastGuard* past = guard ? nullptr : core.guards->past(device.name);
  if (past && as_json) text = json::serialize(json_of(*past)) + "\n";
  if (guard && as_json) text = json::serialize(json_of(core, *guard)) + "\n";
  if (guard && !as_json) text = status_text(core, *guard);
  return std::make_unique<GuardJob>(io, std::move(remarks),
                                    [text](const GuardJob::Told& told) { told(text); });
}

// All that this visitor may know of, or those of a pattern's devices.
Made status_of_all(Core& core, const Visitor& visitor, JobIo& io, const std::string& pattern, bool as_json) {
  bool any = pattern.empty();
  for (const auto& [name, device] : core.inventory.all())
    any = any || (base::glob_match(pattern, name) && core.policy->may_see(visitor.who, name));
  if (!any) return auth::Policy::no_such_device(pattern);
  std::string text;
  for (const Guard* guard : seen_guards(core, visitor)) {
    if (!pattern.empty() && !base::glob_match(pattern, guard->device)) continue;
    text += as_json ? json::serialize(json_of(core, *guard)) + "\n" : status_text(core, *guard);
  }
  std::vector<std::string> remarks;
  if (text.empty())
    remarks.emplace_back(pattern.empty() ? "no device has a guard" : "none of them has a guard");
  return std::make_unique<GuardJob>(io, std::move(remarks),
                                    [text](const GuardJob::Told& told) { told(text); });
}

}  // namespace

Made make_guard(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  if (!core.guards) return fail(Fault::unavailable, "guard: this daemon keeps none");
  Result<GuardWish> wish = wish_of(a.rest);
  if (!wish) return wish.error();
  std::string word = wish->words.empty() ? "status" : wish->words[0];
  bool looks = !wish->has_line && !wish->replace && wish->words.size() <= 1;
  const std::string pattern = a.words.empty() ? "" : a.words[0];
  if (pattern.empty() || is_glob(pattern)) {
    if (looks && word == "status") return status_of_all(core, visitor, io, pattern, wish->as_json);
    return fail(Fault::usage, pattern.empty()
                                  ? "guard: which device? It comes first, before all options and '--'"
                                  : "guard: one device at a time; a pattern is for looking alone");
  }
  const Device* device = core.inventory.find(pattern);
  if (!device) return auth::Policy::no_such_device(pattern);
  Result<auth::Grant> grant = decide(core, visitor, auth::Action::watch, pattern);
  if (!grant) return grant.error();
  visitor.device = pattern;
  if (wish->has_line && wish->words.size() == 1 && !wish->as_json)
    return arm(core, visitor, io, *device, std::move(*wish));
  if (looks && word == "confirm" && !wish->as_json) return confirm(core, visitor, io, *device);
  if (looks && word == "status") return status(core, io, *device, wish->as_json);
  return fail(
      Fault::usage,
      "guard: usage: guard D SPAN [--replace] -- REVERT | guard D confirm | guard [D [status]] [--json]");
}

std::string guard_remark(const Core& core, const std::string& device) {
  const Guard* guard = core.guards ? core.guards->find(device) : nullptr;
  if (!guard) return "";
  return str(text_of(*guard, core.guards->left(*guard)), " ('guard ", device, " confirm' ends that)");
}

std::string guard_cell(const Core& core, const std::string& device) {
  const Guard* guard = core.guards ? core.guards->find(device) : nullptr;
  if (!guard) return "";
  if (guard->state == Guard::State::failed) return ", GUARD FAILED";
  if (guard->state != Guard::State::armed) return ", guard fires";
  return str(", guard in ", base::human_span(core.guards->left(*guard)));
}

void guard_list(const Core& core, const std::string& device, json::object& object) {
  const Guard* guard = core.guards ? core.guards->find(device) : nullptr;
  object["guard"] = guard ? json::value(base::rfc3339(guard->until)) : json::value(nullptr);
  if (guard && guard->state == Guard::State::failed) object["guard_failed"] = guard->why;
}

std::string guard_status(const Core& core, const Visitor& visitor) {
  std::string text;
  for (const Guard* guard : seen_guards(core, visitor))
    text += str(text.empty() ? "guards       " : "             ", guard->device, ": ",
                text_of(*guard, core.guards->left(*guard)), "\n");
  if (core.guards && !core.guards->not_stored().empty())
    text += str(text.empty() ? "guards       " : "             ",
                "NOT STORED, a restart would go by older ones: ", printable(core.guards->not_stored()), "\n");
  return text;
}

void guard_status(const Core& core, const Visitor& visitor, json::object& object) {
  json::array guards;
  for (const Guard* guard : seen_guards(core, visitor)) guards.emplace_back(json_of(core, *guard));
  object["guards"] = std::move(guards);
  if (core.guards && !core.guards->not_stored().empty())
    object["guards_not_stored"] = printable(core.guards->not_stored());
}

}  // namespace oob::console

#include "console/watches.h"

#include <algorithm>
#include <utility>

#include "base/life.h"
#include "console/console_tail.h"
#include "console/dialogue.h"
#include "recipe/pull.h"
#include "uplink/probe.h"

namespace oob::console {

using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kTailBytes = 4096, kTailLines = 20;

base::Task<Result<>> ask_there(recipe::Visit& visit, recipe::Talk& talk, const recipe::Recipe& recipe,
                               std::string command, base::milliseconds limit,
                               std::shared_ptr<recipe::Ran> to) {
  // The kernel goes on writing to the console: what it says in a watch's second may be its last.
  recipe::Recipe loud = recipe;
  loud.quiet.clear();
  loud.unquiet.clear();
  base::Task<Result<recipe::Ran>> running = run_command(visit, talk, loud, std::move(command), limit);
  Result<recipe::Ran> ran = co_await running;
  if (!ran) co_return ran.error();
  *to = std::move(*ran);
  co_return Result<>();
}

std::string first_line(std::string_view text) {
  while (!text.empty() && (text.front() == '\n' || text.front() == '\r')) text.remove_prefix(1);
  return base::printable(text.substr(0, text.find_first_of("\r\n")), 120);
}

const char* event_for(WatchState state) {
  switch (state) {
    case WatchState::up:
      return "watch.restored";
    case WatchState::lost:
      return "watch.lost";
    case WatchState::unknown:
      break;
  }
  return "watch.unknown";
}

std::string milliseconds_of(base::Micros time) {
  return time < 1000 ? "below 1 ms" : str(time / 1000, " ms");
}

}  // namespace

bool operator==(const WatchSettings& one, const WatchSettings& other) {
  return what_of(one) == what_of(other) && one.command == other.command && one.every == other.every;
}

std::string what_of(const WatchSettings& settings) {
  std::string text = settings.device.empty() ? settings.interface : settings.device;
  if (!settings.device.empty()) text += str(" ", static_cast<int>(settings.daemon), " ", settings.neighbour);
  for (const uplink::Target& target : settings.targets) text += " " + target.text;
  return text;
}

class Watches::One {
 public:
  One(Watches& all, const std::string& name, WatchSettings settings)
      : all_(all), core_(all.core_), settings_(std::move(settings)), timer_(core_.loop) {
    figures_.name = name;
    figures_.device = settings_.device;
    recall();
    timer_.after(all_.limits_.first, [this] { look(); });
  }
  ~One();
  One(const One&) = delete;
  One& operator=(const One&) = delete;

  const WatchSettings& settings() const { return settings_; }
  const WatchFigures& figures() const { return figures_; }
  // The same is watched, but asked otherwise.
  void change(const WatchSettings& settings) {
    settings_.command = settings.command;
    settings_.every = settings.every;
    if (timer_.waiting()) timer_.after(all_.limits_.first, [this] { look(); });
  }

 private:
  void recall();
  void look() { settings_.device.empty() ? ask_probes() : ask_console(); }
  // By a console.
  void ask_console();
  void begin(auth::Grant grant);
  void ended(const Dialogues::Ended& how, const recipe::Ran& ran);
  void read(const recipe::Ran& ran);
  void not_reached(const Unreached& why);
  std::string user() const;
  void keep_tail();
  Console* console() const;
  // By probes.
  void ask_probes();
  void probed(const uplink::Target& target, const Result<base::Micros>& round_trip);
  void not_answered(const uplink::Target& target, const Error& why);
  // Of both.
  void seen(bool is_up, std::string text, std::optional<std::uint64_t> prefixes);
  void nothing(const Error& why, bool may_go_on_so);
  bool is_overdue() const;
  void say_overdue(const std::string& why);
  base::milliseconds pace(unsigned failures) const;
  void become(WatchState state, std::string text);

  Watches& all_;
  Core& core_;
  WatchSettings settings_;
  WatchFigures figures_;
  std::optional<WatchState> told_;      // what everybody believes; none: nothing was seen yet
  base::Micros since_ = 0;              // as of the figures, once they have a state
  unsigned losses_ = 0, failures_ = 0;  // looks in a row
  unsigned opened_ = 0;                 // looks in a row that could not leave properly
  base::Clock::time_point changed_ = base::Clock::now(), answered_at_ = changed_;
  std::optional<std::uint64_t> dialogue_;
  std::optional<std::string> may_ask_;  // the last user whom the daemon has answered
  Offset heard_to_ = 0;                 // of the console; what came before it is known
  std::string said_;                    // by the console between looks, the last of it
  std::vector<std::unique_ptr<uplink::Probe>> probes_;
  std::size_t pending_ = 0, answered_ = 0, not_sent_ = 0;  // of them
  std::string unanswered_;                                 // by whom, and why
  std::optional<Error> not_asked_;
  base::Micros quickest_ = 0;
  base::Timer timer_;
  base::Life life_;
};

// --- by a console
// --------------------------------------------------------------------------------------------------

Watches::One::~One() {
  if (!dialogue_) return;
  all_.visited_.erase(settings_.device);
  if (core_.dialogues) core_.dialogues->interrupt(*dialogue_, fail(Fault::failed, "it is watched no more"));
}

Console* Watches::One::console() const {
  Device* device = core_.inventory.find(settings_.device);
  return device ? device->console.get() : nullptr;
}

void Watches::One::ask_console() {
  Console* console = this->console();
  if (!console) return nothing(auth::Policy::no_such_device(settings_.device), true);
  keep_tail();
  if (console->state() != Console::State::up) {
    std::string why = console->why_down().empty() ? "not open yet" : base::printable(console->why_down());
    return nothing(fail(Fault::unavailable, str(settings_.device, ": line down: ", why)), true);
  }
  if (all_.visited_.count(settings_.device) || all_.visited_.size() >= all_.limits_.at_once) {
    if (is_overdue()) say_overdue("other watches look");
    return timer_.after(all_.limits_.queue, [this] { look(); });
  }
  if (!console->writer().empty())
    return nothing(fail(Fault::busy, str(base::printable(console->writer()), " has the keyboard")), true);
  Result<auth::Grant> grant =
      core_.policy->decide(auth::Policy::schedule(), auth::Action::snapshot, settings_.device);
  if (!grant) return nothing(grant.error(), true);
  begin(std::move(*grant));
}

void Watches::One::begin(auth::Grant grant) {
  Visitor visitor;
  visitor.who = auth::Policy::schedule();
  visitor.session = core_.next_session++;
  visitor.since = base::wall_now();
  visitor.doing = "watch";
  visitor.device = settings_.device;
  auto ran = std::make_shared<recipe::Ran>();
  std::string command =
      settings_.command.empty() ? peering_command(settings_.daemon, settings_.neighbour) : settings_.command;
  auto work = [ran, command, limit = all_.limits_.command](recipe::Visit& visit, recipe::Talk& talk,
                                                           const recipe::Recipe& recipe) {
    return ask_there(visit, talk, recipe, command, limit, ran);
  };
  Dialogues::Order order{.visitor = std::move(visitor),
                         .grant = std::move(grant),
                         .device = settings_.device,
                         .doing = "watch",
                         .limit = all_.limits_.login + all_.limits_.command,
                         .is_look = true,
                         .work = std::move(work)};
  all_.visited_.insert(settings_.device);
  dialogue_ = core_.dialogues->begin(
      core_, std::move(order), life_.wrap([this, ran](const Dialogues::Ended& how) { ended(how, *ran); }));
}

void Watches::One::ended(const Dialogues::Ended& how, const recipe::Ran& ran) {
  dialogue_.reset();
  all_.visited_.erase(settings_.device);
  if (Console* console = this->console()) heard_to_ = console->end();
  bool is_displaced = !how.result && how.result.error().fault == Fault::busy;
  if (!is_displaced) opened_ = how.left_open.empty() ? 0 : opened_ + 1;
  if (!how.result) return nothing(how.result.error(), is_displaced);
  read(ran);
}

void Watches::One::read(const recipe::Ran& ran) {
  Result<Peering> peering = read_peering(settings_.daemon, settings_.neighbour, ran.out);
  if (peering) {
    may_ask_ = user();
    bool is_up = peering->state == Peering::State::established;
    return seen(is_up, describe(*peering), is_up ? peering->prefixes : std::nullopt);
  }
  for (const std::string* said : {&ran.err, &ran.out})
    if (std::optional<Unreached> why = unreached(settings_.daemon, *said)) return not_reached(*why);
  if (ran.late)
    return nothing(fail(Fault::unavailable, recipe::late_text(all_.limits_.command, ran.ended)), false);
  std::string error = first_line(ran.err);
  nothing(error.empty() ? peering.error() : fail(Fault::failed, error), false);
}

// Who was answered before is one who may ask: then silence is the daemon's.
void Watches::One::not_reached(const Unreached& why) {
  bool may_ask =
      why.why == Unreached::Why::not_running || (why.why == Unreached::Why::either && may_ask_ == user());
  if (may_ask) return seen(false, str("the daemon does not run: ", why.line), std::nullopt);
  nothing(fail(Fault::denied, str(user(), " may not ask the daemon",
                                  why.why == Unreached::Why::either ? ", or it does not run: " : ": ",
                                  why.line, "; cure: ", asking_cure(settings_.daemon))),
          false);
}

// Who is logged in.
std::string Watches::One::user() const {
  Device* device = core_.inventory.find(settings_.device);
  return device ? base::printable(device->login.user) : "";
}

// What it said since the last look. What was said to a look, in its transcript, is no news of a peering.
void Watches::One::keep_tail() {
  const Console& on = *console();
  Offset end = on.end();
  if (end < heard_to_) heard_to_ = 0;  // another console of the same name
  said_ += on.recent(static_cast<std::size_t>(std::min<Offset>(end - heard_to_, kTailBytes)));
  if (said_.size() > kTailBytes) said_.erase(0, said_.size() - kTailBytes);
  heard_to_ = end;
}

// --- by probes
// -----------------------------------------------------------------------------------------------------

void Watches::One::ask_probes() {
  probes_.clear();
  pending_ = settings_.targets.size();
  answered_ = not_sent_ = 0;
  unanswered_.clear();
  not_asked_.reset();
  for (const uplink::Target& target : settings_.targets)
    probes_.push_back(std::make_unique<uplink::Probe>(
        core_.loop, target, settings_.interface, all_.limits_.answer,
        [this, &target](Result<base::Micros> round_trip) { probed(target, round_trip); }));
}

void Watches::One::probed(const uplink::Target& target, const Result<base::Micros>& round_trip) {
  if (round_trip) {
    quickest_ = answered_ == 0 ? *round_trip : std::min(quickest_, *round_trip);
    ++answered_;
  } else {
    not_answered(target, round_trip.error());
  }
  if (--pending_ > 0) return;
  std::size_t all = settings_.targets.size();
  if (answered_ > 0)
    return seen(
        true,
        str(answered_, " of ", all, all == 1 ? " address answers" : " addresses answer", " (",
            milliseconds_of(quickest_), ")", unanswered_.empty() ? "" : str(", silent: ", unanswered_)),
        std::nullopt);
  // Who may not ask knows nothing, nor whose questions have all stayed here.
  if (not_asked_) return nothing(*not_asked_, false);
  if (not_sent_ == all)
    return nothing(fail(Fault::unavailable, str("nothing has left this board: ", unanswered_)), true);
  seen(false,
       str("no answer from ", unanswered_,
           settings_.interface.empty() ? "" : str(" by ", settings_.interface)),
       std::nullopt);
}

void Watches::One::not_answered(const uplink::Target& target, const Error& why) {
  if (why.fault == Fault::denied || why.fault == Fault::busy) {
    not_asked_ = fail(Fault::denied, why.what);
    return;
  }
  if (why.fault == Fault::missing) ++not_sent_;
  unanswered_ += str(unanswered_.empty() ? "" : ", ", target.text);
  if (!why.what.starts_with("no answer ")) unanswered_ += str(" (", why.what, ")");
}

// --- what is made of it
// --------------------------------------------------------------------------------------------

void Watches::One::seen(bool is_up, std::string text, std::optional<std::uint64_t> prefixes) {
  failures_ = 0;
  answered_at_ = base::Clock::now();
  figures_.trouble.clear();
  figures_.looked = base::wall_now();
  figures_.prefixes = prefixes;
  losses_ = is_up ? 0 : losses_ + 1;
  unsigned enough = all_.limits_.lost_after + (settings_.device.empty() ? 1 : 0);
  bool is_sure = is_up || losses_ >= enough;
  if (is_sure) become(is_up ? WatchState::up : WatchState::lost, std::move(text));
  base::milliseconds pause = is_sure ? settings_.every : std::min(settings_.every, all_.limits_.again);
  timer_.after(opened_ >= all_.limits_.unknown_after ? pace(opened_) : pause, [this] { look(); });
}

// `may_go_on_so`: nothing was typed that a device could have enough of.
void Watches::One::nothing(const Error& why, bool may_go_on_so) {
  figures_.trouble = base::printable(why.what);
  bool has_failed = why.fault != Fault::busy;
  if (has_failed && ++failures_ >= all_.limits_.unknown_after) {
    become(WatchState::unknown, figures_.trouble);
  } else if (is_overdue()) {
    say_overdue(figures_.trouble);
  }
  timer_.after(has_failed && !may_go_on_so ? pace(std::max(failures_, opened_)) : settings_.every,
               [this] { look(); });
}

bool Watches::One::is_overdue() const {
  return base::Clock::now() - answered_at_ >= std::max(3 * settings_.every, all_.limits_.silent);
}

// That somebody types is no news, until nobody knows any more what the peering does.
void Watches::One::say_overdue(const std::string& why) {
  auto span = std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now() - answered_at_);
  figures_.trouble = str("not looked for ", base::human_span(span.count()), ": ", why);
  become(WatchState::unknown, figures_.trouble);
}

// From look to look, after so many in a row that a device could have enough of.
base::milliseconds Watches::One::pace(unsigned failures) const {
  base::milliseconds pause = settings_.every, seldom = std::max(pause, all_.limits_.seldom);
  for (unsigned i = all_.limits_.unknown_after; i <= failures && pause < seldom; ++i) pause *= 2;
  return std::min(pause, seldom);
}

// What an earlier run has told. That it was up then is what nobody is told of anyway.
void Watches::One::recall() {
  if (!all_.told_) return;
  auto at = all_.told_->all().find(figures_.name);
  if (at == all_.told_->all().end() || at->second.what != what_of(settings_)) return;
  const WatchesTold::Told& last = at->second;
  told_ = last.state;
  // The clock may have been set since.
  changed_ -= std::chrono::microseconds(std::max<base::Micros>(base::wall_now() - last.since, 0));
  if (last.state == WatchState::up) return;
  since_ = last.since;
  if (last.state == WatchState::lost) may_ask_ = user();
}

void Watches::One::become(WatchState state, std::string text) {
  figures_.state = state;
  figures_.text = std::move(text);
  if (state != WatchState::up) figures_.prefixes.reset();
  bool is_first = !told_, is_news = told_ != state;
  auto now = base::Clock::now();
  if (is_news && !is_first) since_ = base::wall_now();
  figures_.since = since_;
  if (!is_news) return;
  told_ = state;
  if (all_.told_) all_.told_->tell(figures_.name, {what_of(settings_), state, base::wall_now()});
  auto lasted = std::chrono::duration_cast<std::chrono::seconds>(now - std::exchange(changed_, now));
  if (is_first && state == WatchState::up) return;
  auth::Entry entry(event_for(state));
  entry.with("watch", figures_.name);
  if (!settings_.device.empty()) entry.with("device", settings_.device);
  if (!settings_.neighbour.empty()) entry.with("neighbour", settings_.neighbour);
  entry.with("text", figures_.text);
  if (!is_first) entry.with("seconds", static_cast<std::int64_t>(lasted.count()));
  if (std::string tail = console_tail(said_, kTailLines); !tail.empty()) entry.with("tail", tail);
  core_.journal.note(std::move(entry));
  Console* on = settings_.device.empty() ? nullptr : console();
  const char* word = state == WatchState::lost ? "LOST" : state == WatchState::up ? "restored" : "unknown";
  if (on) on->announce(str("watch ", figures_.name, ": ", word, ": ", figures_.text));
}

// --- all of them
// ---------------------------------------------------------------------------------------------------

Watches::Watches(Core& core, Limits limits, WatchesTold* told) : core_(core), limits_(limits), told_(told) {
  core_.watches = [this] { return figures(); };
}

Watches::~Watches() {
  core_.watches = [] { return std::vector<WatchFigures>{}; };
}

void Watches::adopt(const std::map<std::string, WatchSettings>& settings) {
  std::erase_if(all_, [&](const auto& each) {
    auto at = settings.find(each.first);
    return at == settings.end() || what_of(at->second) != what_of(each.second->settings());
  });
  if (told_)
    for (const auto& [name, last] : WatchesTold::All(told_->all())) {
      auto at = settings.find(name);
      if (at == settings.end() || what_of(at->second) != last.what) told_->forget(name);
    }
  for (const auto& [name, each] : settings) {
    std::unique_ptr<One>& one = all_[name];
    if (!one) {
      one = std::make_unique<One>(*this, name, each);
    } else if (!(one->settings() == each)) {
      one->change(each);
    }
  }
}

std::vector<WatchFigures> Watches::figures() const {
  std::vector<WatchFigures> all;
  for (const auto& [name, one] : all_) all.push_back(one->figures());
  return all;
}

}  // namespace oob::console

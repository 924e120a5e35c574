#include "recipe/visit.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "recipe/recipe_words.h"

namespace oob::recipe {

using base::Error;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;
using base::Task;

namespace {

constexpr milliseconds kQuiet{300}, kFirstLook{300}, kAgain{250};
// Where an empty line does harm, a slow device is not hurried: its menu may be about to come.
constexpr milliseconds kPatienceWhereEnterHarms{8000};
constexpr unsigned kMostSilentEnters = 5, kMostEnters = 30;
// Steps on the way, and at one state; more on a line where what is shown is often spoilt. Passwords have no
// more.
constexpr unsigned kMostSteps = 20, kMostNoisySteps = 60, kMostTimes = 3, kMostNoisyTimes = 12;
constexpr std::uint64_t kMostBytes = 4 << 20;  // said on the way in or out
constexpr std::uint64_t kSeenBefore = ~std::uint64_t{0};
constexpr char kStop[] = "\x03", kTakeBack[] = "\x15";  // Ctrl-C, Ctrl-U
constexpr milliseconds kUndoing{4000};
// What a device that starts says behind nothing for so long is no countdown any more.
constexpr milliseconds kStarting{10'000};
constexpr milliseconds kStopping{700};  // how long what Ctrl-C has ended takes to show it
// So many come before a carriage return where a command of ours runs: each may be lost.
constexpr unsigned kStops = 3, kMostTakingBack = 12;

bool asks_for(std::string_view text, std::string_view placeholder) {
  return text.find(placeholder) != std::string_view::npos;
}

// The last line above the prompt that says something; none where it holds a secret, which a device may echo.
std::string_view above_prompt(std::string_view text, const Credentials& credentials) {
  std::string_view line;
  do {
    std::size_t end = text.rfind('\n');
    text = text.substr(0, end == std::string_view::npos ? 0 : end);
    line = text.substr(text.rfind('\n') + 1);
  } while (!text.empty() && line.find_first_not_of(' ') == std::string_view::npos);
  for (const base::Secret* secret : {&credentials.secret, &credentials.enable})
    if (!secret->empty() && line.find(secret->view()) != std::string_view::npos) return {};
  return line;
}

}  // namespace

// --- terminal queries
// -----------------------------------------------------------------------------------------

void TerminalAnswers::hear(base::Bytes bytes) {
  if (recipe_.answers.empty()) return;
  constexpr std::size_t kLongestQuery = 64;
  pending_ += bytes;
  std::size_t done = 0;
  while (true) {
    const Recipe::Answer* first = nullptr;
    std::size_t begins = pending_.size(), ends = 0;
    for (const Recipe::Answer& answer : recipe_.answers) {
      re2::StringPiece found, in(pending_.data(), pending_.size());
      if (!answer.query.expression->Match(in, done, in.size(), re2::RE2::UNANCHORED, &found, 1)) continue;
      auto at = static_cast<std::size_t>(found.data() - pending_.data());
      if (found.empty() || at >= begins) continue;
      first = &answer;
      begins = at;
      ends = at + found.size();
    }
    if (!first) break;
    done = ends;
    if (talk_.now() - second_ >= std::chrono::seconds(1)) {
      second_ = talk_.now();
      answered_ = 0;
    }
    if (answered_++ < kMostASecond) talk_.type(first->text);
  }
  // A query begins with a control; what is before the last of them can't be part of one any more.
  pending_.erase(0, std::max(done, pending_.size() - std::min(pending_.size(), kLongestQuery)));
}

// --- a visit
// --------------------------------------------------------------------------------------------------

Visit::Visit(Talk& talk, const Recipe& recipe, const Credentials& credentials)
    : talk_(talk),
      recipe_(recipe),
      credentials_(credentials),
      recognition_(recipe),
      answers_(talk, recipe),
      quiet_(kQuiet) {
  talk_.listen([this](base::Bytes bytes) { hear(bytes); });
}

Visit::~Visit() { talk_.listen(nullptr); }

void Visit::hear(base::Bytes bytes) {
  silent_ = false;
  signs_.hear(bytes, talk_.now());
  screen_.feed(bytes);
  if (half_typed_) {
    for (char byte : bytes) {
      rubbed_ = rubbed_.size() < 3 ? rubbed_ + byte : rubbed_.substr(1) + byte;
      if (rubbed_ == "\b \b") ++erased_;
    }
  }
  if (answer_) {
    answer_->feed(bytes);
    if (told_) told_(answer_->text().size());
  }
  constexpr std::size_t kMostIdle = 64 * 1024, kMostRefusal = 4096;
  if (idle_ && idle_said_.size() < kMostIdle) idle_said_ += bytes;
  if (secret_given_ && since_secret_.size() < kMostRefusal) since_secret_ += bytes;
  answers_.hear(bytes);
}

const State* Visit::seen() const {
  if (talk_.bytes_heard() == heard_when_typed_) return nullptr;
  return recognition_.at(screen_.text(), typed_at_);
}

void Visit::answered() {
  signs_.clear();
  shell_lost_ = false;
}

const State* Visit::elsewhere() const {
  if (signs_.bytes() == 0 || talk_.now() - signs_.heard_at() < kQuiet) return nullptr;
  const State* state = recognition_.at(screen_.text(), "");
  return state && !state->work ? state : nullptr;
}

// Until when nothing is typed, since the device says that it starts, or something that its shell would not:
// any key may stop a boot loader.
Visit::Time Visit::starting_until() const {
  const bool starts = !signs_.sign().empty() || (shell_lost_ && signs_.strange_lines({}) > 0);
  return starts ? signs_.heard_at() + kStarting : Time{};
}

const State* Visit::work_state() const { return recipe_.state(work_); }

void Visit::typed(const State* at) {
  typed_at_ = at ? at->name : "";
  typed_when_ = talk_.now();
  heard_when_typed_ = talk_.bytes_heard();
}

std::string Visit::where() const {
  if (const State* state = recognition_.at(screen_.text(), typed_at_)) return str("at '", state->name, "'");
  std::string_view line = screen_.last_line();
  if (!line.empty()) return str("at something unknown: ", quoted(line));
  return path_.empty() ? "at something unknown" : str("somewhere behind '", path_.back(), "'");
}

Error Visit::unknown(std::string_view doing) const {
  std::string_view line = screen_.last_line();
  // Where the last line is empty, the one before says more.
  std::string_view text = screen_.text();
  while (line.empty() && !text.empty()) {
    text.remove_suffix(1);
    line = text.substr(text.rfind('\n') + 1);
  }
  return base::fail(Fault::unavailable,
                    str(doing, ": the recipe ", recipe_.name, " does not know what the device shows; ",
                        line.empty() ? "its screen is empty" : str("its last line is ", quoted(line))));
}

// A noisy line is given less time to spoil what it shows.
void Visit::disturbed() {
  noisy_ = true;
  quiet_ = std::max(kLeastQuiet, quiet_ * 2 / 3);
}

// What is seen and stays, after as many carriage returns as it takes.
Task<Result<const State*>> Visit::find(Find how) {
  bool enter_harms = std::any_of(recipe_.states.begin(), recipe_.states.end(),
                                 [](const State& state) { return state.no_enter; });
  // On the way out it does none: what it ends is ours.
  const milliseconds patience = enter_harms && !talk_.is_leaving() ? kPatienceWhereEnterHarms : kPatience;
  const std::uint64_t heard_before = talk_.bytes_heard();
  unsigned silent = 0, same = 0, enters = 0, stopped = 0, taking_back = 0;
  bool first = true;
  std::string last_unknown, stopped_at;
  Time next_enter = std::max(talk_.now() + kFirstLook, typed_when_ + patience);
  if (how.may_be_there) heard_when_typed_ = kSeenBefore;
  while (true) {
    std::function<bool()> recognised = [this] {
      talk_.drop_all();
      return seen() != nullptr;
    };
    auto wait = std::chrono::ceil<milliseconds>(std::min(next_enter, how.until) - talk_.now());
    Result<bool> came = co_await talk_.until(recognised, wait);
    if (!came) co_return came.error();
    if (talk_.bytes_heard() - heard_before > kMostBytes)
      co_return base::fail(Fault::unavailable, "the device talks without end");
    if (*came) {
      const State* state = seen();
      const Time since = talk_.now();
      const std::uint64_t mark = talk_.bytes_heard();
      std::function<bool()> more = [this, mark] { return talk_.bytes_heard() != mark; };
      // What is only an answer comes at once behind what asked for it.
      milliseconds quiet = state->after.empty() ? quiet_ : kLeastQuiet;
      Result<bool> followed = co_await talk_.until(more, quiet);
      if (!followed) co_return followed.error();
      if (!*followed) {
        path_.push_back(state->name);
        half_typed_ = false;  // it is not there any more
        answered();
        co_return state;
      }
      if (talk_.now() - since >= kBehind && seen() != state) {
        disturbed();
        if (!state->no_enter) next_enter = std::min(next_enter, talk_.now() + kAgain);
      }
      if (talk_.now() < how.until) continue;
    }
    if (talk_.now() >= how.until) co_return unknown("it took too long");
    if (talk_.now() < next_enter) continue;
    if (const Time starting = starting_until(); talk_.now() < starting) {
      next_enter = starting;
      continue;
    }
    if (!entered_ && recognition_.begun(screen_.last_line())) co_return begun();
    if (is_taken_back()) half_typed_ = false;
    if (half_typed_) {
      // An Enter would enter what may be there of it. Ctrl-C does no harm where we have got to ourselves.
      if (++taking_back > kMostTakingBack) co_return unknown("a line of ours is half typed and does not go");
      const State* at = recipe_.state(half_typed_at_);
      if (taking_back % 2 == 0 && at && !at->home && !at->screen) talk_.type(kStop);
      take_back();
      heard_when_typed_ = talk_.bytes_heard();
      next_enter = talk_.now() + kStopping;
      continue;
    }
    silent = talk_.bytes_heard() == heard_when_typed_ ? silent + 1 : 0;
    if (silent > kMostSilentEnters) {
      silent_ = true;
      co_return base::fail(Fault::unavailable, str("the device does not answer: nothing came after ",
                                                   enters > 0 ? str(enters, " carriage returns") : "Ctrl-C"));
    }
    same = !screen_.last_line().empty() && screen_.last_line() == last_unknown ? same + 1 : 0;
    if (enters + stopped > kMostEnters || same >= kMostSilentEnters)
      co_return unknown(enters == 0 && stopped > 0 ? "Ctrl-C leads nowhere"
                                                   : "carriage returns lead nowhere");
    last_unknown = screen_.last_line();
    // It may be a question of what we have started: [confirm], (yes).
    bool stop = how.ours && may_stop() && stops(first, stopped, stopped_at);
    if (stop) {
      if (stopped++ == 0) stopped_at = screen_.last_line();
    } else {
      first = false;
      stopped = 0;
      ++enters;
    }
    talk_.type(stop ? kStop : "\r");
    typed(nullptr);
    next_enter = talk_.now() + (stop ? kStopping : patience);
  }
}

// Where the device restarts what we have started has gone. Only a question of a command line may be there all
// the same, of which a carriage return would be the answer.
bool Visit::may_stop() const { return running_ || (signs_.sign().empty() && !shell_lost_); }

// Whether Ctrl-C is typed rather than a carriage return, after so many at the line `at`: until something else
// is there than what a command of ours may ask. `first`: there was no carriage return yet.
bool Visit::stops(bool first, unsigned stopped, std::string_view at) const {
  if (stopped < (running_ && first ? kStops : 1)) return true;
  bool stays = !at.empty() && screen_.last_line().starts_with(at);
  return stays && (running_ || stopped < kStops);
}

// Ctrl-U is answered by rubbing out each byte; one of them may be damaged.
bool Visit::is_taken_back() const { return erased_ >= std::max<std::size_t>(2, half_typed_size_) - 1; }

void Visit::take_back() {
  if (!half_typed_) return;
  talk_.type(kTakeBack);
  talk_.last_words("");
}

Error Visit::begun() const {
  return base::fail(Fault::unavailable, str("somebody left a line half typed: ", quoted(screen_.last_line()),
                                            "; attach, clear it (Ctrl-C), and try again"));
}

Task<Result<>> Visit::arrive(std::string screen) {
  screen_.feed(screen);
  if (recognition_.begun(screen_.last_line())) co_return begun();
  const Time until = talk_.now() + kArriving;
  const State* there = recognition_.at(screen_.text(), "");
  Find first{until, false, false};
  if (there && there->no_enter) {
    first.may_be_there = true;
  } else if (there) {  // perhaps of long ago
    talk_.type("\r");
    typed(nullptr);
  }
  Result<> worked = co_await get_to_work(first);
  co_return worked;
}

Task<Result<>> Visit::get_to_work(Find how) {
  std::map<std::string, unsigned> times;
  unsigned step = 0;
  for (; step < (noisy_ ? kMostNoisySteps : kMostSteps); ++step) {
    Result<const State*> found = co_await find(how);
    how.may_be_there = false;
    bool work = found && (*found)->work;
    if (!work && secret_given_ && recognition_.refused(as_seen(since_secret_))) {
      // On a noisy line it may have come damaged: once more, and not so often that a user is locked out.
      if (found && noisy_ && !refused_) {
        refused_ = true;
        secret_given_ = false;
        base::wipe(since_secret_);
      } else {
        co_return base::fail(Fault::denied, "the device refuses the user or the password");
      }
    }
    if (!found) co_return found.error();
    const State& state = **found;
    if (found_.empty()) {
      found_ = state.name;
      found_open_ = work && !ours_;
      entered_ = entered_ || (work && ours_);  // so that leave() logs out
    }
    if (work) {
      prompt_ = screen_.last_line();
      work_ = state.name;
      secret_given_ = running_ = false;
      base::wipe(since_secret_);
      co_return Result<>();
    }
    if (!state.go)
      co_return base::fail(
          Fault::unavailable,
          str("the device is at '", state.name, "', from where the recipe ", recipe_.name, " knows no way"));
    if (Result<> has = credentials_for(*state.go); !has) co_return has;
    bool secret =
        state.go->find("{secret}") != std::string::npos || state.go->find("{enable}") != std::string::npos;
    std::string_view said = above_prompt(screen_.text(), credentials_);
    if (times[state.name] >= (noisy_ && !secret ? kMostNoisyTimes : kMostTimes))
      co_return base::fail(Fault::unavailable,
                           str("the device comes back to '", state.name, "' again and again",
                               said.empty() ? "" : str("; before that it said ", quoted(said))));
    Result<Typed> typed = co_await go_on(state, *state.go);
    if (!typed) co_return typed.error();
    how.may_be_there = *typed == Typed::taken_back;
    if (*typed == Typed::entered) ++times[state.name];
  }
  co_return base::fail(Fault::unavailable, str("no way to where commands are run was found in ", step,
                                               " steps; the console is ", where()));
}

Task<Result<>> Visit::settle(milliseconds limit) {
  const Time until = talk_.now() + limit;
  const bool starting = talk_.now() < starting_until();
  if (!starting) take_back();
  Find first{until, false, running_};
  const State* there = recognition_.at(screen_.text(), typed_at_);
  if (half_typed_ || starting || (there && there->no_enter)) {
    first.may_be_there = true;
  } else {
    talk_.type(running_ ? kStop : "\r");
    typed(nullptr);
  }
  Result<> settled = co_await get_to_work(first);
  co_return settled;
}

Task<Result<>> Visit::leave() {
  talk_.leaving();
  // Carriage returns alone have opened nothing.
  if (!entered_ && !found_open_) co_return Result<>();
  const Time until = talk_.now() + kLeaving;
  if (talk_.now() >= starting_until()) take_back();
  const State* found_at = recipe_.state(found_);
  const bool found_home = found_at && found_at->home;
  Find how{until, true, running_ || (!found_open_ && !work_.empty())};
  std::map<std::string, unsigned> times;
  while (true) {
    Result<const State*> found = co_await find(how);
    if (!found) {
      Error why = found.error();
      why.what = str("the console is left open ", where(), ": ", why.what);
      co_return why;
    }
    const State& state = **found;
    how.may_be_there = false;
    if (state.work) running_ = false;
    if (found_open_ && state.work) {
      const std::vector<std::string> undo = std::exchange(undo_, {});
      bool undone = true;
      for (std::size_t i = 0; undone && i < undo.size(); ++i) {
        milliseconds limit = kUndoing;
        const std::string& line = undo[i];
        Result<std::string> said = co_await ask(line, limit);
        undone = said.has_value();
      }
      if (!undone) {
        how.may_be_there = true;
        how.ours = running_;
        continue;
      }
    }
    if (found_open_ ? state.work : state.home && (state.name == found_ || !found_home || !state.leave))
      co_return Result<>();
    std::string text = "\r";
    if (state.leave) {
      text = *state.leave;
    } else if (state.go && !state.screen && !asks_for(*state.go, "{")) {
      text = *state.go;  // a pager
    }
    Result<Typed> typed = base::fail(Fault::unavailable, "it comes back to this again and again");
    if (++times[state.name] <= (noisy_ ? kMostNoisyTimes : kMostTimes + 1))
      typed = co_await go_on(state, text);
    if (!typed) {
      Error why = typed.error();
      why.what = str("the console is left open at '", state.name, "': ", why.what);
      co_return why;
    }
    how.may_be_there = *typed == Typed::taken_back;
  }
}

}  // namespace oob::recipe

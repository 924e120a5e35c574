#include <algorithm>
#include <utility>

#include "recipe/recipe_words.h"
#include "recipe/visit.h"

// How a Visit types, and how it asks.
namespace oob::recipe {

using base::Error;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;
using base::Task;

namespace {

constexpr milliseconds kEcho{1500}, kEchoOfByte{10};
// A line is typed in such pieces, each when the one before was echoed: some scroll a line that is longer than
// their screen sideways, and then no echo shows all of it.
constexpr std::size_t kPiece = 30;
constexpr unsigned kMostTries = 4;
// How long the prompt must stay: less when it is the one that was learned than when it only looks like one.
constexpr milliseconds kAlike{1500}, kNothing{3000}, kSpoilt{300}, kAgainAfterAnswer{20'000};
constexpr std::size_t kMostAnswer = 32 << 20;
// Less than this in kNothing is no output that comes on: at most the kernel's.
constexpr std::uint64_t kTrickle = 1500;
constexpr unsigned kMostEntersInAnswer = 20, kMostBehindPrompt = 60;  // the latter: lines
constexpr std::size_t kDamage = 2;                                    // bytes of a prompt

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  std::size_t from = text.find_first_not_of(kBlanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlanks) - from + 1);
}

// Where what is typed into a state ends: {before its Enter, its Enter}.
std::pair<std::string_view, std::string_view> parted(std::string_view text) {
  std::size_t end = text.find_last_not_of("\r\n");
  std::size_t size = end == std::string_view::npos ? 0 : end + 1;
  return {text.substr(0, size), text.substr(size)};
}

// It goes on by a key; what goes on by a line is somewhere else.
bool is_pager(const State& state) {
  return !state.work && !state.home && state.go && state.go->find_first_of("{\r\n") == std::string::npos;
}

}  // namespace

// --- what may be typed
// ----------------------------------------------------------------------------------------

Result<> Visit::may_type(const State& state, std::string_view text) const {
  auto [before, enter] = parted(text);
  Result<> may;
  std::size_t from = 0;
  while (may && from <= before.size()) {
    std::size_t end = std::min(before.find_first_of("\r\n", from), before.size());
    std::string_view line = without_blanks(before.substr(from, end - from));
    for (const std::string& forbidden : state.forbid)
      if (line == without_blanks(forbidden))
        may = base::fail(Fault::usage, str("the recipe ", recipe_.name, " forbids ", quoted(line), " at '",
                                           state.name, "'"));
    if (state.no_enter && line.empty())
      may = base::fail(Fault::usage,
                       str("the recipe ", recipe_.name, " forbids an empty line at '", state.name, "'"));
    from = end + 1;
  }
  return may;
}

Result<> Visit::credentials_for(std::string_view text) const {
  auto asks_for = [&](std::string_view what) { return text.find(what) != std::string_view::npos; };
  if (asks_for("{user}") && credentials_.user.empty())
    return base::fail(Fault::missing,
                      "the device asks for a user, and none is configured: give it login = { user = \"…\", "
                      "password_file = \"…\" }");
  if (asks_for("{secret}") && credentials_.secret.empty())
    return base::fail(Fault::missing,
                      "the device asks for a password, and none is configured: give it login = { user = "
                      "\"…\", password_file = \"…\" }");
  if (asks_for("{enable}") && credentials_.enable.empty())
    return base::fail(Fault::missing,
                      "the device asks for the enable password, and none is configured: give it login = { "
                      "…, enable_file = \"…\" }");
  return {};
}

// --- typing
// ---------------------------------------------------------------------------------------------------

// With what its placeholders stand for; a secret goes its own way.
void Visit::type_filled(std::string_view text) {
  while (!text.empty()) {
    std::size_t at = text.find('{');
    talk_.type(text.substr(0, at));
    if (at == std::string_view::npos) return;
    text.remove_prefix(at);
    auto take = [&](std::string_view name) {
      if (text.substr(0, name.size()) != name) return false;
      text.remove_prefix(name.size());
      return true;
    };
    if (take("{user}")) {
      talk_.type(credentials_.user);
    } else if (take("{secret}")) {
      talk_.type_secret(credentials_.secret);
    } else if (take("{enable}")) {
      talk_.type_secret(credentials_.enable);
    } else {
      talk_.type("{");
      text.remove_prefix(1);
    }
  }
}

Task<Result<Visit::Typed>> Visit::go_on(const State& state, std::string text) {
  bool secret = text.find("{secret}") != std::string::npos || text.find("{enable}") != std::string::npos;
  std::size_t user = text.find("{user}");
  if (!secret && user != std::string::npos) text.replace(user, 6, credentials_.user);
  if (Result<> may = may_type(state, text); !may) co_return may.error();
  auto [line, enter] = parted(text);
  bool whole_line = !line.empty() && !enter.empty() && line.find_first_of("\r\n") == std::string_view::npos;
  if (!secret && whole_line) {
    std::string typed_line(line), typed_enter(enter);
    Result<Typed> typed = co_await type_line(state, typed_line, typed_enter);
    co_return typed;
  }
  entered_ = entered_ || !line.empty();
  if (secret) {
    secret_given_ = true;
    since_secret_.clear();
  }
  typed(&state);
  if (secret) {
    type_filled(text);
  } else {
    talk_.type(text);
  }
  co_return Typed::entered;
}

// A line is entered when the device has it as it was typed. At a prompt of a device that has never echoed
// anything it is entered as well; in a menu, where a digit resets a device, never.
Task<Result<Visit::Typed>> Visit::type_line(const State& state, std::string line, std::string enter) {
  if (Result<> may = may_type(state, line + enter); !may) co_return may.error();
  if (std::exchange(idle_, false)) note_unasked(as_seen(idle_said_));
  const std::string typed_at_before = typed_at_;
  const std::string last_words_before = talk_.last_words();
  entered_ = half_typed_ = true;
  half_typed_at_ = state.name;
  half_typed_size_ = erased_ = 0;
  rubbed_.clear();
  typed(&state);
  talk_.last_words("\x15");
  bool same = true, silent = false;
  while (same && half_typed_size_ < line.size()) {
    // The rest at once where nothing is echoed.
    std::string piece = line.substr(half_typed_size_, silent ? std::string::npos : kPiece);
    talk_.drop_all();
    half_typed_size_ += piece.size();
    talk_.type(piece);
    std::function<bool()> echoed = [this, &piece] { return as_echoed(talk_.heard()).ends_with(piece); };
    milliseconds patience = kEcho + kEchoOfByte * static_cast<int>(piece.size());
    Result<bool> came = co_await talk_.until(echoed, patience);
    if (!came) co_return came.error();
    bool mute = talk_.heard().empty() && (!echoes_ || echo_off_) && !state.screen;
    same = silent ? mute : *came || mute;
    silent = mute;
    echoes_ = echoes_ || *came;
  }
  if (same) {
    half_typed_ = false;
    talk_.last_words(last_words_before);
    answer_follows_echo_ = !silent;
    if (answer_) answer_->clear();
    talk_.drop_all();
    typed(&state);
    signs_.clear();
    talk_.type(enter);
    co_return Typed::entered;
  }
  // Several: the first may be lost as well. Where it is not seen to be gone, find() goes on with it.
  disturbed();
  for (unsigned tries = 0; tries < 2 && half_typed_; ++tries) {
    take_back();
    milliseconds quiet = quiet_, limit = kEcho;
    Result<bool> taken = co_await talk_.silence(quiet, limit);
    if (!taken) co_return taken.error();
    half_typed_ = recognition_.at(screen_.text(), typed_at_before) != &state && !is_taken_back();
  }
  talk_.last_words(last_words_before);
  typed_at_ = typed_at_before;
  co_return Typed::taken_back;
}

// --- asking
// ---------------------------------------------------------------------------------------------------

Task<Result<std::string>> Visit::ask(std::string line, milliseconds limit, For what) {
  for_ = what;
  const State* state = work_state();
  if (!state) co_return base::fail(Fault::internal, "a device is asked before it was arrived at");
  if (line.empty() || line.find_first_of("\r\n") != std::string::npos)
    co_return base::fail(Fault::usage, str("not one line: ", quoted(line)));
  const Time until = talk_.now() + limit;
  answer_ = std::make_unique<Screen>(Screen::Keep::all);
  Result<Typed> typed = Typed::taken_back;
  const std::string enter = "\r";
  for (unsigned tries = 0; tries < kMostTries && *typed == Typed::taken_back; ++tries) {
    typed = co_await type_line(*state, line, enter);
    if (!typed) break;
    if (*typed == Typed::entered) break;
    Find how{std::min(until, talk_.now() + kAgainAfterAnswer), true, false};
    Result<> settled = co_await get_to_work(how);
    if (!settled) {
      typed = settled.error();
      break;
    }
  }
  Result<std::string> said =
      base::fail(Fault::unavailable, str("the device does not echo ", quoted(line), " as it is typed"));
  if (!typed) {
    said = typed.error();
  } else if (*typed == Typed::entered) {
    running_ = true;
    said = co_await answer(until);
    if (said) {
      running_ = false;
      idle_ = true;
      idle_said_.clear();
    }
  }
  answer_.reset();
  co_return said;
}

Task<Result<bool>> Visit::enter(std::string line) {
  const State* state = work_state();
  if (!state) co_return base::fail(Fault::internal, "a line is typed before the device was arrived at");
  const std::string enter = "\r";
  Result<Typed> typed = co_await type_line(*state, std::move(line), enter);
  if (!typed) co_return typed.error();
  co_return *typed == Typed::entered;
}

Task<Result<std::string>> Visit::answer(Time until) {
  unsigned enters = 0, pauses = 0;
  bool spoilt = false;  // the prompt was there, and something came behind it
  std::size_t before_enters = 0;
  while (true) {
    std::function<bool()> stopped = [this] {
      talk_.drop_all();
      return at_learned_prompt() || behind_text() || seen() != nullptr;
    };
    std::uint64_t mark = talk_.bytes_heard();
    std::function<bool()> more = [this, &mark] { return talk_.bytes_heard() != mark; };
    milliseconds rest = std::chrono::ceil<milliseconds>(until - talk_.now());
    milliseconds wait = std::min(rest, spoilt ? kSpoilt : kNothing);
    Result<bool> came = co_await talk_.until(stopped, wait);
    if (!came) co_return came.error();
    if (answer_->text().size() > kMostAnswer)
      co_return base::fail(Fault::failed, str("it prints more than ", kMostAnswer, " bytes"));
    if (*came) {
      bool learned = at_learned_prompt();
      const State* state = seen();
      bool pager = state && is_pager(*state);
      milliseconds quiet = learned || pager ? quiet_ : kAlike;
      mark = talk_.bytes_heard();
      const Time since = talk_.now();
      Result<bool> followed = co_await talk_.until(more, quiet);
      if (!followed) co_return followed.error();
      if (!*followed) {
        if (learned || (!pager && behind_text()) || (state && state->work)) break;
        if (!pager) co_return base::fail(Fault::unavailable, str("it led away, to '", state->name, "'"));
        const std::string key = for_ == For::running ? " " : *state->go;
        Result<> may = may_type(*state, key);
        if (!may) co_return may.error();
        typed_at_ = state->name;
        heard_when_typed_ = talk_.bytes_heard();
        talk_.type(key);
      } else if (learned && talk_.now() - since >= kBehind && !at_learned_prompt()) {
        disturbed();
        spoilt = true;
      }
    } else if (talk_.bytes_heard() - mark < kTrickle && enters < kMostEntersInAnswer &&
               talk_.now() >= starting_until() &&
               (lost_prompt() || (answer_->last_line().empty() && ++pauses % most_pauses_ == 0))) {
      if (enters++ == 0) before_enters = answer_->text().size();
      spoilt = false;
      talk_.type("\r");
    }
    if (talk_.now() >= until)
      co_return base::fail(Fault::unavailable, str("it has not come to its end in time; its last line is ",
                                                   quoted(answer_->last_line())));
  }
  if (enters > 0) {
    std::string_view text = without_enters(answer_->text(), before_enters);
    if (text.size() > before_enters && for_ == For::reading) {
      // The echo of a carriage return stands somewhere in it. A few lines are the kernel's rather than the
      // rest.
      constexpr int kFew = 5;
      std::string_view late = text.substr(before_enters);
      if (std::count(late.begin(), late.end(), '\n') > kFew) most_pauses_ *= 3;
      co_return base::fail(Fault::failed, "it paused, and a carriage return was typed into it");
    }
    co_return printed(text, true);
  }
  co_return printed(answer_->text(), false);
}

bool Visit::at_learned_prompt() const { return !prompt_.empty() && answer_->last_line() == prompt_; }

// The prompt stands behind a last line that has no end, as it seems.
bool Visit::behind_text() const { return !prompt_.empty() && answer_->last_line().ends_with(prompt_); }

// Whether the prompt may have come and was damaged, or something came behind it. An empty last line alone may
// be a pause.
bool Visit::lost_prompt() const {
  std::string_view text = answer_->text(), last = answer_->last_line();
  if (last.starts_with(prompt_)) return true;
  constexpr std::size_t kLongestPrompt = 200;
  if (!last.empty())
    return last.size() < kLongestPrompt &&
           base::edit_distance(without_blanks(last), without_blanks(prompt_)) <= kDamage;
  for (unsigned back = 0; back < kMostBehindPrompt && !text.empty();) {
    text.remove_suffix(1);
    std::size_t begin = text.rfind('\n') + 1;
    std::string_view line = text.substr(begin);
    if (is_prompt_like(line)) return true;
    if (!line.empty() && !is_noise(line)) ++back;
    text = text.substr(0, begin);
  }
  return false;
}

// It begins as the prompt does, but for damaged bytes.
bool Visit::is_prompt_like(std::string_view line) const {
  std::string_view solid = without_blanks(prompt_);
  return solid.size() > kDamage && line.size() >= solid.size() &&
         base::edit_distance(line.substr(0, solid.size()), solid) <= kDamage;
}

// An answer without what our carriage returns have brought, of which the first was typed behind `before`
// bytes: prompts, and what comes behind them. Where the device had only paused, all that came later is part
// of it.
std::string_view Visit::without_enters(std::string_view text, std::size_t before) const {
  auto explained = [&](std::string_view line) {
    return without_blanks(line).empty() || line.starts_with(prompt_) || is_prompt_like(line) ||
           is_noise(line);
  };
  // It had ended before.
  if (prompt_in(text.substr(0, before)) != std::string_view::npos) return text.substr(0, before);
  std::size_t end = text.size(), line = text.size();
  // Backwards from the end, as long as there is nothing else.
  while (line > before) {
    std::size_t begin = line < 2 ? 0 : text.rfind('\n', line - 2) + 1;
    std::string_view one = text.substr(begin, line - begin);
    if (one.ends_with('\n')) one.remove_suffix(1);
    if (begin < before || !explained(one)) break;
    if (!prompt_.empty() && one.starts_with(prompt_)) end = begin + prompt_.size();
    line = begin;
  }
  std::string_view late = text.substr(std::min(before, text.size()));
  bool more = false;
  base::split(late.substr(0, end > before ? end - before : 0), '\n',
              [&](std::string_view one) { more = more || !explained(one); });
  return text.substr(0, more ? end : before);
}

// Where the last line begins that begins with the prompt, with no more behind it than what may have come
// unasked; npos: there is none.
std::size_t Visit::prompt_in(std::string_view text) const {
  if (prompt_.empty()) return std::string_view::npos;
  std::size_t line = text.rfind('\n') + 1;
  for (unsigned back = 0; back < kMostBehindPrompt;) {
    if (text.substr(line).starts_with(prompt_)) return line;
    if (line < 2) break;
    std::size_t before = text.rfind('\n', line - 2) + 1;
    if (line - before > 1 && !is_noise(text.substr(before, line - before - 1))) ++back;
    line = before;
  }
  return std::string_view::npos;
}

// What stands between the echo and the prompt. `disturbed`: something came behind the prompt.
std::string Visit::printed(std::string_view text, bool disturbed) {
  std::size_t echo = std::min(text.find('\n'), text.size());
  if (echo < text.size() && (answer_follows_echo_ || echo == 0)) text.remove_prefix(echo + 1);
  std::size_t last = text.rfind('\n') + 1;
  std::string_view end = text.substr(last);
  if (!prompt_.empty() && end.size() > prompt_.size() && end.ends_with(prompt_)) {
    // Where the last line has no end, the prompt stands behind it.
    std::string_view rest = end.substr(0, end.size() - prompt_.size());
    return without_noise(text.substr(0, last)) + std::string(rest);
  }
  if (std::size_t line = disturbed ? prompt_in(text) : std::string_view::npos;
      line != std::string_view::npos) {
    last = line;
    note_unasked(text.substr(line));
  }
  return without_noise(text.substr(0, last));
}

void Visit::note_unasked(std::string_view lines) {
  constexpr std::size_t kMostUnasked = 1000;
  base::split(lines, '\n', [&](std::string_view line) {
    if (line.starts_with(prompt_)) line.remove_prefix(prompt_.size());
    if (!line.empty() && unasked_.size() < kMostUnasked) unasked_.emplace(line);
  });
}

bool Visit::has_unasked(std::string_view text) const {
  bool has = false;
  base::split(text, '\n', [&](std::string_view line) { has = has || unasked_.contains(line); });
  return has;
}

bool Visit::is_noise(std::string_view line) const {
  return std::any_of(recipe_.noise.begin(), recipe_.noise.end(),
                     [&](const Pattern& pattern) { return pattern.search(line); });
}

std::string Visit::without_noise(std::string_view text) {
  std::string kept;
  dropped_.clear();
  while (!text.empty()) {
    std::size_t size = std::min(text.find('\n'), text.size() - 1) + 1;
    std::string_view line = text.substr(0, size);
    std::string_view bare = line.ends_with('\n') ? line.substr(0, size - 1) : line;
    if (for_ == For::reading && is_noise(bare))
      dropped_.emplace_back(bare);
    else
      kept += line;
    text.remove_prefix(size);
  }
  std::sort(dropped_.begin(), dropped_.end());
  return kept;
}

}  // namespace oob::recipe

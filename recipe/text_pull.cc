#include <algorithm>
#include <map>
#include <set>

#include "base/sha256.h"
#include "recipe/pull.h"
#include "recipe/recipe_words.h"

// How command lines without a shell are read.
namespace oob::recipe {

using base::Error;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;
using base::Task;

namespace {

constexpr milliseconds kSetup{20'000}, kReading{15 * 60'000}, kSettling{60'000};
constexpr milliseconds kUnasked{1000};  // how long to listen for what comes unasked
constexpr unsigned kMostReadings = 4, kMostNoisyReadings = 12;

// The first line that means that a command failed; null: none.
std::optional<std::string> error_line(const Recipe& recipe, std::string_view text) {
  std::optional<std::string> found;
  base::split(text, '\n', [&](std::string_view line) {
    for (const Pattern& error : recipe.errors)
      if (!found && error.search(line)) found = line;
  });
  return found;
}

std::string_view first_lines(std::string_view text) {
  constexpr unsigned kFirst = 5;
  std::size_t end = 0;
  for (unsigned line = 0; line < kFirst && end < text.size(); ++line)
    end = std::min(text.find('\n', end), text.size() - 1) + 1;
  return text.substr(0, end);
}

std::string_view last_line_of(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text.substr(text.rfind('\n') + 1);
}

// Whether all of it came, and not too much.
Result<> is_whole(const Fetch& fetch, std::string_view text) {
  if (text.size() > fetch.most)
    return base::fail(Fault::failed, str(fetch.name, " is larger than ", fetch.most, " bytes"));
  bool ends = (!fetch.end || text.ends_with(*fetch.end)) &&
              (!fetch.end_line || fetch.end_line->search(last_line_of(text)));
  if (!ends)
    return base::fail(Fault::failed, str(fetch.name, " was cut: its last line is ",
                                         quoted(last_line_of(text)), ", not what the recipe ends it with"));
  return {};
}

// What is read by one pull.
struct TextPull {
  Visit& visit;
  const Recipe& recipe;
  const ToldProgress& told;
  Progress progress{};
  unsigned retries = 0;
};

// One question; after a failure the device is at its prompt again, or it is an Error with `gone`.
Task<Result<std::string>> ask_settled(TextPull& pull, std::string line, milliseconds limit, bool& gone,
                                      Visit::For what = Visit::For::reading) {
  Result<std::string> said = co_await pull.visit.ask(line, limit, what);
  if (said) co_return said;
  Result<> settled = co_await pull.visit.settle(kSettling);
  gone = !settled;
  if (settled) co_return said.error();
  co_return settled.error();
}

// Readings that agree, by the lines of Recipe::noise that were left out of each. What was left out may have
// left a trace (an empty line, a line in two), and the same one twice. So one must have no more left out than
// another has: none at all, or what always comes.
bool one_is_clean(const std::vector<std::vector<std::string>>& dropped) {
  for (std::size_t one = 0; one < dropped.size(); ++one)
    for (std::size_t other = 0; other < dropped.size(); ++other)
      if (one != other && std::includes(dropped[other].begin(), dropped[other].end(), dropped[one].begin(),
                                        dropped[one].end()))
        return true;
  return false;
}

// What a command prints, when it has printed it twice, one after the other. Where something comes between its
// lines now and then, the same may come twice as well: then it takes three of more readings, and no line that
// was seen to come unasked.
Task<Result<std::string>> read_twice(TextPull& pull, Talk& talk, std::string line) {
  // What was read, and the lines that were left out of each reading of it.
  std::map<std::string, std::vector<std::vector<std::string>>> readings;
  bool noisy = pull.visit.noisy();
  unsigned reading = 0;
  Error why;
  for (; reading < (noisy ? kMostNoisyReadings : kMostReadings); ++reading) {
    if (reading > 1) ++pull.retries;
    bool gone = false;
    Result<std::string> said = co_await ask_settled(pull, line, kReading, gone);
    if (!said) {
      if (gone || said.error().fault == Fault::usage) co_return said.error();
      why = said.error();
      noisy = true;
      continue;
    }
    why = base::fail(Fault::failed, "");
    std::vector<std::vector<std::string>>& same = readings[*said];
    same.push_back(pull.visit.dropped());
    noisy = noisy || pull.visit.noisy() || readings.size() > 1 || same.front() != same.back();
    if (same.size() >= (noisy ? 3 : 2) && one_is_clean(same) && !pull.visit.has_unasked(*said))
      co_return said;
    pull.progress.of = said->size();
    if (!noisy) continue;
    Result<bool> idle = co_await talk.silence(kUnasked, kUnasked);
    if (!idle) co_return idle.error();
  }
  if (why.what.empty())
    why.what = str(reading, " readings do not agree: something comes between the lines that it prints");
  why.what = str(quoted(line), ": ", why.what);
  co_return why;
}

Task<Result<>> set_up(TextPull& pull) {
  pull.visit.undo_when_left(pull.recipe.undo);
  for (const std::string& line : pull.recipe.setup) {
    // A model that does not know one is read all the same: what it prints is proved by itself.
    bool gone = false;
    Result<std::string> said = co_await ask_settled(pull, line, kSetup, gone);
    if (!said && gone) co_return said.error();
  }
  co_return Result<>();
}

Task<Result<std::string>> read_version(TextPull& pull, Talk& talk) {
  std::string version;
  if (pull.recipe.device_version.empty()) co_return version;
  Result<std::string> said = co_await read_twice(pull, talk, pull.recipe.device_version);
  if (!said) co_return said.error();
  if (!error_line(pull.recipe, *said)) {
    std::size_t begin = std::min(said->find_first_not_of("\n \t"), said->size());
    version = said->substr(begin, said->find('\n', begin) - begin);
  }
  co_return version;
}

}  // namespace

Task<Result<Pulled>> pull_text(Visit& visit, Talk& talk, const Recipe& recipe, std::vector<Fetch> more,
                               ToldProgress told) {
  const std::uint64_t wire_before = talk.bytes_heard() + talk.bytes_typed();
  std::map<std::string, Fetch> fetches;
  for (const Fetch& fetch : recipe.fetches) fetches.insert_or_assign(fetch.name, fetch);
  for (const Fetch& fetch : more) fetches.insert_or_assign(fetch.name, fetch);
  TextPull pull{visit, recipe, told};
  pull.progress.files = static_cast<unsigned>(fetches.size());
  Pulled pulled;
  pulled.method = name_of(Method::text_twice);
  visit.on_answer([&pull](std::uint64_t bytes) {
    pull.progress.done = bytes;
    if (pull.told && !pull.progress.file.empty()) pull.told(pull.progress);
  });
  struct Quiet {
    Visit& visit;
    ~Quiet() { visit.on_answer(nullptr); }
  } quiet{visit};

  Result<> ready = co_await set_up(pull);
  if (!ready) co_return ready.error();
  Result<std::string> version = co_await read_version(pull, talk);
  if (!version && version.error().fault != Fault::failed) co_return version.error();
  if (version) pulled.device_version = base::printable(*version, 200);
  for (const auto& [name, fetch] : fetches) {
    if (fetch.kind != Fetch::Kind::command)
      co_return base::fail(Fault::config, str(fetch.source,
                                              ": a file is not to be had of a device without a "
                                              "shell; the recipe ",
                                              recipe.name, " reads what commands print"));
    ++pull.progress.file_number;
    pull.progress.file = name;
    pull.progress.done = pull.progress.of = 0;
    Result<std::string> text = co_await read_twice(pull, talk, fetch.source);
    if (!text) co_return talk.wrap(name, text.error());
    Result<> whole = is_whole(fetch, *text);
    // A banner may hold such a line: of what is whole only the beginning is an answer.
    if (std::optional<std::string> error = error_line(recipe, whole ? first_lines(*text) : *text)) {
      if (!fetch.optional)
        co_return base::fail(
            Fault::failed, str(name, ": the device answers ", quoted(*error), " to ", quoted(fetch.source)));
      pulled.absent.push_back(name);
      continue;
    }
    if (!whole) co_return whole.error();
    pulled.dropped_lines += visit.dropped().size();
    std::string sum = base::hex(base::sha256(*text));
    pulled.files.push_back({name, std::move(*text), std::move(sum), Grade::twice, fetch.parse});
  }
  pulled.retries = pull.retries;
  pulled.wire_bytes = talk.bytes_heard() + talk.bytes_typed() - wire_before;
  co_return pulled;
}

Task<Result<Ran>> run_text(Visit& visit, Talk& talk, const Recipe& recipe, std::string command,
                           milliseconds limit, MayRun may_run) {
  ToldProgress nobody;
  TextPull pull{visit, recipe, nobody};
  Result<> ready = co_await set_up(pull);
  if (!ready) co_return ready.error();
  if (may_run) {
    Task<Result<>> asking = may_run();
    Result<> may = co_await asking;
    if (!may) co_return may.error();
  }
  bool gone = false;
  const Talk::Time until = talk.now() + limit;
  Result<std::string> said = co_await ask_settled(pull, command, limit, gone, Visit::For::running);
  Ran ran;
  ran.late = !said && !gone && said.error().fault == Fault::unavailable && talk.now() >= until;
  if (ran.late) {
    ran.status = kLate;
    co_return ran;
  }
  if (!said) co_return said.error();
  ran.out = std::move(*said);
  ran.status = error_line(recipe, ran.out) ? 1 : 0;
  co_return ran;
}

Task<Result<Ran>> run_command(Visit& visit, Talk& talk, const Recipe& recipe, std::string command,
                              milliseconds limit, MayRun may_run) {
  if (recipe.method == Method::posix_block)
    return run_posix(&visit, talk, recipe, std::move(command), limit, std::move(may_run));
  return run_text(visit, talk, recipe, std::move(command), limit, std::move(may_run));
}

}  // namespace oob::recipe

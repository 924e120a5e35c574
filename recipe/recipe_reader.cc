#include <algorithm>
#include <array>
#include <utility>

#include "recipe/recipe.h"
#include "recipe/recipe_proof.h"
#include "recipe/recipe_words.h"

namespace oob::recipe {
namespace {

using base::str;

constexpr std::size_t kMostStates = 64, kMostLines = 600;  // directives
constexpr std::size_t kLongestCommand = 200;  // bytes: a terminal may take no more than 255 in one line
constexpr std::size_t kMostAlarms = 16, kLongestAlarm = 256;  // bytes
constexpr std::uint64_t kMostFile = 64 << 20;                 // bytes

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool is_name(std::string_view name) {
  bool first = true;
  for (char c : name) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter && (first || (c != '-' && c != '_'))) return false;
    first = false;
  }
  return !name.empty() && name.size() <= 64;
}

// What is wrong with a name of a file in the history; empty: nothing.
std::string file_name_fault(std::string_view name) {
  if (name == "meta.json") return "is what oobd itself writes about a snapshot";
  std::string fault;
  base::split(name, '/', [&](std::string_view part) {
    if (part.empty() || part == "." || part == "..") fault = "is no path below a folder";
    if (part.starts_with(".git")) fault = "has a meaning to git";
    if (part.find_first_of("*?:") != std::string_view::npos) fault = "has *, ? or : in it";
  });
  return fault;
}

class Reader {
 public:
  RecipeOutcome read(std::string_view text) {
    RecipeOutcome outcome;
    if (text.size() > kMostRecipe) {
      outcome.faults.push_back({0, 0, str("a recipe has at most ", kMostRecipe, " bytes")});
      return outcome;
    }
    lines(text);
    resolve_forbidden();
    // What stands in a line with a fault is missing, and would only make more of them.
    if (faults_.empty()) faults_ = prove(draft_);
    if (faults_.empty()) {
      outcome.recipe = std::move(draft_.recipe);
      return outcome;
    }
    std::stable_sort(faults_.begin(), faults_.end(), [](const RecipeFault& a, const RecipeFault& b) {
      return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    outcome.faults = std::move(faults_);
    return outcome;
  }

 private:
  using Directive = void (Reader::*)(LineWords&);
  struct Named {
    std::string_view name;
    Directive read;
    bool once;
  };
  static const std::array<Named, 20> kDirectives;

  void lines(std::string_view text) {
    unsigned number = 0;
    std::size_t directives = 0;
    bool begun = false, too_many = false;
    base::split(text, '\n', [&](std::string_view line) {
      ++number;
      if (line.ends_with('\r')) line.remove_suffix(1);
      auto control =
          std::find_if(line.begin(), line.end(), [](char c) { return is_control(c) && c != '\t'; });
      if (control != line.end()) {
        faults_.push_back({number, 0, "there is a control character in the line: a text has \\xHH for it"});
        return;
      }
      LineWords words(line, number, faults_);
      if (words.at_end() || too_many) return;
      if ((too_many = ++directives > kMostLines)) {
        faults_.push_back(
            {number, 0, str("a recipe has at most ", kMostLines, " lines with something in them")});
        return;
      }
      bool first = !std::exchange(begun, true);
      directive(words, first);
    });
    if (!begun) faults_.push_back({0, 0, "there is nothing in it: it begins with recipe NAME version N"});
    if (begun && !draft_.first.count("method") && faults_.empty())
      faults_.push_back({0, 0, "it does not say its method: method posix-block, or method text-twice"});
  }

  void directive(LineWords& words, bool first) {
    Spot at = words.spot();
    std::optional<std::string> word = words.word("a directive");
    if (!word) return;
    if (first && *word != "recipe") words.fault(at, "the first line is recipe NAME version N");
    for (const Named& named : kDirectives) {
      if (named.name != *word) continue;
      auto [before, fresh] = draft_.first.emplace(*word, at);
      if (!fresh && named.once)
        return words.give_up(at, str("'", *word, "' stands in line ", before->second.line, " already"));
      (this->*named.read)(words);
      if (!words.at_end()) words.give_up(words.spot(), str("this is too much for '", *word, "'"));
      return;
    }
    std::vector<std::string_view> known;
    for (const Named& named : kDirectives) known.push_back(named.name);
    words.give_up(at, str("unknown directive ", quoted(*word), near(*word, known)));
  }

  template <class Known>
  static std::string near(std::string_view word, const Known& known) {
    std::string_view best = base::nearest(word, known);
    if (!best.empty()) return str(": did you mean '", best, "'?");
    std::string all;
    for (std::string_view each : known) all += str(all.empty() ? "" : ", ", each);
    return str(": known here are ", all);
  }

  // --- one directive each; the line behind its first word

  void recipe(LineWords& words) {
    Spot at = words.spot();
    std::optional<std::string> name = words.word("the recipe's name");
    if (!name) return;
    if (!is_name(*name))
      return words.give_up(at, str("a recipe's name has a-z, 0-9, - and _, not ", quoted(*name)));
    draft_.recipe.name = *name;
    at = words.spot();
    std::optional<std::string> word = words.word("'version'");
    if (!word) return;
    if (*word != "version") return words.give_up(at, "here should be 'version' and a number");
    at = words.spot();
    std::optional<std::string> number = words.word("the version, a number");
    if (!number) return;
    if (!base::parse_number(*number, draft_.recipe.version) || draft_.recipe.version == 0)
      words.give_up(at, str(quoted(*number), " is not a version: 1, 2, 3, …"));
  }

  void method(LineWords& words) {
    Spot at = words.spot();
    std::optional<std::string> word = words.word("the method");
    if (!word) return;
    for (Method method : {Method::posix_block, Method::text_twice}) {
      if (*word != name_of(method)) continue;
      draft_.recipe.method = method;
      return;
    }
    std::array known{name_of(Method::posix_block), name_of(Method::text_twice)};
    words.give_up(at, str("no method ", quoted(*word), near(*word, known)));
  }

  void state(LineWords& words) {
    State state;
    Draft::StateSpots spots;
    spots.name = words.spot();
    std::optional<std::string> name = words.word("the state's name");
    if (!name) return;
    if (!is_name(*name))
      return words.give_up(spots.name, str("a state's name has a-z, 0-9, - and _, not ", quoted(*name)));
    state.name = *name;
    while (!words.at_end())
      if (!state_option(words, state, spots)) return;
    if (!state.pattern.expression)
      return words.give_up(spots.name,
                           str("state ", quoted(*name), " has no pattern: tail /…/ or screen /…/"));
    if (draft_.recipe.states.size() == kMostStates)
      return words.give_up(spots.name, str("a recipe has at most ", kMostStates, " states"));
    draft_.recipe.states.push_back(std::move(state));
    draft_.states.push_back(spots);
  }

  bool state_option(LineWords& words, State& state, Draft::StateSpots& spots) {
    Spot at = words.spot();
    std::optional<std::string> option = words.word("an option of the state");
    if (!option) return false;
    bool twice = false;
    if (*option == "tail" || *option == "screen") {
      twice = state.pattern.expression != nullptr;
      state.screen = *option == "screen";
      spots.pattern = words.spot();
      std::optional<Pattern> pattern = words.pattern("what the state looks like", true);
      if (!pattern) return false;
      state.pattern = std::move(*pattern);
    } else if (*option == "go") {
      twice = state.go.has_value();
      spots.go = words.spot();
      if (!(state.go = typed_line(words, true))) return false;
    } else if (*option == "leave") {
      twice = state.leave.has_value();
      spots.leave = words.spot();
      if (!(state.leave = typed_line(words, false))) return false;
    } else if (*option == "after") {
      twice = !state.after.empty();
      spots.after = words.spot();
      std::optional<std::string> names = words.word("names of states, with commas between");
      if (!names) return false;
      base::split(*names, ',', [&](std::string_view name) { state.after.emplace_back(name); });
    } else if (*option == "work" || *option == "home" || *option == "no-enter") {
      bool& flag = *option == "work" ? state.work : *option == "home" ? state.home : state.no_enter;
      twice = std::exchange(flag, true);
    } else {
      constexpr std::string_view kOptions[] = {"tail",  "screen", "go",   "leave",
                                               "after", "work",   "home", "no-enter"};
      words.give_up(at, str("no option ", quoted(*option), " of a state", near(*option, kOptions)));
      return false;
    }
    if (twice) words.give_up(at, str("the state has a '", *option, "' already"));
    return !twice;
  }

  // What is typed at a state: one line, so that nothing is typed into what has not been recognised.
  std::optional<std::string> typed_line(LineWords& words, bool goes) {
    Spot at = words.spot();
    std::optional<std::string> line = words.text("what is typed");
    if (!line) return std::nullopt;
    std::size_t enter = line->find_first_of("\r\n");
    if (line->empty() || (enter != std::string::npos && enter + 1 != line->size())) {
      words.give_up(at, line->empty() ? "nothing is typed: leave the option out"
                                      : "what is typed is one line: an Enter (\\r) stands at its end alone");
      return std::nullopt;
    }
    if (line->size() > kLongestCommand) {
      words.give_up(at, str("it has more than ", kLongestCommand, " bytes"));
      return std::nullopt;
    }
    constexpr std::string_view kNames[] = {"{user}", "{secret}", "{enable}"};
    for (std::size_t from = line->find('{'); from != std::string::npos; from = line->find('{', from + 1)) {
      std::size_t end = line->find('}', from);
      std::string name = line->substr(from, end == std::string::npos ? end : end - from + 1);
      bool known = std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
      if (known && goes) continue;
      words.give_up(at, known ? str("'leave' holds no ", name, ": who leaves says no password")
                              : str("nothing is put in for ", quoted(name), near(name, kNames)));
      return std::nullopt;
    }
    return line;
  }

  void forbid(LineWords& words) {
    Forbidden forbidden;
    forbidden.at = words.spot();
    std::optional<std::string> state = words.word("the state's name");
    if (!state) return;
    forbidden.state = *state;
    do {
      Spot at = words.spot();
      std::optional<std::string> line = words.text("a line that is never typed there");
      if (!line) return;
      if (line->find_first_of("\r\n") != std::string::npos)
        return words.give_up(at, "a forbidden line is written without its Enter");
      forbidden.lines.push_back(std::move(*line));
    } while (!words.at_end());
    forbidden_.push_back(std::move(forbidden));
  }

  void resolve_forbidden() {
    std::vector<std::string_view> names;
    for (const State& state : draft_.recipe.states) names.push_back(state.name);
    for (Forbidden& forbidden : forbidden_) {
      auto state = std::find_if(draft_.recipe.states.begin(), draft_.recipe.states.end(),
                                [&](const State& each) { return each.name == forbidden.state; });
      if (state != draft_.recipe.states.end()) {
        for (std::string& line : forbidden.lines) state->forbid.push_back(std::move(line));
      } else if (faults_.empty()) {  // else the state may be in a line with a fault
        faults_.push_back({forbidden.at.line, forbidden.at.column,
                           str("no state ", quoted(forbidden.state), near(forbidden.state, names))});
      }
    }
  }

  // An expression that finds nothing in nothing: else it would be found everywhere.
  std::optional<Pattern> solid(LineWords& words, std::string_view what) {
    Spot at = words.spot();
    std::optional<Pattern> pattern = words.pattern(what);
    if (!pattern || !pattern->search("")) return pattern;
    words.give_up(at, str(pattern->text.size() > 60 ? "the expression" : pattern->text,
                          " is found in an empty text, so everywhere"));
    return std::nullopt;
  }

  void begun(LineWords& words) {
    if (auto pattern = solid(words, "what a half typed line looks like"))
      draft_.recipe.begun.push_back(std::move(*pattern));
  }
  void refused(LineWords& words) {
    if (auto pattern = solid(words, "the answer to a wrong password"))
      draft_.recipe.refused.push_back(std::move(*pattern));
  }
  void noise(LineWords& words) {
    if (auto pattern = words.pattern("lines that come between others"))
      draft_.recipe.noise.push_back(std::move(*pattern));
  }
  void error(LineWords& words) {
    if (auto pattern = solid(words, "a line that means a failure"))
      draft_.recipe.errors.push_back(std::move(*pattern));
  }
  void alarm(LineWords& words) {
    Spot at = words.spot();
    auto pattern = solid(words, "a line that somebody is to hear of");
    if (!pattern) return;
    if (pattern->re2().size() > kLongestAlarm)
      return words.give_up(at, str("the expression is longer than ", kLongestAlarm, " bytes"));
    if (draft_.recipe.alarms.size() == kMostAlarms)
      return words.give_up(at, str("there are more than ", kMostAlarms, " 'alarm'"));
    draft_.recipe.alarms.push_back(std::move(*pattern));
  }
  void answer(LineWords& words) {
    auto query = solid(words, "a query of the device");
    if (!query) return;
    Spot at = words.spot();
    std::optional<std::string> text = words.text("what a terminal answers");
    if (!text) return;
    if (text->empty() || text->find_first_of("\r\n") != std::string::npos)
      return words.give_up(at, "a terminal's answer has no Enter in it, and is not empty");
    draft_.recipe.answers.push_back({std::move(*query), std::move(*text)});
  }

  // One line for a shell or a command line, without its Enter.
  std::optional<std::string> command(LineWords& words) {
    Spot at = words.spot();
    std::optional<std::string> text = words.text("a command");
    if (!text) return std::nullopt;
    bool one_line = std::none_of(text->begin(), text->end(), is_control);
    if (!text->empty() && one_line && text->size() <= kLongestCommand) return text;
    words.give_up(at, text->empty() ? "the command is empty"
                      : one_line    ? str("a command has at most ", kLongestCommand,
                                          " bytes: terminals take no longer lines everywhere")
                                    : "a command is one line, without Enter and other controls");
    return std::nullopt;
  }

  void setup(LineWords& words) {
    if (auto line = command(words)) draft_.recipe.setup.push_back(std::move(*line));
  }
  void undo(LineWords& words) {
    if (auto line = command(words)) draft_.recipe.undo.push_back(std::move(*line));
  }
  void quiet(LineWords& words) {
    if (auto line = command(words)) draft_.recipe.quiet = std::move(*line);
  }
  void unquiet(LineWords& words) {
    if (auto line = command(words)) draft_.recipe.unquiet = std::move(*line);
  }
  void version(LineWords& words) {
    if (auto line = command(words)) draft_.recipe.device_version = std::move(*line);
  }

  std::optional<std::string> snapshot_name(LineWords& words) {
    Spot at = words.spot();
    std::optional<std::string> name = words.word("its name in the snapshot");
    if (!name) return std::nullopt;
    std::string fault = file_name_fault(*name);
    if (fault.empty()) return name;
    words.give_up(at, str("the name ", quoted(*name), " ", fault));
    return std::nullopt;
  }

  std::optional<std::string> path(LineWords& words, bool pattern) {
    Spot at = words.spot();
    std::optional<std::string> path = words.word(pattern ? "a path or shell pattern" : "a path");
    if (!path) return std::nullopt;
    if (!path->starts_with('/')) {
      words.give_up(at, str("the path ", quoted(*path), " does not begin with a slash"));
    } else if (!pattern && path->find_first_of("*?") != std::string::npos) {
      words.give_up(at, "'file' is one file: write 'files' for a shell pattern");
    } else {
      return path;
    }
    return std::nullopt;
  }

  void file(LineWords& words) {
    Fetch fetch;
    Spot at = words.spot();
    auto name = snapshot_name(words);
    if (!name) return;
    auto source = path(words, false);
    if (!source) return;
    fetch.name = std::move(*name);
    fetch.source = std::move(*source);
    add(words, at, std::move(fetch));
  }

  void files(LineWords& words) {
    std::vector<std::pair<Spot, std::string>> patterns;
    do {
      Spot at = words.spot();
      auto pattern = path(words, true);
      if (!pattern) return;
      patterns.emplace_back(at, std::move(*pattern));
    } while (words.peek() == '/');
    Fetch fetch;
    fetch.kind = Fetch::Kind::files;
    fetch.optional = true;
    if (!words.at_end()) {
      Spot at = words.spot();
      auto option = words.word("'max'");
      if (!option) return;
      if (*option != "max")
        return words.give_up(at, str("no option ", quoted(*option), " of 'files': it has 'max' alone"));
      if (!most(words, fetch)) return;
    }
    for (auto& [at, pattern] : patterns) {
      fetch.source = std::move(pattern);
      draft_.recipe.fetches.push_back(fetch);
      draft_.fetches.push_back(at);
    }
  }

  void cmd(LineWords& words) {
    Fetch fetch;
    fetch.kind = Fetch::Kind::command;
    Spot at = words.spot();
    auto name = snapshot_name(words);
    if (!name) return;
    auto source = command(words);
    if (!source) return;
    fetch.name = std::move(*name);
    fetch.source = std::move(*source);
    add(words, at, std::move(fetch));
  }

  void add(LineWords& words, Spot at, Fetch fetch) {
    while (!words.at_end())
      if (!fetch_option(words, fetch)) return;
    draft_.recipe.fetches.push_back(std::move(fetch));
    draft_.fetches.push_back(at);
  }

  bool most(LineWords& words, Fetch& fetch) {
    Spot at = words.spot();
    std::optional<std::uint64_t> size = words.size("a size");
    if (!size) return false;
    fetch.most = *size;
    if (*size > 0 && *size <= kMostFile) return true;
    words.give_up(at, "a size is from 1 to 64M");
    return false;
  }

  bool fetch_option(LineWords& words, Fetch& fetch) {
    Spot at = words.spot();
    std::optional<std::string> option = words.word("an option");
    if (!option) return false;
    if (*option == "optional") {
      fetch.optional = true;
    } else if (*option == "max") {
      return most(words, fetch);
    } else if (*option == "parse") {
      Spot here = words.spot();
      std::optional<std::string> form = words.word("'xml' or 'json'");
      if (!form) return false;
      if (*form != "xml" && *form != "json") {
        words.give_up(here, str(quoted(*form), " is not looked into: xml and json are"));
        return false;
      }
      fetch.parse = *form;
    } else if (*option == "end") {
      Spot here = words.spot();
      if (words.peek() == '/') {
        fetch.end_line = words.pattern("the last line");
        return fetch.end_line.has_value();
      }
      fetch.end = words.text("the last bytes, or their pattern between slashes");
      if (!fetch.end) return false;
      if (fetch.end->empty()) words.give_up(here, "an empty end shows nothing");
      return !fetch.end->empty();
    } else {
      constexpr std::string_view kOptions[] = {"optional", "end", "parse", "max"};
      words.give_up(at, str("no option ", quoted(*option), " here", near(*option, kOptions)));
      return false;
    }
    return true;
  }

  void hide(LineWords& words) {
    Hidden hidden;
    std::optional<std::string> files = words.word("names of files");
    if (!files) return;
    hidden.files = *files;
    hidden.pattern = solid(words, "what changes all the time");
    if (hidden.pattern) draft_.recipe.hidden.push_back(std::move(hidden));
  }

  void secret(LineWords& words) {
    Hidden hidden;
    hidden.kind = Hidden::Kind::secret;
    std::optional<std::string> files = words.word("names of files");
    if (!files) return;
    hidden.files = *files;
    if (words.peek() == '/') {
      hidden.pattern = solid(words, "what is masked");
      if (!hidden.pattern) return;
    } else {
      Spot at = words.spot();
      std::optional<std::string> form = words.word("an expression, or 'xml'");
      if (!form) return;
      if (*form != "xml")
        return words.give_up(at, "here should be an expression, or 'xml' and names of elements");
      do {
        std::optional<std::string> name = words.word("the name of an element");
        if (!name) return;
        hidden.xml.push_back(std::move(*name));
      } while (!words.at_end());
    }
    draft_.recipe.hidden.push_back(std::move(hidden));
  }

  struct Forbidden {
    Spot at;
    std::string state;
    std::vector<std::string> lines;
  };
  Draft draft_;
  std::vector<Forbidden> forbidden_;
  std::vector<RecipeFault> faults_;
};

const std::array<Reader::Named, 20> Reader::kDirectives = {{
    {"recipe", &Reader::recipe, true},   {"method", &Reader::method, true},
    {"state", &Reader::state, false},    {"forbid", &Reader::forbid, false},
    {"begun", &Reader::begun, false},    {"refused", &Reader::refused, false},
    {"answer", &Reader::answer, false},  {"setup", &Reader::setup, false},
    {"undo", &Reader::undo, false},      {"quiet", &Reader::quiet, true},
    {"unquiet", &Reader::unquiet, true}, {"version", &Reader::version, true},
    {"file", &Reader::file, false},      {"files", &Reader::files, false},
    {"cmd", &Reader::cmd, false},        {"noise", &Reader::noise, false},
    {"error", &Reader::error, false},    {"hide", &Reader::hide, false},
    {"secret", &Reader::secret, false},  {"alarm", &Reader::alarm, false},
}};

}  // namespace

RecipeOutcome read_recipe(std::string_view text) { return Reader().read(text); }

}  // namespace oob::recipe

#include "recipe/recipe_proof.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <set>

namespace oob::recipe {
namespace {

using base::str;

constexpr std::size_t kMenuNumber = 3,
                      kMenuLetters = 2;  // characters of a line that picks from a menu, at most

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string_view without_enter(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  return line;
}

// A number, or a letter or two, and Enter: what it means depends wholly on what is on the screen.
bool picks(std::string_view line) {
  line = without_enter(line);
  auto all = [&](int (*is)(int)) {
    return std::all_of(line.begin(), line.end(),
                       [&](char c) { return is(static_cast<unsigned char>(c)) != 0; });
  };
  if (line.empty()) return false;
  return (line.size() <= kMenuNumber && all(std::isdigit)) ||
         (line.size() <= kMenuLetters && all(std::isalnum));
}

class Prover {
 public:
  explicit Prover(const Draft& draft) : draft_(draft), recipe_(draft.recipe) {}

  std::vector<RecipeFault> faults() {
    if (states_are_named()) ways();
    for (std::size_t i = 0; i < recipe_.states.size(); ++i) state(recipe_.states[i], draft_.states[i]);
    method();
    fetches();
    return std::move(faults_);
  }

 private:
  void fault(Spot at, std::string message) { faults_.push_back({at.line, at.column, std::move(message)}); }
  Spot first(std::string_view directive) const {
    auto found = draft_.first.find(directive);
    return found == draft_.first.end() ? Spot{} : found->second;
  }

  bool states_are_named() {
    std::size_t before = faults_.size();
    std::set<std::string> names;
    for (std::size_t i = 0; i < recipe_.states.size(); ++i) {
      if (!names.insert(recipe_.states[i].name).second)
        fault(draft_.states[i].name, str("there is a state ", quoted(recipe_.states[i].name), " already"));
    }
    for (std::size_t i = 0; i < recipe_.states.size(); ++i) {
      for (const std::string& name : recipe_.states[i].after) {
        const State* from = recipe_.state(name);
        if (!from) {
          std::string_view near = base::nearest(name, names);
          fault(draft_.states[i].after, str("no state ", quoted(name), " to come from",
                                            near.empty() ? "" : str(": did you mean '", near, "'?")));
        } else if (!from->go && !from->leave && !from->work) {
          fault(draft_.states[i].after, str("nothing is ever typed at ", quoted(name),
                                            ", so nothing comes after it: it has no go, leave or work"));
        }
      }
    }
    return faults_.size() == before;
  }

  // Whether from `from` a goal can be reached by what is typed: the state that answers may be any that is
  // recognised after `from`, and goes on only if it has something to type itself.
  bool leads(const State& from, const std::function<bool(const State&)>& goal,
             const std::function<bool(const State&)>& goes_on) const {
    std::set<const State*> seen{&from};
    std::vector<const State*> open{&from};
    while (!open.empty()) {
      const State* at = open.back();
      open.pop_back();
      for (const State& next : recipe_.states) {
        bool answers = next.after.empty() ||
                       std::find(next.after.begin(), next.after.end(), at->name) != next.after.end();
        if (!answers || !seen.insert(&next).second) continue;
        if (goal(next)) return true;
        if (goes_on(next)) open.push_back(&next);
      }
    }
    return false;
  }

  void ways() {
    auto works = [](const State& state) { return state.work; };
    auto is_home = [](const State& state) { return state.home; };
    auto goes = [](const State& state) { return state.go.has_value(); };
    auto leaves = [](const State& state) { return state.leave.has_value(); };
    if (std::none_of(recipe_.states.begin(), recipe_.states.end(), works))
      fault(first("state"), "no state is 'work': commands could be run nowhere");
    if (std::none_of(recipe_.states.begin(), recipe_.states.end(), is_home))
      fault(first("state"), "no state is 'home': a device could be left nowhere");
    for (std::size_t i = 0; i < recipe_.states.size(); ++i) {
      const State& state = recipe_.states[i];
      if (state.go && !state.work && !leads(state, works, goes))
        fault(draft_.states[i].go,
              str("from ", quoted(state.name), " no 'work' state can be reached by what is typed"));
      if (state.work && !state.home && (!state.leave || !leads(state, is_home, leaves)))
        fault(draft_.states[i].name,
              str("from ", quoted(state.name), " no 'home' state can be reached by 'leave'"));
    }
  }

  void state(const State& state, const Draft::StateSpots& spots) {
    if (state.pattern.expression && state.pattern.search(""))
      fault(spots.pattern,
            str("the pattern of ", quoted(state.name), " is found in an empty screen as well"));
    if (state.go && state.after.empty() && !state.screen) {
      for (std::string_view secret : {"{secret}", "{enable}"}) {
        if (has(*state.go, secret))
          fault(spots.go, str(secret, " is an answer: ", quoted(state.name),
                              " needs 'after', the states whose lines it answers, or is a 'screen'"));
      }
    }
    auto typed = [&](const std::optional<std::string>& line, Spot at, std::string_view what) {
      if (!line) return;
      if (picks(*line) && !state.screen)
        fault(at, str(quoted(without_enter(*line)),
                      " picks from a menu, and a menu is recognised as a whole: ", quoted(state.name),
                      " must be a 'screen' state"));
      if (std::find(state.forbid.begin(), state.forbid.end(), without_enter(*line)) != state.forbid.end())
        fault(at, str("the ", what, " of ", quoted(state.name), " is forbidden there"));
      if (state.no_enter && without_enter(*line).empty())
        fault(at, str("an empty line does harm at ", quoted(state.name), " (no-enter), and is its ", what));
    };
    typed(state.go, spots.go, "go");
    typed(state.leave, spots.leave, "leave");
    bool menu = (state.go && picks(*state.go)) || (state.leave && picks(*state.leave));
    if (state.screen && menu && state.forbid.empty())
      fault(spots.name,
            str("the menu ", quoted(state.name), " has no 'forbid' list: which of its lines do harm?"));
  }

  void method() {
    auto not_with = [&](std::string_view directive, std::string_view method, std::string_view instead) {
      Spot at = first(directive);
      if (at.line) fault(at, str("'", directive, "' does not go with method ", method, instead));
    };
    if (recipe_.method == Method::posix_block) {
      for (const char* directive : {"setup", "undo", "noise", "error"})
        not_with(directive, "posix-block", "");
    } else {
      for (const char* directive : {"file", "files"})
        not_with(directive, "text-twice", ": where there is no shell, 'cmd' prints what is to be kept");
      for (const char* directive : {"quiet", "unquiet"}) not_with(directive, "text-twice", "");
    }
    if (recipe_.quiet.empty() != recipe_.unquiet.empty())
      fault(first(recipe_.quiet.empty() ? "unquiet" : "quiet"),
            "'quiet' and 'unquiet' go together: what is muted is always unmuted");
  }

  void fetches() {
    if (recipe_.fetches.empty())
      fault({}, recipe_.method == Method::posix_block ? "nothing is fetched: give 'file', 'files' or 'cmd'"
                                                      : "nothing is fetched: give 'cmd'");
    std::set<std::string> names;
    for (std::size_t i = 0; i < recipe_.fetches.size(); ++i) {
      const Fetch& fetch = recipe_.fetches[i];
      if (!fetch.name.empty() && !names.insert(fetch.name).second)
        fault(draft_.fetches[i], str("there is something called ", quoted(fetch.name), " already"));
      if (recipe_.method == Method::text_twice && fetch.kind == Fetch::Kind::command && !fetch.end &&
          !fetch.end_line)
        fault(draft_.fetches[i],
              str(quoted(fetch.name), " has no 'end': with text-twice only that shows that it is whole"));
    }
  }

  const Draft& draft_;
  const Recipe& recipe_;
  std::vector<RecipeFault> faults_;
};

}  // namespace

std::vector<RecipeFault> prove(const Draft& draft) { return Prover(draft).faults(); }

}  // namespace oob::recipe

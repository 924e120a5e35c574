#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace re2 {
class RE2;
}

namespace oob::recipe {

// How the configuration of a kind of device is fetched (docs/recipes.md).
enum class Method {
  posix_block,  // a shell: blocks with a checksum each, SHA-256 of the whole computed on the device
  text_twice,   // a command line that prints text: read twice, and equal
};

// How far what was fetched is proved: by a checksum computed on the device, or by reading it twice.
enum class Grade { device, twice };

// A regular expression of a recipe (RE2 syntax). Copies share it.
struct Pattern {
  std::string text;  // as in the file, with its slashes and flags
  std::shared_ptr<const re2::RE2> expression;
  // Whether it is anywhere in the text; of a state: whether it ends where the text ends, blanks aside.
  bool search(std::string_view in) const;
  // The expression without slashes, its flags as RE2 writes them: "(?i:fan)". Of one that is not a state's.
  std::string re2() const;
};

// One thing a device's console can be at, and what leads on from there towards where commands are run.
struct State {
  std::string name;
  bool screen = false;  // its pattern is for all that is on the screen; else for the end of the output
  Pattern pattern;
  std::vector<std::string>
      after;  // recognised only in answer to what was typed in one of these; empty: always
  std::optional<std::string> go;     // typed to go on; may hold {user}, {secret} or {enable}
  std::optional<std::string> leave;  // typed to go back
  bool work = false;                 // commands are run here
  bool home = false;                 // a device may be left like this
  bool no_enter = false;             // an empty line does harm here and is never typed
  std::vector<std::string> forbid;   // lines that are never typed here, without their Enter
};

// One file of a snapshot.
struct Fetch {
  enum class Kind {
    file,     // the file `source` of the device, by its bytes
    files,    // all regular files that the shell pattern `source` names; each by its path, without the first
              // slash
    command,  // what the command `source` prints
  };
  Kind kind = Kind::file;
  std::string name;  // in the snapshot; empty for Kind::files
  std::string source;
  bool optional = false;            // it need not be there
  std::optional<std::string> end;   // its last bytes; else it was cut
  std::optional<Pattern> end_line;  // for text: its last line
  std::string parse;                // "xml", "json": must be well-formed; empty: not looked at
  std::uint64_t most = 8 << 20;     // bytes
};

// What is hidden when something of a snapshot is shown; what is stored has it.
struct Hidden {
  std::string files;  // a glob on names
  enum class Kind { oscillating, secret } kind = Kind::oscillating;
  // oscillating: each match is left out. secret: group 1 of each match (all of it where there is no group) is
  // masked.
  std::optional<Pattern> pattern;
  std::vector<std::string> xml;  // secret: the text of these elements
};

// A kind of device: how its console is recognised, where commands are run, what its configuration is. Made by
// read_recipe() alone; values, shared by all devices of the kind.
struct Recipe {
  std::string name;
  unsigned version = 0;
  Method method = Method::posix_block;
  std::vector<State> states;
  std::vector<Pattern> begun;    // the last line, when somebody has left something half typed
  std::vector<Pattern> refused;  // what answers a wrong user or password
  struct Answer {
    Pattern query;
    std::string text;
  };
  std::vector<Answer> answers;     // to the terminal queries of a device
  std::vector<std::string> setup;  // typed first where commands are run (text-twice): no paging
  std::vector<std::string>
      undo;                    // typed last where a session was found open: what setup has set (text-twice)
  std::string quiet, unquiet;  // run before and after (posix-block): silences the kernel's messages
  std::string device_version;  // a command whose first line tells what runs there; empty: not asked
  std::vector<Fetch> fetches;
  std::vector<Pattern> noise;   // lines that come between others (text-twice): dropped
  std::vector<Pattern> errors;  // an answer with such a line is a failure (text-twice)
  std::vector<Pattern> alarms;  // lines of the console, at any time, that somebody is to hear of
  std::vector<Hidden> hidden;
  const State* state(std::string_view name) const;  // null: there is none
};

// One fault of a recipe. line and column from 1; column 0: the whole line; line 0: the whole file.
struct RecipeFault {
  unsigned line = 0, column = 0;
  std::string message;
};
struct RecipeOutcome {
  std::optional<Recipe> recipe;  // none where there are faults
  std::vector<RecipeFault> faults;
};
constexpr std::size_t kMostRecipe = 256 * 1024;  // bytes
// Reads the text of a recipe and proves it (recipe/recipe_proof.h): nothing is typed into a state that is not
// recognised, menus have their forbidden lines, every way ends.
RecipeOutcome read_recipe(std::string_view text);

// All recipes by their names: those that are part of the program, and those of a folder, which go first.
class Book {
 public:
  using Recipes = std::map<std::string, std::shared_ptr<const Recipe>>;
  explicit Book(Recipes recipes) : recipes_(std::move(recipes)) {}
  std::shared_ptr<const Recipe> find(const std::string& name) const;  // null: there is none
  const Recipes& all() const { return recipes_; }

 private:
  Recipes recipes_;
};
// The texts of etc/recipes, as they are part of the program: name -> text.
const std::map<std::string, std::string_view>& shipped_recipes();

std::string_view name_of(Method method);  // "posix-block", "text-twice"
std::string_view name_of(Grade grade);    // "device", "twice"

}  // namespace oob::recipe

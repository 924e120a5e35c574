#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/recipe.h"

namespace oob::recipe {

// Where something stands in a recipe: from 1; columns in characters. column 0: the whole line.
struct Spot {
  unsigned line = 0, column = 0;
};

constexpr std::size_t kLongestPattern = 4096;  // bytes

// One line of a recipe, taken word by word (docs/recipes.md, "The file"). What a word is depends on what is
// asked for, because a path begins like an expression. A word that is not what was asked for is a fault, and
// then there is nothing more to be had from the line. `faults` outlives it.
class LineWords {
 public:
  LineWords(std::string_view line, unsigned number, std::vector<RecipeFault>& faults);

  bool at_end() const { return rest_.empty(); }  // also behind a fault
  char peek() const { return rest_.empty() ? '\0' : rest_[0]; }
  Spot spot() const;  // of the next word
  unsigned line() const { return number_; }

  // `what` says in messages what is missing: "the name of a state".
  std::optional<std::string> word(std::string_view what);
  std::optional<std::string> text(std::string_view what);
  // With `at_the_end` it is found only where it ends with the text, blanks behind it aside.
  std::optional<Pattern> pattern(std::string_view what, bool at_the_end = false);
  std::optional<std::uint64_t> size(std::string_view what);

  void fault(Spot at, std::string message);
  // The same, and the rest of the line is passed over.
  void give_up(Spot at, std::string message);

 private:
  void skip_blanks();
  std::string_view take(std::size_t size);
  bool ends_here(Spot at, std::string_view what);

  std::string_view whole_, rest_;
  unsigned number_;
  std::vector<RecipeFault>& faults_;
};

// A word or text as messages show it: 'stat'.
std::string quoted(std::string_view text);
// An expression compiled as all of a recipe are; null with an error. Bytes are characters.
std::shared_ptr<const re2::RE2> compile(std::string_view expression, std::string_view flags, bool at_the_end,
                                        std::string& error);

}  // namespace oob::recipe

#pragma once

#include <map>
#include <string>
#include <vector>

#include "recipe/recipe.h"

namespace oob::recipe {

// A fault of a recipe, and whose it is.
struct BookFault {
  std::string name;  // NAME of NAME.recipe
  RecipeFault fault;
};
struct BookOutcome {
  Book::Recipes recipes;  // all without a fault
  std::vector<BookFault> faults;
};

// Reads recipes by their names, which must be those they give themselves.
BookOutcome read_book(const std::map<std::string, std::string_view>& texts);

// shipped_recipes(), read once.
const Book::Recipes& shipped_book();

}  // namespace oob::recipe

#pragma once

#include <map>
#include <string>
#include <vector>

#include "recipe/recipe.h"
#include "recipe/recipe_words.h"

namespace oob::recipe {

// A recipe whose lines are right by themselves, with the places where things stand.
struct Draft {
  Recipe recipe;
  struct StateSpots {
    Spot name, pattern, go, leave, after;
  };
  std::vector<StateSpots> states;  // as recipe.states
  std::vector<Spot> fetches;       // as recipe.fetches
  // Where a directive stands first.
  std::map<std::string, Spot, std::less<>> first;
};

// What is wrong with it as a whole (docs/recipes.md, "What is proved"): a way that does not end, a menu
// without forbidden lines, a password that is no answer.
std::vector<RecipeFault> prove(const Draft& draft);

}  // namespace oob::recipe

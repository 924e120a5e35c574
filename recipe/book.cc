#include "recipe/book.h"

#include <utility>

namespace oob::recipe {

std::shared_ptr<const Recipe> Book::find(const std::string& name) const {
  auto found = recipes_.find(name);
  return found == recipes_.end() ? nullptr : found->second;
}

BookOutcome read_book(const std::map<std::string, std::string_view>& texts) {
  BookOutcome book;
  for (const auto& [name, text] : texts) {
    RecipeOutcome outcome = read_recipe(text);
    for (RecipeFault& fault : outcome.faults) book.faults.push_back({name, std::move(fault)});
    if (!outcome.recipe) continue;
    if (outcome.recipe->name == name) {
      book.recipes[name] = std::make_shared<const Recipe>(std::move(*outcome.recipe));
      continue;
    }
    book.faults.push_back(
        {name,
         {0, 0, base::str("it is called ", name, ".recipe, and calls itself '", outcome.recipe->name, "'")}});
  }
  return book;
}

const Book::Recipes& shipped_book() {
  static const Book::Recipes recipes = read_book(shipped_recipes()).recipes;
  return recipes;
}

}  // namespace oob::recipe

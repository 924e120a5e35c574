// The recipes that devices may have.
#include <filesystem>

#include "base/bytes.h"
#include "oobd/config_reader.h"
#include "oobd/config_values.h"
#include "recipe/book.h"

namespace oob {
namespace {

constexpr std::string_view kEnding = ".recipe";
constexpr std::size_t kMostRecipes = 1000;

}  // namespace

void ConfigReader::read_recipes(const Node& root) {
  recipe::Book::Recipes recipes = recipe::shipped_book();
  const Node* snapshot = get(root, "snapshot", Node::Kind::table);
  const Node* folder = snapshot ? text(*snapshot, "recipes") : nullptr;
  if (folder) {
    config_.snapshot.recipes = path(*folder);
    for (auto& [name, own] : read_own_recipes(*folder)) recipes[name] = std::move(own);
  }
  config_.recipes = std::make_shared<const recipe::Book>(std::move(recipes));
}

recipe::Book::Recipes ConfigReader::read_own_recipes(const Node& value) {
  const std::string& folder = config_.snapshot.recipes;
  auto fault = [&](const base::Error& error) {
    faults_.add(value.place, base::str("recipes: ", base::printable(error.what, kMostReason)));
  };
  base::Result<std::vector<std::string>> names = files_.names_in(folder);
  if (!names) {
    fault(names.error());
    return {};
  }
  std::map<std::string, std::string> texts;
  for (const std::string& name : *names) {
    if (!name.ends_with(kEnding) || name.starts_with('.')) continue;
    if (texts.size() == kMostRecipes) {
      faults_.add(value.place, base::str("recipes: more than ", kMostRecipes, " are in the folder"));
      break;
    }
    base::Result<std::string> text = files_.read_keys(base::str(folder, "/", name), recipe::kMostRecipe);
    if (text) {
      texts[name.substr(0, name.size() - kEnding.size())] = std::move(*text);
    } else {
      fault(text.error());
    }
  }
  recipe::BookOutcome book = recipe::read_book({texts.begin(), texts.end()});
  for (const recipe::BookFault& each : book.faults) {
    std::filesystem::path file = beside_ / value.text / base::str(each.name, kEnding);
    faults_.add(value.place, ConfigFault{base::printable(file.string(), kMostReason), each.fault.line,
                                         each.fault.column, each.fault.message});
    own_with_faults_.insert(each.name);
  }
  return book.recipes;
}

// A model whose own recipe has a fault is not told as unknown as well.
void ConfigReader::check_model(const Node& model) {
  if (config_.recipes->find(model.text) || own_with_faults_.count(model.text)) return;
  std::vector<std::string_view> known;
  for (const auto& [name, recipe] : config_.recipes->all()) known.push_back(name);
  faults_.add(model.place, base::str("no model ", in_quotes(model.text), hint(model.text, known)));
}

}  // namespace oob

#include "recipe/recipe.h"

#include <re2/re2.h>

#include <algorithm>

namespace oob::recipe {

bool Pattern::search(std::string_view in) const {
  return re2::RE2::PartialMatch(re2::StringPiece(in.data(), in.size()), *expression);
}

std::string Pattern::re2() const {
  std::string whole = expression->pattern();
  bool bare = whole.starts_with("(?:") && whole.ends_with(')');
  return bare ? whole.substr(3, whole.size() - 4) : whole;
}

const State* Recipe::state(std::string_view name) const {
  auto found =
      std::find_if(states.begin(), states.end(), [&](const State& state) { return state.name == name; });
  return found == states.end() ? nullptr : &*found;
}

std::string_view name_of(Method method) {
  return method == Method::posix_block ? "posix-block" : "text-twice";
}

std::string_view name_of(Grade grade) { return grade == Grade::device ? "device" : "twice"; }

}  // namespace oob::recipe

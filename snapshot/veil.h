#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"
#include "recipe/recipe.h"

namespace oob::snapshot {

// What of a configuration people see. A secret is shown as "[secret 3f2a91c0]": the same one has the same
// tag, another one another, while the program runs; the tag tells nothing else of it (HMAC-SHA-256, with a
// key that nobody has).
class Veil {
 public:
  Veil();
  explicit Veil(base::Bytes key) : key_(key) {}

  // `name` is the file's, as in a snapshot.
  std::string masked(const recipe::Recipe& recipe, std::string_view name, std::string bytes) const;
  // The same without what changes by itself.
  std::string quiet(const recipe::Recipe& recipe, std::string_view name, std::string bytes) const;

 private:
  std::string tag(base::Bytes secret) const;

  base::Secret key_;
};

}  // namespace oob::snapshot

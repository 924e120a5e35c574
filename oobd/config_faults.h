#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oobd/config.h"
#include "oobd/config_tree.h"
#include "oobd/config_words.h"

namespace oob {

// The faults of one configuration, gathered in whatever order and given out in the order of the file.
class ConfigFaults {
 public:
  explicit ConfigFaults(std::string file) : file_(std::move(file)) {}

  void add(Place at, std::string message);
  // A fault of a file that the configuration names at `at`.
  void add(Place at, ConfigFault fault);
  // Adds the error at `at`, if it is one; true if it is none.
  template <class T>
  bool check(Place at, const base::Result<T>& result) {
    if (!result) add(at, result.error().what);
    return result.has_value();
  }

  // Unknown keys, wrong types and missing keys of one table, called `name` in messages. An array that should
  // hold texts and holds other things too is told for each of them.
  void check_table(const Node& table, Place place, const Section& section, const std::string& name);

  std::vector<ConfigFault> take();

 private:
  void check_value(const Key& key, const Member& member);
  void check_text(std::string_view key, const Node& value);

  struct Placed {
    Place at;
    ConfigFault fault;
  };
  std::string file_;
  std::vector<Placed> faults_;
};

// ": did you mean 'listen'?", or, where no known word is near, ": known here are …".
template <class Words>
std::string hint(std::string_view word, const Words& known) {
  constexpr std::size_t kMostWord = 100, kMostCompared = 1000, kMostListed = 12;
  std::string_view near;
  if (word.size() <= kMostWord && known.size() <= kMostCompared) near = base::nearest(word, known);
  if (!near.empty()) return base::str(": did you mean '", near, "'?");
  if (known.empty()) return "";
  std::string list;
  std::size_t listed = 0;
  for (std::string_view name : known) {
    if (++listed > kMostListed) {
      list += ", …";
      break;
    }
    list += base::str(list.empty() ? "" : ", ", name);
  }
  return base::str(": known here ", known.size() == 1 ? "is " : "are ", list);
}

}  // namespace oob

#pragma once

#include <string>

#include "recipe/recipe.h"

namespace oob::test {

// The smallest recipe of each method that has no fault.
inline constexpr char kShellRecipe[] =
    "recipe small version 1\n"
    "method posix-block\n"
    "state login tail /login: ?/ go \"{user}\\r\" home\n"
    "state passwd tail /Password: ?/ after login go \"{secret}\\r\"\n"
    "state shell tail /# ?/ work leave \"exit\\r\"\n"
    "file hosts /etc/hosts\n";
inline constexpr char kTextRecipe[] =
    "recipe small version 1\n"
    "method text-twice\n"
    "state ready tail /RETURN/ go \"\\r\" home\n"
    "state commands tail /# ?/ work leave \"exit\\r\"\n"
    "cmd running-config \"show running-config\" end /^end$/\n";

// Its faults as lines LINE:COLUMN: message.
inline std::string faults_of(const std::string& text) {
  std::string all;
  for (const recipe::RecipeFault& fault : recipe::read_recipe(text).faults)
    all += base::str(fault.line, ":", fault.column, ": ", fault.message, "\n");
  return all;
}

inline std::string replaced(std::string text, const std::string& part, const std::string& by) {
  std::size_t at = text.find(part);
  return at == std::string::npos ? "" : text.replace(at, part.size(), by);
}

}  // namespace oob::test

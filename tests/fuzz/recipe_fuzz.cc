// Any bytes are a recipe or have faults with printable messages; what is a recipe keeps what is proved of it,
// and finds its way through a recording of any bytes or says why not.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "recipe/recipe.h"
#include "recipe/replay.h"

namespace {

using namespace oob::recipe;

void must(bool held) {
  if (!held) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  // Behind a NUL: what a device says, in lines.
  std::size_t nul = text.find('\0');
  std::string said = nul == std::string::npos ? "relay1 login: " : text.substr(nul + 1);
  if (nul != std::string::npos) text.resize(nul);
  RecipeOutcome outcome = read_recipe(text);
  must(outcome.recipe.has_value() == outcome.faults.empty());
  for (const RecipeFault& fault : outcome.faults) {
    must(!fault.message.empty() && fault.line <= size + 1);
    for (unsigned char c : fault.message) must(c >= 0x20 && c != 0x7f);
  }
  if (!outcome.recipe) return 0;
  bool work = false, home = false;
  for (const State& state : outcome.recipe->states) {
    work = work || state.work;
    home = home || state.home;
    must(!state.pattern.search(""));
    for (const std::string& line : state.forbid) must(state.go != line + "\r" && state.leave != line + "\r");
  }
  must(work && home && !outcome.recipe->fetches.empty());
  std::vector<ReplayEvent> events;
  for (std::size_t from = 0; from < said.size() && events.size() < 50; from += 20)
    events.push_back(
        {static_cast<oob::base::Micros>(events.size() * 1'000'000), false, said.substr(from, 20)});
  ReplayReport report = replay(*outcome.recipe, events);
  must(report.fault.has_value() != (report.arrived && report.left));
  return 0;
}

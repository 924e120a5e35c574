#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "recipe/recipe.h"

namespace oob::recipe {

// What a recording has: a device said something, or somebody typed something. Times since its beginning.
struct ReplayEvent {
  base::Micros time = 0;
  bool typed = false;
  std::string bytes;
};

// A place of the recording where the device waited.
struct ReplayPlace {
  base::Micros time = 0;
  std::string line;   // the last on the screen, printable
  std::string state;  // empty: the recipe does not know it
};

struct ReplayReport {
  struct Step {
    ReplayPlace at;
    std::string typed;    // by the recipe, printable, without its Enter; a secret as {secret}
    unsigned others = 0;  // lines that the recording has there, and the recipe has not
  };
  std::vector<Step> steps;
  std::vector<ReplayPlace>
      unknown;  // where a carriage return was typed, because the recipe knew nothing better
  std::vector<std::string> states;  // as they were recognised
  bool arrived = false, left = false;
  struct Fault {
    ReplayPlace at;
    std::string why;
  };
  std::optional<Fault> fault;  // none: arrived and left
};

// Whether a recipe gets from where the recording begins to where commands are run, and back. The device says
// what it said in the recording, up to the next place where it waited, whenever the recipe types what the
// recording shows as typed; it echoes, and draws its prompt again for an empty line. Where the recording
// shows other lines at the same state, they are passed over. Its user and passwords are not compared. Pure;
// takes no time.
ReplayReport replay(const Recipe& recipe, const std::vector<ReplayEvent>& events);

}  // namespace oob::recipe

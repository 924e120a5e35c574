#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"

namespace oob::console {

// One [watch.NAME] as `status` and `metrics` tell of it.
struct WatchFigures {
  enum class State { up, lost, unknown };
  std::string name;
  std::string device;  // empty: it is watched by probes
  State state = State::unknown;
  base::Micros since = 0;   // wall time of the last change; 0: as it was found at the start
  std::string text;         // "established since …", why it is lost, or why nobody knows; printable
  base::Micros looked = 0;  // wall time of the last answer; 0: none yet
  std::string trouble;      // why the last look came to nothing; empty: it did not
  std::optional<std::uint64_t> prefixes;
};
using WatchState = WatchFigures::State;
const char* name_of(WatchState state);  // "up", "lost", "unknown"

}  // namespace oob::console

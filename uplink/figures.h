#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace oob::uplink {

// How good a way out is, by its interface and its probes.
enum class Health { up, degraded, down };
const char* name_of(Health health);  // "up", "degraded", "down"

// One uplink as `status`, `metrics` and the journal tell of it.
struct Figures {
  std::string name, interface;
  Health health = Health::down;
  base::Micros since = 0;    // wall time of the last change, by the clock as it is now; 0: as it was found
  base::Micros lasting = 0;  // how long it has been so, or since it is watched; nobody sets this clock
  std::string why;           // not up: "3 of 3 probes unanswered", "no such interface"; empty while up
  std::string hindrance;  // why some probes could not be sent in the last round, so that the state may be old
  bool metered = false;
  bool is_way_out = false;                 // outbound work goes by it now
  std::vector<std::string> addresses;      // of the interface now, numeric
  std::vector<std::string> listening;      // what people can dial: "192.0.2.1:2222"
  std::uint64_t probes = 0, answered = 0;  // since the start
  base::Micros round_trip = 0;             // of the last answered probe; 0: none yet
};

}  // namespace oob::uplink

#pragma once

#include <string>

#include "base/time.h"

namespace oob::console {

// One [callhome.NAME], for `status` and `metrics`.
struct CallHomeFigures {
  std::string name, bastion, socket;
  bool up = false;         // the bastion's socket leads here: looked at end to end
  base::Micros since = 0;  // wall time of the last change, or of the start
  std::string interface;   // by which it goes; empty: as the routing table says
  std::string why;         // not up: why not, and the cure where one is known
};

}  // namespace oob::console

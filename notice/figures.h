#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace oob::notice {

// One [notify.NAME], for `status` and `metrics`.
struct Figures {
  std::string name;
  std::uint64_t sent = 0, failed = 0;  // notices delivered, tries that failed, since the start
  std::uint64_t waiting = 0;           // events that wait to be told
  base::Micros last = 0;               // wall time of the last delivery, a test's among them; 0: none
  std::string trouble;                 // why the last try failed, or nothing is told; empty: all is well
};

}  // namespace oob::notice

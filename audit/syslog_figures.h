#pragma once

#include <cstdint>
#include <string>

namespace oob::audit {

// How the export of the journal is, for `status` and `metrics`.
struct SyslogFigures {
  std::string server;         // empty: nothing is exported
  bool connected = false;     // the server is who it should be
  std::string trouble;        // empty while all is well
  std::uint64_t waiting = 0;  // records of the journal that are not known to have arrived
  std::int64_t behind = 0;    // seconds: the age of the oldest of them
  std::uint64_t sent = 0;     // messages since the start, doubles too
  std::uint64_t lost = 0;     // records since the start that were removed before they were sent
};

}  // namespace oob::audit

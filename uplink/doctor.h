#pragma once

#include <string>
#include <vector>

#include "base/clock_state.h"
#include "uplink/routes.h"

namespace oob::uplink {

// What the configuration wants of the board's routing.
struct Plan {
  struct Uplink {
    std::string name, interface;
    std::vector<std::string> listen;  // "192.0.2.1:2222", bound to the interface
    std::vector<std::string> probe;   // "tcp:192.0.2.1:443", "icmp:192.0.2.1"
    bool metered = false;
  };
  std::vector<Uplink> uplinks;      // by name
  std::vector<std::string> listen;  // of [server], bound to nothing
  bool calls_home = false;          // there is a [callhome.NAME]
  bool has_onion = false;           // an onion service, which needs Tor's network and the time
  // What of a login goes by the clock, as a sentence names it: "certificates (server.user_ca)".
  std::vector<std::string> by_the_clock;
  base::ClockState clock{true, "", true};
};

// One thing that is wrong (people will not get in, or not out), or worth knowing.
struct Finding {
  bool is_error = false;
  std::string what, cure;    // a sentence without its full stop; what is to be typed or written, and why
  std::string line() const;  // "what; cure: …"
};

// Pure rules: what is wrong, errors first, each with its cure.
std::vector<Finding> diagnose(const Plan& plan, const Board& board);

}  // namespace oob::uplink

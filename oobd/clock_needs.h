#pragma once

#include <map>
#include <string>
#include <vector>

#include "oobd/config.h"

namespace oob {

// What of a login goes by the clock: by the configuration, and by the options of people's keys. Keeps what it
// needs of the configuration, so that it may look in a thread.
class ClockNeeds {
 public:
  ClockNeeds() = default;  // nothing goes by it
  explicit ClockNeeds(const Config& config);

  // As sentences name them: "certificates (server.user_ca)", "keys with expiry-time= (user.bob.keys)"; six at
  // the most, the last saying how many others there are. Reads the key files, which are local and small, and
  // blocks for that; one that can't be read lets nobody in, so nothing of it goes by the clock.
  std::vector<std::string> look() const;

 private:
  std::vector<std::string> configured_;
  std::map<std::string, std::string> key_files_;  // by user
};

}  // namespace oob

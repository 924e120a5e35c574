#pragma once

#include <cstdint>

namespace oob::ipmi {

// Session sequence numbers of verified packets (IPMI 2.0, 6.12.13): each is taken once, whatever order they
// come in, and the first one starts the window. Numbers up to kBehind behind the highest are looked up, older
// ones are refused. Ahead there is no bound, unlike in the specification (15): the auth code proves who sent
// the packet, and on a bad link more than 15 are soon lost in a row.
class ReplayWindow {
 public:
  static constexpr std::uint32_t kBehind = 63;
  // True: new, and now seen.
  bool take(std::uint32_t sequence);

 private:
  bool begun_ = false;
  std::uint32_t highest_ = 0;
  std::uint64_t seen_ = 0;  // bit n: highest_ - n was seen
};

}  // namespace oob::ipmi

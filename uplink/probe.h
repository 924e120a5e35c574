#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/loop.h"
#include "base/result.h"
#include "base/time.h"
#include "uplink/target.h"

namespace oob::uplink {

// One question to one address by one interface: a TCP connect, which a refusal answers as well (the far end
// is there), or an ICMP echo, which is sent once more at half of the limit, as TCP does by itself. Only what
// came back by the interface, from the address and with what was sent in it, counts.
class Probe {
 public:
  // From the loop, once: the round trip, or why there is none. Fault::unavailable: no answer, or no carrier.
  // Fault::missing: nothing has left this board, which has no such interface, address or route, or has
  // switched it off.
  // Fault::denied: it could not be asked at all, since this process may not; the text says what cures that.
  // Fault::busy: it could not be asked just now, for want of descriptors or memory, or since a packet filter
  // of this board's own refused; that tells nothing of the way. May destroy the probe.
  using Done = std::function<void(base::Result<base::Micros> round_trip)>;

  // Begins at once. An empty interface: whichever the routing table says. The loop outlives it; destroying it
  // drops `done`.
  Probe(base::Loop& loop, const Target& target, const std::string& interface, base::milliseconds limit,
        Done done);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace oob::uplink

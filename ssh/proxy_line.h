#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace oob::ssh {

// The line by which tor begins each connection of an onion service (HiddenServiceExportCircuitID haproxy in
// tor(1)): version 1 of the PROXY protocol, whose source address is no address but the number of the circuit
// by which the client came.
//
//   PROXY TCP6 fc00:dead:beef:4dad::0:29 ::1 65535 42\r\n        circuit 41
//
// Anything else is wrong, and known to be so as early as it can be.
class ProxyLine {
 public:
  static constexpr std::size_t kMost = 107;  // bytes, with its end (the protocol's own bound)
  enum class State { more, done, wrong };

  // Takes what belongs to the line from the front of BYTES, in whatever pieces they come. Returns how many
  // those are: all of them while there is more to come, fewer where something else begins.
  std::size_t feed(base::Bytes bytes);
  State state() const { return state_; }
  std::uint32_t circuit() const { return circuit_; }  // REQUIRES: done

 private:
  bool parse();

  std::string line_;
  State state_ = State::more;
  std::uint32_t circuit_ = 0;
};

}  // namespace oob::ssh

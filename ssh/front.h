#pragma once

#include <string>

#include "base/loop.h"

namespace oob::ssh {

// How long the front waits for whom. Only tests are less patient.
struct Patience {
  base::milliseconds look{1000};       // how often the times below are looked at
  base::milliseconds verdict{15'000};  // the core's, on a key or a forward
  base::milliseconds keepalive{
      30'000};  // without a word from the client until it is asked whether it is there
  base::milliseconds silent{
      900'000};  // without a word until it is taken for dead: mobile links and suspended laptops come back
  base::milliseconds unused{600'000};  // logged in without a channel
  base::milliseconds circuit{5000};    // for tor, until it has said by which circuit somebody comes
};

// The process that strangers talk to: `oobd front`, started by the core with the control socket
// (base/wire.h). It speaks SSH (RFC 4251 to 4254) to the clients and frames to the core, decides nothing,
// opens nothing: after its start it needs no file system. Gives up root and more (privileges.h) before it
// reads the first message. Returns when the control socket ends: 0, or another exit status when it could not
// serve. Owns `control_socket`.
int run_front(int control_socket, const Patience& patience = {});

// "0.10.6/openssl/zlib": the SSH library that runs, not the one it was built with.
std::string libssh_version();

}  // namespace oob::ssh

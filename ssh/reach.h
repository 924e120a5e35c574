#pragma once

#include "base/loop.h"

namespace oob::ssh {

// How long it waits. Only tests are less patient.
struct ReachPatience {
  base::milliseconds connect{10'000};  // for the TCP connection
  base::milliseconds reach{14'000};    // for all up to the channel; the core gives up a second later
};

// `oobd reach`: an SSH client for one connection, started by the core with a stream socket (reach_request.h).
// It connects, gives up everything but its two sockets, and only then hears the first byte of the far end:
// which host that is by the pinned key, before anything of ours is sent. It reads no configuration, asks no
// agent and no name server. Ends with either socket; every wait before the bytes flow has a limit. Owns
// `core_socket`; the exit status says nothing that the answer does not.
int run_reach(int core_socket, const ReachPatience& patience = {});

}  // namespace oob::ssh

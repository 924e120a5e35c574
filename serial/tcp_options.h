#pragma once

namespace oob::serial {

// No Nagle, and a peer that vanished is noticed within about a minute, idle (keepalive) or not (what was sent
// and never acknowledged). An option that this system lacks is left out.
void set_tcp_options(int socket);

}  // namespace oob::serial

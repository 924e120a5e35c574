#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace oob {

struct Listener {
  base::Fd fd;
  std::string address;  // with the port the system gave where 0 was asked: "127.0.0.1:40321", "[::]:2222"
  std::uint16_t port = 0;
};

// A listening TCP socket at a numeric address "192.0.2.1:2222" or "[2001:db8::1]:2222". An IPv6 one takes
// IPv6 only, so that 0.0.0.0 and [::] go together.
base::Result<Listener> listen_tcp(const std::string& address);

// Sees to it that FD, which listened on ADDRESS (Listener::address), does so: whoever had a copy of it may
// have shut it down, for all. Then FD becomes another socket on the same address; true if that was done.
base::Result<bool> listen_again(int fd, const std::string& address);

}  // namespace oob

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "base/wire.h"

namespace oob {

// What stands before the path of a Unix socket, in server.listen and in Listener::address.
inline constexpr std::string_view kUnixPrefix = "unix:";
inline bool is_unix(std::string_view address) { return address.starts_with(kUnixPrefix); }

struct Listener {
  using Way = base::wire::Listen::Way;
  base::Fd fd;
  // With the port the system gave where 0 was asked: "127.0.0.1:40321", "[::]:2222"; with its interface where
  // it is tied to one: "0.0.0.0:2222%lte0"; "unix:/run/oobd/onion.sock".
  std::string address;
  std::uint16_t port = 0;  // 0: it has none
  Way way = Way::tcp;
  // Of a Unix socket: its file, and the socket itself, as fstat(2) has them when it was made.
  struct File {
    dev_t device = 0;
    ino_t number = 0;
    bool operator==(const File&) const = default;
  };
  File file{}, socket{};
};

// A listening TCP socket at a numeric address "192.0.2.1:2222" or "[2001:db8::1]:2222". An IPv6 one takes
// IPv6 only, so that 0.0.0.0 and [::] go together. With an interface: tied to it (base/bind_device.h), so it
// hears what comes in by it alone, and answers by it. Fault::busy: somebody else listens there;
// Fault::denied: this user, or the sandbox, may not; else it may be possible later.
base::Result<Listener> listen_tcp(const std::string& address, const std::string& interface = {});

// A listening Unix socket; its folder is there. For Way::onion its group may connect as well (mode 0660), for
// Way::home its owner alone. A socket file that nobody listens at is replaced. Faults are
// as above.
base::Result<Listener> listen_unix(const std::string& path, Listener::Way way);
// What is written in server.listen: either of the two, a Unix socket being tor's.
base::Result<Listener> listen_at(const std::string& address);
// Whether the listener of this address (Listener::address) is tied to an interface.
bool is_tied(const std::string& address);
// Whether the file of a Unix socket is there still; listen_again() makes a new one, which counts.
bool has_its_file(Listener& listener);
// Takes the file of a Unix socket away, if it is its own; of others there is none.
void remove_socket(const Listener& listener);

// Sees to it that FD, which listened on ADDRESS (Listener::address), does so: whoever had a copy of it may
// have shut it down, for all. Then FD becomes another socket on the same address; true if that was done.
base::Result<bool> listen_again(int fd, const std::string& address, Listener::Way way = Listener::Way::tcp);

}  // namespace oob

#include "oobd/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/bytes.h"
#include "base/fd.h"

namespace oob {

void notify(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (!path || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  base::Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // A service manager that does not listen is not our trouble.
  (void)::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), size);
}

Watchdog::Watchdog(base::Loop& loop) : timer_(loop) {
  const char* micros = std::getenv("WATCHDOG_USEC");
  const char* pid = std::getenv("WATCHDOG_PID");
  long long interval = 0, whose = ::getpid();
  if (!micros || !base::parse_number(std::string_view(micros), interval) || interval <= 0) return;
  if (pid && (!base::parse_number(std::string_view(pid), whose) || whose != ::getpid())) return;
  every_ = base::milliseconds(interval / 2000);
  again();
}

void Watchdog::again() {
  notify("WATCHDOG=1");
  timer_.after(every_, [this] { again(); });
}

}  // namespace oob

#include "base/bind_device.h"

#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/bytes.h"

namespace oob::base {

Result<> bind_device(int fd, const std::string& interface) {
  if (interface.empty()) return {};
  if (interface.size() >= IFNAMSIZ)
    return fail(Fault::unavailable, str("interface ", printable(interface), ": no name is so long"));
#ifdef SO_BINDTODEVICE
  if (::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                   static_cast<socklen_t>(interface.size() + 1)) < 0) {
    if (errno == ENODEV)
      return fail(Fault::unavailable, str("interface ", printable(interface), ": not there now"));
    return system_error(str("interface ", printable(interface)));
  }
  return {};
#else
  (void)fd;
  return fail(Fault::unavailable, "this system ties no socket to an interface");
#endif
}

}  // namespace oob::base

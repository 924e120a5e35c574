#include "base/tcp_queue.h"

#include <sys/ioctl.h>
#ifdef __linux__
#include <linux/sockios.h>
#else
#include <sys/filio.h>
#endif

namespace oob::base {

std::optional<std::size_t> unacknowledged(int fd) {
#if defined(SIOCOUTQ) || defined(FIONWRITE)
#ifdef SIOCOUTQ
  constexpr unsigned long kAsk = SIOCOUTQ;
#else
  constexpr unsigned long kAsk = FIONWRITE;
#endif
  int bytes = 0;
  if (::ioctl(fd, kAsk, &bytes) < 0 || bytes < 0) return std::nullopt;
  return static_cast<std::size_t>(bytes);
#else
  (void)fd;
  return std::nullopt;
#endif
}

}  // namespace oob::base

#include "oobd/self_path.h"

#ifdef __FreeBSD__
#include <sys/types.h>
// after sys/types.h
#include <sys/sysctl.h>
#endif

namespace oob {

std::string self_path() {
#ifdef __FreeBSD__
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1};
  char path[1024];
  size_t size = sizeof path;
  if (::sysctl(name, 4, path, &size, nullptr, 0) == 0) return path;
  return "/usr/local/bin/oobd";
#else
  return "/proc/self/exe";
#endif
}

}  // namespace oob

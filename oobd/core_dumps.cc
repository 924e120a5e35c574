#include "oobd/core_dumps.h"

#include <sys/resource.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace oob {

using base::system_error;

base::Result<> forbid_core_dumps() {
  rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) < 0) return system_error("core files can't be turned off");
#ifdef __linux__
  // core(5): where core_pattern is a pipe (systemd-coredump, apport), the limit is not looked at.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return system_error("core dumps can't be turned off");
#endif
  return {};
}

}  // namespace oob

#include "ssh/privileges.h"

#include <grp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#endif

#include "base/log.h"

namespace oob::ssh {

using base::system_error;

namespace {
constexpr id_t kNobody = 65534;
}

base::Result<> drop_privileges() {
  rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) < 0) return system_error("no core dumps");
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);  // fewer descriptors mean fewer connections, no more
  }
  if (::chdir("/") < 0) return system_error("leave the folder it was started in");
  if (::geteuid() == 0) {
#ifdef __linux__
    // The listeners were opened elsewhere and stay there; nothing else is to be reached from here: no BMC, no
    // service of the board. Where the kernel does not let us, the rest still holds.
    if (::unshare(CLONE_NEWNET | CLONE_NEWIPC) < 0) base::log("front: no network namespace of its own");
#endif
    if (::setgroups(0, nullptr) < 0) return system_error("drop groups");
    if (::setgid(kNobody) < 0) return system_error("become group nobody");
    if (::setuid(kNobody) < 0) return system_error("become nobody");
    if (::setuid(0) == 0) return base::fail(base::Fault::internal, "became root again after giving it up");
  }
#ifdef __linux__
  // After setuid(), which resets the last two.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return system_error("no new privileges");
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return system_error("die with the parent");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return system_error("not dumpable");
#endif
  return {};
}

}  // namespace oob::ssh

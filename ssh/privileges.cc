#include "ssh/privileges.h"

#include <grp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#endif

#include "base/bytes.h"

namespace oob::ssh {

using base::system_error;

namespace {

struct User {
  std::string name;
  uid_t uid;
  gid_t gid;
};

// A user of its own is better than nobody, whom other daemons may be as well. From the file itself: what else
// knows users (LDAP and the like) would be asked over the network, which may be down.
User front_user() {
  constexpr const char* kOwn = "oobd-front";
  std::ifstream users("/etc/passwd");  // name:password:uid:gid:…
  for (std::string line; std::getline(users, line);) {
    std::istringstream fields(line);
    std::string name, password, uid, gid;
    std::getline(fields, name, ':');
    if (name != kOwn) continue;
    std::getline(fields, password, ':');
    std::getline(fields, uid, ':');
    std::getline(fields, gid, ':');
    User own{name, 0, 0};
    if (base::parse_number(uid, own.uid) && base::parse_number(gid, own.gid) && own.uid != 0 && own.gid != 0)
      return own;
  }
  return {"nobody", 65534, 65534};
}

// Becomes the user; the listeners were opened elsewhere and stay. REQUIRES: is root.
base::Result<std::string> become_user() {
  User user = front_user();
  std::string network = "no network";
#ifdef __linux__
  // Nothing else is to be reached from here: no BMC, no service of the board. Where the kernel does not let
  // us, the rest still holds.
  if (::unshare(CLONE_NEWNET | CLONE_NEWIPC) < 0)
    network = base::str("MISSING: ", system_error("a network namespace of its own").what);
#else
  network = "MISSING: a network namespace of its own (Linux alone has it)";
#endif
  if (::setgroups(0, nullptr) < 0) return system_error("drop groups");
  if (::setgid(user.gid) < 0) return system_error(base::str("become group of ", user.name));
  if (::setuid(user.uid) < 0) return system_error(base::str("become ", user.name));
  if (::setuid(0) == 0) return base::fail(base::Fault::internal, "became root again after giving it up");
  return base::str("uid ", user.name, ", ", network);
}

}  // namespace

base::Result<std::string> drop_privileges() {
  rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) < 0) return system_error("no core dumps");
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);  // fewer descriptors mean fewer connections, no more
  }
  if (::chdir("/") < 0) return system_error("leave the folder it was started in");
  std::string holds = "no new privileges, uid of the core";
  if (::geteuid() == 0) {
    base::Result<std::string> became = become_user();
    if (!became) return became;
    holds = *became;
  }
#ifdef __linux__
  // After setuid(), which resets the last two.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return system_error("no new privileges");
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return system_error("die with the parent");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return system_error("not dumpable");
#endif
  return holds;
}

}  // namespace oob::ssh

#include "base/landlock.h"

#ifdef __linux__
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>
#endif

namespace oob::base {

#ifdef __linux__
namespace {

// The kernel's headers of Debian 12 know Landlock 2; the numbers are the kernel's own and never change.
constexpr std::uint64_t kTruncate = 1 << 14;                       // from 3
constexpr std::uint64_t kIoctlDevice = 1 << 15;                    // from 5
constexpr std::uint64_t kBindTcp = 1 << 0, kConnectTcp = 1 << 1;   // from 4
constexpr std::uint64_t kAbstractUnix = 1 << 0, kSignal = 1 << 1;  // from 6
constexpr int kRuleOfPort = 2;                                     // from 4
struct PortRule {
  std::uint64_t rights, port;
};
struct Ruleset {  // a kernel that knows less takes it as long as the rest is zero
  std::uint64_t files, net, scoped;
};

constexpr std::uint64_t kMakeDevices = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                   LANDLOCK_ACCESS_FS_READ_FILE | kTruncate | kIoctlDevice;

// All that is refused unless a rule allows it.
std::uint64_t handled(int abi) {
  std::uint64_t all = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1;
  if (abi >= 2) all |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) all |= kTruncate;
  if (abi >= 5) all |= kIoctlDevice;
  return all;
}

std::uint64_t rights(LandlockTerms::Access access) {
  constexpr std::uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  switch (access) {
    case LandlockTerms::Access::read:
      return read;
    case LandlockTerms::Access::run:
      return read | LANDLOCK_ACCESS_FS_EXECUTE;
    case LandlockTerms::Access::devices:
      return read | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | kIoctlDevice;
    case LandlockTerms::Access::sockets:
      return LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;
    case LandlockTerms::Access::new_sockets:
      return LANDLOCK_ACCESS_FS_MAKE_SOCK;
    case LandlockTerms::Access::own:
      return ~(LANDLOCK_ACCESS_FS_EXECUTE | kMakeDevices);
  }
  return 0;
}

std::string missing(std::string_view why) { return str("MISSING: Landlock (", why, ")"); }

// Whether another thread would be left without the limits.
bool others_run() {
  std::error_code error;
  std::filesystem::directory_iterator threads("/proc/self/task", error), end;
  return error || std::distance(threads, end) != 1;
}

}  // namespace

int landlock_abi() {
  long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Result<Fd> landlock_rules(const LandlockTerms& terms) {
  const int abi = landlock_abi();
  if (abi == 0 && errno == ENOSYS) return fail(Fault::unavailable, "this kernel has none");
  if (abi == 0) return system_error("not in use here");  // EOPNOTSUPP: left out of the kernel's lsm=
  Ruleset wanted{handled(abi), 0, 0};
  if (abi >= 4) wanted.net = kBindTcp | (terms.connect_tcp ? 0 : kConnectTcp);
  if (abi >= 6 && !terms.reach_out) wanted.scoped = kAbstractUnix | kSignal;
  Fd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &wanted, sizeof wanted, 0)));
  if (!rules) return system_error("make its rules");
  for (const LandlockTerms::Place& place : terms.places) {
    Fd path(::open(place.path.c_str(), O_PATH | O_CLOEXEC));
    struct stat status {};
    if (!path || ::fstat(path.get(), &status) < 0) continue;
    landlock_path_beneath_attr rule{};
    rule.allowed_access = rights(place.access) & wanted.files;
    if (!S_ISDIR(status.st_mode)) rule.allowed_access &= kOfFiles;
    rule.parent_fd = path.get();
    if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
      return system_error(place.path);
  }
  for (std::uint16_t port : terms.bind_tcp) {
    PortRule rule{kBindTcp & wanted.net, port};
    if (rule.rights && ::syscall(SYS_landlock_add_rule, rules.get(), kRuleOfPort, &rule, 0) < 0)
      return system_error(str("port ", port));
  }
  return rules;
}

bool landlock_hold(int rules) {
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}

std::string landlock(const LandlockTerms& terms) {
  Result<Fd> rules = landlock_rules(terms);
  if (!rules) return missing(rules.error().what);
  if (others_run()) return missing("other threads run already");
  if (!landlock_hold(rules->get())) return missing(system_error("put it on").what);
  // What this program knows of it, which on a newer kernel is less than that has.
  return str("Landlock ", std::min(landlock_abi(), 7));
}

#else

int landlock_abi() { return 0; }
std::string landlock(const LandlockTerms&) { return "MISSING: Landlock (Linux alone has it)"; }
Result<Fd> landlock_rules(const LandlockTerms&) { return fail(Fault::unavailable, "Linux alone has it"); }
bool landlock_hold(int) { return false; }

#endif

}  // namespace oob::base

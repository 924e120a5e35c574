#include "ssh/seccomp.h"

#ifdef __linux__
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#endif

#include "base/result.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

namespace oob::ssh {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
bool sandbox_fits_build() { return false; }
#else
bool sandbox_fits_build() { return true; }
#endif

#ifdef __linux__
namespace {

// By name, so that one list serves 32-bit boards (…_time64, mmap2) as well: a name that this architecture or
// this libseccomp lacks is passed over.
constexpr const char* kServing[] = {
    // sockets it was given
    "accept4", "getpeername", "getsockname", "getsockopt", "read", "readv", "recv", "recvfrom", "recvmsg",
    "write", "writev", "close", "dup",
    // waiting
    "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "poll", "ppoll",
    "ppoll_time64", "restart_syscall", "timerfd_create", "timerfd_settime", "timerfd_settime64",
    // time, where the vDSO has none
    "clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64", "gettimeofday", "time",
    // memory, locks, random numbers
    "brk", "futex", "futex_time64", "getrandom", "madvise", "mremap", "munmap", "sched_yield",
    // itself: OpenSSL looks at its pid and uid; the last two are abort()'s
    "exit", "exit_group", "geteuid", "getegid", "getgid", "getpid", "gettid", "getuid", "rt_sigreturn",
    "sigreturn", "rt_sigaction", "rt_sigprocmask"};

// No library of the front's makes these, whatever its version: whoever does is inside.
constexpr const char* kIntruding[] = {"execve",
                                      "execveat",
                                      "fork",
                                      "vfork",
                                      "clone",
                                      "clone3",
                                      "ptrace",
                                      "process_vm_readv",
                                      "process_vm_writev",
                                      "process_madvise",
                                      "pidfd_getfd",
                                      "kcmp",
                                      "mount",
                                      "move_mount",
                                      "open_tree",
                                      "fsopen",
                                      "fsmount",
                                      "umount",
                                      "umount2",
                                      "pivot_root",
                                      "chroot",
                                      "bpf",
                                      "init_module",
                                      "finit_module",
                                      "delete_module",
                                      "kexec_load",
                                      "kexec_file_load",
                                      "reboot",
                                      "swapon",
                                      "swapoff",
                                      "keyctl",
                                      "add_key",
                                      "request_key",
                                      "perf_event_open",
                                      "userfaultfd",
                                      "io_uring_setup",
                                      "io_uring_enter",
                                      "io_uring_register",
                                      "open_by_handle_at",
                                      "name_to_handle_at",
                                      "setns",
                                      "unshare",
                                      "personality",
                                      "modify_ldt",
                                      "memfd_create",
                                      "memfd_secret",
                                      "iopl",
                                      "ioperm",
                                      "quotactl",
                                      "acct",
                                      "syslog",
                                      "settimeofday",
                                      "clock_settime",
                                      "clock_settime64",
                                      "sethostname",
                                      "setdomainname",
                                      "setuid",
                                      "setgid",
                                      "setresuid",
                                      "setresgid",
                                      "setreuid",
                                      "setregid",
                                      "setgroups",
                                      "capset",
                                      "mknod",
                                      "mknodat"};

class Filter {
 public:
  // OTHERWISE is what becomes of a call without a rule.
  explicit Filter(std::uint32_t otherwise) : context_(seccomp_init(otherwise), seccomp_release) {
    if (!context_) failed_ = ENOMEM;
    // Calls by another ABI of the processor (i386, x32): the list would not hold for their numbers.
    keep(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    keep(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));  // a tree: each call goes through it
  }

  // CONDITIONS hold all together.
  template <class... Condition>
  void allow(const char* call, Condition... conditions) {
    rule(SCMP_ACT_ALLOW, call, {conditions...});
  }
  void refuse(const char* call, scmp_arg_cmp condition) { rule(SCMP_ACT_ERRNO(EPERM), call, {condition}); }
  void kill(const char* call) { rule(SCMP_ACT_KILL_PROCESS, call, {}); }
  int load() {
    if (!failed_) keep(seccomp_load(context_.get()));
    return failed_;
  }

 private:
  void rule(std::uint32_t action, const char* call, std::initializer_list<scmp_arg_cmp> conditions) {
    int number = seccomp_syscall_resolve_name(call);
    if (number == __NR_SCMP_ERROR) return;
    keep(seccomp_rule_add_array(context_.get(), action, number, static_cast<unsigned>(conditions.size()),
                                conditions.begin()));
  }
  void keep(int result) {
    if (result < 0 && !failed_) failed_ = -result;
  }

  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int failed_ = 0;
};

scmp_arg_cmp is(unsigned argument, std::uint64_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp lacks(unsigned argument, std::uint64_t bits) { return {argument, SCMP_CMP_MASKED_EQ, bits, 0}; }
// As the kernel takes an int: without the upper half of its register.
scmp_arg_cmp is_int(unsigned argument, int value, int but = 0) {
  return {argument, SCMP_CMP_MASKED_EQ, static_cast<std::uint32_t>(~but), static_cast<std::uint32_t>(value)};
}

// A socket that is connected stays so and no other becomes it: a listener is the board's own, outside of the
// namespace and connect()'s list, and would reach everything if one could make it forget that it listens
// (SHUT_RD) and then give it a peer (a name for sendto() or sendmsg(), MSG_FASTOPEN).
void allow_sockets(Filter& filter, int control) {
  filter.allow("shutdown", is_int(1, SHUT_WR));
  filter.allow("send", lacks(3, MSG_FASTOPEN));
  filter.allow("sendto", lacks(3, MSG_FASTOPEN), is(4, 0));
  // Its name is in memory, where no filter looks. The control socket takes none.
  filter.allow("sendmsg", is_int(0, control), lacks(2, MSG_FASTOPEN));
  filter.allow("socketpair", is(0, AF_UNIX), is_int(1, SOCK_STREAM, SOCK_NONBLOCK | SOCK_CLOEXEC));
  for (int option : {TCP_NODELAY, TCP_NOTSENT_LOWAT})
    filter.allow("setsockopt", is(1, IPPROTO_TCP), is(2, static_cast<std::uint64_t>(option)));
}

// No other descriptor gets the control socket's number. A filter of its own, since rules of one filter only
// add up.
int hold_open(int control) {
  Filter filter(SCMP_ACT_ALLOW);
  filter.refuse("close", is_int(0, control));
  return filter.load();
}

}  // namespace

// What is on neither list gets EPERM and not the end: a call that a library makes for the first time on the
// worst night, or since its last update, must not close the only door. Nothing that could do harm is refused
// less by that.
std::string allow_only_serving(int control) {
  Filter filter(SCMP_ACT_ERRNO(EPERM));
  for (const char* call : kServing) filter.allow(call);
  for (const char* call : kIntruding) filter.kill(call);
  allow_sockets(filter, control);
  for (const char* call : {"fcntl", "fcntl64"})
    for (int command : {F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL})
      filter.allow(call, is(1, static_cast<std::uint64_t>(command)));
  for (unsigned long request : {FIONBIO, FIONREAD}) filter.allow("ioctl", is(1, request));
  for (const char* call : {"mmap", "mmap2", "mprotect"}) filter.allow(call, lacks(2, PROT_EXEC));
  filter.allow("tgkill", is(0, static_cast<std::uint64_t>(::getpid())));  // abort()
  int failed = hold_open(control);
  if (!failed) failed = filter.load();
  if (failed) return base::str("MISSING: seccomp (", base::system_error("load it", failed).what, ")");
  return "seccomp";
}

#else

std::string allow_only_serving(int) { return "MISSING: seccomp (Linux alone has it)"; }

#endif

}  // namespace oob::ssh

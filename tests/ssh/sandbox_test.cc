#include "ssh/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <functional>

#include "base/landlock.h"
#include "base/unix_socket.h"
#include "ssh/privileges.h"
#include "ssh/seccomp.h"
#include "tests/ssh/fake_core.h"

#ifdef __linux__

namespace oob::ssh {
namespace {

// What became of a try from inside: it went well, this errno, or this signal ended the process.
struct Fate {
  int number = 0, signal = 0;
  bool operator==(const Fate&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Fate& fate) {
  if (fate.signal) return out << "ended by signal " << fate.signal;
  return out << (fate.number ? std::strerror(fate.number) : "went well");
}
constexpr Fate kWell{}, kKilled{0, SIGSYS};
Fate refused(int number) { return {number, 0}; }

// In a process that has given up all a front gives up. `what` returns below 0 with errno, as system calls do.
// CONTROL is its socket to the core.
Fate inside(const std::function<long()>& what, int control = STDIN_FILENO) {
  pid_t pid = ::fork();
  if (pid == 0) {
    if (!drop_privileges()) ::_exit(255);
    enter_sandbox(control);
    errno = 0;
    ::_exit(what() < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

class Sandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!sandbox_fits_build()) GTEST_SKIP() << "built with a sanitizer";
  }
};

TEST_F(Sandbox, TellsWhatIsMissing) {
  auto pair = base::socket_pair(SOCK_STREAM);
  // Nobody gets it twice: the first one refuses.
  ASSERT_EQ(inside([&] { return base::send_some(pair->first.get(), enter_sandbox(0)) ? 0 : -1; }), kWell);
  char text[512] = "";
  ASSERT_GT(::read(pair->second.get(), text, sizeof text - 1), 0);
  EXPECT_THAT(text, ::testing::StartsWith("MISSING: seccomp ("));
  EXPECT_THAT(text, ::testing::HasSubstr(", MISSING: Landlock ("));
}

TEST_F(Sandbox, NamesTheUserItHasBecome) {
  auto pair = base::socket_pair(SOCK_STREAM);
  pid_t pid = ::fork();
  if (pid == 0) {
    auto dropped = drop_privileges();
    std::string text = dropped ? base::str(enter_sandbox(0), ", ", *dropped) : dropped.error().what;
    (void)base::send_some(pair->first.get(), text);
    ::_exit(0);
  }
  ::waitpid(pid, nullptr, 0);
  char text[512] = "";
  ASSERT_GT(::read(pair->second.get(), text, sizeof text - 1), 0);
  EXPECT_THAT(text, ::testing::StartsWith("seccomp, "));
  EXPECT_THAT(text, ::testing::HasSubstr(base::landlock_abi() ? "Landlock " : "MISSING: Landlock ("));
  EXPECT_THAT(text, ::testing::HasSubstr(::geteuid() == 0 ? ", uid " : ", uid of the core"));
}

TEST_F(Sandbox, LetsTheFrontWork) {
  auto pair = base::socket_pair(SOCK_STREAM);
  EXPECT_EQ(inside(
                [&] {
                  auto mine = base::socket_pair(SOCK_STREAM);
                  if (!mine || !base::send_packet(pair->first.get(), "x", mine->second.get())) return -1;
                  void* memory =
                      ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  if (memory == MAP_FAILED || ::munmap(memory, 1 << 20) < 0) return -1;
                  time_t now = ::time(nullptr);
                  struct tm local;
                  if (!::localtime_r(&now, &local)) return -1;
                  return ::fcntl(pair->first.get(), F_DUPFD_CLOEXEC, 0);
                },
                pair->first.get()),
            kWell);
}

TEST_F(Sandbox, MayAbort) {
  EXPECT_EQ(inside([]() -> long { ::abort(); }), (Fate{0, SIGABRT}));
}

TEST_F(Sandbox, OpensNoFile) {
  EXPECT_EQ(inside([] { return ::open("/etc/passwd", O_RDONLY); }), refused(EPERM));
  EXPECT_EQ(inside([] { return ::openat(AT_FDCWD, "/etc/passwd", O_RDONLY); }), refused(EPERM));
  EXPECT_EQ(inside([] { return ::syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", nullptr, 0); }),
            refused(EPERM));
  EXPECT_EQ(inside([] { return ::creat("/tmp/oobd-front", 0600); }), refused(EPERM));
  EXPECT_EQ(inside([] { return ::open("/proc/self/mem", O_RDWR); }), refused(EPERM));
  EXPECT_EQ(inside([] { return ::open("/dev/null", O_RDWR); }), refused(EPERM));
  EXPECT_EQ(inside([] { return ::open("/tmp", O_TMPFILE | O_RDWR, 0600); }), refused(EPERM));
  EXPECT_EQ(inside([] { return ::unlink("/tmp/oobd-front"); }), refused(EPERM));
  EXPECT_EQ(inside([] { return ::chdir("/tmp"); }), refused(EPERM));
}

TEST_F(Sandbox, MakesNoSocketButPairs) {
  EXPECT_EQ(inside([] { return ::socket(AF_INET, SOCK_STREAM, 0); }), refused(EPERM));
  EXPECT_EQ(inside([] { return ::socket(AF_INET6, SOCK_DGRAM, 0); }), refused(EPERM));
  EXPECT_EQ(inside([] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }), refused(EPERM));
  EXPECT_EQ(inside([] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }), refused(EPERM));
  EXPECT_EQ(inside([] {
              int pair[2];
              return ::socketpair(AF_INET, SOCK_STREAM, 0, pair);
            }),
            refused(EPERM));
  EXPECT_EQ(inside([] {
              int pair[2];
              return ::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
            }),
            refused(EPERM));
}

TEST_F(Sandbox, NeitherConnectsNorBindsASocketItWasGiven) {
  base::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(9);
  auto where = reinterpret_cast<const sockaddr*>(&address);
  EXPECT_EQ(inside([&] { return ::connect(socket.get(), where, sizeof address); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::bind(socket.get(), where, sizeof address); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::listen(socket.get(), 1); }), refused(EPERM));
}

// A listener is the board's, not of the front's namespace: as a connection it would reach everything.
TEST_F(Sandbox, MakesNoConnectionOfAListener) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto where = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  base::Fd door(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  base::Fd elsewhere(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (base::Fd* listener : {&door, &elsewhere}) {
    address.sin_port = 0;
    ASSERT_EQ(::bind(listener->get(), where, size), 0);
    ASSERT_EQ(::listen(listener->get(), 8), 0);
    ASSERT_EQ(::getsockname(listener->get(), where, &size), 0);
  }
  EXPECT_EQ(inside([&] { return ::shutdown(door.get(), SHUT_RD); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::shutdown(door.get(), SHUT_RDWR); }), refused(EPERM));
  ASSERT_EQ(::shutdown(door.get(), SHUT_RD), 0);  // as if it had come about after all
  msghdr named{};
  iovec part{address.sin_zero, 1};
  named.msg_iov = &part;
  named.msg_iovlen = 1;
  named.msg_name = &address;
  named.msg_namelen = size;
  EXPECT_EQ(inside([&] { return ::sendto(door.get(), "x", 1, MSG_FASTOPEN, where, size); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::sendto(door.get(), "x", 1, 0, where, size); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::send(door.get(), "x", 1, MSG_FASTOPEN); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::sendmsg(door.get(), &named, MSG_FASTOPEN); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::sendmsg(door.get(), &named, 0); }), refused(EPERM));
  mmsghdr many{named, 0};
  EXPECT_EQ(inside([&] { return ::sendmmsg(door.get(), &many, 1, MSG_FASTOPEN); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::sendmsg(door.get(), &named, MSG_FASTOPEN); }, door.get()), refused(EPERM));
}

TEST_F(Sandbox, PassesDescriptorsToTheCoreAlone) {
  auto control = base::socket_pair(SOCK_SEQPACKET), other = base::socket_pair(SOCK_STREAM);
  int number = control->first.get();
  auto passing = [&](int by) {
    return inside([&] { return base::send_packet(by, "x", other->second.get()) ? 0 : -1; }, number);
  };
  EXPECT_EQ(passing(number), kWell);
  EXPECT_EQ(passing(other->first.get()), refused(EPERM));
  // Its number can't become another's.
  EXPECT_EQ(inside([&] { return ::close(number); }, number), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::syscall(SYS_close, (1L << 32) + number); }, number), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::dup3(other->first.get(), number, O_CLOEXEC); }, number), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::syscall(SYS_close_range, number, number, 0); }, number), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::close(other->first.get()); }, number), kWell);
}

TEST_F(Sandbox, EndsItsSideOfAConnection) {
  auto pair = base::socket_pair(SOCK_STREAM);
  EXPECT_EQ(inside([&] { return ::shutdown(pair->first.get(), SHUT_WR); }), kWell);
}

// One that a front before it has shut down is readable for ever.
TEST(Front, LeavesAListenerThatListensNoMoreAlone) {
  test::FakeCore core;
  ASSERT_TRUE(core.wait([&] { return core.ready; }));
  base::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  ASSERT_EQ(::shutdown(listener.get(), SHUT_RD), 0);
  core.send(base::wire::Control::listen, base::wire::Listen{"127.0.0.1:9", {}}.encode(), listener.get());
  ASSERT_TRUE(core.wait([&] { return !core.remarks.empty(); }));
  EXPECT_EQ(core.remarks[0].text, "no longer listens on 127.0.0.1:9: accept: Invalid argument");
  double before = core.cpu_ms();
  test::Finished done = core.ssh_run("exit 0");  // by the other one
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(core.remarks.size(), 1u);
  EXPECT_LT(core.cpu_ms() - before, 1000);
}

TEST_F(Sandbox, SetsNoSocketOptionsBeyondThoseOfItsConnections) {
  base::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int on = 1;
  EXPECT_EQ(inside([&] { return ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); }),
            kWell);
  EXPECT_EQ(inside([&] { return ::setsockopt(socket.get(), IPPROTO_TCP, TCP_ULP, "tls", 4); }),
            refused(EPERM));
  EXPECT_EQ(
      inside([&] { return ::setsockopt(socket.get(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on); }),
      refused(EPERM));
  EXPECT_EQ(inside([&] { return ::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &on, sizeof on); }),
            refused(EPERM));
}

TEST_F(Sandbox, EndsAtStartingAProgramOrProcess) {
  char path[] = "/bin/true";
  char* words[] = {path, nullptr};
  char* none[] = {nullptr};
  EXPECT_EQ(inside([&] { return ::execve(path, words, none); }), kKilled);
  EXPECT_EQ(inside([&] { return ::syscall(SYS_execveat, AT_FDCWD, path, words, none, 0); }), kKilled);
  EXPECT_EQ(inside([] { return ::fork(); }), kKilled);
  EXPECT_EQ(inside([] { return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); }), kKilled);
  EXPECT_EQ(inside([] { return ::syscall(SYS_clone3, nullptr, 0); }), kKilled);
}

TEST_F(Sandbox, EndsAtLookingIntoAnotherProcess) {
  pid_t parent = ::getpid();
  EXPECT_EQ(inside([&] { return ::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr); }), kKilled);
  char bytes[8];
  iovec here{bytes, sizeof bytes};
  EXPECT_EQ(inside([&] { return ::process_vm_readv(parent, &here, 1, &here, 1, 0); }), kKilled);
  EXPECT_EQ(inside([&] { return ::process_vm_writev(parent, &here, 1, &here, 1, 0); }), kKilled);
}

TEST_F(Sandbox, EndsAtWhatMakesOrLeavesNamespacesOrAsksForTheKernelsRarestParts) {
  EXPECT_EQ(inside([] { return ::unshare(CLONE_NEWUSER); }), kKilled);
  EXPECT_EQ(inside([] { return ::setns(0, 0); }), kKilled);
  EXPECT_EQ(inside([] { return ::mount("none", "/mnt", "tmpfs", 0, nullptr); }), kKilled);
  for (long call : {SYS_pivot_root, SYS_bpf, SYS_init_module, SYS_kexec_load, SYS_keyctl, SYS_add_key,
                    SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_open_by_handle_at,
                    SYS_personality, SYS_setuid})
    EXPECT_EQ(inside([call] { return ::syscall(call, 0, 0, 0, 0, 0, 0); }), kKilled) << "call " << call;
}

TEST_F(Sandbox, SignalsNobody) {
  pid_t parent = ::getpid();
  EXPECT_EQ(inside([&] { return ::kill(parent, 0); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::kill(0, 0); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::syscall(SYS_tgkill, parent, parent, 0); }), refused(EPERM));
}

TEST_F(Sandbox, MakesNoMemoryExecutable) {
  static char page[8192];
  char* aligned = page + 4096 - reinterpret_cast<std::uintptr_t>(page) % 4096;
  EXPECT_EQ(inside([&] { return ::mprotect(aligned, 4096, PROT_READ | PROT_EXEC); }), refused(EPERM));
  EXPECT_EQ(inside([&] { return ::mprotect(aligned, 4096, PROT_READ); }), kWell);
  EXPECT_EQ(inside([] {
              void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return memory == MAP_FAILED ? -1 : 0;
            }),
            refused(EPERM));
}

TEST_F(Sandbox, RefusesACallThatIsOnNoListAndGoesOn) {
  EXPECT_EQ(inside([] { return ::syscall(SYS_sysinfo, nullptr) < 0 && errno == EPERM ? 0 : -1; }), kWell);
  EXPECT_EQ(inside([] { return ::syscall(100'000); }), refused(EPERM));
}

#ifdef __x86_64__
TEST_F(Sandbox, EndsAtCallsByAnotherAbi) {
  constexpr long kX32 = 0x40000000;
  EXPECT_EQ(inside([] { return ::syscall(kX32 | SYS_getpid); }), kKilled);
  EXPECT_EQ(inside([] {
              long result;
              asm volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
              return result;
            }),
            kKilled);
}
#endif

// Without seccomp's list the files are still out of reach.
TEST_F(Sandbox, HasALandlockThatAllowsNothing) {
  if (base::landlock_abi() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  pid_t pid = ::fork();
  if (pid == 0) {
    base::landlock({});
    ::_exit(::open("/etc/passwd", O_RDONLY) < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), EACCES);
}

}  // namespace
}  // namespace oob::ssh

#endif

// The process that keeps the one that runs programs: it does as little as possible, so that it does not end
// before the core does. The core, in its sandbox, could not start another one.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <cerrno>
#include <ctime>
#include <filesystem>

#include "base/log.h"
#include "base/unix_socket.h"
#include "oobd/core_dumps.h"
#include "oobd/errands.h"
#include "oobd/errands_groups.h"
#include "oobd/errands_table.h"
#include "oobd/errands_wire.h"

namespace oob {

using base::Result;
using base::str;

namespace {

constexpr int kHung = 6;               // seconds without a sign of life, of which there is one each second
constexpr int kPauseMicros = 300'000;  // before the next one
constexpr int kCoreTakes = 5000;       // milliseconds: until it is looked again whether the core is there
constexpr int kForkAgain = 1000;       // milliseconds: after there could be no process

// Until `child` has ended: how. One that is hung is ended.
int wait_for(pid_t child, const errands::Groups& groups, const sigset_t& ended) {
  std::uint32_t beats = groups.beats();
  int silent = 0;
  while (true) {
    const timespec second{1, 0};
    bool nothing = ::sigtimedwait(&ended, nullptr, &second) < 0;
    int status = 0;
    // What the child's programs have left behind comes here as well.
    for (pid_t one; (one = ::waitpid(-1, &status, WNOHANG)) > 0;)
      if (one == child) return status;
    if (std::uint32_t now = groups.beats(); now != beats) {
      beats = now;
      silent = 0;
    } else if (nothing && ++silent >= kHung) {
      ::kill(child, SIGKILL);
    }
  }
}

// Whether the core is still there to be told. One that is stopped, or busy for long, is waited for: there is
// nothing else to do.
bool tell_core(int control, const std::string& packet) {
  while (true) {
    Result<> sent = base::send_packet(control, packet);
    if (sent) return true;
    if (sent.error().fault != base::Fault::again) return false;
    pollfd room{control, POLLOUT, 0};
    ::poll(&room, 1, kCoreTakes);
  }
}

// Whether the core is still there, after a pause.
bool core_stays(int control, int pause) {
  pollfd end{control, 0, 0};
  return ::poll(&end, 1, pause) <= 0;
}

// A process, as soon as there may be one: neither memory nor a number of processes is short for ever. Below
// 0: the core has gone.
pid_t fork_at_last(int control, const std::function<pid_t()>& fork) {
  std::string told;
  while (true) {
    const pid_t child = fork();
    const int number = errno;
    if (child >= 0) {
      if (child > 0 && !told.empty())
        (void)tell_core(control, errands::begun_anew());  // its end is seen later
      return child;
    }
    errands::Halt halt{base::system_error("no program can be run: fork", number).what};
    if (halt.why != told && !tell_core(control, halt.encode())) return -1;
    told = halt.why;
    // What the last one had running is counted until somebody has asked how it ended.
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (!core_stays(control, kForkAgain)) return -1;
  }
}

}  // namespace

int run_errands(int control, const std::string& config_file) {
  return errands::keep_errands(control, config_file, [] { return ::fork(); });
}

int errands::keep_errands(int control, const std::string& config_file, const std::function<pid_t()>& fork) {
  if (Result<> forbidden = forbid_core_dumps(); !forbidden) base::log(forbidden.error().what);
#ifdef __linux__
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);  // so no other process gets the number of a group of ours
#endif
  ::closefrom(control + 1);
  // It ends when the core does, which may still need it while the service manager stops all of us.
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(number, SIG_IGN);
  base::set_nonblocking(control);
  std::error_code error;
  std::string file = std::filesystem::absolute(config_file, error).string();
  if (error || ::chdir("/") < 0) return static_cast<int>(base::Fault::unavailable);
  Groups* groups = Groups::make();
  Result<Kept> kept = Kept::make();
  if (!groups || !kept) return static_cast<int>(base::Fault::unavailable);
  sigset_t ended;
  sigemptyset(&ended);
  sigaddset(&ended, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &ended, nullptr);
  while (true) {
    pid_t child = fork_at_last(control, fork);
    if (child < 0) return 0;
    if (child == 0) {
      ::sigprocmask(SIG_UNBLOCK, &ended, nullptr);
      return do_errands(control, file, *groups, *kept);
    }
    int status = wait_for(child, *groups, ended);
    groups->end_all();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    base::log(str("errands: ended by ", WIFSIGNALED(status) ? "signal " : "itself, ",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), ": begun anew"));
    if (!tell_core(control, begun_anew())) return 0;
    ::usleep(kPauseMicros);
  }
}

}  // namespace oob

#include "oobd/demo_gear.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "oobd/child.h"

namespace oob {

using base::Result;
using base::str;

namespace {

Result<> open_pty(base::Fd& master, base::Fd& slave, std::string& name, bool raw) {
  termios settings{};
  if (raw) ::cfmakeraw(&settings);
  int m, s;
  char path[128];
  if (::openpty(&m, &s, path, raw ? &settings : nullptr, nullptr) < 0) return base::system_error("openpty");
  master.reset(m);
  slave.reset(s);
  ::fcntl(m, F_SETFD, FD_CLOEXEC);
  ::fcntl(s, F_SETFD, FD_CLOEXEC);
  base::set_nonblocking(m);
  name = path;
  return {};
}

}  // namespace

DemoGear::DemoGear(base::Loop& loop, std::vector<std::string> command)
    : loop_(loop), command_(std::move(command)), again_(loop) {}

DemoGear::~DemoGear() {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGHUP);
  ::kill(-pid_, SIGTERM);
  wait_for_end(pid_, base::milliseconds(500), -pid_);
}

Result<> DemoGear::start() {
  for (Result<> opened :
       {open_pty(outer_.fd, hold_outer_, port_, true), open_pty(inner_.fd, hold_inner_, terminal_, false)})
    if (!opened) return opened;
  outer_.watch = std::make_unique<base::Watch>(loop_, outer_.fd.get());
  inner_.watch = std::make_unique<base::Watch>(loop_, inner_.fd.get());
  relay(outer_, inner_);
  relay(inner_, outer_);
  return spawn();
}

Result<> DemoGear::spawn() {
  SpawnTerms terms(POSIX_SPAWN_SETSID);
  // A session leader that opens a terminal gets it as its controlling one (Linux).
  posix_spawn_file_actions_addopen(terms.descriptors(), 0, terminal_.c_str(), O_RDWR, 0);
  posix_spawn_file_actions_adddup2(terms.descriptors(), 0, 1);
  posix_spawn_file_actions_adddup2(terms.descriptors(), 0, 2);
  std::vector<char*> arguments;
  for (std::string& word : command_) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::string term = "TERM=vt100", path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
              home = str("HOME=", ::getenv("HOME") ? ::getenv("HOME") : "/");
  char* environment[] = {term.data(), path.data(), home.data(), nullptr};
  int failed = ::posix_spawnp(&pid_, arguments[0], terms.descriptors(), terms.attributes(), arguments.data(),
                              environment);
  if (failed) {
    pid_ = -1;
    return base::system_error(str("start ", command_[0]), failed);
  }
  return {};
}

void DemoGear::child_ended() {
  if (pid_ <= 0 || ::waitpid(pid_, nullptr, WNOHANG) != pid_) return;
  pid_ = -1;
  again_.after(base::milliseconds(500), [this] {
    // It could be started before; should that change, the console stays silent.
    (void)spawn();
  });
}

void DemoGear::relay(End& from, End& to) {
  from.watch->readable([this, &from, &to] {
    char buffer[4096];
    ssize_t size = ::read(from.fd.get(), buffer, sizeof buffer);
    if (size > 0) to.out.assign(buffer, static_cast<std::size_t>(size));
    push(to, from);
  });
}

void DemoGear::push(End& to, End& from) {
  ssize_t size = to.out.empty() ? 0 : ::write(to.fd.get(), to.out.data(), to.out.size());
  if (size > 0) to.out.erase(0, static_cast<std::size_t>(size));
  if (to.out.empty()) return relay(from, to);
  to.watch->writable([this, &to, &from] { push(to, from); });
}

}  // namespace oob

#include "console/upload_pack.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/landlock.h"

namespace oob::console {

using base::Bytes;
using base::Result;
using base::str;

namespace {

constexpr int kNice = 10;
constexpr rlim_t kMostMemory = rlim_t{768} << 20;  // of addresses, shared libraries and packs among them

// What git is told beside what the repository says. It asks for no more memory than a small board has.
std::vector<std::string> environment_for(const std::string& program, const std::string& repository) {
  const std::vector<std::pair<const char*, std::string>> settings = {
      {"safe.directory", repository},
      {"core.hooksPath", "/dev/null"},
      {"core.packedGitLimit", "32m"},
      {"core.packedGitWindowSize", "1m"},
      {"core.bigFileThreshold", "8m"},
      {"pack.threads", "1"},
      {"pack.windowMemory", "8m"},
      {"pack.deltaCacheSize", "8m"},
      {"uploadpack.hideRefs", "refs/quarantine"},
      {"uploadpack.allowFilter", "false"},
      {"uploadpack.allowAnySHA1InWant", "false"},
  };
  std::string folder = program.substr(0, program.rfind('/'));
  std::vector<std::string> all = {"PATH=/usr/bin:/bin",
                                  // So that it starts itself and nothing else.
                                  str("GIT_EXEC_PATH=", folder), "HOME=/nonexistent", "LC_ALL=C",
                                  "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
                                  "GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0",
                                  "GIT_NO_LAZY_FETCH=1", str("GIT_CONFIG_COUNT=", settings.size())};
  for (std::size_t i = 0; i < settings.size(); ++i) {
    all.push_back(str("GIT_CONFIG_KEY_", i, "=", settings[i].first));
    all.push_back(str("GIT_CONFIG_VALUE_", i, "=", settings[i].second));
  }
  return all;
}

struct Pipe {
  base::Fd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return base::system_error("make a pipe");
  return Pipe{base::Fd(ends[0]), base::Fd(ends[1])};
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What git needs of the file system, which is less than we have: it reads this repository alone, writes
// nothing, runs itself alone and reaches nobody. No descriptor: this kernel can't.
base::Fd limits_for(const std::string& program, const std::string& repository) {
  using Access = base::LandlockTerms::Access;
  base::LandlockTerms terms;
  terms.places = {{repository, Access::read}, {program, Access::run}, {"/dev/null", Access::devices}};
  for (const char* path : {"/lib", "/lib64", "/usr/lib", "/usr/local/lib", "/etc/ld.so.cache"})
    terms.places.push_back({path, Access::read});
  // The loader is executed with it.
  for (const char* path :
       {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-linux-armhf.so.3",
        "/lib/ld-linux.so.2", "/lib/ld-linux-riscv64-lp64d.so.1", "/lib64/ld64.so.2"})
    terms.places.push_back({path, Access::run});
  Result<base::Fd> rules = base::landlock_rules(terms);
  return rules ? std::move(*rules) : base::Fd();
}

struct Start {
  const char* program;
  char *const *words, *const *environment;
  int in, out, err;
  int limits;  // of Landlock; -1: none
  int told;    // takes the errno of what failed; closed by exec()
};

// The child, which has one thread and other threads' locks as they were: system calls alone.
[[noreturn]] void become_git(const Start& start) {
  ::setpgid(0, 0);
  // Without it the child is only less polite.
  ::setpriority(PRIO_PROCESS, 0, kNice);
  rlimit memory{kMostMemory, kMostMemory}, core{0, 0};
  bool ready = ::setrlimit(RLIMIT_AS, &memory) == 0 && ::setrlimit(RLIMIT_CORE, &core) == 0 &&
               ::dup2(start.in, 0) == 0 && ::dup2(start.out, 1) == 1 && ::dup2(start.err, 2) == 2 &&
               (start.limits < 0 || base::landlock_hold(start.limits)) &&
               (start.told == 3 || ::dup3(start.told, 3, O_CLOEXEC) == 3);
  if (ready) {
    ::closefrom(4);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(start.program, start.words, start.environment);
  }
  int number = errno;
  (void)!::write(ready ? 3 : start.told, &number, sizeof number);  // else it is told by its end
  ::_exit(127);
}

Result<pid_t> spawn(const std::string& program, const std::string& repository, int in, int out, int err) {
  std::vector<std::string> words = {"git", "upload-pack", "--strict", "--timeout=60", repository};
  std::vector<std::string> environment = environment_for(program, repository);
  std::vector<char*> words_of = pointers_to(words), environment_of = pointers_to(environment);
  Result<Pipe> told = make_pipe();
  if (!told) return told.error();
  base::Fd limits = limits_for(program, repository);
  Start start{
      program.c_str(),  words_of.data(), environment_of.data(), in, out, err, limits ? limits.get() : -1,
      told->write.get()};
  // No handler of ours may run in the child.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = ::fork();
  if (pid == 0) become_git(start);
  int failed = pid < 0 ? errno : 0;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed) return base::system_error(str("start ", program), failed);
  ::setpgid(pid, pid);  // whoever is first
  told->write.reset();
  ssize_t size;
  while ((size = ::read(told->read.get(), &failed, sizeof failed)) < 0 && errno == EINTR) {
  }
  if (size != sizeof failed) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return base::system_error(str("start ", program), failed);
}

}  // namespace

const std::vector<const char*>& git_programs() {
  static const std::vector<const char*> all = {"/usr/bin/git", "/usr/local/bin/git"};
  return all;
}

std::string find_git() {
  for (const char* path : git_programs())
    if (::access(path, X_OK) == 0) return path;
  return "";
}

UploadPack::UploadPack(base::Loop& loop, base::Blocking& blocking) : loop_(loop), blocking_(blocking) {}

UploadPack::~UploadPack() {
  if (pid_ < 0 || *reaped_) return;
  ::kill(-pid_, SIGKILL);
  reap(false);
}

Result<> UploadPack::start(const std::string& program, const std::string& repository, Hooks hooks) {
  hooks_ = std::move(hooks);
  Result<Pipe> in = make_pipe(), out = make_pipe(), err = make_pipe();
  for (const Result<Pipe>* each : {&in, &out, &err})
    if (!*each) return each->error();
  for (const base::Fd* ours : {&in->write, &out->read, &err->read})
    if (::fcntl(ours->get(), F_SETFL, O_NONBLOCK) < 0) return base::system_error("make a pipe");
  Result<pid_t> pid = spawn(program, repository, in->read.get(), out->write.get(), err->write.get());
  if (!pid) return pid.error();
  pid_ = *pid;
  in_ = std::move(in->write);
  out_ = std::move(out->read);
  err_ = std::move(err->read);
  in_watch_ = std::make_unique<base::Watch>(loop_, in_.get());
  out_watch_ = std::make_unique<base::Watch>(loop_, out_.get());
  err_watch_ = std::make_unique<base::Watch>(loop_, err_.get());
  err_watch_->readable([this] { hear_said(); });
  listen();
  return {};
}

std::size_t UploadPack::give(Bytes bytes) {
  if (!in_) return bytes.size();  // for nobody
  ssize_t size = ::write(in_.get(), bytes.data(), bytes.size());
  if (size < 0 && errno != EAGAIN && errno != EINTR) {
    give_end();  // it has ended, or soon will
    return bytes.size();
  }
  std::size_t taken = size < 0 ? 0 : static_cast<std::size_t>(size);
  if (taken < bytes.size() && !in_watch_->waits_writable()) in_watch_->writable([this] { hooks_.input(); });
  return taken;
}

void UploadPack::give_end() {
  in_watch_.reset();
  in_.reset();
}

void UploadPack::listen() {
  if (out_watch_ && !out_watch_->waits_readable()) out_watch_->readable([this] { hooks_.output(); });
}

std::string UploadPack::take(std::size_t most) {
  std::string bytes;
  if (!out_) return bytes;
  bytes.resize(most);
  ssize_t size = ::read(out_.get(), bytes.data(), bytes.size());
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (size > 0) return bytes;
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    listen();
  } else {
    out_watch_.reset();
    out_.reset();
    at_end();
  }
  return bytes;
}

void UploadPack::hear_said() {
  char buffer[1024];
  ssize_t size = ::read(err_.get(), buffer, sizeof buffer);
  if (size > 0) {
    said_.append(buffer, std::min<std::size_t>(static_cast<std::size_t>(size), kMostSaid - said_.size()));
  } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
    err_watch_.reset();
    err_.reset();
    return at_end();
  }
  err_watch_->readable([this] { hear_said(); });
}

void UploadPack::at_end() {
  if (!out_ && !err_) reap(true);
}

// Waited for on a thread; it stays a zombie until the loop takes it, so that its number is nobody else's when
// its group is killed.
void UploadPack::reap(bool tell) {
  auto end = [pid = pid_, reaped = reaped_] {
    int status = 0;
    *reaped = true;
    if (::waitpid(pid, &status, WNOHANG) != pid) return -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  };
  if (std::exchange(reaping_, true)) return;  // the wait that is under way will do
  std::function<void(int)> told = [](int) {};
  if (tell) told = life_.wrap([this](int status) { hooks_.ended(status, said_); });
  blocking_.run(
      [pid = pid_] {
        siginfo_t about;
        while (::waitid(P_PID, static_cast<id_t>(pid), &about, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
        }
      },
      [end, told] { told(end()); });
}

}  // namespace oob::console

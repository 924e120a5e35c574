#include "oobd/errands_runner.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "oobd/errands_groups.h"
#include "oobd/errands_wire.h"

namespace oob::errands {

using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostHeard = 1 << 20;  // bytes read at once, so that a chatterbox delays nobody

std::string home_folder() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry && entry->pw_dir && *entry->pw_dir ? entry->pw_dir : "/";
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> found;
  for (std::string& text : texts) found.push_back(text.data());
  found.push_back(nullptr);
  return found;
}

constexpr int kReport = 3;  // the pipe by which a program that can't be had says so

struct OutPipe {
  base::Fd reading, writing;
};

Result<OutPipe> make_out_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return base::system_error("pipe");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return OutPipe{base::Fd(ends[0]), base::Fd(ends[1])};
}

struct Start {
  const char* path;
  char* const* words;
  char* const* environment;
  int input, output, report;  // above kReport; an input below 0: nothing
  Groups& groups;
  pid_t parent;
};

// In a child of its own: the file may be on a disk that hangs. The parent has no other thread, and still this
// does only what may be done between fork() and exec. All signals are blocked.
[[noreturn]] void become(const Start& start) {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  ::setpgid(0, 0);
  // Here and not in the parent, which may be killed as soon as there is a child. Whoever clears up behind it
  // finds this group, or has been there before, and then the parent is another one.
  start.groups.add(::getpid());
  if (::getppid() != start.parent) {
    start.groups.remove(::getpid());
    ::_exit(127);
  }
  if (::dup3(start.report, kReport, O_CLOEXEC) < 0) ::_exit(127);
  const int input = start.input >= 0 ? start.input : ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (::dup2(input, 0) >= 0 && ::dup2(start.output, 1) >= 0 && ::dup2(start.output, 2) >= 0) {
    ::closefrom(kReport + 1);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(start.path, start.words, start.environment);
  }
  const int number = errno;
  (void)!::write(kReport, &number, sizeof number);  // or nobody hears more than the status
  ::_exit(127);
}

Result<pid_t> begin_program(const Start& start) {
  sigset_t all, before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);  // a handler of ours is nothing for the child
  const pid_t child = ::fork();
  const int number = errno;
  if (child == 0) become(start);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) return base::system_error("fork", number);
  ::setpgid(child, child);  // whoever of the two comes first
  return child;
}

// The last bytes of what it said, as one line.
std::string last_words(const std::string& said) {
  std::string_view rest = said;
  while (rest.ends_with('\n') || rest.ends_with('\r')) rest.remove_suffix(1);
  std::string words = base::printable(rest, rest.size() * 4 + 1);
  if (words.size() > kMostWords) words.erase(0, words.size() - kMostWords);
  return words;
}

}  // namespace

struct Runner::One {
  explicit One(base::Loop& loop) : timer(loop) {}
  pid_t pid = -1;
  std::string path;
  base::Fd output, report;
  std::unique_ptr<base::Watch> watch;
  std::string said;  // its last bytes
  base::Timer timer;
  bool told_to_end = false;
  std::string why;  // it was ended by us
  Ended ended;
};

Runner::Runner(base::Loop& loop, Groups& groups) : loop_(loop), groups_(groups), home_(home_folder()) {}

Runner::~Runner() {
  for (auto& [number, one] : running_) {
    ::kill(-one->pid, SIGKILL);
    groups_.remove(one->pid);
    ::waitpid(one->pid, nullptr, 0);
  }
}

std::size_t Runner::running() const { return running_.size(); }

Result<> Runner::run(std::uint64_t number, Program program, Ended ended) {
  Result<OutPipe> said = make_out_pipe(), reported = make_out_pipe();
  for (const Result<OutPipe>* pipe : {&said, &reported})
    if (!*pipe) return pipe->error();
  std::vector<std::string> environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          "LANG=C.UTF-8", str("HOME=", home_)};
  for (std::string& more : program.environment) environment.push_back(std::move(more));
  std::vector<char*> words = pointers(program.words), variables = pointers(environment);
  Result<pid_t> begun =
      begin_program({words.front(), words.data(), variables.data(), program.input ? program.input.get() : -1,
                     said->writing.get(), reported->writing.get(), groups_, ::getpid()});
  if (!begun) return begun.error();
  auto one = std::make_unique<One>(loop_);
  one->pid = *begun;
  one->path = program.words.front();
  one->output = std::move(said->reading);
  one->report = std::move(reported->reading);
  one->ended = std::move(ended);
  one->watch = std::make_unique<base::Watch>(loop_, one->output.get());
  One& place = *(running_[number] = std::move(one));
  hear(place);
  if (program.limit.count() > 0) {
    place.timer.after(program.limit, [this, number, limit = program.limit] {
      running_.at(number)->why = str("it was ended after ", limit.count() / 1000, " s");
      end(number);
    });
  }
  return {};
}

// The program's own output. Whatever else has the pipe ends with its group.
void Runner::hear(One& one) {
  char bytes[4096];
  for (std::size_t heard = 0; heard < kMostHeard;) {
    ssize_t size = ::read(one.output.get(), bytes, sizeof bytes);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != EAGAIN) return;
    if (size == 0) return;
    if (size < 0) break;
    heard += static_cast<std::size_t>(size);
    one.said.append(bytes, static_cast<std::size_t>(size));
    if (one.said.size() > 2 * kMostWords) one.said.erase(0, one.said.size() - kMostWords);
  }
  one.watch->readable([this, &one] { hear(one); });
}

void Runner::end(std::uint64_t number) {
  auto found = running_.find(number);
  if (found == running_.end() || std::exchange(found->second->told_to_end, true)) return;
  pid_t group = found->second->pid;
  ::kill(-group, SIGTERM);
  found->second->timer.after(kFarewell, [group] { ::kill(-group, SIGKILL); });
}

void Runner::end_all() {
  for (const auto& [number, one] : running_) end(number);
}

void Runner::child_ended() {
  for (auto each = running_.begin(); each != running_.end();) {
    One& one = *each->second;
    siginfo_t info{};
    bool has_ended = ::waitid(P_PID, static_cast<id_t>(one.pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                     info.si_pid == one.pid;
    if (!has_ended) {
      ++each;
      continue;
    }
    ::kill(-one.pid, SIGKILL);  // while nobody else can have its number
    groups_.remove(one.pid);
    int status = 0;
    ::waitpid(one.pid, &status, 0);
    hear(one);
    std::unique_ptr<One> gone = std::move(each->second);
    each = running_.erase(each);
    over(*gone, status);
  }
}

void Runner::over(One& one, int status) {
  one.watch.reset();
  int number = 0;
  if (::read(one.report.get(), &number, sizeof number) == sizeof number)
    return one.ended(-1, base::system_error(one.path, number).what);
  std::string words = last_words(one.said);
  if (!one.why.empty()) words = words.empty() ? one.why : str(one.why, ": ", words);
  one.ended(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), words);
}

}  // namespace oob::errands

#include "oobd/errands_runner.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "oobd/child.h"
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
  base::Fd output;
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
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return base::system_error("pipe");
  base::Fd reading(ends[0]), writing(ends[1]);
  ::fcntl(reading.get(), F_SETFL, O_NONBLOCK);
  SpawnTerms terms(POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(terms.attributes(), 0);
  if (program.input)
    posix_spawn_file_actions_adddup2(terms.descriptors(), program.input.get(), 0);
  else
    posix_spawn_file_actions_addopen(terms.descriptors(), 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(terms.descriptors(), writing.get(), 1);
  posix_spawn_file_actions_adddup2(terms.descriptors(), writing.get(), 2);
  posix_spawn_file_actions_addclosefrom_np(terms.descriptors(), 3);
  std::vector<std::string> environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          "LANG=C.UTF-8", str("HOME=", home_)};
  for (std::string& more : program.environment) environment.push_back(std::move(more));
  auto one = std::make_unique<One>(loop_);
  int failed =
      ::posix_spawn(&one->pid, program.words.front().c_str(), terms.descriptors(), terms.attributes(),
                    pointers(program.words).data(), pointers(environment).data());
  if (failed) return base::system_error(program.words.front(), failed);
  groups_.add(one->pid);
  one->output = std::move(reading);
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
    bool over = ::waitid(P_PID, static_cast<id_t>(one.pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                info.si_pid == one.pid;
    if (!over) {
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
    gone->watch.reset();
    std::string words = last_words(gone->said);
    if (!gone->why.empty()) words = words.empty() ? gone->why : str(gone->why, ": ", words);
    gone->ended(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), words);
  }
}

}  // namespace oob::errands

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/loop.h"
#include "base/result.h"

namespace oob::errands {

class Groups;

// A program to run: its words, the first an absolute path; what its environment has besides PATH, HOME and
// LANG
// ("OOBD_EVENT=line.down"); its standard input, /dev/null where that is empty.
struct Program {
  std::vector<std::string> words, environment;
  base::Fd input;
  base::milliseconds limit{0};  // 0: as long as it likes
};

// Runs programs, each in a process group of its own, with no descriptor but three, from the root folder.
class Runner {
 public:
  // As in Errands::Ended. Nothing of the group is left by then.
  using Ended = std::function<void(int status, const std::string& words)>;
  static constexpr base::milliseconds kFarewell{2000};  // between SIGTERM and SIGKILL

  // `groups` has all that run, and outlives this.
  Runner(base::Loop& loop, Groups& groups);
  ~Runner();  // SIGKILL to all groups; `ended` is not called
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // `number` names it. An error: it can't be run, and `ended` is not called; where that shows later, as when
  // its file is gone, `ended` gets -1 and why. A file that is not to be had, on a disk that hangs, holds up
  // nobody but its own program, which has its limit all the same.
  base::Result<> run(std::uint64_t number, Program program, Ended ended);
  void end(std::uint64_t number);
  void end_all();
  void child_ended();  // SIGCHLD came
  std::size_t running() const;

 private:
  struct One;
  void hear(One& one);
  void over(One& one, int status);
  base::Loop& loop_;
  Groups& groups_;
  std::string home_;
  std::map<std::uint64_t, std::unique_ptr<One>> running_;
};

}  // namespace oob::errands

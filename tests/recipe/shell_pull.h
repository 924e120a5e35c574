#pragma once

#include <optional>
#include <string>

#include "recipe/shell.h"
#include "tests/recipe/real_shell.h"

namespace oob::recipe {

// One pull, or one command run, from a RealShell as the program does it: arrive, pull, leave.
class ShellPull {
 public:
  ShellPull(RealShell& shell, Recipe recipe, std::vector<Fetch> more = {})
      : shell_(shell), recipe_(std::move(recipe)), visit_(shell.talk(), recipe_, credentials_) {
    more_ = std::move(more);
  }
  ShellPull(RealShell& shell, Recipe recipe, std::string command, base::milliseconds limit)
      : shell_(shell), recipe_(std::move(recipe)), visit_(shell.talk(), recipe_, credentials_) {
    command_ = std::move(command);
    limit_ = limit;
    runs_ = true;
  }

  // False: it takes longer than `limit` of real time.
  bool carry(std::chrono::seconds limit) {
    start();
    return shell_.carry([this] { return done(); }, limit);
  }
  void start() {
    if (started_) return;
    started_ = true;
    if (runs_)
      run_task_.emplace(run(command_, limit_));
    else
      task_.emplace(pull(more_));
    if (task_) task_->start([this](base::Result<Pulled> result) { result_.emplace(std::move(result)); });
    if (run_task_) run_task_->start([this](base::Result<Ran> ran) { ran_.emplace(std::move(ran)); });
  }
  bool done() const { return result_ || ran_; }
  const base::Result<Pulled>& result() const { return *result_; }
  const base::Result<Ran>& ran() const { return *ran_; }
  std::vector<Progress> told;
  bool visits = true;  // else the shell has no terminal
  std::string screen;  // what it has said last, before start()
  MayRun may_run;      // asked before the command is run

 private:
  base::Task<base::Result<Pulled>> pull(std::vector<Fetch> more) {
    if (visits) {
      std::string found = screen;
      base::Result<> there = co_await arrive_from_shell(visit_, shell_.talk(), std::move(found));
      if (!there) co_return there.error();
    }
    ToldProgress tell = [this](const Progress& progress) { told.push_back(progress); };
    base::Result<Pulled> pulled = co_await pull_posix(visits ? &visit_ : nullptr, shell_.talk(), recipe_,
                                                      std::move(more), std::move(tell));
    co_return pulled;
  }
  base::Task<base::Result<Ran>> run(std::string command, base::milliseconds limit) {
    if (visits) {
      std::string screen;
      base::Result<> there = co_await visit_.arrive(std::move(screen));
      if (!there) co_return there.error();
    }
    base::Result<Ran> ran = co_await run_posix(visits ? &visit_ : nullptr, shell_.talk(), recipe_,
                                               std::move(command), limit, may_run);
    co_return ran;
  }

  RealShell& shell_;
  Recipe recipe_;
  Credentials credentials_;
  Visit visit_;
  std::vector<Fetch> more_;
  std::string command_;
  base::milliseconds limit_{0};
  bool started_ = false, runs_ = false;
  std::optional<base::Result<Pulled>> result_;
  std::optional<base::Result<Ran>> ran_;
  std::optional<base::Task<base::Result<Pulled>>> task_;
  std::optional<base::Task<base::Result<Ran>>> run_task_;
};

}  // namespace oob::recipe

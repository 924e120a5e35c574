#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "console/guards.h"
#include "recipe/recipe.h"
#include "tests/console/visit.h"

namespace oob::test {

constexpr base::Micros kGuardUnit = 1'000'000;

// A board whose r1 has a model and power, and whose guards live by the test's clock and typist.
struct GuardedBoard : Board {
  GuardedBoard() {
    recipe::RecipeOutcome outcome = recipe::read_recipe(recipe::shipped_recipes().at("linux"));
    recipe::Book::Recipes recipes;
    recipes["linux"] = std::make_shared<const recipe::Recipe>(*outcome.recipe);
    core.recipes = std::make_shared<const recipe::Book>(recipes);
    for (const char* name : {"r1", "r2"}) inventory.find(name)->model = "linux";
    core.time = std::make_unique<auth::Timekeeper>(0, [this] { return wall; });
    start();
  }
  ~GuardedBoard() { core.guards.reset(); }
  // As the daemon does; again, after a restart.
  void start() {
    console::Guards::Terms terms;
    terms.since_boot = [this] { return uptime; };
    terms.boot = boot;
    terms.revert = [this](const console::Guard& guard, const std::function<void(console::Guards::Go)>& typing,
                          const std::function<void(console::Reverted)>& done) {
      tried.push_back(guard.revert);
      console::Reverted how = reverted;
      if (!answers.empty()) {
        how = answers.front();
        answers.erase(answers.begin());
      }
      auto end = [this, done](const console::Reverted& ended) { loop.post([done, ended] { done(ended); }); };
      logged_in = [this, line = guard.revert, typing, how, end] {
        if (!how.typed) return end(how);
        typing([this, line, how, end](const base::Result<>& may) {
          if (!may) return end({.result = may, .said = {}, .recording = {}});
          typed.push_back(line);
          end_typed = end;
          if (!holds) end(how);
        });
      };
      if (!logs_in) logged_in();
      return [this, end](const base::Error& why) {
        interrupted.push_back(why.what);
        end({.result = why, .said = {}, .recording = {}});
      };
    };
    terms.line = line;
    terms.busy = busy;
    terms.again = terms.journal = terms.look = base::milliseconds(5);
    core.guards = std::make_shared<console::Guards>(core, std::move(terms));
    (void)core.guards->open(dir / "guards");
    core.guards->start();
  }
  void restart() {
    core.guards.reset();
    start();
  }
  // Whether the file comes to say so: a restart finds what is in it.
  bool kept(const std::string& what) {
    return run_until(loop, [&] { return read_file(dir / "guards").find(what) != std::string::npos; });
  }
  std::string says(const std::string& user, const std::string& command, int status) {
    Visit visit(*this, user, command);
    EXPECT_EQ(visit.wait(), status) << user << ": " << command << "\n" << visit.out << visit.err;
    return visit.out + visit.err;
  }
  bool gone() {
    return run_until(loop, [&] { return core.guards->all().empty(); });
  }
  bool failed() {
    return run_until(loop, [&] {
      const console::Guard* guard = core.guards->find("r1");
      return guard && guard->state == console::Guard::State::failed;
    });
  }
  bool fired() {
    return run_until(loop, [&] { return !tried.empty(); });
  }
  // Until let go, no file is written, however long that is: those that run are soon taken for stuck, and the
  // next ones for them, up to the bound.
  void hold_files() {
    std::shared_future<void> open = files.get_future().share();
    for (int i = 0; i < base::Blocking::kAtOnce + base::Blocking::kStuckAtMost; ++i)
      blocking.run([open] { open.wait(); }, [] {});
  }
  void pass(base::Micros span) {
    uptime += span;
    wall += span;
  }
  bool stays(base::milliseconds limit = base::milliseconds(60)) {
    return !run_until(
        loop, [&] { return !tried.empty(); }, limit);
  }

  base::Micros wall = 1'800'000'000 * kGuardUnit, uptime = 5000 * kGuardUnit;
  std::string boot = "this one";
  base::milliseconds line{150}, busy{600'000};
  std::vector<std::string> tried, typed, interrupted;
  console::Reverted reverted{.result = {}, .typed = true, .said = {}, .recording = {}};
  std::vector<console::Reverted> answers;  // of the next tries, before `reverted`
  bool logs_in = false;                    // until logged_in() is called
  std::function<void()> logged_in;
  bool holds = false;  // what was typed comes to its end by end_typed()
  std::function<void(console::Reverted)> end_typed;
  std::promise<void> files;
};

}  // namespace oob::test

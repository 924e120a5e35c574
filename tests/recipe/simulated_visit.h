#pragma once

#include <memory>
#include <optional>
#include <string>

#include "recipe/book.h"
#include "recipe/pull.h"
#include "tests/recipe/simulated.h"

namespace oob::recipe {

// A visit to a simulated device as the program makes one: in, the work, and out whatever has happened.
class SimulatedVisit {
 public:
  enum class Work { none, pull, run };
  SimulatedVisit(SimulatedDevice& device, std::string recipe, Credentials credentials,
                 SimulatedLine::Noise noise = {})
      : recipe_(shipped_book().at(recipe)),
        credentials_(std::move(credentials)),
        line(talk, device, noise),
        visit(talk, *recipe_, credentials_) {}

  // What the console has said before.
  std::string screen;
  Work work = Work::none;
  std::string command;  // to be run
  base::milliseconds limit{60'000};

  void begin() {
    task_.emplace(go());
    task_->start([this](bool) { done = true; });
  }
  // False: it takes longer than half an hour: twelve readings on the worst of lines take more than ten
  // minutes.
  bool carry() {
    if (!task_) begin();
    return line.carry([this] { return done; }, std::chrono::seconds(1800));
  }
  void carry_for(std::chrono::milliseconds time) {
    const Talk::Time until = talk.now() + time;
    line.carry([this, until] { return done || talk.now() >= until; }, std::chrono::seconds(600));
  }

  bool done = false;
  base::Result<> arrived, left;
  std::optional<base::Result<Pulled>> pulled;
  std::optional<base::Result<Ran>> ran;

 private:
  base::Task<bool> go() {
    arrived = co_await visit.arrive(screen);
    if (arrived && work == Work::pull) {
      std::vector<Fetch> more;
      ToldProgress told;
      base::Result<Pulled> all = co_await pull_text(visit, talk, *recipe_, more, told);
      pulled.emplace(std::move(all));
    }
    if (arrived && work == Work::run) {
      base::Result<Ran> all = co_await run_text(visit, talk, *recipe_, command, limit);
      ran.emplace(std::move(all));
    }
    left = co_await visit.leave();
    co_return true;
  }

  std::shared_ptr<const Recipe> recipe_;
  Credentials credentials_;

 public:
  Talk talk{Talk::Time{} + std::chrono::hours(1)};
  SimulatedLine line;
  Visit visit;

 private:
  std::optional<base::Task<bool>> task_;
};

inline Credentials unix_credentials() {
  return {SimulatedUnix::kUser, base::Secret(SimulatedUnix::kPassword), {}};
}
inline Credentials cli_credentials() {
  return {SimulatedCli::kUser, base::Secret(SimulatedCli::kPassword), base::Secret(SimulatedCli::kEnable)};
}

}  // namespace oob::recipe

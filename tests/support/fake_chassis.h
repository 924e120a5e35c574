#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/life.h"
#include "console/chassis.h"

namespace oob::test {

// A chassis that the test scripts: what was asked of it gathers in `asked`, and answers come on the next turn
// of the loop, or, while `holds` is set, when the test calls answer().
class FakeChassis : public console::Chassis {
 public:
  explicit FakeChassis(base::Loop& loop, std::string bmc = "bmc1") : loop_(loop), bmc_(std::move(bmc)) {}

  // The test's side.
  console::PowerState state = console::PowerState::on;
  std::string remark;                  // of the next action
  std::optional<base::Error> refusal;  // all answers are this
  bool holds = false;
  std::string trouble_now;
  std::vector<std::string> asked;  // "power", "cycle 30000", "boot pxe", "identify on", "clear 2", …
  std::vector<console::Sensor> sensor_list;
  std::vector<console::LogEvent> log;
  std::deque<console::LogEvent> late;  // each comes just before a clear_events(), which it makes busy
  std::size_t held() const { return held_.size(); }
  void answer() {
    auto all = std::exchange(held_, {});
    for (auto& one : all) loop_.post(life_.wrap(std::move(one)));
  }

  const std::string& bmc() const override { return bmc_; }
  console::PowerState known_power() const override { return state; }
  const std::string& trouble() const override { return trouble_now; }
  void power(Done<console::PowerState> done) override {
    ask("power", [this, done] { give<console::PowerState>(done, state); });
  }
  void apply(const auth::Grant& grant, console::PowerAction action, base::milliseconds wait,
             Done<console::PowerOutcome> done) override {
    check(grant);
    ask(base::str(console::name_of(action), " ", wait.count()), [this, action, done] {
      bool off = action == console::PowerAction::off || action == console::PowerAction::soft;
      if (!refusal) state = off ? console::PowerState::off : console::PowerState::on;
      give<console::PowerOutcome>(done, console::PowerOutcome{state, remark});
    });
  }
  void boot(const auth::Grant& grant, console::BootDevice device, Done<> done) override {
    check(grant);
    ask(base::str("boot ", console::name_of(device)), [this, done] { give_done(done); });
  }
  void identify(const auth::Grant& grant, bool on, Done<> done) override {
    check(grant);
    ask(on ? "identify on" : "identify off", [this, done] { give_done(done); });
  }
  void sensors(Done<std::vector<console::Sensor>> done) override {
    ask("sensors", [this, done] { give<std::vector<console::Sensor>>(done, sensor_list); });
  }
  void events(Done<std::vector<console::LogEvent>> done) override {
    ask("events", [this, done] { give<std::vector<console::LogEvent>>(done, log); });
  }
  void clear_events(const auth::Grant& grant, unsigned last, Done<> done) override {
    check(grant);
    if (!late.empty()) {
      log.push_back(late.front());
      late.pop_front();
    }
    ask(base::str("clear ", last), [this, last, done] {
      if (log.empty() || log.back().id != last)
        return done(base::fail(base::Fault::busy, "another event came"));
      log.clear();
      give_done(done);
    });
  }

 private:
  void check(const auth::Grant& grant) {
    if (grant.action() != auth::Action::power) asked.push_back("WRONG GRANT");
  }
  void ask(std::string what, std::function<void()> answer) {
    asked.push_back(std::move(what));
    if (holds) {
      held_.push_back(std::move(answer));
    } else {
      loop_.post(life_.wrap(std::move(answer)));
    }
  }
  template <class T>
  void give(const Done<T>& done, const T& value) {
    done(refusal ? base::Result<T>(*refusal) : base::Result<T>(value));
  }
  void give_done(const Done<>& done) { done(refusal ? base::Result<>(*refusal) : base::Result<>()); }

  base::Loop& loop_;
  std::string bmc_;
  std::vector<std::function<void()>> held_;
  base::Life life_;
};

}  // namespace oob::test

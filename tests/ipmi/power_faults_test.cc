// Chassis power through our session, from BMCs that lose answers, lie and refuse (tests/bmc/faults.h): an
// action that goes out is done once or not at all.
#include <gmock/gmock.h>

#include "auth/policy.h"
#include "ipmi/chassis.h"
#include "ipmi/event_log.h"
#include "ipmi/sensors.h"
#include "tests/ipmi/station_kit.h"

namespace oob::ipmi {
namespace {

using console::PowerAction;
using console::PowerOutcome;
using console::PowerState;

constexpr unsigned kChassis = 0, kReadPower = 1, kControl = 2;
constexpr milliseconds kTooLong{600'000};  // for a test: the machine comes on when the test says so

// A chassis on a session, as a Station has it, but with a quicker pace.
struct Machine {
  Machine(base::Loop& loop, base::Blocking& blocking, FarEnd& far, NearEnd& near)
      : far(far),
        near(near),
        sensors(loop, blocking, near.bmc, ""),
        events(loop, near.bmc, sensors),
        chassis(loop, near.bmc, "relay1", sensors, events, slot, nullptr, pace()) {}
  static ChassisPace pace() {
    ChassisPace pace;
    pace.first = milliseconds(10);
    pace.most = milliseconds(30);
    pace.settle = milliseconds(400);
    return pace;
  }
  void apply(PowerAction action, milliseconds wait) {
    auth::Grant grant = *auth::Policy().decide(auth::Policy::local(0), auth::Action::power, "edge1");
    told.clear();
    chassis.apply(grant, action, wait, [this](const base::Result<PowerOutcome>& result) {
      EXPECT_EQ(told, "") << "told twice";
      told = result ? base::str(console::name_of(result->state), ": ", result->remark)
                    : base::str("Fault ", static_cast<int>(result.error().fault), ": ",
                                near.plain(result.error().what));
    });
  }
  unsigned done(test::PowerAction action) const { return far.bmc.seen.done(action); }
  unsigned done() const {
    unsigned sum = 0;
    for (unsigned each : far.bmc.seen.power) sum += each;
    return sum;
  }
  unsigned sent() const { return far.bmc.seen.command(kChassis, kControl); }
  unsigned read() const { return far.bmc.seen.command(kChassis, kReadPower); }
  FarEnd& far;
  NearEnd& near;
  Sensors sensors;
  EventLog events;
  PowerSlot slot;
  Chassis chassis;
  std::string told;  // "on: REMARK" or "Fault 69: why"; empty: nothing yet
};

class PowerFaults : public Rack {
 protected:
  static test::BmcOptions machine_is(bool on) {
    test::BmcOptions options;
    options.powered = on;
    return options;
  }
  Machine& machine(test::BmcOptions options, std::uint64_t seed = 1) {
    FarEnd& far = far_end(std::move(options), seed);
    NearEnd& near = near_end(far);
    EXPECT_EQ(opened(near), "bmc.up suite 17, operator");
    return *machines_.emplace_back(std::make_unique<Machine>(loop_, blocking_, far, near));
  }
  Machine& machine(bool on = true) { return machine(machine_is(on)); }
  // Ends a cycle once its off was read, however late that is.
  void come_on(Machine& one) {
    ASSERT_TRUE(until([&] { return !one.far.bmc.powered(); }));
    unsigned before = one.read();  // this one may be the last that read "on"
    ASSERT_TRUE(until([&] { return one.read() >= before + 2; }));
    one.far.bmc.set_power(true);
  }
  bool all_told(milliseconds limit = milliseconds(60'000)) {
    return until(
        [this] {
          return std::all_of(machines_.begin(), machines_.end(),
                             [](auto& each) { return !each->told.empty(); });
        },
        limit);
  }
  std::vector<std::unique_ptr<Machine>> machines_;
};

TEST_F(PowerFaults, DoesEachActionOnce) {
  const std::pair<PowerAction, const char*> all[] = {{PowerAction::on, "on: "},
                                                     {PowerAction::off, "off: "},
                                                     {PowerAction::cycle, "on: "},
                                                     {PowerAction::reset, "on: "},
                                                     {PowerAction::soft, "off: "}};
  for (auto [action, told] : all) {
    test::BmcOptions options = machine_is(action != PowerAction::on);
    options.power_on_takes = options.power_off_takes = milliseconds(60);
    options.cycle_gap = kTooLong;
    machine(options).apply(action, milliseconds(60'000));
  }
  come_on(*machines_[2]);
  EXPECT_TRUE(all_told());
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    EXPECT_EQ(machines_[i]->told, all[i].second);
    EXPECT_EQ(machines_[i]->done(), 1u) << all[i].second;
    EXPECT_EQ(machines_[i]->sent(), 1u);
  }
  EXPECT_EQ(machines_[2]->done(test::PowerAction::cycle), 1u);
  EXPECT_EQ(machines_[3]->done(test::PowerAction::reset), 1u);
  EXPECT_EQ(machines_[4]->done(test::PowerAction::soft), 1u);
}

TEST_F(PowerFaults, DoesNothingTwiceWhenItsAnswerIsLost) {
  const std::pair<PowerAction, const char*> all[] = {
      {PowerAction::on, "on: the BMC did not confirm, but the machine is on"},
      {PowerAction::off, "off: the BMC did not confirm, but the machine is off"},
      {PowerAction::soft, "off: the BMC did not confirm, but the machine is off"},
      {PowerAction::cycle, "Fault 69: no answer to 'cycle'; it may have been done; the machine is on"},
      {PowerAction::reset, "Fault 69: no answer to 'reset'; it may have been done; the machine is on"},
      {PowerAction::cycle, "on: "},  // its off is long enough to be seen
  };
  for (auto [action, told] : all) {
    test::BmcOptions options = machine_is(action != PowerAction::on);
    bool seen = std::string_view(told) == "on: ";
    if (seen) options.cycle_gap = kTooLong;
    Machine& one = machine(options);
    one.far.bmc.faults.lose_answer(kChassis, kControl);
    one.apply(action, milliseconds(seen ? 60'000 : 2000));
  }
  // A wire that loses the command itself.
  Machine& not_done = machine(false);
  not_done.far.bmc.faults.ignore(kChassis, kControl);
  not_done.apply(PowerAction::on, milliseconds(500));
  come_on(*machines_[5]);
  EXPECT_TRUE(all_told());
  for (std::size_t i = 0; i < std::size(all); ++i) {
    EXPECT_EQ(machines_[i]->told, all[i].second);
    EXPECT_EQ(machines_[i]->sent(), 1u) << all[i].second;
    EXPECT_EQ(machines_[i]->done(), 1u) << all[i].second;
  }
  EXPECT_EQ(not_done.told, "Fault 69: no answer to 'on'; it may have been done; the machine is off");
  EXPECT_EQ(not_done.sent(), 1u);
  EXPECT_EQ(not_done.done(), 0u);
}

TEST_F(PowerFaults, DoesNotBelieveABmcThatSaysYesAndDoesNothing) {
  const std::pair<PowerAction, const char*> all[] = {
      {PowerAction::on, "Fault 1: the machine is still off after 1 s"},
      {PowerAction::off, "Fault 1: the machine is still on after 1 s"},
      {PowerAction::soft,
       "Fault 1: the machine is still on after 1 s: its operating system did not shut down; 'off' cuts the "
       "power"},
      // Nobody can see whether it was done.
      {PowerAction::cycle, "on: the BMC took it; no off was seen"},
      {PowerAction::reset, "on: "},
  };
  for (auto [action, told] : all) {
    Machine& one = machine(action != PowerAction::on);
    one.far.bmc.faults.lie(kChassis, kControl);
    one.apply(action, milliseconds(1000));
  }
  EXPECT_TRUE(all_told());
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    EXPECT_EQ(machines_[i]->told, all[i].second);
    EXPECT_EQ(machines_[i]->done(), 0u);
    EXPECT_EQ(machines_[i]->sent(), 1u);
  }
}

TEST_F(PowerFaults, ExplainsARefusal) {
  const std::tuple<PowerAction, std::uint8_t, const char*> all[] = {
      {PowerAction::cycle, 0xd5, "Fault 1: the machine is off: 'on' starts it"},
      {PowerAction::off, 0xd5, "Fault 1: 'off': command not supported in present state (D5h)"},
      {PowerAction::off, 0xd4,
       "Fault 77: 'off': insufficient privilege level (D4h): the BMC's user needs operator rights (see "
       "`privilege`, and the user's settings in the BMC)"},
      {PowerAction::reset, 0xc1, "Fault 1: 'reset': invalid command (C1h)"},
  };
  for (auto [action, completion, told] : all) {
    Machine& one = machine();
    one.far.bmc.faults.refuse(kChassis, kControl, completion);
    one.apply(action, milliseconds(1000));
  }
  // C0h says that nothing was done: it may be asked again.
  Machine& busy = machine();
  busy.far.bmc.faults.refuse(kChassis, kControl, 0xc0, 2);
  busy.apply(PowerAction::off, milliseconds(1000));
  EXPECT_TRUE(all_told());
  for (std::size_t i = 0; i < std::size(all); ++i) {
    EXPECT_EQ(machines_[i]->told, std::get<2>(all[i]));
    EXPECT_EQ(machines_[i]->done(), 0u);
    EXPECT_EQ(machines_[i]->sent(), 1u);
  }
  EXPECT_EQ(busy.told, "off: ");
  EXPECT_EQ(busy.done(), 1u);
}

// Bad wires: lost, doubled, late and reordered packets, twenty machines that are cycled.
TEST_F(PowerFaults, NeverDoesOneCommandTwiceOnABadWire) {
  const char* wires[] = {"lose=0.16", "duplicate=1", "reorder=0.4", "jitter=100"};
  for (const char* wire : wires)
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      test::BmcOptions options;
      options.cycle_gap = milliseconds(100);
      Machine& one = machine(options, seed);
      EXPECT_TRUE(one.far.wire.order(wire));
      one.apply(PowerAction::cycle, milliseconds(30'000));
    }
  EXPECT_TRUE(all_told(milliseconds(90'000)));
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    Machine& one = *machines_[i];
    const char* wire = wires[i / 5];
    EXPECT_LE(one.sent(), 1u) << wire;
    EXPECT_EQ(one.done(), one.sent()) << wire << ": " << one.told;
    bool well = one.told.starts_with("on: ");
    EXPECT_TRUE(well || one.told.starts_with("Fault 69: ")) << wire << ": " << one.told;
    unsigned least = well || one.far.wire.seen.lost == 0 ? 1 : 0;
    EXPECT_GE(one.done(), least) << wire << ": " << one.told;
  }
}

TEST_F(PowerFaults, NoMachineWaitsForAnotherOnesDeadBmc) {
  Machine& dead = machine(false);
  Machine& other = machine(false);
  dead.far.bmc.faults.deaf = true;
  dead.apply(PowerAction::on, milliseconds(1000));
  watch(milliseconds(20));
  auto begun = base::Clock::now();
  other.apply(PowerAction::on, milliseconds(1000));
  EXPECT_TRUE(until([&] { return !other.told.empty(); }));
  EXPECT_EQ(other.told, "on: ");
  EXPECT_LT(base::Clock::now() - begun, milliseconds(10'000));
  EXPECT_EQ(dead.told, "") << "it is asked for longer than that";
}

TEST_F(PowerFaults, ReadsStateThroughATangleOfAnswers) {
  Machine& one = machine();
  one.far.bmc.faults.two_responses = one.far.bmc.faults.unasked = one.far.bmc.faults.send_twice =
      test::kAlways;
  for (int i = 0; i < 10; ++i) {
    one.apply(i % 2 ? PowerAction::on : PowerAction::off, milliseconds(1000));
    ASSERT_TRUE(all_told());
    EXPECT_EQ(one.told, i % 2 ? "on: " : "off: ");
  }
  EXPECT_EQ(one.done(test::PowerAction::on), 5u);
  EXPECT_EQ(one.done(test::PowerAction::off), 5u);
}

}  // namespace
}  // namespace oob::ipmi

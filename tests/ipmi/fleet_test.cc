// Many BMCs on one loop, and all that waits: nothing hangs longer than it may, nothing is left over.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include "auth/policy.h"
#include "ipmi/chassis.h"
#include "ipmi/event_log.h"
#include "ipmi/sensors.h"
#include "tests/ipmi/station_kit.h"

namespace oob::ipmi {
namespace {

using base::Clock;
using console::PowerAction;
using console::PowerOutcome;
using test::kAlways;

// A session with all that stands on it.
struct Whole {
  Whole(base::Loop& loop, base::Blocking& blocking, NearEnd& near)
      : sensors(loop, blocking, near.bmc, ""),
        events(loop, near.bmc, sensors),
        chassis(loop, near.bmc, "relay1", sensors, events, slot, nullptr) {}
  void apply(PowerAction action, milliseconds wait) {
    auth::Grant grant = *auth::Policy().decide(auth::Policy::local(0), auth::Action::power, "edge1");
    // A chassis that goes answers all the same.
    chassis.apply(grant, action, wait, life.wrap([this](const base::Result<PowerOutcome>& result) {
      at = Clock::now();
      told = result ? base::str(console::name_of(result->state), ": ", result->remark) : result.error().what;
    }));
  }
  Sensors sensors;
  EventLog events;
  PowerSlot slot;
  Chassis chassis;
  std::string told;
  Clock::time_point at;
  base::Life life;
};

class Fleet : public Rack {
 protected:
  Fleet() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8192);
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
};

// A power cut in a rack: all go, all come back.
TEST_F(Fleet, ComesBackTogetherWithoutAFlood) {
  constexpr unsigned kBmcs = 200;
  HandshakeGate gate(loop_);  // as the daemon has it
  test::Gauge gauge;
  std::vector<std::unique_ptr<test::Bmc>> fars;
  std::vector<std::unique_ptr<NearEnd>> nears;
  const std::string address = own_address();  // nobody else takes the ports while the rack is dark
  auto power_up = [&](bool first) {
    for (unsigned i = 0; i < kBmcs; ++i) {
      test::BmcOptions options;
      options.gauge = &gauge;
      options.address = address;
      if (!first)
        options.port = static_cast<std::uint16_t>(std::stoi(nears[i]->address.substr(address.size() + 1)));
      fars.push_back(std::make_unique<test::Bmc>(loop_, options));
      fars.back()->faults.delay = milliseconds(50);  // longer than it takes to read a password
      ASSERT_TRUE(fars.back()->open());
    }
  };
  power_up(true);
  for (unsigned i = 0; i < kBmcs; ++i) {
    BmcSettings settings;
    settings.name = base::str("relay", i);
    settings.host = base::str(address, ":", fars[i]->port());
    settings.user = "oob";
    settings.password_file = key_file("secret");
    nears.push_back(std::make_unique<NearEnd>(loop_, blocking_, gate, settings));
    nears.back()->bmc.start();
  }
  auto all_up = [&] {
    return std::all_of(nears.begin(), nears.end(), [](auto& near) { return near->bmc.up(); });
  };
  auto none_up = [&] {
    return std::none_of(nears.begin(), nears.end(), [](auto& near) { return near->bmc.up(); });
  };
  ASSERT_TRUE(until(all_up, milliseconds(90'000)));
  EXPECT_GT(gauge.most, HandshakeGate::kAtOnce / 2);
  EXPECT_LE(gauge.most, HandshakeGate::kAtOnce);

  fars.clear();
  EXPECT_EQ(gauge.now, 0u);
  gauge.most = 0;
  for (auto& near : nears) near->bmc.ask(device_id(), Link::Send::again, nullptr);
  ASSERT_TRUE(until(none_up));
  power_up(false);
  EXPECT_TRUE(until(all_up, milliseconds(90'000)));
  EXPECT_LE(gauge.most, HandshakeGate::kAtOnce);
  for (auto& near : nears) EXPECT_EQ(near->last(), "bmc.up suite 17, operator");
  for (auto& far : fars) EXPECT_EQ(far->seen.sessions, 1u);
}

// Really waits half a minute: everything that takes long, side by side.
TEST_F(Fleet, NothingHangsLongerThanItMay) {
  auto begun = Clock::now();
  auto since = [&](Clock::time_point at) { return at - begun; };
  struct One {
    FarEnd& far;
    NearEnd& near;
  };
  auto make = [&](test::BmcOptions options = {}) {
    FarEnd& far = far_end(std::move(options));
    return One{far, near_end(far)};
  };
  auto make_up = [&](test::BmcOptions options = {}) {
    One one = make(std::move(options));
    EXPECT_EQ(opened(one.near), "bmc.up suite 17, operator");
    return one;
  };
  test::BmcOptions slow;
  slow.power_off_takes = milliseconds(1000);

  One up = make_up(), up_once = make_up(), sol = make_up(), sol_opening = make_up(), power = make_up(),
      power_sent = make_up(), reset = make_up(), reset_power = make_up(slow), healthy = make_up();
  Whole power_whole(loop_, blocking_, power.near), sent_whole(loop_, blocking_, power_sent.near),
      reset_whole(loop_, blocking_, reset_power.near);
  Reader sol_reader(loop_, sol.near.bmc), opening_reader(loop_, sol_opening.near.bmc),
      reset_reader(loop_, reset.near.bmc), healthy_reader(loop_, healthy.near.bmc, {}, Sol::Times{});
  EXPECT_EQ(sol_reader.opened(), "");
  EXPECT_EQ(reset_reader.opened(), "");
  EXPECT_EQ(healthy_reader.opened(), "");
  // One action is on its way to a BMC that falls silent, another is under way in one that starts anew.
  reset_whole.apply(PowerAction::off, milliseconds(40'000));
  ASSERT_TRUE(until([&] { return reset_power.far.bmc.seen.done(test::PowerAction::off) == 1; }));
  power_sent.far.wire.hook = [&, silent = false](bool to_bmc, std::string datagram) mutable {
    // After the first answer, to what was read before the action.
    if (!to_bmc) silent = true;
    return silent && to_bmc ? std::nullopt : std::optional<std::string>(datagram);
  };
  sent_whole.apply(PowerAction::off, milliseconds(2000));

  One deaf = make(), silent_rakp2 = make(), silent_rakp4 = make(), silent_privilege = make();
  silent_rakp2.far.bmc.faults.rakp1.ignore = kAlways;
  silent_rakp4.far.bmc.faults.rakp3.ignore = kAlways;
  silent_privilege.far.bmc.faults.ignore(6, 0x3b, kAlways);
  for (One* one : {&deaf, &up, &up_once, &sol, &sol_opening, &power}) one->far.bmc.faults.deaf = true;
  begun = Clock::now();
  healthy.far.bmc.seen.commands.clear();
  reset.far.bmc.reset(milliseconds(300));
  reset_power.far.bmc.reset(milliseconds(300));
  opening_reader.open();
  power_whole.apply(PowerAction::off, milliseconds(2000));
  auto asked_deaf = ask(deaf.near, device_id()), asked_rakp2 = ask(silent_rakp2.near, device_id()),
       asked_rakp4 = ask(silent_rakp4.near, device_id()),
       asked_privilege = ask(silent_privilege.near, device_id()), asked_up = ask(up.near, device_id()),
       asked_second = ask(up.near, device_id()),
       asked_once = ask(up_once.near, device_id(), Link::Send::once);
  Clock::time_point opening_at{}, sol_at{}, down_at{}, up_at{}, reset_sol_at{};
  Standstill still;
  auto note = [](bool condition, Clock::time_point& at) {
    if (condition && at == Clock::time_point{}) at = Clock::now();
    return at != Clock::time_point{};
  };
  EXPECT_TRUE(until(
      [&] {
        still.look();
        bool all = note(opening_reader.outcome.has_value(), opening_at);
        all = note(!sol_reader.error.empty(), sol_at) && all;
        all = note(!reset_reader.error.empty(), reset_sol_at) && all;
        all = note(reset.near.events.size() >= 2, down_at) && all;
        all = note(reset.near.events.size() >= 3 && reset.near.bmc.up(), up_at) && all;
        for (auto& asked :
             {asked_deaf, asked_rakp2, asked_rakp4, asked_privilege, asked_up, asked_second, asked_once})
          all = all && !asked->text.empty();
        for (Whole* whole : {&power_whole, &sent_whole, &reset_whole}) all = all && !whole->told.empty();
        return all;
      },
      milliseconds(120'000)));
  const auto all_took = Clock::now() - begun;
  // What a busy machine takes is nobody's fault.
  auto at_most = [&](milliseconds time) { return time + still.sum(); };

  // Before and while a session is opened.
  EXPECT_EQ(asked_deaf->text, "Fault 69: ADDR: no answer");
  EXPECT_LT(asked_deaf->took, at_most(milliseconds(8'000)));
  for (auto& asked : {asked_rakp2, asked_rakp4}) {
    // Where the machine stood still for seconds, all patience is over before all tries are.
    std::string why = "ADDR: its answers get lost while a session is opened";
    if (still.sum() > milliseconds(4000) && !asked->text.ends_with(why))
      why = "no answer from the BMC in time";
    EXPECT_EQ(asked->text, "Fault 69: " + why);
    EXPECT_LT(asked->took, at_most(Link::kPatience + milliseconds(1000)));
  }
  EXPECT_EQ(asked_privilege->text, "Fault 69: no answer from the BMC in time");
  EXPECT_LT(asked_privilege->took, at_most(Link::kPatience + milliseconds(1000)));
  // In one.
  EXPECT_EQ(asked_up->text, "Fault 69: no answer from the BMC, asked 6 times");
  EXPECT_LT(asked_up->took, at_most(milliseconds(17'000)));
  EXPECT_THAT(asked_second->text, testing::StartsWith("Fault 69: "));
  EXPECT_LT(asked_second->took, at_most(Link::kPatience + milliseconds(2000)));
  EXPECT_EQ(asked_once->text, "Fault 69: no answer from the BMC");
  EXPECT_LT(asked_once->took, at_most(milliseconds(6'000)));
  EXPECT_FALSE(up.near.bmc.up());
  EXPECT_EQ(up.near.events[1], "bmc.down ADDR: no answer");
  // Serial over LAN.
  EXPECT_LT(since(opening_at), at_most(milliseconds(15'000))) << "as console::Line promises";
  EXPECT_LT(since(sol_at), at_most(milliseconds(31'000)));
  EXPECT_THAT(sol_reader.error, testing::EndsWith(": no answer"));
  // Power.
  EXPECT_THAT(power_whole.told, testing::StartsWith("'off' was not sent: chassis status: no answer"));
  EXPECT_LT(since(power_whole.at), at_most(milliseconds(20'000)));
  EXPECT_THAT(sent_whole.told, testing::HasSubstr("no answer to 'off'; it may have been done; the machine's "
                                                  "state is unknown: "));
  EXPECT_LT(since(sent_whole.at), at_most(milliseconds(30'000)));
  EXPECT_EQ(power_sent.far.bmc.seen.command(0, 2), 0u);
  // A BMC that starts anew.
  EXPECT_LT(since(down_at), at_most(milliseconds(30'000)));
  EXPECT_LT(since(reset_sol_at), at_most(milliseconds(30'000)));
  EXPECT_LT(up_at - down_at, at_most(milliseconds(5'000)));
  EXPECT_EQ(reset.near.last(), "bmc.up suite 17, operator");
  EXPECT_EQ(reset_reader.opened(), "");
  EXPECT_EQ(reset_whole.told, "off: ");
  EXPECT_EQ(reset_power.far.bmc.seen.done(test::PowerAction::off), 1u);
  // And one that is well: it was asked now and then, so that the session stays.
  EXPECT_GE(healthy.far.bmc.seen.command(6, 1), 1u);
  EXPECT_LE(healthy.far.bmc.seen.command(6, 1), all_took / Bmc::kKeepAlive + 2);
  EXPECT_EQ(healthy.near.events.size(), 1u);
  EXPECT_EQ(healthy_reader.error, "");
}

// Everything goes at some moment of all that is under way.
TEST_F(Fleet, MayBeDestroyedAtAnyMoment) {
  std::vector<FarEnd*> fars;
  for (int moment = 0; moment < 120; ++moment) {
    FarEnd& far = far_end();
    fars.push_back(&far);
    far.bmc.faults.delay = milliseconds(2);
    NearEnd& near = near_end(far);
    auto whole = std::make_unique<Whole>(loop_, blocking_, near);
    auto reader = std::make_unique<Reader>(loop_, near.bmc);
    near.bmc.start();
    auto told = [](auto&&...) {};
    whole->chassis.power(told);
    whole->chassis.sensors(told);
    whole->chassis.events(told);
    whole->apply(PowerAction::cycle, milliseconds(1000));
    // So many packets later, mostly with its SOL opening or open and bytes on their way.
    EXPECT_TRUE(until([&] {
      if (near.bmc.up() && !reader->outcome) {
        reader->outcome = "opening";
        reader->sol.open([](const base::Result<>&) {});
      }
      if (far.bmc.sol_active()) far.bmc.host_says("output");
      return far.bmc.seen.packets + far.bmc.seen.sent >= static_cast<unsigned>(moment % 60);
    }));
    if (moment % 3 == 0) {
      reader.reset();
      whole.reset();
    } else {
      whole.reset();
      reader.reset();
    }
    destroy(near);
  }
  // Those that were up have been left in order.
  EXPECT_TRUE(until([&] {
    return std::all_of(fars.begin(), fars.end(), [](FarEnd* far) { return !far->bmc.sol_active(); });
  }));
  unsigned finished = 0, closed = 0;
  for (FarEnd* far : fars) {
    finished += far->bmc.seen.handshakes_finished;
    closed += far->bmc.seen.sessions_closed;
  }
  EXPECT_GT(finished, 30u);
  EXPECT_GT(closed, finished - 20);
}

}  // namespace
}  // namespace oob::ipmi

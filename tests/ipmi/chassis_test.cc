#include "tests/ipmi/chassis_kit.h"

namespace oob::ipmi {
namespace {

TEST_F(AChassis, ReadsThePower) {
  states_ = {"on", "off", "lost"};
  std::string told;
  auto tell = [&](const base::Result<PowerState>& state) {
    told += state ? console::name_of(*state) : text(state.error());
    told += ";";
  };
  for (int i = 0; i < 3; ++i) chassis_->power(tell);
  EXPECT_EQ(told, "");
  ASSERT_TRUE(test::run_until(loop_, [&] { return told.ends_with("answer;"); }));
  EXPECT_EQ(told, "on;off;Fault 69: chassis status: fake: no answer;");
  EXPECT_EQ(changes_, "on>off ");
  requests(kChassisStatus, Link::Send::again);
  EXPECT_EQ(link_.asked.size(), 3u);
}

TEST_F(AChassis, DoesNotGuessThePowerFromAnEmptyOrRefusedAnswer) {
  std::string told;
  auto tell = [&](const base::Result<PowerState>& state) { told = state ? "state" : text(state.error()); };
  status_ = [] { return Reply{0, ""}; };
  chassis_->power(tell);
  ASSERT_TRUE(test::run_until(loop_, [&] { return !told.empty(); }));
  EXPECT_EQ(told, "Fault 1: chassis status: the BMC's answer is empty");
  told.clear();
  status_ = [] { return Reply{0xc1, "\x01"}; };
  chassis_->power(tell);
  ASSERT_TRUE(test::run_until(loop_, [&] { return !told.empty(); }));
  EXPECT_EQ(told, "Fault 1: chassis status: invalid command (C1h)");
  EXPECT_EQ(chassis_->known_power(), PowerState::unknown);
}

TEST_F(AChassis, KnowsThePowerWhileItIsFreshAndTheLinkIsUp) {
  EXPECT_EQ(chassis_->known_power(), PowerState::unknown);
  states_ = {"off", "lost", "on"};
  EXPECT_EQ(power(), "off");
  EXPECT_EQ(chassis_->known_power(), PowerState::off);
  EXPECT_NE(power(), "off");
  EXPECT_EQ(chassis_->known_power(), PowerState::off);
  link_.go_down("relay1: no answer");
  EXPECT_EQ(chassis_->known_power(), PowerState::unknown);
  EXPECT_EQ(chassis_->trouble(), "relay1: no answer");
  link_.come_up();
  EXPECT_EQ(chassis_->known_power(), PowerState::off);
  ChassisPace pace;
  pace.fresh = milliseconds(-1);
  make(pace);
  EXPECT_EQ(power(), "on");
  EXPECT_EQ(chassis_->known_power(), PowerState::unknown);
  EXPECT_EQ(chassis_->bmc(), "relay1");
}

TEST_F(AChassis, TellsEveryChangeButNotTheFirstState) {
  states_ = {"on", "on", "lost", "off", "off", "on"};
  for (int i = 0; i < 6; ++i) power();
  EXPECT_EQ(changes_, "on>off off>on ");
}

// --- what needs no action ----------------------------------------------------------------------------------

TEST_F(AChassis, SendsNothingWhenTheMachineIsThereAlready) {
  states_ = {"on"};
  EXPECT_EQ(apply(PowerAction::on), "on: was on already");
  states_ = {"off"};
  EXPECT_EQ(apply(PowerAction::off), "off: was off already");
  EXPECT_EQ(apply(PowerAction::soft), "off: was off already");
  EXPECT_EQ(controls(), "");
}

TEST_F(AChassis, DoesNotRestartAMachineThatIsOff) {
  states_ = {"off"};
  EXPECT_EQ(apply(PowerAction::cycle), "Fault 1: the machine is off: 'on' starts it");
  EXPECT_EQ(apply(PowerAction::reset), "Fault 1: the machine is off: 'on' starts it");
  EXPECT_EQ(controls(), "");
}

TEST_F(AChassis, SendsNothingWhenTheStateCannotBeRead) {
  for (PowerAction action :
       {PowerAction::on, PowerAction::off, PowerAction::cycle, PowerAction::reset, PowerAction::soft}) {
    states_ = {"lost"};
    EXPECT_EQ(apply(action), base::str("Fault 69: '", console::name_of(action),
                                       "' was not sent: chassis status: fake: no answer"));
  }
  EXPECT_EQ(controls(), "");
}

TEST_F(AChassis, SendsNothingForAGrantToSomethingElse) {
  std::string told;
  chassis_->apply(grant(auth::Action::write), PowerAction::off, milliseconds(1),
                  [&](const base::Result<PowerOutcome>& result) { told = text(result.error()); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return !told.empty(); }));
  EXPECT_EQ(told, "Fault 70: a grant to write shown to drive a chassis");
  auto refused = [&](auto call) { return done(call).substr(0, 9); };
  auth::Grant watch = grant(auth::Action::watch);
  EXPECT_EQ(refused([&](auto told) { chassis_->boot(watch, BootDevice::pxe, told); }), "Fault 70:");
  EXPECT_EQ(refused([&](auto told) { chassis_->identify(watch, true, told); }), "Fault 70:");
  EXPECT_EQ(refused([&](auto told) { chassis_->clear_events(watch, 1, told); }), "Fault 70:");
  EXPECT_TRUE(link_.asked.empty());
}

// --- actions that are taken
// ----------------------------------------------------------------------------------

TEST_F(AChassis, ReadsBackUntilTheActionIsTrue) {
  states_ = {"off", "off", "off", "on"};
  EXPECT_EQ(apply(PowerAction::on), "on: ");
  states_ = {"on", "on", "off"};
  EXPECT_EQ(apply(PowerAction::off), "off: ");
  states_ = {"on", "on", "on", "on", "off"};
  EXPECT_EQ(apply(PowerAction::soft), "off: ");
  states_ = {"on", "on", "off", "off", "on"};
  EXPECT_EQ(apply(PowerAction::cycle), "on: ");
  states_ = {"on", "on"};
  EXPECT_EQ(apply(PowerAction::reset), "on: ");
  EXPECT_EQ(controls(), "01 00 05 02 03");
  EXPECT_EQ(changes_, "off>on on>off off>on on>off off>on on>off off>on ");
}

TEST_F(AChassis, BelievesACycleWhoseOffWasNotSeen) {
  make(quick_to_settle());
  states_ = {"on"};
  auto begun = base::Clock::now();
  EXPECT_EQ(apply(PowerAction::cycle), "on: the BMC took it; no off was seen");
  EXPECT_GE(base::Clock::now() - begun, milliseconds(20));
  EXPECT_EQ(controls(), "02");
}

// The BMC may not have begun yet.
TEST_F(AChassis, DoesNotTakeAMachineThatIsStillOnForACycledOne) {
  states_ = {"on"};
  for (int wait : {0, 5})
    EXPECT_EQ(apply(PowerAction::cycle, milliseconds(wait)),
              "Fault 1: 'cycle' was sent, but its off and on were not seen within 0 s");
  EXPECT_EQ(controls(), "02 02");
}

TEST_F(AChassis, SeesTheOffOfACycleThatSomebodyElseRead) {
  states_ = {"on", "off", "on"};
  bool asked = false;
  link_.answer = [&](const Request& request) {
    if (request.command == kControl) {
      chassis_->power([](const auto&) {});
      asked = true;
    }
    return reply(request);
  };
  EXPECT_EQ(apply(PowerAction::cycle), "on: ");
  EXPECT_TRUE(asked);
  EXPECT_EQ(changes_, "on>off off>on ");
}

TEST_F(AChassis, GoesOnReadingWhenAReadingIsLost) {
  states_ = {"on", "lost", "on", "lost", "lost", "off"};
  EXPECT_EQ(apply(PowerAction::off), "off: ");
  EXPECT_EQ(controls(), "00");
}

TEST_F(AChassis, TellsAWrongStateWhenTheWaitIsOver) {
  milliseconds wait(5);
  ChassisPace pace;  // looks at most after the wait, so once
  pace.first = pace.most = milliseconds(60'000);
  make(pace);
  states_ = {"off", "off"};
  EXPECT_EQ(apply(PowerAction::on, wait), "Fault 1: the machine is still off after 0 s");
  EXPECT_EQ(controls(), "01");
  states_ = {"on"};
  EXPECT_EQ(apply(PowerAction::off, wait), "Fault 1: the machine is still on after 0 s");
  EXPECT_EQ(apply(PowerAction::soft, wait),
            "Fault 1: the machine is still on after 0 s: its operating system did not shut down; 'off' cuts "
            "the power");
  states_ = {"on", "off"};
  EXPECT_EQ(apply(PowerAction::cycle, wait), "Fault 1: the machine is still off after 0 s");
  states_ = {"on", "off"};
  EXPECT_EQ(apply(PowerAction::reset, wait), "Fault 1: the machine is still off after 0 s");
  states_ = {"on", "lost"};
  EXPECT_EQ(apply(PowerAction::off, wait),
            "Fault 69: 'off' was sent, but its end was not seen: chassis status: fake: no answer");
  EXPECT_EQ(controls(), "01 00 05 02 03 00");
}

TEST_F(AChassis, LooksOnceWhenThereIsNoWait) {
  states_ = {"off", "on"};
  EXPECT_EQ(apply(PowerAction::on, milliseconds(0)), "on: ");
  states_ = {"on", "on"};
  EXPECT_EQ(apply(PowerAction::off, milliseconds(0)), "Fault 1: the machine is still on after 0 s");
}

// --- actions whose answer is lost
// ------------------------------------------------------------------------------

TEST_F(AChassis, ProvesALostAnswerByTheStateAndNeverSendsTwice) {
  control_ = std::nullopt;
  states_ = {"off", "off", "on"};
  EXPECT_EQ(apply(PowerAction::on), "on: the BMC did not confirm, but the machine is on");
  EXPECT_EQ(controls(), "01");
  states_ = {"on", "on", "off"};
  EXPECT_EQ(apply(PowerAction::off), "off: the BMC did not confirm, but the machine is off");
  EXPECT_EQ(controls(), "01 00");
  states_ = {"on", "lost", "off"};
  EXPECT_EQ(apply(PowerAction::soft), "off: the BMC did not confirm, but the machine is off");
  EXPECT_EQ(controls(), "01 00 05");
  states_ = {"on", "off", "lost", "on"};
  EXPECT_EQ(apply(PowerAction::cycle), "on: ");
  EXPECT_EQ(controls(), "01 00 05 02");
  states_ = {"on", "off", "on"};
  EXPECT_EQ(apply(PowerAction::reset), "on: ");
  EXPECT_EQ(controls(), "01 00 05 02 03");
}

TEST_F(AChassis, SaysThatALostActionMayHaveBeenDone) {
  make(quick_to_settle());
  control_ = std::nullopt;
  states_ = {"on"};
  EXPECT_EQ(apply(PowerAction::cycle),
            "Fault 69: no answer to 'cycle'; it may have been done; the machine is on");
  EXPECT_EQ(apply(PowerAction::reset),
            "Fault 69: no answer to 'reset'; it may have been done; the machine is on");
  EXPECT_EQ(controls(), "02 03");
  EXPECT_EQ(apply(PowerAction::soft, milliseconds(10)),
            "Fault 69: no answer to 'soft'; it may have been done; the machine is on");
  states_ = {"off"};
  EXPECT_EQ(apply(PowerAction::on, milliseconds(10)),
            "Fault 69: no answer to 'on'; it may have been done; the machine is off");
  states_ = {"on", "lost"};
  EXPECT_EQ(apply(PowerAction::off, milliseconds(10)),
            "Fault 69: no answer to 'off'; it may have been done; the machine's state is unknown: chassis "
            "status: fake: no answer");
  EXPECT_EQ(controls(), "02 03 05 01 00");
}

TEST_F(AChassis, SaysThatALostCycleLeftTheMachineOff) {
  control_ = std::nullopt;
  states_ = {"on", "off"};
  EXPECT_EQ(apply(PowerAction::cycle, milliseconds(10)), "Fault 1: the machine is still off after 0 s");
  EXPECT_EQ(controls(), "02");
}

TEST_F(AChassis, SaysThatAnActionThatDidNotGoOutWasNotDone) {
  control_ = std::nullopt;
  link_.unsent = true;
  states_ = {"on"};
  EXPECT_EQ(apply(PowerAction::cycle), "Fault 69: 'cycle' was not sent: nothing was done: fake: not sent");
  EXPECT_EQ(apply(PowerAction::off), "Fault 69: 'off' was not sent: nothing was done: fake: not sent");
  EXPECT_EQ(controls(), "02 00");
}

TEST_F(AChassis, TakesATimeOutInsideTheBmcForALostAnswer) {
  make(quick_to_settle());
  control_ = Reply{0xc3, ""};
  states_ = {"on", "off"};
  EXPECT_EQ(apply(PowerAction::off), "off: the BMC did not confirm, but the machine is off");
  states_ = {"on"};
  EXPECT_EQ(
      apply(PowerAction::cycle),
      "Fault 69: 'cycle': timeout while processing command (C3h); it may have been done; the machine is "
      "on");
  EXPECT_EQ(controls(), "00 02");
}

// --- actions that are refused ------------------------------------------------------------------------------

TEST_F(AChassis, TellsARefusalByItsTextAndReadsNothingBack) {
  states_ = {"on"};
  control_ = Reply{0xd4, ""};
  EXPECT_EQ(apply(PowerAction::off),
            "Fault 77: 'off': insufficient privilege level (D4h): the BMC's user needs operator rights (see "
            "`privilege`, and the user's settings in the BMC)");
  control_ = Reply{0xd5, ""};
  EXPECT_EQ(apply(PowerAction::cycle), "Fault 1: the machine is off: 'on' starts it");
  EXPECT_EQ(apply(PowerAction::reset), "Fault 1: the machine is off: 'on' starts it");
  EXPECT_EQ(apply(PowerAction::soft), "Fault 1: 'soft': command not supported in present state (D5h)");
  control_ = Reply{0xcc, ""};
  EXPECT_EQ(apply(PowerAction::soft), "Fault 1: 'soft': invalid data field in request (CCh)");
  control_ = Reply{0xc0, ""};
  EXPECT_EQ(apply(PowerAction::off), "Fault 75: 'off': node busy (C0h)");
  EXPECT_EQ(controls(), "00 02 03 05 05 00");
  EXPECT_EQ(link_.asked.size(), 12u);
}

// --- one at a time -----------------------------------------------------------------------------------------

TEST_F(AChassis, DoesOneActionAtATimeAndReadsTheStateMeanwhile) {
  states_ = {"on"};
  std::string first, second, state;
  chassis_->apply(grant(), PowerAction::cycle, milliseconds(60'000),
                  [&](const base::Result<PowerOutcome>& result) { first = console::name_of(result->state); });
  chassis_->apply(grant(), PowerAction::off, milliseconds(1),
                  [&](const base::Result<PowerOutcome>& result) { second = text(result.error()); });
  EXPECT_EQ(second, "");
  chassis_->power([&](const base::Result<PowerState>& result) { state = console::name_of(*result); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return !state.empty() && !second.empty(); }));
  EXPECT_EQ(second, "Fault 75: a power cycle is under way");
  EXPECT_EQ(state, "on");
  EXPECT_EQ(first, "");
  states_ = {"off", "on"};
  ASSERT_TRUE(test::run_until(loop_, [&] { return !first.empty(); }));
  EXPECT_EQ(controls(), "02");
  states_ = {"on", "off"};
  EXPECT_EQ(apply(PowerAction::off), "off: ");
}

TEST_F(AChassis, MayBeUsedAgainFromItsAnswer) {
  states_ = {"off", "on", "on", "off"};
  std::string told;
  chassis_->apply(grant(), PowerAction::on, milliseconds(60'000), [&](const base::Result<PowerOutcome>&) {
    chassis_->apply(
        grant(), PowerAction::off, milliseconds(60'000),
        [&](const base::Result<PowerOutcome>& result) { told = console::name_of(result->state); });
  });
  ASSERT_TRUE(test::run_until(loop_, [&] { return !told.empty(); }));
  EXPECT_EQ(told, "off");
}

// Who waits is told at once, and once, at whatever moment it goes.
TEST_F(AChassis, AnswersAllWhenItGoes) {
  link_.answer = [this](const Request& request) {
    return request.netfn == NetFn::chassis ? reply(request) : std::nullopt;
  };
  std::string actions;
  for (std::size_t after = 0; after < 12; ++after) {
    make(ChassisPace{milliseconds(1), milliseconds(1), milliseconds(5), milliseconds(25'000)});
    states_ = {"on", "on", "off"};
    link_.asked.clear();
    int told[7] = {};
    std::string action, device, light, state;
    auto tell = [&](int which, std::string& what) {
      return [&, which](const auto& result) {
        ++told[which];
        what = result ? "done" : text(result.error());
      };
    };
    std::string busy, sensors, events;
    chassis_->apply(grant(), PowerAction::cycle, milliseconds(60'000), tell(0, action));
    chassis_->apply(grant(), PowerAction::cycle, milliseconds(60'000), tell(1, busy));
    chassis_->boot(grant(), BootDevice::pxe, tell(2, device));
    chassis_->identify(grant(), true, tell(3, light));
    chassis_->power(tell(4, state));
    chassis_->sensors(tell(5, sensors));
    chassis_->clear_events(grant(), 1, tell(6, events));
    if (after > 0) {
      ASSERT_TRUE(test::run_until(loop_, [&] { return link_.asked.size() >= 6 + after; }));
    }
    bool sent = !controls().empty();
    chassis_.reset();
    ASSERT_TRUE(
        test::run_until(loop_, [&] { return std::ranges::all_of(told, [](int n) { return n > 0; }); }));
    bool turned = false;
    base::Timer later(loop_);
    later.after(milliseconds(5), [&] { turned = true; });
    ASSERT_TRUE(test::run_until(loop_, [&] { return turned; }));
    for (int each : told) EXPECT_EQ(each, 1);
    EXPECT_EQ(busy, "Fault 75: a power cycle is under way");
    EXPECT_EQ(action, sent ? "Fault 69: a reload replaced or removed its BMC; 'cycle' may have been done"
                           : "Fault 69: 'cycle' was not sent: nothing was done: a reload replaced or removed "
                             "its BMC");
    actions += sent ? "sent " : "not ";
    if (after == 0) {
      EXPECT_EQ(device, "Fault 69: a reload replaced or removed its BMC; the boot device may have been set");
      EXPECT_EQ(light, "Fault 69: a reload replaced or removed its BMC; it may have been done");
      EXPECT_EQ(state, "Fault 69: a reload replaced or removed its BMC");
      EXPECT_EQ(sensors, "Fault 69: a reload replaced or removed its BMC");
      EXPECT_EQ(events, "Fault 69: a reload replaced or removed its BMC; it may have been cleared");
    }
  }
  EXPECT_TRUE(actions.starts_with("not ") && actions.ends_with("sent ")) << actions;
}

// Two devices, one BMC.
TEST_F(AChassis, SharesItsOneActionWithAllBehindItsBmc) {
  Chassis other(loop_, link_, "relay1", sensors_, log_, slot_, nullptr);
  states_ = {"on", "on", "off"};
  std::string told, second;
  chassis_->apply(grant(), PowerAction::off, milliseconds(60'000),
                  [&](const base::Result<PowerOutcome>& result) { told = result ? "done" : "failed"; });
  other.apply(grant(), PowerAction::cycle, milliseconds(60'000),
              [&](const base::Result<PowerOutcome>& result) { second = text(result.error()); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return !told.empty(); }));
  EXPECT_EQ(told, "done");
  EXPECT_EQ(second, "Fault 75: a power off is under way");
  EXPECT_EQ(controls(), "00");
  // Also when the one that acts goes.
  states_ = {"off"};
  control_ = std::nullopt;
  told.clear();
  chassis_->apply(grant(), PowerAction::on, milliseconds(60'000),
                  [&](const base::Result<PowerOutcome>&) { told = "gone"; });
  chassis_.reset();
  ASSERT_TRUE(test::run_until(loop_, [&] { return !told.empty(); }));
  states_ = {"off"};
  second.clear();
  other.apply(grant(), PowerAction::off, milliseconds(60'000),
              [&](const base::Result<PowerOutcome>& result) { second = result ? result->remark : "failed"; });
  ASSERT_TRUE(test::run_until(loop_, [&] { return !second.empty(); }));
  EXPECT_EQ(second, "was off already");
}

TEST_F(AChassis, MayGoInItsAnswerAndWhenItTellsAChange) {
  states_ = {"on", "off"};
  bool told = false;
  chassis_->apply(grant(), PowerAction::off, milliseconds(60'000),
                  [&](const base::Result<PowerOutcome>& result) {
                    EXPECT_TRUE(result);
                    told = true;
                    chassis_.reset();
                  });
  ASSERT_TRUE(test::run_until(loop_, [&] { return told; }));
  chassis_.emplace(loop_, link_, "relay1", sensors_, log_, slot_,
                   [&](PowerState, PowerState) { chassis_.reset(); });
  states_ = {"on", "off"};
  EXPECT_EQ(power(), "on");
  EXPECT_EQ(power(), "Fault 69: a reload replaced or removed its BMC");
  EXPECT_FALSE(chassis_);
}

// --- boot device -----------------------------------------------------------------------------------------

TEST_F(AChassis, HandsSensorsAndEventsToThoseWhoKnowThem) {
  link_.go_down("relay1: no answer");
  std::string told;
  auto tell = [&](const auto& result) { told += base::str(static_cast<int>(result.error().fault), " "); };
  chassis_->sensors(tell);
  chassis_->events(tell);
  chassis_->clear_events(grant(), 7, tell);
  ASSERT_TRUE(test::run_until(loop_, [&] { return told.size() >= 9; }));
  EXPECT_EQ(told, "69 69 69 ");
  for (const auto& one : link_.asked) EXPECT_NE(one.request.netfn, NetFn::chassis);
}

TEST(Names, OfPowerAndBootDevicesAreThoseOfTheCommands) {
  EXPECT_STREQ(console::name_of(PowerState::unknown), "unknown");
  EXPECT_STREQ(console::name_of(PowerAction::soft), "soft");
  EXPECT_STREQ(console::name_of(BootDevice::cdrom), "cdrom");
}

}  // namespace
}  // namespace oob::ipmi

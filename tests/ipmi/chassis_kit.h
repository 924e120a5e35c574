#pragma once

#include "ipmi/chassis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "auth/policy.h"
#include "ipmi/event_log.h"
#include "ipmi/sensors.h"
#include "tests/ipmi/fake_link.h"
#include "tests/support/support.h"

// A Chassis over a link that the test plays.
namespace oob::ipmi {

using base::Fault;
using base::milliseconds;
using console::BootDevice;
using console::PowerAction;
using console::PowerOutcome;
using console::PowerState;
using Reply = test::FakeLink::Reply;

constexpr std::uint8_t kChassisStatus = 0x01, kControl = 0x02, kIdentify = 0x04, kSetBoot = 0x08,
                       kGetBoot = 0x09;

inline auth::Grant grant(auth::Action action = auth::Action::power) {
  return *auth::Policy().decide(auth::Policy::local(0), action, "edge1");
}

// A machine and its BMC: `states` is what Get Chassis Status says, one after another; the last stays. The
// first is what is read before the action.
class AChassis : public testing::Test {
 protected:
  AChassis() : sensors_(loop_, blocking_, link_, ""), log_(loop_, link_, sensors_) {
    link_.come_up();
    link_.answer = [this](const Request& request) { return reply(request); };
    make(quick());
  }

  // Looks often. What stands still for long is a busy machine, and no reason to think a cycle over.
  static ChassisPace quick() {
    ChassisPace pace;
    pace.first = milliseconds(1);
    pace.most = milliseconds(2);
    pace.settle = pace.fresh = milliseconds(600'000);
    return pace;
  }
  // And thinks soon that a cycle is over.
  static ChassisPace quick_to_settle() {
    ChassisPace pace = quick();
    pace.settle = milliseconds(20);
    return pace;
  }

  void make(ChassisPace pace) {
    chassis_.emplace(
        loop_, link_, "relay1", sensors_, log_, slot_,
        [this](PowerState from, PowerState to) {
          changes_ += base::str(console::name_of(from), ">", console::name_of(to), " ");
        },
        pace);
  }

  std::optional<Reply> reply(const Request& request) {
    EXPECT_EQ(request.netfn, NetFn::chassis);
    switch (request.command) {
      case kChassisStatus: {
        if (status_) return status_();
        std::string state = states_.front();
        if (states_.size() > 1) states_.pop_front();
        if (state == "lost") return std::nullopt;
        if (state == "on") return Reply{0, std::string("\x61\x00\x40", 3)};
        return Reply{0, std::string("\x60\x00\x40", 3)};
      }
      case kControl:
        return control_;
      case kIdentify:
        return identify_ ? identify_(request.data) : Reply{};
      case kSetBoot:
        return set_boot_ ? set_boot_(request.data) : Reply{};
      case kGetBoot:
        return get_boot_;
    }
    ADD_FAILURE() << "command " << int{request.command};
    return Reply{0xc1, ""};
  }

  // What apply() answers in the end. "state: remark" or "Fault NUMBER: text".
  std::string apply(PowerAction action, milliseconds wait = milliseconds(60'000)) {
    std::optional<std::string> told;
    chassis_->apply(grant(), action, wait, [&](const base::Result<PowerOutcome>& result) {
      EXPECT_FALSE(told);
      told = result ? base::str(console::name_of(result->state), ": ", result->remark) : text(result.error());
    });
    EXPECT_FALSE(told);
    EXPECT_TRUE(test::run_until(loop_, [&] { return told.has_value(); }));
    return told.value_or("nothing");
  }
  static std::string text(const base::Error& error) {
    return base::str("Fault ", static_cast<int>(error.fault), ": ", error.what);
  }
  template <class Call>
  std::string done(Call call) {
    std::optional<std::string> told;
    call([&](const base::Result<>& result) { told = result ? "done" : text(result.error()); });
    EXPECT_FALSE(told);
    EXPECT_TRUE(test::run_until(loop_, [&] { return told.has_value(); }));
    return told.value_or("nothing");
  }
  std::string boot(BootDevice device) {
    return done([&](auto told) { chassis_->boot(grant(), device, told); });
  }
  std::string identify(bool on) {
    return done([&](auto told) { chassis_->identify(grant(), on, told); });
  }

  // What reading the power answers.
  std::string power() {
    std::string told;
    chassis_->power([&](const base::Result<PowerState>& state) {
      told = state ? console::name_of(*state) : text(state.error());
    });
    EXPECT_TRUE(test::run_until(loop_, [&] { return !told.empty(); }));
    return told;
  }

  // The Chassis Control requests that went out, as data bytes in hex; each must have been sent by `once`.
  std::string controls() const { return requests(kControl, Link::Send::once); }
  std::string requests(std::uint8_t command, Link::Send how) const {
    std::string all;
    for (const auto& one : link_.asked)
      if (one.request.command == command) {
        EXPECT_EQ(one.how, how);
        all += (all.empty() ? "" : " ") + base::hex(one.request.data);
      }
    return all;
  }

  base::Loop loop_;
  test::FakeLink link_{loop_};
  base::Blocking blocking_{loop_};
  Sensors sensors_;
  EventLog log_;
  PowerSlot slot_;
  std::deque<std::string> states_;
  std::optional<Reply> control_ = Reply{};
  std::function<std::optional<Reply>()> status_;
  std::function<std::optional<Reply>(const std::string&)> identify_, set_boot_;
  std::optional<Reply> get_boot_ = Reply{0xcc, ""};
  std::string changes_;
  std::optional<Chassis> chassis_;
};

// --- the state -------------------------------------------------------------------------------------------

}  // namespace oob::ipmi

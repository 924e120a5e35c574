// What a BMC can do wrong while a session is opened and while it is up (tests/bmc/faults.h), one fault after
// another: never is a wrong answer taken, and what can be mended by asking again is.
#include <gmock/gmock.h>

#include "tests/ipmi/station_kit.h"

namespace oob::ipmi {
namespace {

using test::Faults;
using test::kAlways;
using test::StepFaults;

struct Wrong {
  std::string name;
  std::function<void(Faults&)> order;
};

using BmcFaults = Rack;

TEST_F(BmcFaults, AHandshakeGetsOverEachFaultThatComesOnce) {
  struct Step {
    const char* name;
    StepFaults Faults::*faults;
  };
  std::vector<Wrong> all;
  for (Step step : {Step{"Open Session", &Faults::open_session}, Step{"RAKP 2", &Faults::rakp1},
                    Step{"RAKP 4", &Faults::rakp3}}) {
    auto add = [&](const char* what, std::function<void(StepFaults&)> order) {
      all.push_back({base::str(step.name, " ", what),
                     [order, faults = step.faults](Faults& of) { order(of.*faults); }});
    };
    add("lost", [](StepFaults& step) { step.ignore = 1; });
    add("with a wrong tag", [](StepFaults& step) { step.wrong_tag = 1; });
    add("of another session", [](StepFaults& step) { step.wrong_session_id = 1; });
    add("twice", [](StepFaults& step) { step.twice = 1; });
    add("always twice", [](StepFaults& step) { step.twice = kAlways; });
    for (int by : {-40, -8, -1, 1, 8, 200})
      add("of another length", [by](StepFaults& step) { step.resize = 1, step.by = by; });
    for (std::uint8_t status : {0x02, 0x06, 0x08, 0x12, 0x7f})
      add("refused", [status](StepFaults& step) { step.refuse = 1, step.status = status; });
  }
  all.push_back({"slow", [](Faults& of) { of.delay = milliseconds(400); }});
  all.push_back({"a RAKP 2 code that is wrong once", [](Faults& of) { of.wrong_rakp2_code = 1; }});
  all.push_back({"a RAKP 4 code that is wrong once", [](Faults& of) { of.wrong_rakp4_code = 1; }});
  all.push_back({"Set Session Privilege lost", [](Faults& of) { of.lose_answer(6, 0x3b); }});
  all.push_back({"Set Session Privilege busy", [](Faults& of) { of.refuse(6, 0x3b, 0xc0, 2); }});
  all.push_back({"only IPMI 2.0", [](Faults& of) { of.no_ipmi_15 = of.no_capabilities = true; }});

  std::vector<FarEnd*> fars;
  for (const Wrong& fault : all) {
    fars.push_back(&far_end());
    fault.order(fars.back()->bmc.faults);
    near_end(*fars.back()).bmc.start();
  }
  EXPECT_TRUE(until(
      [&] { return std::all_of(nears_.begin(), nears_.end(), [](auto& near) { return near->bmc.up(); }); }));
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_THAT(nears_[i]->events, testing::ElementsAre("bmc.up suite 17, operator")) << all[i].name;
    EXPECT_EQ(answer(*nears_[i], device_id()), kDeviceId) << all[i].name;
  }
}

// Each fault is there for some packets only, and a request that is asked again gets its answer.
TEST_F(BmcFaults, ASessionGetsOverEachFaultThatComesOnce) {
  const std::vector<Wrong> all{
      {"not authenticated", [](Faults& of) { of.strip_authenticated = 1; }},
      {"not encrypted", [](Faults& of) { of.strip_encrypted = 1; }},
      {"neither", [](Faults& of) { of.strip_authenticated = of.strip_encrypted = 1; }},
      {"wrong auth code", [](Faults& of) { of.wrong_auth_code = 1; }},
      {"another session's", [](Faults& of) { of.wrong_session_id = 1; }},
      {"old number", [](Faults& of) { of.old_sequence = 1; }},
      {"number 0", [](Faults& of) { of.zero_sequence = 1; }},
      {"pad too long", [](Faults& of) { of.pad_too_long = 1; }},
      {"wrong pad", [](Faults& of) { of.wrong_pad = 1; }},
      {"pad of more than a block", [](Faults& of) { of.pad_16 = 1; }},
      {"cut", [](Faults& of) { of.cut = 1, of.cut_at = 40; }},
      {"old rqSeq", [](Faults& of) { of.old_rq_seq = 1; }},
      {"another command's", [](Faults& of) { of.wrong_command = 1; }},
      {"ignored", [](Faults& of) { of.ignore(6, 1); }},
      {"answer lost", [](Faults& of) { of.lose_answer(6, 1); }},
      {"busy three times", [](Faults& of) { of.refuse(6, 1, 0xc0, 3); }},
      {"busy with two answers", [](Faults& of) { of.refuse(6, 1, 0xc0, 2), of.two_responses = 2; }},
      {"deaf at two of three", [](Faults& of) { of.answer_every = 3; }},
  };
  std::vector<FarEnd*> fars;
  for (std::size_t i = 0; i < all.size(); ++i) near_end(*fars.emplace_back(&far_end())).bmc.start();
  ASSERT_TRUE(until(
      [&] { return std::all_of(nears_.begin(), nears_.end(), [](auto& near) { return near->bmc.up(); }); }));
  std::vector<std::shared_ptr<Asked>> asked;
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].order(fars[i]->bmc.faults);
    asked.push_back(ask(*nears_[i], device_id()));
  }
  EXPECT_TRUE(until([&] {
    return std::all_of(asked.begin(), asked.end(), [](auto& each) { return !each->text.empty(); });
  }));
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(asked[i]->text, kDeviceId) << all[i].name;
    EXPECT_GE(asked[i]->took.count(), 900) << all[i].name << ": it was the second answer that counted";
    EXPECT_LT(asked[i]->took.count(), 15'000) << all[i].name << ": or it was not asked often enough";
  }
}

// These do no harm, or protection does not depend on them: no request is asked twice.
TEST_F(BmcFaults, ASessionLivesWithHarmlessFaultsForEver) {
  const std::vector<Wrong> all{
      {"each packet twice", [](Faults& of) { of.send_twice = kAlways; }},
      {"the one before once more", [](Faults& of) { of.replay_old = kAlways; }},
      {"two answers", [](Faults& of) { of.two_responses = kAlways; }},
      {"answers that nobody asked for", [](Faults& of) { of.unasked = kAlways; }},
      {"wrong checksum, under a right auth code", [](Faults& of) { of.wrong_checksum = kAlways; }},
      {"both wrong", [](Faults& of) { of.wrong_checksum = of.wrong_header_checksum = kAlways; }},
  };
  for (const Wrong& fault : all) {
    FarEnd& far = far_end();
    fault.order(far.bmc.faults);
    NearEnd& near = near_end(far);
    EXPECT_EQ(opened(near), "bmc.up suite 17, operator") << fault.name;
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(answer(near, device_id()), kDeviceId) << fault.name;
      EXPECT_EQ(answer(near, chassis_status()), "00 01004000") << fault.name;
    }
    EXPECT_EQ(far.bmc.seen.command(6, 1) + far.bmc.seen.command(0, 1), 40u) << fault.name;
    EXPECT_EQ(far.bmc.seen.replays, 0u) << fault.name;
  }
}

TEST_F(BmcFaults, SessionSequenceNumbersWrap) {
  FarEnd& far = far_end();
  far.bmc.faults.first_sequence = 0xfffffff0;
  far.bmc.faults.replay_old = kAlways;
  NearEnd& near = near_end(far);
  opened(near);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(answer(near, device_id()), kDeviceId);
  EXPECT_EQ(far.bmc.seen.command(6, 1), 60u);
}

TEST_F(BmcFaults, ABmcThatIsBusyForEverIsNotAskedForEver) {
  FarEnd& far = far_end();
  NearEnd& near = near_end(far);
  opened(near);
  far.bmc.faults.refuse(6, 1, 0xc0, kAlways);
  auto asked = ask(near, device_id());
  ASSERT_TRUE(until([&] { return !asked->text.empty(); }));
  EXPECT_EQ(asked->text, "c0 ");
  EXPECT_LT(asked->took, Link::kPatience);
  EXPECT_EQ(answer(near, chassis_status()).substr(0, 3), "00 ") << "others have their turn";
  EXPECT_EQ(near.events.size(), 1u);
}

// RAKP 2 and 4 of an earlier handshake, sent in the place of the right ones.
TEST_F(BmcFaults, AnOldHandshakeIsNotTaken) {
  for (char type : {'\x11', '\x13', '\x15'}) {
    FarEnd& far = far_end();
    std::string old;
    far.wire.hook = [&](bool to_bmc, std::string datagram) -> std::optional<std::string> {
      if (!to_bmc && datagram[5] == type) old = datagram;
      return datagram;
    };
    opened(near_end(far));
    ASSERT_FALSE(old.empty());
    unsigned replayed = 0;
    far.wire.hook = [&](bool to_bmc, std::string datagram) -> std::optional<std::string> {
      if (to_bmc || datagram[5] != type || replayed == 2) return datagram;
      ++replayed;
      std::string forged = old;
      forged[16] = datagram[16];                                  // the tag of now
      if (replayed == 2) forged.replace(20, 4, datagram, 20, 4);  // and the session's id
      return forged;
    };
    NearEnd& near = near_end(far);
    EXPECT_EQ(opened(near), "bmc.up suite 17, operator") << int{type};
    EXPECT_EQ(replayed, 2u);
    EXPECT_EQ(answer(near, device_id()), kDeviceId);
  }
}

// A packet of the session recorded and played again, by somebody between: it must not answer another request.
TEST_F(BmcFaults, AnOldAnswerIsNotTaken) {
  FarEnd& far = far_end();
  NearEnd& near = near_end(far);
  opened(near);
  std::string old;
  far.wire.hook = [&](bool to_bmc, std::string datagram) -> std::optional<std::string> {
    if (!to_bmc && old.empty()) old = datagram;
    return datagram;
  };
  EXPECT_EQ(answer(near, chassis_status()), "00 01004000");
  far.bmc.set_power(false);
  unsigned replayed = 0;
  far.wire.hook = [&](bool to_bmc, std::string datagram) -> std::optional<std::string> {
    return !to_bmc && replayed++ == 0 ? old : datagram;
  };
  EXPECT_EQ(answer(near, chassis_status()), "00 00004000");
  EXPECT_EQ(replayed, 2u);
  // The same with the request number come round: 64 requests later.
  far.wire.hook = nullptr;
  for (int i = 0; i < 62; ++i) answer(near, device_id());
  replayed = 0;
  far.wire.hook = [&](bool to_bmc, std::string datagram) -> std::optional<std::string> {
    return !to_bmc && replayed++ == 0 ? old : datagram;
  };
  EXPECT_EQ(answer(near, chassis_status()), "00 00004000");
}

}  // namespace
}  // namespace oob::ipmi

// Serial over LAN through our session, on a bad wire and from BMCs that do it wrong (tests/bmc/faults.h).
#include <gmock/gmock.h>

#include <random>

#include "tests/ipmi/station_kit.h"

namespace oob::ipmi {
namespace {

using test::kAlways;
using test::SolFaults;

std::string some_bytes(std::size_t size, unsigned seed) {
  std::minstd_rand random(seed);
  std::string bytes;
  while (bytes.size() < size) bytes += static_cast<char>(random() >> 8);
  return bytes;
}

std::string damaged(std::string datagram, std::size_t at, bool cut) {
  if (at >= datagram.size()) return datagram;
  if (cut) return datagram.substr(0, at);
  datagram[at] = static_cast<char>(datagram[at] ^ 1 << at % 8);
  return datagram;
}

// One console: our reader, the BMC, and the machine behind it.
struct Console {
  Console(FarEnd& far, NearEnd& near, base::Loop& loop, Sol::Times times)
      : far(far), near(near), reader(loop, near.bmc, {}, times) {
    far.bmc.host_hears = [this](base::Bytes bytes) { heard += bytes; };
    far.bmc.host_hears_break = [this] { heard += "<break>"; };
  }
  FarEnd& far;
  NearEnd& near;
  Reader reader;
  std::string heard;
};

class SolOnAWire : public Rack {
 protected:
  static test::BmcOptions silent() {
    test::BmcOptions options;
    options.host = test::HostKind::silent;
    return options;
  }
  // With its session up.
  Console& console(test::BmcOptions options = silent(), std::uint64_t seed = 1,
                   Sol::Times times = Reader::short_times()) {
    FarEnd& far = far_end(std::move(options), seed);
    NearEnd& near = near_end(far);
    EXPECT_EQ(opened(near), "bmc.up suite 17, operator");
    return *consoles_.emplace_back(std::make_unique<Console>(far, near, loop_, times));
  }
  // A thief has it for long enough to be seen with it, however busy the machine is.
  Console& patient_console() {
    Sol::Times times = Reader::short_times();
    times.first_hold_off = milliseconds(3000);
    return console(silent(), 1, times);
  }
  // With its SOL open as well.
  Console& open_console(test::BmcOptions options = silent(), std::uint64_t seed = 1) {
    Console& one = console(std::move(options), seed);
    EXPECT_EQ(one.reader.opened(), "");
    return one;
  }
  void says(Console& one, const std::string& bytes) {
    std::string want = one.reader.text + bytes;
    one.far.bmc.host_says(bytes);
    EXPECT_TRUE(until([&] { return one.reader.text.size() >= want.size(); }));
    EXPECT_EQ(one.reader.text, want);
  }
  void types(Console& one, const std::string& bytes) {
    std::string want = one.heard + bytes;
    one.reader.type(bytes);
    EXPECT_TRUE(until([&] { return one.heard.size() >= want.size(); }));
    EXPECT_EQ(one.heard, want);
  }
  // As a person would: until it is open again, or the limit.
  bool open_again(Console& one) {
    auto end = base::Clock::now() + milliseconds(60'000);
    while (base::Clock::now() < end) {
      if (until([&] { return one.near.bmc.up(); }) && one.reader.opened().empty()) return true;
      watch(milliseconds(50));
    }
    return false;
  }
  std::vector<std::unique_ptr<Console>> consoles_;
};

TEST_F(SolOnAWire, Carries115200BaudBothWaysWithoutLoss) {
  test::BmcOptions options = silent();
  options.sol_buffer = 1 << 20;  // what is said while a busy machine has no time for us is not lost
  Console& one = open_console(options);
  std::string typed = some_bytes(50'000, 7);
  one.far.bmc.set_host(test::HostKind::numbered, 11520);
  auto begun = base::Clock::now();
  std::size_t given = 0;
  Standstill still;
  // As fast as such a line takes it.
  ASSERT_TRUE(until(
      [&] {
        still.look();
        auto due = static_cast<std::size_t>(
            std::chrono::duration<double>(base::Clock::now() - begun).count() * 11520);
        due = std::min(due, typed.size());
        if (due > given) one.reader.type(base::Bytes(typed).substr(given, due - given));
        given = std::max(given, due);
        return one.reader.text.size() >= 50'000 && one.heard.size() >= typed.size();
      },
      milliseconds(90'000)));
  auto took = std::chrono::duration<double>(base::Clock::now() - begun - still.sum()).count();
  EXPECT_LT(took, 50'000 / 11520.0 * 1.5);
  EXPECT_EQ(one.heard, typed);
  EXPECT_EQ(one.reader.marks, "");
  EXPECT_EQ(one.far.bmc.seen.sol.host_lost, 0u);
  for (std::size_t line = 0; (line + 1) * 32 <= one.reader.text.size(); ++line) {
    char expected[40];
    std::snprintf(expected, sizeof expected, "%010zu abcdefghijklmnopqrs\r\n", line + 1);
    ASSERT_EQ(one.reader.text.substr(line * 32, 32), expected);
  }
}

TEST_F(SolOnAWire, IsByteExactOnBadWires) {
  const std::pair<const char*, std::vector<const char*>> wires[] = {
      {"10 % lost", {"lose=0.1"}},
      {"30 % of the exchanges lost", {"lose=0.16"}},
      {"half of it doubled", {"duplicate=0.5"}},
      {"reordered", {"reorder=0.3"}},
      {"all of it", {"lose=0.08", "duplicate=0.2", "reorder=0.2", "delay=10", "jitter=20"}},
      {"damaged", {"corrupt=0.1", "truncate=0.05"}}};
  std::string said = some_bytes(3000, 3), typed = some_bytes(1000, 4);
  test::BmcOptions options = silent();
  options.sol_retries = 100;  // it never gives a packet up, which by chance it would do at times
  for (auto& [name, orders] : wires) {
    Console& one = open_console(options, consoles_.size() + 1);
    for (const char* order : orders) EXPECT_TRUE(one.far.wire.order(order)) << name;
    one.far.bmc.host_says(said);
    one.reader.type(typed);
  }
  EXPECT_TRUE(until(
      [&] {
        return std::all_of(consoles_.begin(), consoles_.end(), [&](auto& one) {
          return one->reader.text.size() >= said.size() && one->heard.size() >= typed.size();
        });
      },
      milliseconds(120'000)));
  for (std::size_t i = 0; i < consoles_.size(); ++i) {
    Console& one = *consoles_[i];
    EXPECT_TRUE(one.reader.text == said) << wires[i].first << ": " << one.reader.text.size();
    EXPECT_TRUE(one.heard == typed) << wires[i].first << ": " << one.heard.size();
    EXPECT_EQ(one.reader.marks, "") << wires[i].first;
    EXPECT_EQ(one.reader.error, "") << wires[i].first;
  }
}

// Whatever the wire does: what the BMC was told that we have, we have.
TEST_F(SolOnAWire, NeverAcknowledgesAByteThatItLoses) {
  test::BmcOptions options = silent();
  options.sol_retry = milliseconds(10);  // gives up soon, so that there are gaps
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Console& one = open_console(options, seed);
    // Only of what is Serial over LAN: a session that has lost all its packets for 15 s would end.
    one.far.wire.hook = [random = std::minstd_rand(static_cast<unsigned>(seed))](
                            bool, std::string datagram) mutable -> std::optional<std::string> {
      if ((datagram[5] & 0x3f) == 1 && (random() >> 8) % 100 < 35) return std::nullopt;
      return datagram;
    };
    one.far.wire.to_client.reorder = 0.2;
    one.far.bmc.set_host(test::HostKind::numbered, 11520);
  }
  // Until each has come a long way and much went wrong on it, however long a busy machine takes for that.
  EXPECT_TRUE(until(
      [&] {
        return std::all_of(consoles_.begin(), consoles_.end(), [](auto& one) {
          const auto& sol = one->far.bmc.seen.sol;
          return sol.acknowledged > 4000 && sol.repeated > 20;
        });
      },
      milliseconds(90'000)));
  for (auto& one : consoles_) {
    EXPECT_EQ(one->reader.error, "");
    const auto& sol = one->far.bmc.seen.sol;
    EXPECT_GE(one->reader.text.size(), sol.acknowledged);
    if (one->reader.marks.empty()) {
      std::size_t at = one->reader.text.rfind("\r\n");
      EXPECT_EQ(at % 32, 30u) << "no mark, so no gap";
    }
  }
}

TEST_F(SolOnAWire, GivesOutWhatItAcknowledgedWhenTheSessionIsGone) {
  FarEnd& far = far_end(silent());
  NearEnd& near = near_end(far);
  opened(near);
  Sol sol(loop_, near.bmc, {}, nullptr, Reader::short_times());
  bool open = false;
  sol.open([&](const base::Result<>& result) { open = result.has_value(); });
  ASSERT_TRUE(until([&] { return open; }));
  std::string said = some_bytes(4000, 5);
  far.bmc.host_says(said);
  ASSERT_TRUE(until([&] { return far.bmc.seen.sol.acknowledged >= 2000; }));
  ASSERT_TRUE(near.bmc.ask_for_more_privilege());
  ASSERT_TRUE(until([&] { return near.events.size() >= 2; }));
  std::string got;
  char buffer[700];
  base::Result<std::size_t> size = sol.read(buffer, sizeof buffer);
  for (; size; size = sol.read(buffer, sizeof buffer)) got.append(buffer, *size);
  EXPECT_GE(got.size(), far.bmc.seen.sol.acknowledged);
  EXPECT_EQ(got, said.substr(0, got.size()));
  EXPECT_EQ(near.plain(size.error().what), "ADDR: opened anew, to ask for an administrator's rights");
}

TEST_F(SolOnAWire, PutsOneMarkWhereTheBmcLostOutput) {
  Console& jump = open_console();
  says(jump, "before");
  jump.far.bmc.faults.sol.jump = 1;
  says(jump, "after");
  says(jump, "more");
  EXPECT_EQ(jump.reader.marks, "lost@6 the BMC lost output here");

  Console& overrun = open_console();
  says(overrun, "before");
  overrun.far.bmc.faults.sol.overrun = 1;
  says(overrun, "after");
  says(overrun, "more");
  EXPECT_EQ(overrun.reader.marks, "lost@6 the BMC lost output here");

  Console& flood = open_console();
  std::string much = some_bytes(10'000, 6);
  flood.far.bmc.host_says(much);
  ASSERT_TRUE(until([&] { return flood.reader.text.size() >= 4096; }));
  says(flood, "after");
  EXPECT_EQ(flood.reader.text, much.substr(0, 4096) + "after");
  // The BMC says with its next packet, not where it was, that something is missing.
  EXPECT_THAT(flood.reader.marks, testing::MatchesRegex("lost@[0-9]+ the BMC lost output here"));
}

TEST_F(SolOnAWire, ShowsABreakOfTheDeviceAndSendsOne) {
  Console& one = open_console();
  says(one, "before");
  one.far.bmc.faults.sol.break_seen = 1;
  says(one, "after");
  EXPECT_EQ(one.reader.marks, "break@6 from the device");
  one.reader.type("typed ");
  EXPECT_TRUE(one.reader.sol.send_break(300));
  one.reader.type(" then");
  EXPECT_TRUE(until([&] { return one.heard == "typed <break> then"; })) << one.heard;
  EXPECT_EQ(one.far.bmc.seen.sol.breaks, 1u);
}

// What goes wrong with single packets and is no loss.
TEST_F(SolOnAWire, TakesAndGivesEachByteOnceThroughEveryFault) {
  const std::pair<const char*, std::function<void(SolFaults&)>> all[] = {
      {"partial", [](SolFaults& of) { of.partial = 4, of.accept = 3; }},
      {"partial, always", [](SolFaults& of) { of.partial = kAlways, of.accept = 50; }},
      {"nack", [](SolFaults& of) { of.nack = 2, of.pause = milliseconds(50); }},
      {"grown duplicate", [](SolFaults& of) { of.grown_duplicate = 3; }},
      {"oversize", [](SolFaults& of) { of.oversize = 3; }},
      {"acknowledgements lost", [](SolFaults& of) { of.lose_ack = 2; }},
      {"output lost", [](SolFaults& of) { of.lose_output = 3; }},
      {"wrong acknowledgement", [](SolFaults& of) { of.wrong_ack = 2; }},
      {"took more than there was", [](SolFaults& of) { of.too_much = 2; }},
      {"always took more", [](SolFaults& of) { of.too_much = kAlways; }},
  };
  std::string said = some_bytes(1500, 8), typed = some_bytes(900, 9);
  for (auto& [name, order] : all) {
    Console& one = open_console();
    order(one.far.bmc.faults.sol);
    one.far.bmc.host_says(said);
    one.reader.type(typed);
  }
  EXPECT_TRUE(until([&] {
    return std::all_of(consoles_.begin(), consoles_.end(), [&](auto& one) {
      return one->reader.text.size() >= said.size() && one->heard.size() >= typed.size();
    });
  }));
  watch(milliseconds(100));  // nothing comes twice
  for (std::size_t i = 0; i < consoles_.size(); ++i) {
    Console& one = *consoles_[i];
    EXPECT_TRUE(one.reader.text == said) << all[i].first << ": " << one.reader.text.size();
    EXPECT_TRUE(one.heard == typed) << all[i].first << ": " << one.heard.size();
    EXPECT_EQ(one.reader.marks, "") << all[i].first;
    EXPECT_EQ(one.reader.error, "") << all[i].first;
  }
}

TEST_F(SolOnAWire, WaitsWhileTheMachineIsOff) {
  Console& one = open_console();
  one.far.bmc.set_power(false);
  one.reader.type("typed");
  ASSERT_TRUE(until([&] { return !one.reader.marks.empty(); }));
  EXPECT_EQ(one.reader.marks, "sol@0 the BMC passes no characters now (is the power off?)");
  one.far.bmc.set_power(true);
  EXPECT_TRUE(until([&] { return one.heard == "typed"; }));
  EXPECT_TRUE(until([&] { return one.reader.marks.find(';') != std::string::npos; }));
  EXPECT_THAT(one.reader.marks, testing::EndsWith("; sol@0 the BMC passes characters again"));
}

TEST_F(SolOnAWire, WaitsWhileTheMachineTakesNothing) {
  Console& one = open_console();
  one.far.bmc.hold_input(true, 10);
  one.reader.type("twenty bytes of text");
  ASSERT_TRUE(until([&] { return one.far.bmc.seen.sol.accepted == 10; }));
  watch(milliseconds(700));
  EXPECT_EQ(one.far.bmc.seen.sol.accepted, 10u);
  one.far.bmc.hold_input(false);
  EXPECT_TRUE(until([&] { return one.heard == "twenty bytes of text"; })) << one.heard;
  EXPECT_EQ(one.reader.error, "");
}

TEST_F(SolOnAWire, FailsWithTheReasonWhenTheBmcEndsItAndOpensAgain) {
  Console& one = open_console();
  one.far.bmc.faults.sol.deactivating = 1;
  one.far.bmc.host_says("last words");
  ASSERT_TRUE(until([&] { return !one.reader.error.empty(); }));
  EXPECT_EQ(one.reader.text, "last words");
  EXPECT_THAT(one.reader.error, testing::EndsWith("): the BMC ended Serial over LAN"));
  EXPECT_TRUE(open_again(one));
  says(one, " and others");
}

TEST_F(SolOnAWire, ExplainsWhyItIsRefused) {
  const std::pair<std::uint8_t, const char*> all[] = {
      {0x81,
       "Serial over LAN is disabled in the BMC (ipmitool sol set enabled true, and sol payload enable for "
       "the user)"},
      {0x82, "the BMC's limit of SOL sessions is reached"},
      {0x83, "the BMC refuses Serial over LAN with encryption (ipmitool sol set force-encryption)"},
      {0x84, "the BMC refuses Serial over LAN without encryption"},
      {0xc1, "the BMC has no Serial over LAN: invalid command (C1h)"},
  };
  Console& one = console();
  for (auto& [completion, text] : all) {
    one.far.bmc.faults.sol.refuse = 1;
    one.far.bmc.faults.sol.completion = completion;
    EXPECT_THAT(one.reader.opened(), testing::EndsWith(base::str("): ", text)));
  }
  EXPECT_EQ(one.reader.opened(), "") << "nothing of this is for ever";
}

TEST_F(SolOnAWire, OpensTheSessionAgainWithMoreRightsForSol) {
  Console& one = console();
  one.far.bmc.faults.sol.refuse = 1;
  one.far.bmc.faults.sol.completion = 0xd4;
  EXPECT_THAT(one.reader.opened(), testing::HasSubstr("needs a higher privilege level"));
  EXPECT_TRUE(until([&] { return one.near.last() == "bmc.up suite 17, administrator"; }));
  EXPECT_EQ(one.reader.opened(), "");
  one.far.bmc.faults.sol.refuse = 1;
  one.reader.sol.close();
  EXPECT_THAT(one.reader.opened(), testing::HasSubstr("the user may not use Serial over LAN"));
}

TEST_F(SolOnAWire, TakesOverFromAnotherSessionAndSaysSo) {
  Console& one = console();
  one.far.bmc.faults.sol.active_elsewhere = true;
  EXPECT_EQ(one.reader.opened(), "");
  EXPECT_THAT(one.reader.remarks,
              testing::ElementsAre("Serial over LAN was in use by another session; it was taken over"));
  EXPECT_EQ(one.far.bmc.seen.sol.deactivations, 1u);
  says(one, "hello");
}

TEST_F(SolOnAWire, DoesNotFightABmcThatDoesNotDeactivate) {
  Console& one = patient_console();
  one.far.bmc.faults.sol.active_elsewhere = true;
  one.far.bmc.faults.sol.deactivate_lies = true;
  EXPECT_THAT(one.reader.opened(), testing::EndsWith("Serial over LAN is in use by another session"));
  EXPECT_THAT(one.reader.opened(), testing::HasSubstr("was taken by another session; trying again in "));
  EXPECT_EQ(one.far.bmc.seen.sol.deactivations, 1u);
  one.far.bmc.faults.sol.deactivate_lies = false;
  EXPECT_TRUE(open_again(one));
}

TEST_F(SolOnAWire, NoticesThatItWasStolen) {
  Console& told = open_console();
  told.far.bmc.steal_sol(true);
  EXPECT_TRUE(until([&] { return !told.reader.error.empty(); }));
  EXPECT_THAT(told.reader.error, testing::EndsWith("): the BMC ended Serial over LAN"));

  Console& untold = patient_console();
  EXPECT_EQ(untold.reader.opened(), "");
  ASSERT_TRUE(until([&] { return untold.far.bmc.seen.command(6, 0x4b) >= 1; }));  // it asked whose it is
  untold.far.bmc.steal_sol(false);
  EXPECT_TRUE(until([&] { return !untold.reader.error.empty(); }));
  EXPECT_THAT(untold.reader.error, testing::EndsWith("): Serial over LAN was taken by another session"));
  EXPECT_THAT(untold.reader.opened(), testing::HasSubstr("trying again in ")) << "the other may have it";
  EXPECT_EQ(untold.far.bmc.seen.sol.deactivations, 0u);
  EXPECT_TRUE(open_again(untold)) << "but not for ever";
  EXPECT_EQ(untold.far.bmc.seen.sol.deactivations, 1u);
}

TEST_F(SolOnAWire, IsNotLedAstrayByWhatFirmwareAnnounces) {
  const std::pair<const char*, std::function<void(SolFaults&)>> all[] = {
      {"port swapped", [](SolFaults& of) { of.port_swapped = true; }},
      {"port 1", [](SolFaults& of) { of.port = 1; }},
      {"port 0", [](SolFaults& of) { of.port = 0; }},
      {"nothing goes in", [](SolFaults& of) { of.inbound_size = 0; }},
      {"less than a header", [](SolFaults& of) { of.inbound_size = 3; }},
      {"as much as a header", [](SolFaults& of) { of.inbound_size = 4; }},
      {"bytes swapped", [](SolFaults& of) { of.inbound_size = 0x8400; }},
      {"64 KiB", [](SolFaults& of) { of.inbound_size = 0xffff, of.outbound_size = 0xffff; }},
      {"nothing comes out", [](SolFaults& of) { of.outbound_size = 0; }},
      {"owner unknown", [](SolFaults& of) { of.hide_owner = true; }},
  };
  for (auto& [name, order] : all) {
    Console& one = console();
    order(one.far.bmc.faults.sol);
    EXPECT_EQ(one.reader.opened(), "") << name;
    says(one, some_bytes(700, 10));
    types(one, some_bytes(700, 11));
    EXPECT_EQ(one.far.bmc.seen.sol.too_long, 0u) << name;
  }
  watch(milliseconds(500));  // it asks whose it is, twice
  for (auto& one : consoles_) EXPECT_EQ(one->reader.error, "");
}

// Every packet of the BMC's output damaged at another byte, or cut, when it comes first.
TEST_F(SolOnAWire, TakesNoDamagedPacket) {
  test::BmcOptions options = silent();
  options.sol_retry = milliseconds(10);
  for (bool cut : {false, true}) {
    Console& one = open_console(options);
    std::string want;
    std::size_t at = 0, size = 1;
    bool armed = false;
    one.far.wire.hook = [&](bool to_bmc, std::string datagram) {
      if (!to_bmc && (datagram[5] & 0x3f) == 1 && std::exchange(armed, false)) {
        size = datagram.size();
        datagram = damaged(std::move(datagram), at, cut);
      }
      return std::make_optional(std::move(datagram));
    };
    for (; at < size; ++at) {
      std::string line = base::str("line ", at, "\n");
      want += line;
      armed = true;
      one.far.bmc.host_says(line);
      ASSERT_TRUE(until([&] { return one.reader.text.size() >= want.size(); })) << at;
      ASSERT_EQ(one.reader.text, want);
    }
    EXPECT_GT(one.far.bmc.seen.sol.repeated, 60u) << "hardly any was taken when it came first";
    EXPECT_GT(size, 60u);
    EXPECT_EQ(one.reader.marks, "");
    one.far.wire.hook = nullptr;
  }
}

}  // namespace
}  // namespace oob::ipmi

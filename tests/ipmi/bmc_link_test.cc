// Our session with a BMC over bad wires: lost, doubled, reordered, late, damaged and cut packets.
#include <gmock/gmock.h>

#include "tests/ipmi/station_kit.h"

namespace oob::ipmi {
namespace {

class BmcOnAWire : public Rack {
 protected:
  struct Pair {
    FarEnd& far;
    NearEnd& near;
    unsigned answered = 0;
    std::string wrong;
  };
  Pair& pair(std::uint64_t seed = 1) {
    FarEnd& far = far_end({}, seed);
    return *pairs_.emplace_back(new Pair{far, near_end(far), 0, ""});
  }
  // Asks for the state `times` times, one after another; a request that fails is asked again, as people do.
  void keep_asking(Pair& one, unsigned times) {
    if (one.answered == times) return;
    one.near.bmc.ask(chassis_status(), Link::Send::again,
                     [this, &one, times](const Result<Response>& answer) {
                       if (answer) {
                         ++one.answered;
                         if (base::hex(answer->data) != "01004000")
                           one.wrong += base::hex(answer->data) + " ";
                       }
                       keep_asking(one, times);
                     });
  }
  bool all(std::function<bool(Pair&)> what, milliseconds limit = milliseconds(120'000)) {
    return until(
        [&] { return std::all_of(pairs_.begin(), pairs_.end(), [&](auto& each) { return what(*each); }); },
        limit);
  }
  std::vector<std::unique_ptr<Pair>> pairs_;
};

TEST_F(BmcOnAWire, OpensAndGetsAllItsAnswers) {
  struct Wire {
    std::vector<const char*> orders;
    unsigned times;  // on each of the BMCs
    unsigned bmcs;
  };
  const Wire wires[] = {{{"lose=0.01"}, 20, 1},
                        {{"lose=0.1"}, 5, 4},
                        {{"to_bmc.lose=0.3"}, 1, 10},
                        {{"to_client.lose=0.3"}, 1, 10},
                        {{"duplicate=0.5"}, 20, 1},
                        {{"reorder=0.3"}, 20, 1},
                        {{"delay=250"}, 5, 4},  // half a second there and back
                        {{"lose=0.05", "duplicate=0.2", "reorder=0.2", "delay=20", "jitter=60"}, 5, 4}};
  std::vector<unsigned> times;
  for (const Wire& wire : wires)
    for (unsigned i = 0; i < wire.bmcs; ++i) {
      Pair& one = pair(i + 1);
      for (const char* order : wire.orders) EXPECT_TRUE(one.far.wire.order(order));
      one.near.bmc.start();
      keep_asking(one, wire.times);
      times.push_back(wire.times);
    }
  std::size_t at = 0;
  EXPECT_TRUE(all([&](Pair& one) {
    if (&one == pairs_[0].get()) at = 0;
    return one.answered == times[at++];
  }));
  for (auto& each : pairs_) {
    EXPECT_EQ(each->wrong, "");
    EXPECT_THAT(each->near.events, testing::Contains(testing::StartsWith("bmc.up suite 17")));
  }
}

// A packet of each kind damaged at each byte, and cut at each length, once: nothing wrong is taken, and the
// session opens and the request is answered all the same.
class DamagedPackets : public BmcOnAWire, public testing::WithParamInterface<int> {};

TEST_P(DamagedPackets, AreNeverTakenAndEndNothing) {
  const char type = static_cast<char>(GetParam());
  constexpr std::size_t kSizes = 110;  // no packet here is longer
  struct Damage {
    std::size_t at;
    bool cut;
    bool done = false;
  };
  std::vector<std::unique_ptr<Damage>> damages;
  std::size_t size = 0;
  for (std::size_t at = 0; at < kSizes; ++at)
    for (bool cut : {false, true}) {
      Pair& one = pair();
      Damage& damage = *damages.emplace_back(new Damage{at, cut});
      one.far.wire.hook = [type, &damage, &size](bool to_bmc,
                                                 std::string datagram) -> std::optional<std::string> {
        if (to_bmc || (datagram[5] & 0x3f) != type || damage.done || damage.at >= datagram.size())
          return datagram;
        damage.done = true;
        size = datagram.size();
        if (damage.cut) return datagram.substr(0, damage.at);
        datagram[damage.at] = static_cast<char>(datagram[damage.at] ^ 1);
        return datagram;
      };
      one.near.bmc.start();
      keep_asking(one, 1);
    }
  // One that was told "no" by a damaged packet waits longer than a test does.
  auto next = base::Clock::now();
  EXPECT_TRUE(all([&](Pair& one) {
    if (!one.near.bmc.up() && !one.near.events.empty() && base::Clock::now() >= next) one.near.bmc.retry();
    return one.answered == 1;
  }));
  EXPECT_GT(size, 30u);
  EXPECT_LT(size, kSizes);
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    EXPECT_EQ(pairs_[i]->wrong, "") << damages[i]->at << (damages[i]->cut ? " cut" : " damaged");
    EXPECT_EQ(damages[i]->done, damages[i]->at < size);
    if (damages[i]->cut) {
      EXPECT_EQ(pairs_[i]->near.events.size(), 1u) << "a cut packet means nothing: " << damages[i]->at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EachKind, DamagedPackets, testing::Values(0x11, 0x13, 0x15, 0x00));

TEST_F(BmcOnAWire, OutlivesACableThatIsOutForAWhile) {
  Pair& one = pair();
  EXPECT_EQ(opened(one.near), "bmc.up suite 17, operator");
  one.far.wire.unplugged = true;
  keep_asking(one, 1);
  watch(milliseconds(3000));
  EXPECT_TRUE(one.near.bmc.up());
  one.far.wire.unplugged = false;
  EXPECT_TRUE(all([](Pair& each) { return each.answered == 1; }));
  EXPECT_EQ(one.near.events.size(), 1u);
  EXPECT_EQ(one.far.bmc.seen.open_sessions, 1u);
}

}  // namespace
}  // namespace oob::ipmi

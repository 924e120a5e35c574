#include "ssh/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/bytes.h"

namespace oob::ssh {
namespace {

using base::str;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Answer = Admission::Answer;
using Stage = Admission::Stage;

// Does what its owner does, without sockets.
struct Gate {
  explicit Gate(base::wire::Setup setup = {}) { admission.set_up(setup); }

  Answer come(const std::string& source, Stage stage = Stage::silent) {
    Admission::Verdict verdict = admission.arrive(source, now);
    if (verdict.instead) end(verdict.instead);
    if (verdict.answer == Answer::enter || verdict.answer == Answer::wait) {
      stages[++last] = stage;
      if (verdict.answer == Answer::enter) {
        admission.enter(last, source, now);
      } else {
        admission.wait(last, source, now);
      }
    }
    return verdict.answer;
  }
  void end(std::uint64_t id, Offence offence = Offence::nothing_tried) {
    ended.push_back(id);
    stages.erase(id);
    admission.leave(id, offence, now);
  }
  void log_in(const std::string& source) {
    EXPECT_EQ(come(source, Stage::keyed), Answer::enter);
    admission.logged_in(last);
    end(last, Offence::none);
  }
  std::uint64_t next() {
    std::uint64_t who = 0;
    Admission::Verdict verdict = admission.next(now, who);
    if (verdict.instead) end(verdict.instead);
    return verdict.answer == Answer::enter ? who : 0;
  }

  std::map<std::uint64_t, Stage> stages;
  Admission admission{[this](std::uint64_t id) { return stages.at(id); }};
  Admission::Time now{std::chrono::hours(1000)};
  std::uint64_t last = 0;
  std::vector<std::uint64_t> ended;
};

// Each of another network.
std::string stranger(int number) { return str("10.", number / 256, ".", number % 256, ".1"); }

TEST(Admission, HasAFewPlacesForEachSource) {
  Gate gate;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::wait);
  EXPECT_EQ(gate.come("192.0.2.2"), Answer::enter);
  EXPECT_EQ(gate.next(), 0u);
  gate.end(1);
  EXPECT_EQ(gate.next(), 4u);
}

TEST(Admission, LetsNobodyWaitWithoutABound) {
  Gate gate;
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.1", Stage::keyed);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(gate.come("192.0.2.1", Stage::heard), Answer::wait);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::too_many_of_one);
  EXPECT_EQ(gate.admission.figures(gate.now).waiting, 32u);
  EXPECT_EQ(gate.admission.figures(gate.now).too_many, 1u);
}

TEST(Admission, PutsWhoSpeaksBeforeWhoIsSilent) {
  Gate gate;
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.1", Stage::keyed);
  gate.come("192.0.2.1", Stage::heard);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(gate.come("192.0.2.1", Stage::silent), Answer::wait);
  EXPECT_EQ(gate.admission.figures(gate.now).waiting, 32u);
  gate.end(1);
  EXPECT_EQ(gate.next(), 4u);
}

// Behind it are many people, and our own look whether it leads here.
TEST(Admission, HasManyPlacesForABastionButNotAll) {
  Gate gate;
  for (int i = 0; i < 25; ++i) ASSERT_EQ(gate.come("call-home-fra", Stage::keyed), Answer::enter) << i;
  EXPECT_EQ(gate.come("call-home-fra", Stage::keyed), Answer::wait);
  EXPECT_EQ(gate.come("call-home-ams"), Answer::enter);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{});
}

TEST(Admission, GivesThePlaceOfASilentOneToANewcomerOfItsSource) {
  Gate gate;
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.1", i == 0 ? Stage::heard : Stage::silent);
  gate.now += Admission::kSilent;
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{2});
}

TEST(Admission, TakesNoPlaceFromWhoMayStillBeOnTheWay) {
  Gate gate;
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.1");
  gate.now += Admission::kSilent - milliseconds(1);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::wait);
  auto all = [&](Stage stage) {
    for (std::uint64_t id : {1, 2, 3}) gate.stages[id] = stage;
  };
  for (auto [stage, kept] : {std::pair{Stage::heard, Admission::kHeard}, {Stage::keyed, Admission::kKeyed}}) {
    all(stage);
    EXPECT_EQ(gate.next(), 0u);  // it has just got there
    gate.now += kept - milliseconds(1);
    EXPECT_EQ(gate.next(), 0u);
  }
  for (std::uint64_t id : {1, 2, 3}) gate.admission.asks(id);
  EXPECT_EQ(gate.next(), 0u);
  gate.now += Admission::kTrying - milliseconds(1);
  EXPECT_EQ(gate.next(), 0u);
  gate.now += milliseconds(1);
  EXPECT_EQ(gate.next(), 4u);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{1});
}

TEST(Admission, WhoseKeyWasRefusedHasAsLongForTheNextAsForTheFirst) {
  Gate gate;
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.1", Stage::keyed);
  gate.come("192.0.2.1");
  for (std::uint64_t id : {1, 2, 3}) gate.admission.asks(id);
  EXPECT_EQ(gate.next(), 0u);
  gate.now += seconds(4);
  for (std::uint64_t id : {1, 2, 3}) gate.admission.answered(id, false);
  EXPECT_EQ(gate.next(), 0u);
  gate.now += Admission::kKeyed;
  EXPECT_EQ(gate.next(), 4u);
}

TEST(Admission, TakesAPlaceAtOnceFromANetworkThatHasMany) {
  for (const char* network : {"10.0.0.", "2001:db8:0:"}) {
    Gate gate;
    bool v4 = network[0] == '1';
    for (int i = 0; i < 80; ++i)
      ASSERT_EQ(gate.come(str(network, i + 1, v4 ? "" : "::/64"), Stage::keyed), Answer::enter);
    EXPECT_EQ(gate.come(str(network, 100, v4 ? "" : "::/64"), Stage::keyed), Answer::wait);
    EXPECT_EQ(gate.come("192.0.2.1"), Answer::wait);  // in turn
    EXPECT_EQ(gate.next(), gate.last);
    EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{1});
  }
}

TEST(Admission, TakesAPlaceAtOnceFromWhoWastedOneBefore) {
  Gate gate;
  for (int i = 0; i < 80; ++i) gate.come(stranger(i), Stage::keyed);
  gate.now += seconds(4);
  for (int i = 0; i < 80; ++i) gate.end(i + 1);
  gate.now += seconds(60);  // no penalty is left
  EXPECT_FALSE(gate.admission.changes(gate.now));
  for (int i = 0; i < 80; ++i) EXPECT_EQ(gate.come(stranger(i), Stage::keyed), Answer::enter);
  gate.ended.clear();
  EXPECT_EQ(gate.come(stranger(100)), Answer::enter);
  EXPECT_EQ(gate.ended.size(), 1u);
  EXPECT_EQ(gate.come(stranger(0), Stage::heard), Answer::wait);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::wait);
  EXPECT_EQ(gate.next(), gate.last) << "before who came first, and wasted a place";
}

TEST(Admission, AFloodOfSilentOnesKeepsNobodyOutForLongerThanASecond) {
  Gate gate;
  for (int i = 0; i < 1000; ++i) gate.come(stranger(i));
  EXPECT_EQ(gate.admission.figures(gate.now).unauthenticated, 80u);  // the rest is for good sources
  EXPECT_EQ(gate.come("192.0.2.1", Stage::heard), Answer::wait);
  gate.ended.clear();
  EXPECT_EQ(gate.next(), 0u);
  gate.now += seconds(1);
  EXPECT_EQ(gate.next(), gate.last);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{1});
}

TEST(Admission, PrefersToEndTheConnectionsOfWhoHasMost) {
  Gate gate;
  for (int i = 0; i < 77; ++i) gate.come(stranger(i));
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.66");
  gate.now += seconds(1);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{78});
}

TEST(Admission, KeepsPlacesForGoodSources) {
  Gate gate;
  gate.log_in("192.0.2.1");
  for (int i = 0; i < 1000; ++i) gate.come(stranger(i), Stage::keyed);
  EXPECT_EQ(gate.admission.figures(gate.now).unauthenticated, 80u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter) << i;
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::wait);
}

TEST(Admission, AStrangerNeverTakesThePlaceOfAGoodSource) {
  base::wire::Setup setup;
  setup.most_unauthenticated = 5;
  setup.good_sources = {"192.0.2.1", "192.0.2.2"};
  Gate gate(setup);
  gate.come("192.0.2.1");
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.2");
  EXPECT_EQ(gate.come("10.0.0.1", Stage::keyed), Answer::enter);
  gate.now += seconds(4);
  EXPECT_EQ(gate.come("10.0.0.2", Stage::heard), Answer::wait);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{2}) << "who has most of those that are silent";
}

TEST(Admission, KeepsOutWhoFailsAgainAndAgain) {
  Gate gate;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(gate.come("192.0.2.1"), Answer::enter);
    gate.end(gate.last, Offence::refused);
  }
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::penalised);
  EXPECT_EQ(gate.come("192.0.2.2"), Answer::enter);
  auto figures = gate.admission.figures(gate.now);
  EXPECT_EQ(figures.failed, 3u);
  EXPECT_EQ(figures.kept_out, 1u);
  EXPECT_EQ(figures.penalised, 1u);
  gate.now += seconds(16);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
}

TEST(Admission, NeverKeepsOutAGoodSource) {
  Gate gate;
  gate.log_in("192.0.2.1");
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(gate.come("192.0.2.1"), Answer::enter);
    gate.end(gate.last, Offence::garbage);
  }
  EXPECT_EQ(gate.admission.figures(gate.now).penalised, 0u);
}

TEST(Admission, ForgivesASourceWhereALoginSucceeds) {
  Gate gate;
  for (int i = 0; i < 2; ++i) {
    gate.come("192.0.2.1");
    gate.end(gate.last, Offence::refused);
  }
  gate.log_in("192.0.2.1");
  EXPECT_FALSE(gate.admission.changes(gate.now));
}

TEST(Admission, KeepsNobodyOutWherePenaltiesAreOff) {
  base::wire::Setup setup;
  setup.penalties = false;
  Gate gate(setup);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(gate.come("192.0.2.1"), Answer::enter);
    gate.end(gate.last, Offence::garbage);
  }
}

TEST(Admission, LearnsNewLimitsAndGoodSourcesOnTheWay) {
  Gate gate;
  for (int i = 0; i < 20; ++i) {
    gate.come("192.0.2.1");
    gate.end(gate.last, Offence::garbage);
  }
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::penalised);
  base::wire::Setup setup;
  setup.most_per_source = 1;
  setup.good_sources = {"192.0.2.1"};
  gate.admission.set_up(setup);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);  // a place more than others
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::wait);
  EXPECT_EQ(gate.come("192.0.2.2"), Answer::enter);
  EXPECT_EQ(gate.come("192.0.2.2"), Answer::wait);
}

TEST(Admission, RemembersTheGoodSourcesUsedLast) {
  Gate gate;
  for (int i = 0; i < 4200; ++i) {
    gate.log_in(stranger(i));
    if (i % 100 == 0) gate.log_in("192.0.2.1");
  }
  EXPECT_TRUE(gate.admission.is_good("192.0.2.1"));
  EXPECT_TRUE(gate.admission.is_good(stranger(4199)));
  EXPECT_FALSE(gate.admission.is_good(stranger(0)));
}

TEST(Admission, CountsNobodyTwice) {
  base::wire::Setup setup;
  setup.most_connections = 2;
  Gate gate(setup);
  gate.come("192.0.2.1", Stage::keyed);
  gate.admission.logged_in(1);
  gate.come("192.0.2.1", Stage::keyed);
  gate.admission.logged_in(2);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::full);
  EXPECT_EQ(gate.admission.figures(gate.now).connections, 2u);
  EXPECT_EQ(gate.admission.figures(gate.now).unauthenticated, 0u);
  gate.end(1, Offence::none);
  EXPECT_EQ(gate.come("192.0.2.1"), Answer::enter);
  gate.end(2, Offence::none);
  gate.end(3);
  EXPECT_EQ(gate.admission.figures(gate.now).connections, 0u);
}

TEST(Admission, NamesWhoHasWaitedForLongerThanTheGraceTime) {
  Gate gate;
  for (int i = 0; i < 4; ++i) gate.come("192.0.2.1", Stage::keyed);
  EXPECT_TRUE(gate.admission.tired(gate.now + seconds(30)).empty());
  EXPECT_EQ(gate.admission.tired(gate.now + seconds(31)), std::vector<std::uint64_t>{4});
}

// --- attacks, ten minutes of them
// ---------------------------------------------------------------------------------------

// Many come as `attack` says; every two seconds somebody comes with a key, alternately from an address that
// was never seen and from a good one.
struct Siege {
  struct Attack {
    int sources;
    std::function<std::string(int)> source;
    double per_second;  // all together
    Stage stage;        // how far each goes, the version in 0.1 s and the key exchange in 0.5 s
    milliseconds holds;
  };
  struct Outcome {
    int tries = 0, in = 0;
    std::vector<milliseconds> took;
    double share() const { return tries ? double(in) / tries : 0; }
    milliseconds percentile(int which) {
      if (took.empty()) return milliseconds(-1);
      std::sort(took.begin(), took.end());
      return took[(took.size() - 1) * which / 100];
    }
  };
  struct Peer {
    bool inside;
    Admission::Time came, entered;
    const Attack* attack;  // null: a person
    Outcome* person;
    bool asked;
  };

  // On a mobile link of 0.6 s a round trip: the key exchange in two of them, the key in another two.
  static constexpr milliseconds kVersion{50}, kExchange{1200}, kAsks{2400}, kIn{3000};
  static constexpr milliseconds kStep{10};

  Siege() {
    base::wire::Setup setup;
    setup.good_sources = {"198.51.100.7"};
    admission.set_up(setup);
  }

  Stage stage(std::uint64_t id) const {
    const Peer& peer = peers.at(id);
    const auto since = now - (peer.inside ? peer.entered : peer.came);
    Stage most = peer.attack ? peer.attack->stage : Stage::keyed;
    Stage so_far = Stage::silent;
    if (now - peer.came >= (peer.attack ? milliseconds(100) : kVersion)) so_far = Stage::heard;
    if (peer.inside && since >= (peer.attack ? milliseconds(500) : kExchange)) so_far = Stage::keyed;
    return std::min(so_far, most);
  }
  void end(std::uint64_t id) {
    admission.leave(id, Offence::nothing_tried, now);
    peers.erase(id);
  }
  void come(Peer peer, const std::string& source) {
    peer.came = now;
    Admission::Verdict verdict = admission.arrive(source, now);
    if (verdict.instead) end(verdict.instead);
    if (verdict.answer != Answer::enter && verdict.answer != Answer::wait) return;
    peers[++last] = peer;
    names[last] = source;
    if (verdict.answer == Answer::enter) return enter(last);
    admission.wait(last, source, now);
    admit();
  }
  void enter(std::uint64_t id) {
    peers[id].inside = true;
    peers[id].entered = now;
    admission.enter(id, names[id], now);
  }
  void admit() {
    std::uint64_t who = 0;
    while (true) {
      Admission::Verdict verdict = admission.next(now, who);
      if (verdict.answer != Answer::enter) return;
      if (verdict.instead) end(verdict.instead);
      enter(who);
    }
  }
  void step() {
    bool left = false;
    std::vector<std::uint64_t> gone = admission.tired(now);
    for (auto& [id, peer] : peers) {
      if (!peer.inside) continue;
      const auto held = now - peer.entered;
      if (peer.attack && held >= peer.attack->holds) gone.push_back(id);
      if (!peer.person || held < kAsks) continue;
      if (!std::exchange(peer.asked, true)) admission.asks(id);
      if (held < kIn) continue;
      ++peer.person->in;
      peer.person->took.push_back(std::chrono::duration_cast<milliseconds>(now - peer.came));
      gone.push_back(id);
    }
    for (std::uint64_t id : gone) {
      left = true;
      // The person's address must stay as new as it was: nothing is learnt.
      bool person = peers.at(id).person != nullptr;
      admission.leave(id, person ? Offence::none : Offence::nothing_tried, now);
      peers.erase(id);
    }
    if (left || now.time_since_epoch() % seconds(1) == milliseconds(0)) admit();
  }
  void run(const Attack& attack) {
    const auto begun = now;
    double due = 0;
    int number = 0, person = 0;
    for (; now - begun < std::chrono::minutes(10); now += kStep) {
      for (due += attack.per_second * 0.01; due >= 1; --due, ++number)
        come({false, {}, {}, &attack, nullptr, false}, attack.source(number % attack.sources));
      if (now - begun < seconds(590) && (now - begun) % seconds(2) == milliseconds(0)) {
        bool good = ++person % 2;
        Outcome& outcome = good ? known : fresh;
        ++outcome.tries;
        come({false, {}, {}, nullptr, &outcome, false},
             good ? "198.51.100.7" : str("203.0.", person / 200, ".", person % 200));
      }
      step();
    }
  }
  void tell(const char* what) {
    auto figures = admission.figures(now);
    for (auto [name, who] : {std::pair{"new", &fresh}, {"good", &known}})
      std::printf("%s: %s address: %d of %d in, p50 %lld ms, p99 %lld ms; %llu kept out\n", what, name,
                  who->in, who->tries, static_cast<long long>(who->percentile(50).count()),
                  static_cast<long long>(who->percentile(99).count()),
                  static_cast<unsigned long long>(figures.kept_out));
  }

  std::map<std::uint64_t, Peer> peers;
  std::map<std::uint64_t, std::string> names;
  Admission::Time now{std::chrono::hours(1000)};
  Admission admission{[this](std::uint64_t id) { return stage(id); }};
  std::uint64_t last = 0;
  Outcome fresh, known;
};

void expect_let_in(Siege& siege, double share) {
  EXPECT_EQ(siege.known.in, siege.known.tries);
  EXPECT_GE(siege.fresh.share(), share);
  EXPECT_LE(siege.known.percentile(99), milliseconds(4000));
  EXPECT_LE(siege.fresh.percentile(50), milliseconds(4000));
}

TEST(Siege, ByOneNetworkThatExchangesKeysAndTriesNone) {
  Siege siege;
  siege.run(
      {30, [](int i) { return str("2001:db8:0:", i, "::/64"); }, 5.6, Stage::keyed, milliseconds(14'500)});
  siege.tell("30 /64s of one /56, 5.6/s, 14.5 s each");
  expect_let_in(siege, 0.99);
  EXPECT_GT(siege.admission.figures(siege.now).kept_out, 1000u);
}

TEST(Siege, ByAThousandAddressesThatHoldAPlaceEach) {
  Siege siege;
  siege.run({1000, stranger, 1000 / 14.0, Stage::keyed, milliseconds(14'000)});
  siege.tell("1000 IPv4 /24s, one for 14 s each");
  expect_let_in(siege, 0.95);
}

TEST(Siege, ByAHundredSilentOnesASecond) {
  Siege siege;
  siege.run({6000, stranger, 100, Stage::silent, milliseconds(30'000)});
  siege.tell("100 silent ones a second of 6000 IPv4 /24s");
  expect_let_in(siege, 0.95);
}

std::string circuit(int number) { return str("onion-circuit-", number); }

TEST(Admission, GivesCircuitsHalfOfThePlacesAndTheyContendForThem) {
  Gate gate;
  for (int i = 0; i < 50; ++i) ASSERT_EQ(gate.come(circuit(i), Stage::heard), Answer::enter) << i;
  for (int i = 50; i < 82; ++i) ASSERT_EQ(gate.come(circuit(i), Stage::heard), Answer::wait) << i;
  EXPECT_EQ(gate.come(circuit(82), Stage::heard), Answer::too_many) << "half of the room to wait in";
  for (int i = 0; i < 30; ++i) EXPECT_EQ(gate.come(stranger(i), Stage::heard), Answer::enter) << i;
  EXPECT_TRUE(gate.ended.empty());
  gate.now += seconds(4);
  const std::uint64_t last = gate.next();
  EXPECT_EQ(last, 82u) << "the circuit that came last";
  EXPECT_EQ(gate.ended, std::vector<std::uint64_t>{1}) << "for another circuit";
}

TEST(Admission, LetsAddressesWaitWhateverCircuitsDo) {
  Gate gate;
  for (int i = 0; i < 50; ++i) gate.come(circuit(i), Stage::heard);
  for (int i = 0; i < 100; ++i) gate.come(circuit(50 + i), Stage::heard);
  for (int i = 0; i < 3; ++i) gate.come("192.0.2.1", Stage::keyed);
  EXPECT_EQ(gate.come("192.0.2.1", Stage::heard), Answer::wait);
  const std::uint64_t waiting = gate.last;
  gate.end(waiting - 1);
  EXPECT_EQ(gate.next(), waiting);
}

// A circuit's number is another's after tor was started again.
TEST(Admission, TakesNoCircuitForAGoodSource) {
  Gate gate;
  gate.log_in(circuit(41));
  EXPECT_FALSE(gate.admission.is_good(circuit(41)));
  gate.log_in("call-home-fra");
  EXPECT_TRUE(gate.admission.is_good("call-home-fra"));
}

TEST(Admission, ForgivesACircuitThatLogsIn) {
  Gate gate;
  auto fail = [&] {
    ASSERT_EQ(gate.come(circuit(41), Stage::keyed), Answer::enter);
    gate.end(gate.last, Offence::refused);
  };
  for (int i = 0; i < 2; ++i) fail();
  gate.log_in(circuit(41));
  for (int i = 0; i < 2; ++i) fail();
  EXPECT_EQ(gate.come(circuit(41)), Answer::enter);
  gate.end(gate.last, Offence::refused);
  EXPECT_EQ(gate.come(circuit(41)), Answer::penalised);
  EXPECT_EQ(gate.come(circuit(42)), Answer::enter);
}

}  // namespace
}  // namespace oob::ssh

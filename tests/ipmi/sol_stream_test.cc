#include "ipmi/sol_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/ipmi/sol_peer.h"

namespace oob::ipmi {

using std::chrono::milliseconds;
using test::SolPeer;

namespace {

constexpr std::uint8_t kNack = 0x40, kUnavailable = 0x20, kDeactivated = 0x10, kOverrun = 0x08, kBreak = 0x04;

std::string packet(unsigned sequence, unsigned acked, unsigned accepted, unsigned status,
                   const std::string& characters = "") {
  std::string bytes;
  for (unsigned byte : {sequence, acked, accepted, status}) bytes += static_cast<char>(byte);
  return bytes + characters;
}

struct SolStreamTest : testing::Test {
  void hear(const std::string& bytes) { stream.receive(bytes, now); }
  // What is sent now, packet by packet, as the field would write it: "1 0/0 00 text".
  std::string sent() {
    std::string all;
    while (auto bytes = stream.packet(now)) all += (all.empty() ? "" : ", ") + shown(*bytes);
    return all;
  }
  static std::string shown(const std::string& bytes) {
    char operation[3];
    std::snprintf(operation, sizeof operation, "%02x", get8(bytes, 3));
    std::string text = base::str(unsigned(get8(bytes, 0)), " ", unsigned(get8(bytes, 1)), "/",
                                 unsigned(get8(bytes, 2)), " ", operation);
    return bytes.size() > 4 ? text + " " + bytes.substr(4) : text;
  }
  void pass(int time) {
    now += milliseconds(time);
    stream.tick(now);
  }
  // All that can be read, marks in brackets at their place.
  std::string text() {
    std::string all;
    char piece[100'000];
    while (true) {
      while (auto mark = stream.next_mark()) all += "[" + mark->kind + "]";
      std::size_t size = stream.read(piece, sizeof piece, now);
      if (size == 0) break;
      all.append(piece, size);
    }
    stream.tick(now);
    return all;
  }
  void fill() {
    unsigned sequence = 1;
    while (stream.held() + 250 <= SolStream::kMostHeld) {
      hear(packet(sequence, 0, 0, 0, std::string(250, 'x')));
      sequence = sequence % 15 + 1;
      sent();
    }
    next = sequence;
  }

  SolStream stream{28};
  SolStream::Time now{};
  unsigned next = 0;  // after fill()
};

}  // namespace

// --- from the BMC

TEST_F(SolStreamTest, AcknowledgesWhatItHoldsWithStatusNought) {
  hear(packet(7, 0, 0, 0, "hello"));
  EXPECT_EQ(sent(), "0 7/5 00");
  EXPECT_EQ(text(), "hello");
}

TEST_F(SolStreamTest, AcknowledgesAPacketWithoutCharactersToo) {
  hear(packet(3, 0, 0, 0));
  EXPECT_EQ(sent(), "0 3/0 00");
  EXPECT_EQ(text(), "");
}

TEST_F(SolStreamTest, AnswersNoPacketThatOnlyAcknowledges) {
  hear(packet(0, 1, 5, 0, "not characters"));
  EXPECT_EQ(sent(), "");
  EXPECT_EQ(text(), "");
}

TEST_F(SolStreamTest, PassesOverWhatIsTooShortToBeAPacket) {
  std::string whole = packet(1, 0, 0, kOverrun | kBreak | kDeactivated, "");
  for (std::size_t size = 0; size < 4; ++size) hear(whole.substr(0, size));
  EXPECT_EQ(sent(), "");
  EXPECT_EQ(text(), "");
  EXPECT_FALSE(stream.ended());
}

TEST_F(SolStreamTest, TakesARepeatOnceAndAcknowledgesItAgain) {
  hear(packet(1, 0, 0, 0, "abc"));
  EXPECT_EQ(sent(), "0 1/3 00");
  hear(packet(1, 0, 0, 0, "abc"));
  EXPECT_EQ(sent(), "0 1/3 00");
  EXPECT_EQ(text(), "abc");
}

TEST_F(SolStreamTest, LeavesWhatARepeatHasMoreToTheNextPacket) {
  hear(packet(1, 0, 0, 0, "abc"));
  hear(packet(1, 0, 0, 0, "abcdef"));
  EXPECT_EQ(sent(), "0 1/3 00");
  hear(packet(2, 0, 0, 0, "defghi"));
  EXPECT_EQ(sent(), "0 2/6 00");
  EXPECT_EQ(text(), "abcdefghi");
}

TEST_F(SolStreamTest, LosesNothingWhereABmcTakesEveryAcknowledgementForAllItSent) {
  hear(packet(1, 0, 0, 0, "abc"));
  hear(packet(1, 0, 0, 0, "abcdef"));
  hear(packet(2, 0, 0, 0, "ghi"));
  EXPECT_EQ(text(), "abcdefghi");
}

TEST_F(SolStreamTest, DeliversWhatARepeatHasMoreWhenNothingFollowsIt) {
  hear(packet(1, 0, 0, 0, "abc"));
  hear(packet(1, 0, 0, 0, "abcdef"));
  EXPECT_EQ(text(), "abc");
  ASSERT_TRUE(stream.due());
  pass(1500);
  EXPECT_EQ(text(), "def");
  hear(packet(2, 0, 0, 0, "defghi"));  // it had been on its way
  EXPECT_EQ(text(), "ghi");
}

TEST_F(SolStreamTest, DropsALateRepeatOfAnEarlierPacket) {
  for (unsigned i = 1; i <= 3; ++i) hear(packet(i, 0, 0, 0, std::string(3, static_cast<char>('a' + i))));
  hear(packet(1, 0, 0, 0, "bbb"));
  hear(packet(2, 0, 0, 0, "ccc"));
  hear(packet(4, 0, 0, 0, "eee"));
  EXPECT_EQ(text(), "bbbcccdddeee");
}

TEST_F(SolStreamTest, GoesFromFifteenToOne) {
  std::string all;
  for (unsigned i = 0; i < 40; ++i) {
    hear(packet(i % 15 + 1, 0, 0, 0, base::str(i, ";")));
    EXPECT_EQ(sent(), base::str("0 ", i % 15 + 1, "/", i < 10 ? 2 : 3, " 00"));
    all += base::str(i, ";");
  }
  EXPECT_EQ(text(), all);
}

TEST_F(SolStreamTest, StartsWithAnySequenceWithoutAGap) {
  hear(packet(11, 0, 0, 0, "a"));
  hear(packet(12, 0, 0, 0, "b"));
  EXPECT_EQ(text(), "ab");
}

TEST_F(SolStreamTest, MarksAJumpExactlyBetweenTheBytes) {
  hear(packet(1, 0, 0, 0, "before"));
  hear(packet(4, 0, 0, 0, "after"));
  EXPECT_EQ(sent(), "0 4/5 00");
  EXPECT_EQ(text(), "before[lost]after");
}

TEST_F(SolStreamTest, TakesOtherBytesUnderTheSameSequenceForNewOnesBehindAGap) {
  hear(packet(5, 0, 0, 0, "before"));
  hear(packet(5, 0, 0, 0, "after all that"));
  EXPECT_EQ(sent(), "0 5/14 00");
  EXPECT_EQ(text(), "before[lost]after all that");
}

TEST_F(SolStreamTest, ReadsNeverPastAMark) {
  hear(packet(1, 0, 0, 0, "ab"));
  hear(packet(2, 0, 0, kOverrun, "cd"));
  char to[10];
  EXPECT_EQ(stream.read(to, 1, now), 1u);
  EXPECT_FALSE(stream.next_mark());
  EXPECT_EQ(stream.read(to, 10, now), 1u);
  EXPECT_EQ(stream.read(to, 10, now), 0u);
  EXPECT_TRUE(stream.something_to_read());
  auto mark = stream.next_mark();
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->text, "the BMC lost output here");
  EXPECT_TRUE(mark->tell);
  EXPECT_EQ(stream.read(to, 10, now), 2u);
}

TEST_F(SolStreamTest, MarksBreaksAndOverrunsOfRepeatsOnce) {
  hear(packet(1, 0, 0, kBreak, "a"));
  hear(packet(1, 0, 0, kBreak, "a"));
  hear(packet(3, 0, 0, kOverrun, "b"));
  EXPECT_EQ(text(), "[break]a[lost]b");
}

TEST_F(SolStreamTest, TellsWhenCharactersCanNotBePassedAndWhenTheyCanAgain) {
  hear(packet(0, 0, 0, kUnavailable));
  hear(packet(0, 0, 0, kUnavailable));
  hear(packet(1, 0, 0, 0, "x"));
  EXPECT_EQ(text(), "[sol][sol]x");
}

TEST_F(SolStreamTest, BoundsTheMarks) {
  for (unsigned i = 0; i < 1000; ++i) hear(packet(0, 0, 0, i % 2 ? kBreak : kOverrun));
  std::size_t marks = 0;
  while (stream.next_mark()) ++marks;
  EXPECT_EQ(marks, SolStream::kMostMarks);
}

TEST_F(SolStreamTest, EndsAfterTheBytesOfThePacketThatSaysSo) {
  hear(packet(1, 0, 0, kDeactivated, "last"));
  EXPECT_TRUE(stream.ended());
  hear(packet(2, 0, 0, 0, "too late"));
  EXPECT_EQ(text(), "last");
}

TEST_F(SolStreamTest, TakesNoMoreOfAPacketThanItCanAcknowledge) {
  std::string long_one;
  for (unsigned i = 0; i < 400; ++i) long_one += static_cast<char>('a' + i % 26);
  hear(packet(1, 0, 0, 0, long_one));
  EXPECT_EQ(sent(), "0 1/255 00");
  hear(packet(2, 0, 0, 0, long_one.substr(255)));
  EXPECT_EQ(text(), long_one);
}

// --- nobody reads

TEST_F(SolStreamTest, RefusesWhatItCanNotHoldAndGoesOnWhenSomebodyReads) {
  fill();
  hear(packet(next, 0, 0, 0, std::string(250, 'y')));
  EXPECT_EQ(sent(), base::str("0 ", next, "/0 40"));
  std::size_t full = stream.held();
  for (int i = 0; i < 100; ++i) {
    pass(1);
    hear(packet(next, 0, 0, 0, std::string(250, 'y')));
    EXPECT_EQ(sent(), "");  // firmware that repeats at once is not kept busy
  }
  EXPECT_EQ(stream.held(), full);
  EXPECT_EQ(text().size(), full);
  EXPECT_EQ(sent(), base::str("0 ", next, "/0 00"));
  hear(packet(next, 0, 0, 0, std::string(250, 'y')));
  EXPECT_EQ(sent(), base::str("0 ", next, "/250 00"));
  EXPECT_EQ(text(), std::string(250, 'y'));
  EXPECT_FALSE(stream.due());
}

TEST_F(SolStreamTest, KnowsWhatItRefusedUnderTheNextNumberToo) {
  fill();
  hear(packet(next, 0, 0, 0, std::string(249, 'y')));
  text();
  sent();
  hear(packet(next % 15 + 1, 0, 0, 0, std::string(249, 'y') + " and more"));
  EXPECT_EQ(text(), std::string(249, 'y') + " and m");  // 255 are taken
}

TEST_F(SolStreamTest, MarksWhatTheBmcDroppedWhileNobodyRead) {
  fill();
  hear(packet(next, 0, 0, 0, std::string(250, 'y')));
  std::size_t full = stream.held();
  EXPECT_EQ(text(), std::string(full, 'x'));
  hear(packet(next % 15 + 1, 0, 0, 0, "something else"));
  EXPECT_EQ(text(), "[lost]something else");
}

TEST_F(SolStreamTest, ResumesAgainUntilSomethingComesButNotForEver) {
  fill();
  hear(packet(next, 0, 0, 0, std::string(250, 'y')));
  sent();
  text();
  std::string first = base::str("0 ", next, "/0 00"), other = base::str("0 ", next % 15 + 1, "/0 00");
  EXPECT_EQ(sent(), first);
  pass(1000);
  EXPECT_EQ(sent(), first);
  pass(1000);
  EXPECT_EQ(sent(), other);
  for (int i = 0; i < 20; ++i) {
    pass(1000);
    sent();
  }
  EXPECT_FALSE(stream.due());
}

// --- to the BMC

TEST_F(SolStreamTest, SendsOnePacketAtATime) {
  stream.write("abc");
  EXPECT_EQ(sent(), "1 0/0 00 abc");
  stream.write("de");
  stream.write("f");
  EXPECT_EQ(sent(), "");
  hear(packet(0, 1, 3, 0));
  EXPECT_EQ(sent(), "2 0/0 00 def");
}

TEST_F(SolStreamTest, KeepsToTheSizeOfTheBmc) {
  stream.write(std::string(30, 'x'));
  EXPECT_EQ(sent(), "1 0/0 00 " + std::string(28, 'x'));
  hear(packet(0, 1, 28, 0));
  EXPECT_EQ(sent(), "2 0/0 00 xx");
  EXPECT_EQ(SolStream::characters_for(32), 28u);
  EXPECT_EQ(SolStream::characters_for(8), 4u);
  EXPECT_EQ(SolStream::characters_for(259), 255u);
  EXPECT_EQ(SolStream::characters_for(1024), 255u);
  for (std::size_t absurd : {0, 4, 7, 1025, 8192, 16384, 65535})
    EXPECT_EQ(SolStream::characters_for(absurd), 28u);
}

TEST_F(SolStreamTest, TakesWhatFitsAndNoMore) {
  EXPECT_EQ(stream.write(std::string(5000, 'x')), SolStream::kMostOut);
  EXPECT_EQ(stream.write("y"), 0u);
  sent();
  hear(packet(0, 1, 28, 0));
  EXPECT_EQ(stream.write(std::string(100, 'y')), 28u);
}

TEST_F(SolStreamTest, SendsTheSamePacketAgainEverMoreSlowlyAndGivesUp) {
  stream.write("abc");
  EXPECT_EQ(sent(), "1 0/0 00 abc");
  stream.write("more");
  int total = 0;
  for (int time : {500, 700, 1000, 1400, 2000, 2800, 4000, 4000}) {
    pass(time - 1);
    EXPECT_EQ(sent(), "") << time;
    pass(1);
    EXPECT_EQ(sent(), "1 0/0 00 abc");
    EXPECT_FALSE(stream.unanswered());
    total += time;
  }
  pass(4000);
  EXPECT_EQ(sent(), "");
  EXPECT_TRUE(stream.unanswered());
  EXPECT_LT(total, 20'000);
}

TEST_F(SolStreamTest, GivesUpLaterWhileTheBmcTalks) {
  stream.write("abc");
  unsigned packets = 0;
  for (unsigned i = 0; i < 400 && !stream.unanswered(); ++i) {
    while (auto bytes = stream.packet(now))
      if (get8(*bytes, 0) != 0) ++packets;
    hear(packet(i % 15 + 1, 0, 0, 0, base::str(i)));
    text();
    pass(400);
  }
  EXPECT_TRUE(stream.unanswered());
  EXPECT_EQ(packets, SolStream::kMostTriesOfAll);
}

TEST_F(SolStreamTest, SendsWhatWasNotAcceptedInTheNextPacket) {
  stream.write("abcdef");
  sent();
  hear(packet(0, 1, 2, 0));
  EXPECT_EQ(sent(), "2 0/0 00 cdef");
  hear(packet(0, 1, 2, 0));  // that answer again
  EXPECT_EQ(sent(), "");
  hear(packet(0, 2, 200, 0));  // more than was sent
  EXPECT_EQ(stream.room(), SolStream::kMostOut);
}

TEST_F(SolStreamTest, PausesAfterANackUntilTheBmcResumes) {
  stream.write("abcdef");
  sent();
  hear(packet(0, 1, 2, kNack));
  EXPECT_EQ(sent(), "");
  hear(packet(0, 1, 2, 0));
  EXPECT_EQ(sent(), "2 0/0 00 cdef");
}

TEST_F(SolStreamTest, PausesAfterANackUntilATimeHasPassed) {
  stream.write("abcdef");
  sent();
  hear(packet(0, 1, 0, kNack));
  pass(499);
  EXPECT_EQ(sent(), "");
  pass(1);
  EXPECT_EQ(sent(), "2 0/0 00 abcdef");
}

TEST_F(SolStreamTest, PausesWhenNothingWasAccepted) {
  stream.write("abcdef");
  sent();
  hear(packet(0, 1, 0, 0));
  EXPECT_EQ(sent(), "");
}

TEST_F(SolStreamTest, DropsWhatABmcRefusesForLongAndReadsOn) {
  stream.write("abcdef");
  unsigned packets = 0;
  for (int i = 0; i < 60'000 && stream.room() < SolStream::kMostOut; i += 100) {
    while (auto bytes = stream.packet(now)) {
      ++packets;
      hear(packet(0, get8(*bytes, 0), 0, kNack));
    }
    pass(100);
  }
  EXPECT_EQ(packets, 9u);
  EXPECT_EQ(stream.room(), SolStream::kMostOut);
  EXPECT_FALSE(stream.unanswered());
  auto mark = stream.next_mark();
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->text, "the BMC takes no input: 6 typed bytes were dropped");
  hear(packet(1, 0, 0, 0, "still here"));
  EXPECT_EQ(text(), "still here");
}

TEST_F(SolStreamTest, PutsAcknowledgementsOnWhatItSendsAndNotOnRepeats) {
  stream.write("abc");
  hear(packet(9, 0, 0, 0, "out"));
  EXPECT_EQ(sent(), "1 9/3 00 abc");
  pass(500);
  EXPECT_EQ(sent(), "1 0/0 00 abc");
}

TEST_F(SolStreamTest, MakesABreakBetweenTheBytesItStandsBetween) {
  stream.write("before");
  EXPECT_TRUE(stream.send_break());
  EXPECT_FALSE(stream.send_break());
  stream.write("after");
  EXPECT_EQ(sent(), "1 0/0 00 before");
  hear(packet(0, 1, 6, 0));
  EXPECT_EQ(sent(), "2 0/0 10");
  pass(500);
  EXPECT_EQ(sent(), "2 0/0 10");
  hear(packet(0, 2, 0, 0));
  EXPECT_EQ(sent(), "3 0/0 00 after");
  EXPECT_TRUE(stream.send_break());
}

TEST_F(SolStreamTest, MakesARefusedBreakAgain) {
  EXPECT_TRUE(stream.send_break());
  EXPECT_EQ(sent(), "1 0/0 10");
  hear(packet(0, 1, 0, kNack));
  pass(500);
  EXPECT_EQ(sent(), "2 0/0 10");
}

TEST_F(SolStreamTest, CountsItsOwnSequencesFromOneToFifteen) {
  for (unsigned i = 0; i < 40; ++i) {
    stream.write("x");
    EXPECT_EQ(sent(), base::str(i % 15 + 1, " 0/0 00 x"));
    hear(packet(0, i % 15 + 1, 1, 0));
  }
}

// --- both ways over a bad network

namespace {

struct Network {
  unsigned lost = 0, doubled = 0, late = 0;  // per cent
  unsigned seed = 1;
  unsigned packet = 28;  // characters, to the BMC
};

std::string random_text(std::size_t size, std::mt19937& random) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(random());
  return text;
}

// 100 kB each way between a SolStream and a BMC that is written on its own.
void exchange(Network network, SolPeer::Habits habits, bool freeze = false) {
  std::mt19937 random(network.seed);
  auto chance = [&](unsigned percent) { return random() % 100 < percent; };
  std::string typed = random_text(100'000, random), said = random_text(100'000, random);
  SolStream stream(network.packet);
  SolPeer peer(habits);
  peer.say(said);
  std::string heard, rest = typed;
  bool gap = false;

  struct Flying {
    std::string bytes;
    SolStream::Time at;
    bool to_bmc;
  };
  std::vector<Flying> flying;
  SolStream::Time now{};
  auto fly = [&](const std::string& bytes, bool to_bmc) {
    if (chance(network.lost)) return;
    for (int copies = chance(network.doubled) ? 2 : 1; copies > 0; --copies)
      flying.push_back(
          {bytes, now + milliseconds(5 + (chance(network.late) ? random() % 100 : random() % 5)), to_bmc});
  };
  SolStream::Time limit = now + std::chrono::hours(6);
  std::size_t most_held = 0;
  bool frozen = freeze;
  char buffer[65536];
  while (now < limit && (heard.size() < said.size() || peer.heard().size() < typed.size())) {
    if (!rest.empty()) rest.erase(0, stream.write(rest));
    stream.tick(now);
    while (auto bytes = stream.packet(now)) fly(*bytes, true);
    peer.tick(now);
    while (auto bytes = peer.packet(now)) fly(*bytes, false);
    std::stable_sort(flying.begin(), flying.end(), [](auto& a, auto& b) { return a.at < b.at; });
    while (!flying.empty() && flying.front().at <= now) {
      Flying arrived = std::move(flying.front());
      flying.erase(flying.begin());
      arrived.to_bmc ? peer.receive(arrived.bytes, now) : stream.receive(arrived.bytes, now);
    }
    most_held = std::max(most_held, stream.held());
    if (frozen && now > SolStream::Time{} + std::chrono::minutes(20)) frozen = false;
    if (!frozen) {
      while (stream.next_mark()) gap = true;
      heard.append(buffer, stream.read(buffer, 1 + random() % sizeof buffer, now));
    }
    ASSERT_FALSE(stream.unanswered()) << "seed " << network.seed;
    now += milliseconds(5);
  }
  EXPECT_EQ(heard.size(), said.size());
  EXPECT_TRUE(heard == said) << "seed " << network.seed << ", first difference at "
                             << std::mismatch(heard.begin(), heard.end(), said.begin(), said.end()).first -
                                    heard.begin();
  EXPECT_TRUE(peer.heard() == typed) << "seed " << network.seed;
  EXPECT_FALSE(gap);
  EXPECT_LE(most_held, SolStream::kMostHeld);
  if (freeze) {
    EXPECT_GT(most_held, SolStream::kMostHeld - 256);
  }
}

}  // namespace

TEST(SolStreamAndBmc, PassEveryByteOnAGoodNetwork) { exchange({}, {}); }

TEST(SolStreamAndBmc, PassEveryByteWithATenthLost) {
  for (unsigned seed = 1; seed <= 3; ++seed) exchange({10, 0, 0, seed}, {});
}

TEST(SolStreamAndBmc, PassEveryByteWithAThirdLostDoubledAndLate) {
  for (unsigned seed = 1; seed <= 3; ++seed) exchange({30, 30, 30, seed, 200}, {});
}

TEST(SolStreamAndBmc, PassEveryByteWhereRepeatsGrow) {
  SolPeer::Habits growing;
  growing.repeats_grow = true;
  growing.retry = milliseconds(100);  // less than the way there and back takes at times
  for (unsigned seed = 1; seed <= 5; ++seed) exchange({10, 10, 30, seed}, growing);
}

TEST(SolStreamAndBmc, PassEveryByteWhereTheBmcTakesLittleAtATime) {
  SolPeer::Habits slow;
  slow.room = 40;
  for (unsigned seed = 1; seed <= 3; ++seed) exchange({10, 10, 10, seed}, slow);
}

TEST(SolStreamAndBmc, LoseNothingThatWasAcknowledgedWhileNobodyReads) {
  exchange({0, 0, 0, 1}, {}, true);
  exchange({10, 10, 10, 2}, {}, true);
  SolPeer::Habits renumbers;
  renumbers.renumbers_refused = true;
  exchange({10, 10, 10, 3}, renumbers, true);
}

}  // namespace oob::ipmi

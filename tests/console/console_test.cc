#include "console/console.h"

#include <gtest/gtest.h>

#include "console/time_index.h"
#include "tests/support/fake_line.h"
#include "tests/support/support.h"

namespace oob::console {

using test::FakeLine;
using test::run_until;

namespace {

auth::Policy everybody() {
  auth::Role all{{"*"}, {auth::Action::watch, auth::Action::write}};
  return auth::Policy({{"alice", {"all"}}, {"bob", {"all"}}, {"carol", {"all"}}}, {{"all", all}});
}

// Somebody on the console who takes all it gives, unless told to be slow.
struct Person : Watcher {
  Person(Console& console, const std::string& name) : attachment(console.attach(*this, name)) {}
  void more() override {
    if (!slow) drink();
  }
  void drink() {
    for (Attachment::Piece piece = attachment->next(); !piece.bytes.empty() || piece.skipped;
         piece = attachment->next()) {
      skipped += piece.skipped;
      heard += piece.bytes;
      attachment->take(piece.bytes.size());
    }
  }
  void told(const std::string& what) override { remarks.push_back(what); }
  bool is_person() const override { return !is_script; }
  void offered() override { ++offers; }
  void displaced(const std::string& by) override { lost_to = by; }
  void writable() override { ++rooms; }
  void gone(const std::string& why) override { ended = why; }
  bool was_told(const std::string& part) const {
    for (const std::string& remark : remarks)
      if (remark.find(part) != std::string::npos) return true;
    return false;
  }
  base::Result<> take(Claim how = Claim::if_free) {
    auth::Policy policy = everybody();
    auth::Grant grant = *policy.decide({attachment->name(), "", ""}, auth::Action::write, "r1");
    auto claimed = attachment->claim(grant, how);
    if (!claimed) return claimed.error();
    writer = std::move(*claimed);
    return {};
  }

  bool slow = false, is_script = false;
  std::string heard, lost_to, ended;
  std::uint64_t skipped = 0;
  int offers = 0, rooms = 0;
  std::vector<std::string> remarks;
  std::unique_ptr<Attachment> attachment;
  std::unique_ptr<Writer> writer;
};

// Somebody who is shown nothing that is not in the file, unless the disk is so slow that people no longer
// wait for it.
struct Checker : Person {
  Checker(Console& console, const std::string& name, const Archive& archive,
          std::function<std::string()> logged)
      : Person(console, name), archive_(archive), logged_(std::move(logged)) {}
  void more() override {
    was_behind_ = was_behind_ || archive_.behind();
    Person::more();
    if (!was_behind_) {
      EXPECT_LE(heard.size(), logged_().size());
    }
  }

 private:
  const Archive& archive_;
  std::function<std::string()> logged_;
  bool was_behind_ = false;
};

struct ConsoleTest : testing::Test {
  ConsoleTest() {
    auto fake = std::make_unique<FakeLine>(loop);
    line = fake.get();
    console =
        std::make_unique<Console>(Console::Surroundings{loop, pace, archive, 1024,
                                                        [this](const char* event, const std::string& text) {
                                                          events.push_back(std::string(event) + " " + text);
                                                        }},
                                  "r1", std::move(fake));
  }
  void open() {
    console->start();
    ASSERT_TRUE(run_until(loop, [&] { return console->state() == Console::State::up; }));
  }
  std::string logged() { return test::read_file(dir / "transcripts/r1/00000000000000000000.log"); }

  // What the line told between its bytes, as the transcript's index has it.
  std::string marks() {
    std::string found;
    base::split(test::read_file(dir / "transcripts/r1/00000000000000000000.idx"), '\n',
                [&](std::string_view text) {
                  auto mark = parse_index_line(text);
                  if (mark && (mark->kind == "lost" || mark->kind == "break" || mark->kind == "sol"))
                    found += base::str(mark->offset, mark->kind, " ", mark->text, ";");
                });
    return found;
  }

  test::TempDir dir;
  base::Loop loop;
  base::Disk disk{loop};
  Archive archive{loop, disk, dir / "transcripts"};
  Pace pace{loop, archive};
  FakeLine* line;
  std::unique_ptr<Console> console;
  std::vector<std::string> events;
};

}  // namespace

TEST_F(ConsoleTest, WritesDownWhatIsSaidWithNobodyThere) {
  open();
  line->say("hello\r\n");
  EXPECT_TRUE(run_until(loop, [&] { return logged() == "hello\r\n"; }));
}

TEST_F(ConsoleTest, ShowsEverybodyTheSameBytesAndOnlyOnceTheyAreInTheFile) {
  open();
  Checker alice(*console, "alice", archive, [this] { return logged(); });
  Person bob(*console, "bob");
  std::string all;
  for (int i = 0; i < 50; ++i) all += std::string(37, static_cast<char>('a' + i % 26));
  line->say(all);
  ASSERT_TRUE(run_until(loop, [&] { return alice.heard == all && bob.heard == all; }));
  EXPECT_TRUE(run_until(loop, [&] { return logged() == all; }));
}

TEST_F(ConsoleTest, TellsALappedWatcherHowMuchItMissedAndDelaysNobodyElse) {
  open();
  Person quick(*console, "alice"), slow(*console, "bob");
  slow.slow = true;
  std::string all;
  // Each piece fits into the scrollback: with a disk that is slow for a moment quick is not lapped either.
  for (std::size_t i = 0; all.size() < 3 * Console::kScrollbackWatched;) {
    std::string piece;
    while (piece.size() < Console::kScrollbackWatched * 3 / 4) piece += base::str("line ", i++, "\r\n");
    all += piece;
    line->say(piece);
    ASSERT_TRUE(run_until(loop, [&] { return quick.heard.size() + quick.skipped == all.size(); }));
  }
  EXPECT_EQ(quick.heard, all);
  EXPECT_EQ(quick.skipped, 0u);
  slow.drink();
  EXPECT_EQ(slow.heard.size() + slow.skipped, all.size());
  EXPECT_GT(slow.skipped, 0u);
  EXPECT_EQ(slow.heard, all.substr(all.size() - slow.heard.size()));
  EXPECT_TRUE(run_until(loop, [&] { return logged() == all; }));
}

// It waits for the disk 200 ms at most, which one that stands still for a moment takes longer than.
TEST_F(ConsoleTest, ReadsNoMoreAtOnceThanItCanShowWhereTheDiskKeepsUp) {
  open();
  Person alice(*console, "alice");
  const std::string flood(3 * Console::kScrollbackWatched, 'x');
  bool was_whole = false;
  for (int round = 0; round < 20 && !was_whole; ++round) {
    std::size_t heard = alice.heard.size();
    std::uint64_t end = console->end() + flood.size();
    line->say(flood);
    ASSERT_TRUE(run_until(loop, [&] { return alice.heard.size() + alice.skipped == end; }));
    was_whole = alice.heard.size() - heard == flood.size();
  }
  EXPECT_TRUE(was_whole) << alice.skipped;
}

TEST_F(ConsoleTest, LetsOneTypeAndTellsTheOthers) {
  open();
  Person alice(*console, "alice"), bob(*console, "bob");
  ASSERT_TRUE(alice.take());
  EXPECT_TRUE(bob.was_told("alice took the keyboard"));
  EXPECT_EQ(console->writer(), "alice");
  base::Result<> busy = bob.take();
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().fault, base::Fault::busy);
  EXPECT_EQ(busy.error().what, "r1: alice is typing");
  ASSERT_EQ(*alice.writer->write("reboot\r"), 7u);
  EXPECT_EQ(line->typed, "reboot\r");
}

TEST_F(ConsoleTest, OffersAFreeKeyboardToTheNextInTheQueueAlone) {
  open();
  Person alice(*console, "alice"), bob(*console, "bob"), carol(*console, "carol");
  ASSERT_TRUE(alice.take());
  ASSERT_FALSE(bob.take());
  ASSERT_FALSE(carol.take());
  alice.writer.reset();
  EXPECT_EQ(bob.offers, 1);
  EXPECT_EQ(carol.offers, 0);
  base::Result<> kept = carol.take();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().what, "r1: the keyboard is kept for bob");
  ASSERT_TRUE(bob.take());
  bob.writer.reset();
  EXPECT_EQ(carol.offers, 1);
}

TEST_F(ConsoleTest, PassesAnOfferOnWhenItsReceiverLeaves) {
  open();
  Person alice(*console, "alice"), carol(*console, "carol");
  auto bob = std::make_unique<Person>(*console, "bob");
  ASSERT_TRUE(alice.take());
  ASSERT_FALSE(bob->take());
  ASSERT_FALSE(carol.take());
  alice.writer.reset();
  EXPECT_EQ(bob->offers, 1);
  bob.reset();
  EXPECT_EQ(carol.offers, 1);
}

TEST_F(ConsoleTest, ForcingTakesTheKeyboardFromAllWhoHadIt) {
  open();
  Person alice(*console, "alice"), bob(*console, "bob"), carol(*console, "carol");
  ASSERT_TRUE(alice.take());
  ASSERT_TRUE(carol.take(Claim::join));
  EXPECT_TRUE(alice.was_told("carol joined alice"));
  ASSERT_TRUE(bob.take(Claim::force));
  EXPECT_EQ(alice.lost_to, "bob");
  EXPECT_EQ(carol.lost_to, "bob");
  EXPECT_FALSE(alice.writer->live());
  EXPECT_EQ(alice.writer->write("x").error().fault, base::Fault::busy);
  EXPECT_EQ(console->writer(), "bob");
  alice.writer.reset();
  EXPECT_EQ(console->writer(), "bob");
}

TEST_F(ConsoleTest, WhoJoinedTypesTooAndStaysWhenTheWriterLeaves) {
  open();
  Person alice(*console, "alice"), bob(*console, "bob");
  ASSERT_TRUE(alice.take());
  ASSERT_TRUE(bob.take(Claim::join));
  ASSERT_TRUE(alice.writer->write("a"));
  ASSERT_TRUE(bob.writer->write("b"));
  EXPECT_EQ(line->typed, "ab");
  alice.writer.reset();
  EXPECT_EQ(console->writer(), "bob");
}

TEST_F(ConsoleTest, AGrantForAnotherDeviceOpensNothing) {
  open();
  Person alice(*console, "alice");
  auth::Policy policy = everybody();
  auth::Grant grant = *policy.decide({"alice", "", ""}, auth::Action::write, "r2");
  EXPECT_FALSE(alice.attachment->claim(grant, Claim::if_free));
}

TEST_F(ConsoleTest, TellsTheWriterWhenThereIsRoomAgain) {
  open();
  Person alice(*console, "alice");
  ASSERT_TRUE(alice.take());
  line->allow(3);
  EXPECT_EQ(*alice.writer->write("abcdef"), 3u);
  EXPECT_EQ(*alice.writer->write("def"), 0u);
  line->allow(10);
  ASSERT_TRUE(run_until(loop, [&] { return alice.rooms == 1; }));
  EXPECT_EQ(*alice.writer->write("def"), 3u);
  EXPECT_EQ(line->typed, "abcdef");
}

TEST_F(ConsoleTest, SaysWhyALineIsDownAndComesBackAtOnceWhenItsPathDoes) {
  open();
  Person alice(*console, "alice");
  ASSERT_TRUE(alice.take());
  line->unplug();
  ASSERT_TRUE(run_until(loop, [&] { return console->state() == Console::State::down; }));
  EXPECT_TRUE(alice.was_told("line down: unplugged"));
  EXPECT_EQ(alice.writer->write("x").error().what, "r1: line down: unplugged");
  line->come_back();
  // At once is within a few turns of the loop; a second later it would be tried again anyway.
  std::size_t turns = 0;
  run_until(loop, [&] { return console->state() == Console::State::up || ++turns > 100; });
  ASSERT_EQ(console->state(), Console::State::up);
  EXPECT_TRUE(alice.was_told("line up: fake"));
  EXPECT_EQ(events, (std::vector<std::string>{"line.down unplugged", "line.up fake"}));
  EXPECT_TRUE(alice.writer->live());
}

TEST_F(ConsoleTest, TriesALineAgainThatCouldNotBeOpenedAndSaysSoOnce) {
  line->refuse_open = "/dev/ttyUSB9: No such file or directory";
  console->start();
  Person alice(*console, "alice");
  ASSERT_TRUE(run_until(loop, [&] { return line->opens == 2; }));
  EXPECT_EQ(console->why_down(), line->refuse_open);
  EXPECT_EQ(events.size(), 1u);
  line->refuse_open.clear();
  ASSERT_TRUE(run_until(loop, [&] { return console->state() == Console::State::up; }));
}

TEST_F(ConsoleTest, TellsWhenALineStaysDownForAnotherReasonButNoCountdown) {
  open();
  Person alice(*console, "alice");
  auto fails_for = [&](const std::string& why) {
    line->refuse_open = why;
    line->come_back();
    return run_until(loop, [&] { return console->why_down() == why; });
  };
  line->unplug("taken");
  ASSERT_TRUE(run_until(loop, [&] { return console->state() == Console::State::down; }));
  EXPECT_TRUE(fails_for("taken by another; again in 23 s"));
  EXPECT_TRUE(fails_for("taken by another; again in 9 s"));
  EXPECT_TRUE(fails_for("no answer"));  // too soon after the last: told by `list` alone
  EXPECT_EQ(alice.remarks,
            (std::vector<std::string>{"line down: taken", "line down: taken by another; again in 23 s"}));
  EXPECT_EQ(events,
            (std::vector<std::string>{"line.down taken", "line.down taken by another; again in 23 s"}));
}

TEST_F(ConsoleTest, TellsWhyALineThatAReloadChangedDoesNotOpen) {
  open();
  Person alice(*console, "alice");
  auto other = std::make_unique<FakeLine>(loop);
  other->refuse_open = "/dev/ttyUSB9: No such file or directory";
  console->replace_line(std::move(other));
  ASSERT_TRUE(run_until(loop, [&] { return console->state() == Console::State::down; }));
  EXPECT_EQ(alice.remarks, (std::vector<std::string>{"line down: changed by a reload",
                                                     "line down: /dev/ttyUSB9: No such file or directory"}));
}

TEST_F(ConsoleTest, KeepsItsPeopleWhenItsLineIsReplaced) {
  open();
  Person alice(*console, "alice");
  auto other = std::make_unique<FakeLine>(loop);
  FakeLine* next = other.get();
  console->replace_line(std::move(other));
  ASSERT_TRUE(run_until(loop, [&] { return console->state() == Console::State::up; }));
  next->say("new");
  ASSERT_TRUE(run_until(loop, [&] { return alice.heard == "new"; }));
  EXPECT_TRUE(alice.was_told("line down: changed by a reload"));
}

TEST_F(ConsoleTest, TellsItsPeopleWhenItGoes) {
  open();
  Person alice(*console, "alice");
  ASSERT_TRUE(alice.take());
  console.reset();
  EXPECT_EQ(alice.ended, "the console is closed");
  EXPECT_EQ(alice.attachment->console(), nullptr);
  EXPECT_FALSE(alice.writer->live());
}

TEST_F(ConsoleTest, ReadsTogetherWithOthersWhileNobodyTypesAndLosesNothing) {
  open();
  Person alice(*console, "alice");
  std::string all;
  for (int i = 0; i < 200; ++i) {
    std::string piece = base::str(i, " some output\r\n");
    all += piece;
    line->say(piece);
    if (i == 100) {
      ASSERT_TRUE(alice.take() && alice.writer->write("x"));
    }
    std::size_t want = all.size();
    if (i % 20 == 0) {
      ASSERT_TRUE(run_until(loop, [&] { return alice.heard.size() == want; }));
    }
  }
  ASSERT_TRUE(run_until(loop, [&] { return alice.heard == all; }));
  EXPECT_TRUE(run_until(loop, [&] { return logged() == all; }));
}

TEST_F(ConsoleTest, WritesDownWhereALineLostOutputAndTellsIt) {
  open();
  Person alice(*console, "alice");
  line->mark({"sol", "taken over", false});
  line->say("one");
  line->mark({"lost", "the BMC lost\x1b output here", true});
  line->mark({"break", "from the device", false});
  line->say("two");
  ASSERT_TRUE(run_until(loop, [&] { return alice.heard == "onetwo"; }));
  EXPECT_EQ(alice.remarks, (std::vector<std::string>{"the BMC lost\\x1b output here"}));
  EXPECT_TRUE(run_until(loop, [&] { return logged() == "onetwo"; }));
  EXPECT_TRUE(run_until(loop, [&] {
    return marks() == "0sol taken over;3lost the BMC lost\\x1b output here;3break from the device;";
  })) << marks();
}

TEST_F(ConsoleTest, GoesOnReadingBehindAMarkInTheSameTurn) {
  open();
  std::string all;
  for (int i = 0; i < 40; ++i) {
    std::string piece = base::str("line ", i, "\r\n");
    line->say(piece);
    line->mark({"lost", "here", false});
    all += piece;
  }
  int reads = line->reads;
  ASSERT_TRUE(run_until(loop, [&] { return console->end() == all.size(); }));
  EXPECT_EQ(line->reads, reads + 41);  // one for each piece and one that finds nothing, no waits between
  EXPECT_TRUE(run_until(loop, [&] { return logged() == all; }));
}

TEST_F(ConsoleTest, TakesTheMarksBeforeItHearsThatTheLineIsDown) {
  open();
  Person alice(*console, "alice");
  line->say("last words");
  line->mark({"lost", "some is missing", true});
  line->unplug();
  ASSERT_TRUE(run_until(loop, [&] { return console->state() == Console::State::down; }));
  EXPECT_EQ(alice.remarks, (std::vector<std::string>{"some is missing", "line down: unplugged"}));
  EXPECT_TRUE(run_until(loop, [&] { return logged() == "last words"; }));
}

TEST_F(ConsoleTest, IsLeftOpenUntilAPersonWhoTypedSinceHasLeft) {
  open();
  struct Case {
    bool is_script, types_before, types_since, clears;
  };
  for (Case way : {Case{false, false, true, true}, Case{false, false, false, false},
                   Case{false, true, false, false}, Case{true, false, true, false}}) {
    auto who = std::make_unique<Person>(*console, "alice");
    who->is_script = way.is_script;
    ASSERT_TRUE(who->take());
    if (way.types_before) (void)who->writer->write("x");
    unsigned seen_to = 0;
    console->left_open("");
    console->left_open("bob's snapshot: it was cut short", [&] { ++seen_to; });
    if (way.types_since) (void)who->writer->write("exit\r");
    who->writer.reset();
    EXPECT_EQ(console->left_open(), "bob's snapshot: it was cut short");
    who.reset();
    EXPECT_EQ(console->left_open().empty(), way.clears);
    EXPECT_EQ(seen_to, way.clears ? 1u : 0u);
  }
}

}  // namespace oob::console

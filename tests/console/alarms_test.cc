#include "console/alarms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/journal_line.h"
#include "console/console_tail.h"
#include "tests/console/visit.h"

namespace oob::console {
namespace {

using base::str;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string* match(const AlarmPatterns& patterns, const std::string& line) {
  const std::string* found = patterns.match(line);
  if (found) {
    EXPECT_TRUE(patterns.may_match("before\r\n" + line + "\r\nafter\r\n")) << line;
  }
  return found;
}

std::shared_ptr<const AlarmPatterns> made(const std::vector<std::string>& own = {}) {
  auto patterns = AlarmPatterns::make(own);
  if (!patterns) throw std::runtime_error(patterns.error().what);
  return *patterns;
}

TEST(AlarmPatterns, HoldForTheLastWordsOfEverySystem) {
  auto patterns = made();
  for (const char* line : {
           "panic: page fault",
           "Fatal trap 12: page fault while in kernel mode",
           "[   12.345678] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009",
           "[   12.345678] BUG: unable to handle page fault for address: ffffffffc0000000",
           "[   12.345678] BUG: unable to handle kernel NULL pointer dereference at 0000000000000008",
           "[   12.345678] Oops: 0002 [#1] PREEMPT SMP PTI",
           "[   12.345678] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [bird:812]",
           "[   12.345678] Out of memory: Killed process 812 (bird) total-vm:8192kB",
           "[  242.345678] INFO: task jbd2/sda1-8:120 blocked for more than 120 seconds.",
           "ix0: Watchdog timeout -- resetting",
           "[   12.345678] NETDEV WATCHDOG: eth0 (r8169): transmit queue 0 timed out, igb: watchdog timeout",
           "[   12.345678] EXT4-fs (sda1): Remounting filesystem read-only",
           "uvm_fault(0xffffffff81e2c0f0, 0x0, 0, 1) -> e; panic: trap type 6",
       })
    EXPECT_TRUE(match(*patterns, line)) << line;
  for (const char* line : {
           "",
           "login: ",
           "kern.panic_reboot_wait_time: 15",
           "Nov 23 12:00:00 edge1 bird: upstream1: Received: Administrative shutdown",
           "[    0.000000] Kernel command line: root=/dev/sda1 panic=10",
           "[    1.000000] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
           "Don't panic",
       })
    EXPECT_FALSE(match(*patterns, line)) << line;
}

TEST(AlarmPatterns, OfADeviceComeBesideThose) {
  auto patterns = made({"^%BGP-5-ADJCHANGE: .* Down", "(?i)fan .* failed"});
  EXPECT_EQ(*match(*patterns, "%BGP-5-ADJCHANGE: neighbor 192.0.2.1 Down"), "^%BGP-5-ADJCHANGE: .* Down");
  EXPECT_EQ(*match(*patterns, "Chassis Fan 2 FAILED"), "(?i)fan .* failed");
  EXPECT_EQ(*match(*patterns, "Fatal trap 12"), "Fatal trap ");
  EXPECT_FALSE(match(*patterns, "neighbor %BGP-5-ADJCHANGE: x Down"));
}

TEST(AlarmPatterns, AreRefusedWithWhatIsWrong) {
  auto said = [](const std::string& own) {
    auto checked = AlarmPatterns::check(own);
    return checked ? std::string("none") : checked.error().what;
  };
  EXPECT_EQ(said("fan [12] failed"), "none");
  EXPECT_THAT(said("fan ("), HasSubstr("'fan (' is no regular expression (RE2): "));
  EXPECT_EQ(said("x*"), "'x*' matches an empty line, and so every line");
  EXPECT_EQ(said(""), "'' matches an empty line, and so every line");
  EXPECT_THAT(said(std::string(257, 'x')), HasSubstr("has 257 bytes; a pattern has at most 256"));
  std::vector<std::string> many(65, "x");
  EXPECT_EQ(AlarmPatterns::make(many).error().what, "65 patterns; a device has at most 64");
  std::vector<std::string> heavy;
  for (int i = 0; i < 64; ++i) heavy.push_back(str("(a", i, ".{500}){2}z"));
  EXPECT_FALSE(AlarmPatterns::make(heavy));
}

TEST(AlarmPatterns, AreFoundInManyLinesWhereverTheyAreFoundInOne) {
  for (const std::vector<std::string>& own : {std::vector<std::string>{"^fan"},
                                              {"failed$"},
                                              {"a.b"},
                                              {"\\bfan\\b"},
                                              {"[^x]fan"},
                                              {"(?i)FAN"},
                                              {"(?i:F)an|(?:q)"},
                                              {"(?s)n.2"}}) {
    auto patterns = made(own);
    for (std::string line : {"fan", "fan 2 failed",
                             "a\xff"
                             "b",
                             "the fan", "\x1b[1mfan", "xfan", "fa\bafn\rfan"}) {
      std::string clean = console_tail(line, 1);
      bool matches = patterns->match(clean) != nullptr;
      if (matches) {
        EXPECT_TRUE(patterns->may_match("one\r\n" + line + "\r\nthree\r\n")) << own[0] << ": " << line;
        EXPECT_TRUE(patterns->may_match(line + "\n")) << own[0] << ": " << line;
      }
    }
  }
}

TEST(AlarmPatterns, AreMadeOnceForAllWhoHaveTheSame) {
  AlarmBook book;
  auto one = book.of({"fan"}), other = book.of({"fan"});
  EXPECT_EQ(one, other);
  EXPECT_NE(one, book.of({}));
  EXPECT_TRUE(book.of({"("})) << "what is at fault counts for nothing";
}

class AlarmEarTest : public testing::Test {
 protected:
  AlarmEarTest() { fresh(); }
  void fresh(const std::vector<std::string>& own = {}) {
    ear_.reset();
    AlarmEar::Surroundings in{board_.loop, *board_.journal, "edge1", made(own),
                              [this](const std::string& text) { told_.push_back(text); }};
    ear_ = std::make_unique<AlarmEar>(std::move(in), AlarmEar::Limits{});
  }
  void pass(milliseconds time) { now_ += time; }
  void key() { typed_ = now_; }
  void says(const std::string& bytes, bool is_look = false) { ear_->heard_at(bytes, typed_, is_look, now_); }
  // What the journal comes to have of alarms, when all is told.
  std::string journal() {
    ear_.reset();
    bool written = false;
    board_.journal->commit(auth::Entry("test"), [&](const base::Result<>&) { written = true; });
    test::run_until(board_.loop, [&] { return written; });
    std::string text;
    for (base::Bytes rest = whole_ = board_.journal_text(); !rest.empty();) {
      std::size_t end = rest.find('\n');
      if (rest.substr(0, end).find("console.alarm") != base::Bytes::npos)
        text += str(rest.substr(0, end), "\n");
      rest.remove_prefix(end == base::Bytes::npos ? rest.size() : end + 1);
    }
    return text;
  }

  test::Board board_;
  std::vector<std::string> told_;
  base::Clock::time_point now_ = base::Clock::time_point{} + std::chrono::hours(1), typed_{};
  std::string whole_;
  std::unique_ptr<AlarmEar> ear_;
};

TEST_F(AlarmEarTest, TellsOfALineWithThoseAroundIt) {
  for (int i = 1; i <= 12; ++i) says(str("before ", i, "\r\n"));
  says("panic: \x1b[1mpage fault\x1b[0m\r\n");
  for (int i = 1; i <= 7; ++i) says(str("after ", i, "\r\n"));
  EXPECT_THAT(told_, ElementsAre("ALARM: panic: page fault"));
  std::string text = journal();
  EXPECT_THAT(text, HasSubstr(R"("text":"panic: page fault")"));
  EXPECT_THAT(text, HasSubstr(R"("pattern":"\\bpanic: ")"));
  EXPECT_THAT(text, HasSubstr(R"("tail":"before 3\u000abefore 4\u000a)"));
  EXPECT_THAT(text, HasSubstr(R"(before 12\u000apanic: page fault\u000aafter 1\u000a)"));
}

TEST_F(AlarmEarTest, HearsALineHoweverItComes) {
  std::string said = "one\r\ntwo\r\nFatal trap 12: page fault\r\nafter\r\n";
  for (std::size_t cut = 0; cut <= said.size(); ++cut) {
    fresh();
    told_.clear();
    says(said.substr(0, cut));
    says(said.substr(cut));
    EXPECT_THAT(told_, ElementsAre("ALARM: Fatal trap 12: page fault")) << cut;
  }
  fresh();
  told_.clear();
  for (char c : said) says(std::string(1, c));
  EXPECT_THAT(told_, ElementsAre("ALARM: Fatal trap 12: page fault"));
}

TEST_F(AlarmEarTest, NeedsNoEndOfALongLineAndKeepsNothingOfIt) {
  says("panic: " + std::string(5000, 'x'));
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_LE(told_[0].size(), 1100U);
  for (int i = 0; i < 100; ++i) says(std::string(100'000, 'y'));
  EXPECT_EQ(told_.size(), 1U);
  EXPECT_LE(journal().size(), 8000U);
}

TEST_F(AlarmEarTest, TellsTheSamePatternOnceAMinuteAndCountsTheRest) {
  for (int i = 0; i < 1000; ++i) says(str("panic: ", i, "\r\n"));
  says("Fatal trap 12: x\r\n");
  EXPECT_THAT(told_, ElementsAre("ALARM: panic: 0", "ALARM: Fatal trap 12: x"));
  pass(seconds(61));
  says("panic: again\r\n");
  EXPECT_EQ(told_.size(), 3U);
  EXPECT_THAT(journal(), HasSubstr(R"("more":999)"));
}

TEST_F(AlarmEarTest, TakesAnAnswerToTypingForNoAlarm) {
  key();
  pass(milliseconds(100));
  says("root@edge1:~# dmesg | grep panic:\r\npanic: last year\r\n");
  pass(seconds(4));
  says("panic: last month\r\n");
  for (int i = 0; i < 20; ++i, pass(seconds(1))) says("panic: a long answer without a pause\r\n");
  EXPECT_THAT(told_, ElementsAre());
  pass(seconds(3));
  says("panic: now\r\n");
  EXPECT_THAT(told_, ElementsAre("ALARM: panic: now"));
}

TEST_F(AlarmEarTest, TakesNoAnswerForLongerThanAMinute) {
  key();
  for (int i = 0; i < 59; ++i, pass(seconds(1))) says("noise\r\n");
  says("panic: 59\r\n");
  EXPECT_THAT(told_, ElementsAre());
  pass(seconds(1));
  says("panic: 60\r\n");
  EXPECT_THAT(told_, ElementsAre("ALARM: panic: 60"));
}

TEST_F(AlarmEarTest, HearsWhatComesInTheMiddleOfALook) {
  key();
  says("root@edge1:~# exit\r\n\r\nedge1 login: ");
  pass(seconds(120));
  says("root\r\nPassword: \r\nbirdc -r show protocols\r\n", true);
  says("panic: page fault\r\n", true);
  EXPECT_THAT(told_, ElementsAre("ALARM: panic: page fault"));
}

// BIRD says it also when the session is up again, and a greeting comes with each login.
TEST_F(AlarmEarTest, TakesWhatEachLookBringsForNoAlarm) {
  fresh({"Hold timer", "(?i:maintenance)"});
  auto looks = [&](int minute) {
    says(str("login: root\r\nMaintenance on day ", minute, "\r\n    Hold timer:       146.", minute,
             "/180\r\n    Last error:       Hold timer expired\r\n"),
         true);
    pass(seconds(60));
  };
  for (int minute = 0; minute < 100; ++minute) looks(minute);
  EXPECT_THAT(told_, ElementsAre());
  says("%BGP-5: Hold timer expired\r\n", true);
  says("panic: page fault\r\n", true);
  EXPECT_THAT(told_, ElementsAre("ALARM: %BGP-5: Hold timer expired", "ALARM: panic: page fault"));
  pass(seconds(60));
  says("    Last error:       Hold timer expired\r\n");
  EXPECT_THAT(told_.back(), HasSubstr("Last error")) << "nobody has asked for that";
}

TEST_F(AlarmEarTest, KnowsNoMoreOfLooksThanItMust) {
  fresh({"fan"});
  says("fan\r\n", true);
  pass(seconds(200));
  auto letters = [](std::size_t i) { return std::string(1 + i / 26, 'x') + char('a' + i % 26); };
  for (std::size_t i = 0; i < AlarmEar::kMostBrought; ++i, pass(seconds(61)))
    says(str("fan ", letters(i), "\r\n"), true);
  EXPECT_EQ(told_.size(), AlarmEar::kMostBrought);
  says("fan\r\n", true);
  EXPECT_EQ(told_.back(), "ALARM: fan") << "what came last longest ago is forgotten";
}

TEST_F(AlarmEarTest, TellsOfALoginPromptThatNobodyAskedFor) {
  says("edge1 login: ");
  pass(seconds(600));
  std::string boot = "\r\n";
  for (int i = 0; i < 30; ++i) boot += str("[    0.00000", i, "] booting\r\n");
  says(boot + "edge1 login:");
  says(" ");
  EXPECT_THAT(told_, ElementsAre("ALARM: edge1 login:"));
  EXPECT_THAT(journal(), HasSubstr(R"("pattern":"login: after silence")"));
}

TEST_F(AlarmEarTest, TakesALookForNoTypingAndForNoSound) {
  says("edge1 login: ");
  for (int i = 0; i < 10; ++i) {
    pass(seconds(60));
    says("root\r\nPassword: \r\n" + std::string(20, '\n') + "edge1 login: ", true);
  }
  EXPECT_THAT(told_, ElementsAre());
  pass(seconds(20));
  std::string boot = "\r\n";
  for (int i = 0; i < 30; ++i) boot += str("[    0.00000", i, "] booting\r\n");
  says(boot + "edge1 login: ");
  EXPECT_THAT(told_, ElementsAre("ALARM: edge1 login: "));
}

TEST_F(AlarmEarTest, TakesAGreetingOrAnAnsweredPromptForNoStart) {
  says("edge1 login: ");
  pass(seconds(600));
  says("\r\nDebian GNU/Linux 12 edge1 ttyS0\r\n\r\nedge1 login: ");  // getty, by itself
  EXPECT_THAT(told_, ElementsAre());
  pass(seconds(600));
  key();
  says("\r\n");
  for (int i = 0; i < 20; ++i) says("motd\r\n");
  says("edge1 login: ");
  EXPECT_THAT(told_, ElementsAre());
  says("\r\nLast login: ");
  EXPECT_THAT(told_, ElementsAre());
}

TEST_F(AlarmEarTest, TakesTheEndOfAnIdleShellOrLoginForNoStart) {
  for (const char* last :
       {"root@d2:~# ", "d2 login: root\r\nPassword: ", "edge1#", "\r\nWelcome to d2\r\nnothing that ends"})
    for (const char* end :
         {"timed out waiting for input: auto-logout\r\n", "Login timed out after 60 seconds.\r\n"}) {
      fresh();
      says(last);
      pass(seconds(63));
      says(str("\r\n", end, "\r\n\r\nDebian GNU/Linux 12 d2 ttyS0\r\n\r\nd2 login: "));
      EXPECT_THAT(told_, ElementsAre()) << last << end;
    }
}

TEST_F(AlarmEarTest, TellsOfAStartWhateverStoodThereBefore) {
  for (const char* last : {"root@d2:~# ", "d2 login: root\r\nPassword: ", "d2 login: "}) {
    fresh();
    told_.clear();
    says(last);
    pass(seconds(63));
    std::string boot = "\r\n";
    for (int i = 0; i < 10; ++i) boot += str("[    0.00000", i, "] booting\r\n");
    says(boot + "d2 login: ");
    EXPECT_THAT(told_, ElementsAre("ALARM: d2 login: ")) << last;
  }
}

TEST_F(AlarmEarTest, TellsAfterAWhileThoughNoMoreLinesCome) {
  says("panic: the last word\r\n");
  EXPECT_TRUE(board_.journalled("panic: the last word"));
}

TEST_F(AlarmEarTest, SurvivesAnyBytes) {
  std::string said =
      "a\x1b[2Jb\r\n\x9b"
      "31mpanic: \xc3\x28\r\n\0\x7f login: ";
  for (std::size_t at = 0; at < said.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = said;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      says(flipped);
    }
  for (const std::string& text : told_) EXPECT_EQ(base::printable(text, 2000), text);
}

TEST(ConsoleTail, HasTheLastLinesAsTheyAreRead) {
  EXPECT_EQ(console_tail("one\r\ntwo\r\n\x1b[1mthree\x1b[0m\r\n\r\n", 2), "two\nthree");
  EXPECT_EQ(console_tail("a\rb", 5), "b");
  EXPECT_EQ(console_tail("", 5), "");
  EXPECT_EQ(console_tail("\r\n\n", 5), "");
  std::string many;
  for (int i = 0; i < 100; ++i) many += std::string(100, static_cast<char>('a' + i % 26)) + "\n";
  std::string tail = console_tail(many, 100);
  EXPECT_LE(tail.size(), auth::kMostJournalText);
  EXPECT_EQ(tail.substr(tail.size() - 100), std::string(100, static_cast<char>('a' + 99 % 26)));
  EXPECT_EQ(tail.find('\n'), 100U) << "by whole lines";
}

}  // namespace
}  // namespace oob::console

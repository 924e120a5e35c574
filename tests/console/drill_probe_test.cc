#include "console/drill_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/book.h"
#include "tests/console/second_life.h"

namespace oob::console {

using base::milliseconds;
using test::Board;
using test::FakeLine;
using test::run_until;
using Outcome = DrillCheck::Outcome;

namespace {

// A probe that has time for its answer; who waits for none says how long.
struct Probed : Board {
  Probed() {
    core.recipes = std::make_shared<recipe::Book>(recipe::shipped_book());
    patience = {milliseconds(30), milliseconds(30'000), milliseconds(30'000), milliseconds(30)};
  }
  DrillCheck probe(
      const std::string& name, std::function<void()> meanwhile = [] {}) {
    std::optional<DrillCheck> check;
    auth::Principal root{"root", "SHA256:root", "192.0.2.9"};
    DrillProbe probe(core, *core.policy->decide(root, auth::Action::write, name), "root", patience,
                     [&](DrillCheck got) { check = std::move(got); });
    auto over = [&] {
      meanwhile();
      return check.has_value();
    };
    EXPECT_TRUE(run_until(loop, over, milliseconds(60'000)));
    return check.value_or(DrillCheck{});
  }
  // To each carriage return that was typed.
  std::function<void()> answers(const std::string& name, const std::string& text) {
    return [this, name, text, heard = std::size_t{0}]() mutable {
      FakeLine& line = *lines[name];
      for (; heard < line.typed.size(); ++heard)
        if (line.typed[heard] == '\r') line.say(text);
    };
  }
  DrillProbe::Patience patience;
};

// Somebody else on a console.
struct Neighbour final : Watcher {
  void more() override {}
  void told(const std::string& text) override { heard += text + "\n"; }
  void displaced(const std::string&) override {}
  void gone(const std::string&) override {}
  std::string heard;
};

}  // namespace

TEST(DrillProbe, PassesWhatAnswersWithAPromptThatItsRecipeKnows) {
  Probed board;
  board.inventory.find("r1")->model = "linux";
  Neighbour neighbour;
  auto attachment = board.inventory.find("r1")->console->attach(neighbour, "bob");
  DrillCheck check = board.probe("r1", board.answers("r1", "\r\nDebian GNU/Linux 12\r\n\r\nr1 login: "));
  EXPECT_EQ(check.outcome, Outcome::passed) << check.text;
  EXPECT_EQ(check.name, "r1 console");
  EXPECT_EQ(check.device, "r1");
  EXPECT_THAT(check.text, testing::MatchesRegex("login prompt after [0-9]+\\.[0-9] s"));
  EXPECT_EQ(board.lines["r1"]->typed, "\r");
  EXPECT_NE(neighbour.heard.find("root's drill types Enter here"), std::string::npos) << neighbour.heard;
  EXPECT_EQ(board.inventory.find("r1")->console->writer(), "");
}

TEST(DrillProbe, TellsThatSomebodyIsLoggedIn) {
  Probed board;
  board.inventory.find("r1")->model = "linux";
  DrillCheck check = board.probe("r1", board.answers("r1", "\r\nroot@r1:~# "));
  EXPECT_EQ(check.outcome, Outcome::passed);
  EXPECT_NE(check.text.find(", logged in"), std::string::npos) << check.text;
}

TEST(DrillProbe, FailsWhatSaysNothingAndNeverTypesMoreThanTwoEnters) {
  Probed board;
  board.patience.answer = milliseconds(200);
  DrillCheck check = board.probe("r1");
  EXPECT_EQ(check.outcome, Outcome::failed);
  EXPECT_EQ(check.text,
            "no answer within 0.2 s of an Enter; is the device on, its cable in, and the speed right?");
  EXPECT_EQ(board.lines["r1"]->typed, "\r\r");
}

TEST(DrillProbe, PassesASecondEnterThatWakesTheTerminal) {
  Probed board;
  board.patience.answer = milliseconds(2000);
  board.inventory.find("r1")->model = "linux";
  bool said = false;
  DrillCheck check = board.probe("r1", [&] {
    if (said || board.lines["r1"]->typed.size() < 2) return;
    said = true;
    board.lines["r1"]->say("\r\nr1 login: ");
  });
  EXPECT_EQ(check.outcome, Outcome::passed) << check.text;
}

TEST(DrillProbe, TakesAnyTextForAnAnswerWhereThereIsNoModelButNoEcho) {
  Probed board;
  EXPECT_EQ(board.probe("r1", board.answers("r1", "\r\nwhatever> ")).outcome, Outcome::passed);
  board.patience.answer = milliseconds(1500);
  DrillCheck echo = board.probe("r2", board.answers("r2", "\r\n"));
  EXPECT_EQ(echo.outcome, Outcome::failed);
  EXPECT_EQ(echo.text, "empty lines alone come back, as from a terminal with nobody behind it");
}

TEST(DrillProbe, FailsAnAnswerThatTheModelDoesNotKnow) {
  Probed board;
  board.patience.answer = milliseconds(1500);
  board.inventory.find("r1")->model = "linux";
  DrillCheck check = board.probe("r1", board.answers("r1", "\r\ngrub rescue\x1b[31m> "));
  EXPECT_EQ(check.outcome, Outcome::failed);
  EXPECT_EQ(check.text,
            "answers, but with nothing that model 'linux' knows: \"grub rescue> \"; attach and look");
}

TEST(DrillProbe, FailsALineThatIsDownWithItsReason) {
  Probed board;
  board.lines["r1"]->refuse_open = "No such device";
  board.lines["r1"]->unplug();
  ASSERT_TRUE(
      run_until(board.loop, [&] { return !board.inventory.find("r1")->console->why_down().empty(); }));
  DrillCheck check = board.probe("r1");
  EXPECT_EQ(check.outcome, Outcome::failed);
  EXPECT_TRUE(check.text.starts_with("the line is down: ")) << check.text;
  EXPECT_NE(check.text.find("look after fake"), std::string::npos) << check.text;
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(DrillProbe, SkipsAConsoleWhereSomebodyTypes) {
  Probed board;
  Neighbour neighbour;
  auto attachment = board.inventory.find("r1")->console->attach(neighbour, "bob");
  auth::Principal root{"root", "SHA256:root", "192.0.2.9"};
  auto writer =
      attachment->claim(*board.core.policy->decide(root, auth::Action::write, "r1"), Claim::if_free);
  ASSERT_TRUE(writer);
  DrillCheck check = board.probe("r1");
  EXPECT_EQ(check.outcome, Outcome::skipped);
  EXPECT_EQ(check.text, "bob types there");
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(DrillProbe, WaitsForALookOfTheDaemonsOwn) {
  Probed board;
  Neighbour neighbour;
  auto attachment = board.inventory.find("r1")->console->attach(neighbour, "oobd");
  auth::Principal root{"root", "SHA256:root", "192.0.2.9"};
  auto writer =
      attachment->claim(*board.core.policy->decide(root, auth::Action::write, "r1"), Claim::if_free);
  ASSERT_TRUE(writer);
  (*writer)->is_look(true);
  auto since = base::Clock::now();
  auto answer = board.answers("r1", "\r\nprompt> ");
  DrillCheck check = board.probe("r1", [&] {
    if (base::Clock::now() - since > milliseconds(100)) writer->reset();
    answer();
  });
  EXPECT_EQ(check.outcome, Outcome::passed) << check.text;
}

TEST(DrillProbe, LetsWhoeverForcesTheKeyboardHaveIt) {
  Probed board;
  Neighbour neighbour;
  auto attachment = board.inventory.find("r1")->console->attach(neighbour, "bob");
  auth::Principal root{"root", "SHA256:root", "192.0.2.9"};
  std::unique_ptr<Writer> writer;
  DrillCheck check = board.probe("r1", [&] {
    if (writer || board.lines["r1"]->typed.empty()) return;
    writer = *attachment->claim(*board.core.policy->decide(root, auth::Action::write, "r1"), Claim::force);
  });
  EXPECT_EQ(check.outcome, Outcome::skipped);
  EXPECT_EQ(check.text, "bob took the keyboard");
  EXPECT_TRUE(writer && writer->live());
}

TEST(DrillProbe, TypesNothingWhereAnEmptyLineDoesHarmOrALineIsBegun) {
  Probed board;
  board.inventory.find("r1")->model = "pfsense";
  board.inventory.find("r2")->model = "linux";
  // Into the files: what is only in memory is shown to nobody yet.
  test::say_into_files(
      board, "r1",
      "\r\n 0) Logout / Disconnect SSH            4) Reset to factory defaults\r\n 5) Reboot system\r\n"
      " 6) Halt system\r\n 8) Shell\r\n\r\nEnter an option: ");
  test::say_into_files(board, "r2", "\r\nroot@r2:~# rm -r /etc");
  DrillCheck menu = board.probe("r1"), begun = board.probe("r2");
  EXPECT_EQ(menu.outcome, Outcome::skipped);
  EXPECT_NE(menu.text.find("where an empty line does harm: nothing was typed"), std::string::npos)
      << menu.text;
  EXPECT_EQ(begun.outcome, Outcome::skipped);
  EXPECT_EQ(begun.text, "somebody has left a line half typed: nothing was typed");
  EXPECT_EQ(board.lines["r1"]->typed + board.lines["r2"]->typed, "");
}

TEST(DrillProbe, TypesNothingWhereThatWasSoBeforeItsStart) {
  Probed board;
  board.inventory.find("r1")->model = "pfsense";
  board.inventory.find("r2")->model = "linux";
  test::say_into_files(
      board, "r1",
      "\r\n 0) Logout / Disconnect SSH            4) Reset to factory defaults\r\n 5) Reboot system\r\n"
      " 6) Halt system\r\n 8) Shell\r\n\r\nEnter an option: ");
  test::say_into_files(board, "r2", "\r\nroot@r2:~# rm -r");
  for (const char* name : {"r1", "r2"}) test::begin_again(board, name);
  board.lines["r2"]->say("f /srv/old");  // the rest of its echo
  DrillCheck menu = board.probe("r1"), begun = board.probe("r2");
  EXPECT_EQ(menu.outcome, Outcome::skipped);
  EXPECT_EQ(menu.text, "it is at 'menu', where an empty line does harm: nothing was typed");
  EXPECT_EQ(begun.outcome, Outcome::skipped);
  EXPECT_EQ(begun.text, "somebody has left a line half typed: nothing was typed");
  EXPECT_EQ(board.lines["r1"]->typed + board.lines["r2"]->typed, "");
}

TEST(DrillProbe, TypesNothingWhereNobodyCanTellWhatWasSaidBeforeItsStart) {
  Probed board;
  test::say_into_files(board, "r1", "root@r1:~# rm -r");
  std::filesystem::rename(board.dir / "transcripts/r1", board.dir / "elsewhere");
  test::write_file(board.dir / "transcripts/r1", "no folder");
  test::begin_again(board, "r1");
  DrillCheck check = board.probe("r1");
  EXPECT_EQ(check.outcome, Outcome::skipped);
  EXPECT_TRUE(check.text.starts_with("what r1 said before can't be read: ")) << check.text;
  EXPECT_TRUE(check.text.ends_with(": nothing was typed")) << check.text;
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(DrillProbe, TypesNothingBehindWhatIsNoBarePrompt) {
  Probed board;
  board.inventory.find("r2")->model = "linux";
  board.patience.quiet = milliseconds(5);
  for (const char* last : {"fw# reload now", "fw#reload $", "fw> show | match :", "root@r1:~ % echo #",
                           "Press any key in 3 s:", "Proceed? [y/N] ", "login: adm", "loading 45%",
                           "fw# passwd user:", "[=====]", "<fw> save ]", "Press any key for setup, or <F2>",
                           "[confirm]", "[Y/n]", "[yes/no]"}) {
    for (const char* name : {"r1", "r2"}) board.lines[name]->say(base::str("\r\n", last));
    ASSERT_TRUE(run_until(board.loop, [&] {
      return board.inventory.find("r1")->console->recent(100).ends_with(last) &&
             board.inventory.find("r2")->console->recent(100).ends_with(last);
    }));
    DrillCheck none = board.probe("r1"), unknown = board.probe("r2");
    EXPECT_EQ(none.outcome, Outcome::skipped) << last;
    EXPECT_EQ(none.text, base::str("perhaps a line is half typed: \"", last, "\": nothing was typed"));
    EXPECT_EQ(unknown.outcome, Outcome::skipped) << last;
    EXPECT_EQ(board.lines["r1"]->typed + board.lines["r2"]->typed, "") << last;
  }
}

// An empty line there does the last command once more.
TEST(DrillProbe, TypesNothingAtThePromptsOfBootLoadersAndDebuggers) {
  Probed board;
  board.inventory.find("r2")->model = "linux";
  board.patience.quiet = milliseconds(5);
  for (const char* last : {"=> ", "U-Boot> ", "Marvell-u-boot# ", "db> ", "ddb> ", "ddb{0}> ", "[0]kdb> "}) {
    for (const char* name : {"r1", "r2"}) board.lines[name]->say(base::str("\r\n", last));
    ASSERT_TRUE(run_until(board.loop, [&] {
      return board.inventory.find("r1")->console->recent(100).ends_with(last) &&
             board.inventory.find("r2")->console->recent(100).ends_with(last);
    }));
    EXPECT_EQ(board.probe("r1").outcome, Outcome::skipped) << last;
    EXPECT_EQ(board.probe("r2").outcome, Outcome::skipped) << last;
    EXPECT_EQ(board.lines["r1"]->typed + board.lines["r2"]->typed, "") << last;
  }
}

TEST(DrillProbe, TypesBehindABarePromptAlsoWithoutAModel) {
  Probed board;
  board.patience.quiet = milliseconds(5);
  std::size_t typed = 0;
  for (const char* last : {"fw# ", "fw>", "[admin@MikroTik] > ", "user@host dir $ ", "host % ", "$ ",
                           "r1 login: ", "Username:", "Password: ", "[core-1]", "[core-1-GE0/0/1]",
                           "<core-1>", "User:", "booted\r\n"}) {
    board.lines["r1"]->say(base::str("\r\n", last));
    ASSERT_TRUE(run_until(board.loop,
                          [&] { return board.inventory.find("r1")->console->recent(100).ends_with(last); }));
    bool said = false;
    DrillCheck check = board.probe("r1", [&] {
      if (said || board.lines["r1"]->typed.size() == typed) return;
      said = true;
      board.lines["r1"]->say("\r\nhere\r\n");
    });
    EXPECT_EQ(check.outcome, Outcome::passed) << last << ": " << check.text;
    EXPECT_EQ(board.lines["r1"]->typed.size(), typed + 1) << last;
    typed = board.lines["r1"]->typed.size();
  }
}

TEST(DrillProbe, DoesNotStopABootLoaderThatTalks) {
  Probed board;
  board.patience.quiet = milliseconds(3000);  // longer than a busy machine keeps this test from its turn
  board.patience.silence = milliseconds(1000);
  auto last = base::Clock::now();
  DrillCheck check = board.probe("r1", [&] {
    if (base::Clock::now() - last < milliseconds(10)) return;
    last = base::Clock::now();
    board.lines["r1"]->say("booting ...\r\n");
  });
  EXPECT_EQ(check.outcome, Outcome::skipped);
  EXPECT_EQ(check.text, "it talks all the time, so that nothing was typed");
  EXPECT_EQ(board.lines["r1"]->typed, "");
}

TEST(DrillProbe, DoesNotStopABootLoaderThatItsFirstEnterHasStarted) {
  Probed board;
  board.inventory.find("r1")->model = "linux";
  board.patience = {milliseconds(2000), milliseconds(10'000), milliseconds(2500), milliseconds(30)};
  auto last = base::Clock::now();
  DrillCheck check = board.probe("r1", [&] {
    if (board.lines["r1"]->typed.empty() || base::Clock::now() - last < milliseconds(10)) return;
    last = base::Clock::now();
    board.lines["r1"]->say("press a key for the menu\r\n");
  });
  EXPECT_EQ(check.outcome, Outcome::failed);
  EXPECT_EQ(check.text, "answers, but with nothing that model 'linux' knows: \"\"; attach and look");
  EXPECT_EQ(board.lines["r1"]->typed, "\r");
}

TEST(DrillProbe, TypesNoSecondEnterWhereItsFirstHasLedToSomethingElse) {
  Probed board;
  board.inventory.find("r1")->model = "linux";
  board.patience.answer = milliseconds(2000);
  DrillCheck check = board.probe("r1", board.answers("r1", "\r\nHit any key to stop autoboot: 3 "));
  EXPECT_EQ(check.outcome, Outcome::failed);
  EXPECT_EQ(
      check.text,
      "answers, but with nothing that model 'linux' knows: \"Hit any key to stop autoboot: 3 \"; attach "
      "and look");
  EXPECT_EQ(board.lines["r1"]->typed, "\r");
}

TEST(DrillProbe, TypesASecondEnterOnceItIsQuietAgain) {
  Probed board;
  board.inventory.find("r1")->model = "linux";
  board.patience = {milliseconds(2000), milliseconds(10'000), milliseconds(3000), milliseconds(30)};
  base::Clock::time_point first{}, said{}, second{};
  DrillCheck check = board.probe("r1", [&] {
    auto now = base::Clock::now();
    std::size_t typed = board.lines["r1"]->typed.size();
    if (typed == 1 && first == base::Clock::time_point{}) first = now;
    if (typed == 1 && said == base::Clock::time_point{} && now - first >= milliseconds(1500)) {
      said = now;
      board.lines["r1"]->say("\r\n");
    }
    if (typed == 2 && second == base::Clock::time_point{}) {
      second = now;
      board.lines["r1"]->say("\r\nr1 login: ");
    }
  });
  EXPECT_EQ(check.outcome, Outcome::passed) << check.text;
  EXPECT_GE(second - said, board.patience.quiet);
}

TEST(DrillProbe, GivesTheKeyboardBackWhenItGoes) {
  Probed board;
  auth::Principal root{"root", "SHA256:root", "192.0.2.9"};
  Console& console = *board.inventory.find("r1")->console;
  {
    DrillProbe probe(board.core, *board.core.policy->decide(root, auth::Action::write, "r1"), "root",
                     board.patience, [](const DrillCheck&) { FAIL() << "it was over before"; });
    ASSERT_TRUE(run_until(board.loop, [&] { return !console.writer().empty(); }));
  }
  EXPECT_EQ(console.writer(), "");
  EXPECT_EQ(console.watcher_count(), 0u);
}

}  // namespace oob::console

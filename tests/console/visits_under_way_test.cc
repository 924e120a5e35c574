#include "console/visits_under_way.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <future>

#include "tests/console/dialogue_kit.h"

namespace oob::console {
namespace {

using base::Fault;
using base::Result;
using base::Task;
using test::DialogueBoard;
using test::FakeMachine;
using test::run_until;
using test::Visit;
using ::testing::HasSubstr;

using Kept = VisitsUnderWay::Visits;

// A command that has no end, in a shell of its own.
Task<Result<>> work_for_ever(recipe::Visit&, recipe::Talk& talk, const recipe::Recipe&) {
  talk.type("wait\r");
  std::function<bool()> never = [] { return false; };
  Result<bool> heard = co_await talk.until(never, std::chrono::hours(1));
  if (!heard) co_return heard.error();
  co_return Result<>();
}

Task<Result<>> work_once(recipe::Talk& talk) {
  talk.type("once\r");
  std::function<bool()> answered = [&talk] { return talk.heard().find("did once") != base::Bytes::npos; };
  Result<bool> heard = co_await talk.until(answered, base::milliseconds(20'000));
  if (!heard) co_return heard.error();
  co_return Result<>();
}

// A board that keeps its visits, and may be killed and started again as far as those go.
struct VisitsBoard : DialogueBoard {
  VisitsBoard() { start(); }
  void start() {
    core.visits = std::make_shared<VisitsUnderWay>(disk, file);
    Result<> opened = core.visits->open();
    EXPECT_TRUE(opened) << opened.error().what;
    core.visits->tell(core);
  }
  // What is in memory alone is lost.
  void start_again() {
    console().left_open("");
    start();
  }
  Kept kept() { return read_visits(test::read_file(file)); }
  bool keeps(const std::function<bool(const Kept&)>& what) {
    return runs([&] { return what(kept()); });
  }
  std::size_t told() { return test::count(whole_journal(), "console.open"); }
  // A person types something and leaves.
  bool sees_to_it(Visit& person) {
    std::size_t before = lines["r1"]->typed.size();
    person.type("exit\r");
    if (!run_until(loop, [&] { return lines["r1"]->typed.size() > before; })) return false;
    person.type("\005c.");
    return person.wait() == 0;
  }
  bool works() {
    return runs([&] { return !machine.commands.empty(); });
  }

  std::string file = dir / "visits";
};

TEST(VisitsUnderWay, AreOnTheDiskBeforeAnythingIsTypedAndGoWhenTheDeviceIsLeft) {
  VisitsBoard board;
  auto since = base::Clock::now();
  std::uint64_t number = board.begin(board.order(work_for_ever));
  bool typed_before = false;
  ASSERT_TRUE(board.runs([&] {
    bool is_kept = board.kept().count("r1") != 0;
    // A disk that hangs is not waited for.
    bool is_in_time = base::Clock::now() - since < VisitsUnderWay::kPatience;
    if (!is_kept && is_in_time && !board.lines["r1"]->typed.empty()) typed_before = true;
    return !board.lines["r1"]->typed.empty();
  }));
  EXPECT_FALSE(typed_before);
  ASSERT_TRUE(board.keeps([](const Kept& kept) { return kept.count("r1") != 0; }));
  EXPECT_EQ(board.kept()["r1"].doing, "alice's snapshot");
  EXPECT_TRUE(board.kept()["r1"].under_way);
  struct stat status {};
  ASSERT_EQ(::stat(board.file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_TRUE(board.works());
  board.core.dialogues->interrupt(number, base::fail(Fault::denied, "no longer"));
  EXPECT_EQ(board.wait().left_open, "");
  EXPECT_TRUE(board.keeps([](const Kept& kept) { return kept.empty(); }));
}

TEST(VisitsUnderWay, WhatAKilledDaemonLeftIsToldOnceAndUntilItIsSeenTo) {
  VisitsBoard board;
  test::write_file(
      board.file, visits_text({{"r1", {"alice's snapshot", "", true}}, {"r9", {"bob's command", "", true}}}));
  board.start_again();
  std::string why = "the daemon ended in the middle of alice's snapshot";
  EXPECT_EQ(board.console().left_open(), why);
  EXPECT_TRUE(board.journalled("\"device\":\"r1\",\"ev\":\"console.open\""));
  EXPECT_THAT(board.journal_text(), HasSubstr("\"text\":\"" + why + "\""));
  EXPECT_TRUE(board.keeps([](const Kept& kept) { return !kept.at("r1").under_way; }));
  EXPECT_TRUE(board.kept()["r9"].under_way);  // that device is to be told of once it is there
  board.start_again();
  EXPECT_EQ(board.console().left_open(), why);
  EXPECT_EQ(board.told(), 1u);
  {
    Visit root(board, "root", "attach r1", true);
    ASSERT_TRUE(root.wait_for("you may type"));
    ASSERT_TRUE(board.sees_to_it(root));
  }
  EXPECT_EQ(board.console().left_open(), "");
  EXPECT_TRUE(board.keeps([](const Kept& kept) { return !kept.count("r1") && kept.count("r9"); }));
}

TEST(VisitsUnderWay, AStopInTheMiddleIsToldOnceToo) {
  VisitsBoard board;
  board.begin(board.order(work_for_ever));
  ASSERT_TRUE(board.works());
  board.core.dialogues.reset();
  board.core.visits->flush();
  board.core.visits.reset();
  ASSERT_TRUE(board.keeps([](const Kept& kept) { return !kept.at("r1").under_way; }));
  ASSERT_TRUE(board.journalled("\"text\":\"the daemon ended in the middle of alice's snapshot\""));
  board.start_again();
  EXPECT_EQ(board.console().left_open(), "the daemon ended in the middle of alice's snapshot");
  EXPECT_EQ(board.told(), 1u);
}

TEST(VisitsUnderWay, OneThatCouldNotLeaveStaysUntilALaterOneCan) {
  VisitsBoard board;
  board.begin(board.order(work_for_ever));
  ASSERT_TRUE(board.works());
  board.machine.is_gone = true;
  board.lines["r1"]->unplug("pulled out");
  EXPECT_NE(board.wait().left_open, "");
  EXPECT_TRUE(
      board.keeps([&](const Kept& kept) { return kept.at("r1").why == board.console().left_open(); }));
  EXPECT_FALSE(board.kept()["r1"].under_way);
}

TEST(VisitsUnderWay, WithoutADiskItGoesOnUnlessTheTrailIsWanted) {
  for (bool is_wanted : {false, true}) {
    VisitsBoard board;
    board.core.visits = std::make_shared<VisitsUnderWay>(board.disk, board.dir / "no folder/visits");
    board.core.refuse_without_audit = is_wanted;
    std::uint64_t number = board.begin(board.order(work_for_ever));
    if (is_wanted) {
      EXPECT_EQ(board.wait().result.error().fault, Fault::journal);
      EXPECT_EQ(board.lines["r1"]->typed, "");
      continue;
    }
    EXPECT_TRUE(board.works());
    board.core.dialogues->interrupt(number, base::fail(Fault::denied, "no longer"));
    EXPECT_EQ(board.wait().left_open, "");
  }
}

TEST(VisitsUnderWay, ADiskThatHangsHoldsADialogueForAWhileOnly) {
  VisitsBoard board;
  std::promise<void> free;
  board.core.visits.reset();
  base::Disk hung(board.loop);
  hung.run([wait = free.get_future().share()] { wait.wait(); });
  board.core.visits = std::make_shared<VisitsUnderWay>(hung, board.file);
  board.begin(board.order(work_for_ever));
  EXPECT_TRUE(board.works());
  free.set_value();
  board.core.dialogues.reset();
  board.core.visits.reset();
}

TEST(VisitsUnderWay, ADamagedLineIsPassedOver) {
  Kept visits{{"r1", {"alice's snapshot", "it was cut short \"here\"", false}},
              {"r2", {"bob's command", "", true}}};
  std::string text = visits_text(visits);
  auto same = [](const Kept& one, const Kept& other) { return visits_text(one) == visits_text(other); };
  EXPECT_TRUE(same(read_visits(text), visits));
  for (std::size_t size = 0; size < text.size(); ++size) {
    Kept cut = read_visits(text.substr(0, size));
    EXPECT_LE(cut.size(), 2u);
    for (const auto& [device, visit] : cut) EXPECT_EQ(visit.doing, visits[device].doing);
    std::string damaged = text;
    damaged[size] = static_cast<char>(damaged[size] ^ 0x10);
    EXPECT_LE(read_visits(damaged).size(), 2u);
  }
  EXPECT_EQ(read_visits("what is this\n" + text).size(), 2u);
}

TEST(VisitsUnderWay, AFileThatCantBeReadIsAnError) {
  VisitsBoard board;
  VisitsUnderWay visits(board.disk, board.dir / ".");
  Result<> opened = visits.open();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().what, HasSubstr("directory"));
}

// --- who takes the keyboard from a dialogue
// -----------------------------------------------------------------------------------------------------

TEST(VisitsUnderWay, APersonWhoTakesOverIsToldAndLeavesNoTraceOnceTheyHaveSeenToIt) {
  VisitsBoard board;
  board.begin(board.order(work_for_ever));
  ASSERT_TRUE(board.works());
  Visit root(board, "root", "attach r1 --force", true);
  ASSERT_TRUE(root.wait_for("what was under way is cut short"));
  EXPECT_NE(board.wait().left_open, "");
  EXPECT_EQ(board.console().left_open(), "alice's snapshot: root took the keyboard");
  EXPECT_TRUE(board.journalled("\"ev\":\"console.open\""));
  EXPECT_TRUE(board.keeps([](const Kept& kept) { return !kept.at("r1").under_way; }));
  ASSERT_TRUE(board.sees_to_it(root));
  EXPECT_EQ(board.console().left_open(), "");
  EXPECT_TRUE(board.keeps([](const Kept& kept) { return kept.empty(); }));
}

TEST(VisitsUnderWay, ADialogueThatTakesOverLogsOutWhatTheOtherOpened) {
  VisitsBoard board;
  std::optional<Dialogues::Ended> first;
  board.core.dialogues->begin(board.core, board.order(work_for_ever),
                              [&](const Dialogues::Ended& end) { first = end; });
  ASSERT_TRUE(board.works());
  std::string found = "was not asked";
  auto order = board.order([&](recipe::Visit&, recipe::Talk& talk, const recipe::Recipe&) {
    found = board.console().left_open();
    return work_once(talk);
  });
  order.force = true;
  order.doing = "guard";
  board.begin(std::move(order));
  EXPECT_TRUE(board.wait().result);
  ASSERT_TRUE(first);
  EXPECT_NE(first->left_open, "");
  EXPECT_EQ(found, "alice's snapshot: alice (guard) took the keyboard");
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
  EXPECT_EQ(board.console().left_open(), "");
  EXPECT_TRUE(board.keeps([](const Kept& kept) { return kept.empty(); }));
}

TEST(Dialogue, SaysThatItLeavesADeviceLoggedInThatItFoundSo) {
  DialogueBoard board;
  board.core.recordings = nullptr;  // that a disk is slow to record is remarked on, too
  board.machine.at = FakeMachine::At::shell;
  board.begin(
      board.order([](recipe::Visit&, recipe::Talk& talk, const recipe::Recipe&) { return work_once(talk); }));
  EXPECT_TRUE(board.wait().result);
  EXPECT_EQ(board.machine.at, FakeMachine::At::shell);
  EXPECT_THAT(board.remarks, ::testing::ElementsAre("r1 was logged in when found, and is left so"));
}

TEST(Dialogues, LeaveAllTheirDevicesForAStopAndBeginNoMore) {
  VisitsBoard board;
  board.begin(board.order(work_for_ever));
  ASSERT_TRUE(board.works());
  bool gone = false;
  board.core.dialogues->leave_all(base::fail(Fault::unavailable, "oobd is stopped"), [&] { gone = true; });
  EXPECT_FALSE(gone);
  ASSERT_TRUE(board.runs([&] { return gone; }));
  EXPECT_EQ(board.wait().result.error().what, "oobd is stopped");
  EXPECT_EQ(board.ended->left_open, "");
  EXPECT_EQ(board.machine.at, FakeMachine::At::login);
  std::size_t typed = board.lines["r1"]->typed.size();
  board.ended.reset();
  board.begin(board.order(work_for_ever));
  EXPECT_EQ(board.wait().result.error().what, "oobd is stopped");
  EXPECT_EQ(board.lines["r1"]->typed.size(), typed);
  gone = false;
  board.core.dialogues->leave_all(base::fail(Fault::unavailable, "again"), [&] { gone = true; });
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace oob::console

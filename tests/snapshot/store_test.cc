#include "snapshot/store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <optional>

#include "tests/snapshot/pulled.h"

namespace oob::snapshot {
namespace {

using base::Fault;
using base::Result;
using console::History;
using test::pulled;
using test::run_until;
using test::TempDir;
using Kind = History::Stored::Kind;

struct Shop : testing::Test {
  TempDir dir;
  base::Loop loop;
  std::function<void(std::string_view)> at_step = [](std::string_view) {};
  std::unique_ptr<Store> store = open();

  std::unique_ptr<Store> open() {
    Store::Options options;
    options.state = dir.path();
    options.recipes = [] { return recipe::Book({}); };
    options.step = [this](std::string_view step) { at_step(step); };
    return std::make_unique<Store>(loop, std::move(options));
  }
  Result<History::Stored> put(const std::string& device, const test::Files& files) {
    std::optional<Result<History::Stored>> answer;
    store->store(pulled(device, files), [&](auto stored) { answer = std::move(stored); });
    EXPECT_FALSE(answer) << "later, never at once";
    EXPECT_TRUE(run_until(loop, [&] { return answer.has_value(); }));
    return std::move(*answer);
  }
  History::Latest latest(const std::string& device) { return store->latest().at(device); }
};

TEST_F(Shop, AnswersInTheOrderOfTheCalls) {
  std::vector<std::string> order;
  store->store(pulled("edge1", {{"a", "1\n"}}),
               [&](auto stored) { order.push_back(stored ? "stored" : "no"); });
  store->files("edge1", "", [&](auto files) { order.push_back(base::str(files->size(), " file")); });
  store->store(pulled("edge1", {{"a", "2\n"}}),
               [&](auto stored) { order.push_back(stored ? "stored" : "no"); });
  store->file("edge1", "", "a", [&](auto bytes) { order.push_back(*bytes); });
  store->revisions("edge1", 9, [&](auto all) { order.push_back(base::str(all->size(), " revisions")); });
  store->view({"edge1"}, [&](auto path) { order.push_back(path ? "view" : path.error().what); });
  EXPECT_TRUE(order.empty());
  ASSERT_TRUE(run_until(loop, [&] { return order.size() == 6; }));
  EXPECT_EQ(order, (std::vector<std::string>{"stored", "1 file", "stored", "2\n", "2 revisions", "view"}));
}

TEST_F(Shop, KnowsTheLatestOfEachDeviceAlsoAfterARestart) {
  auto first = put("edge1", {{"a", std::string(2000, 'x')}});
  ASSERT_TRUE(first) << first.error().what;
  History::Latest was = latest("edge1");
  EXPECT_EQ(was.revision, first->revision);
  EXPECT_EQ(was.size, 2000u);
  EXPECT_EQ(was.grade, "device");
  EXPECT_EQ(was.checked, 1'795'417'212'345'000);
  EXPECT_GT(was.stored, 0);
  store->failed("edge1", "it does not\nanswer");
  EXPECT_EQ(latest("edge1").trouble, "it does not\\nanswer");

  EXPECT_EQ(put("edge1", {{"a", std::string(2000, 'x')}})->kind, Kind::unchanged);
  EXPECT_EQ(latest("edge1").trouble, "");
  EXPECT_EQ(latest("edge1").revision, was.revision);
  EXPECT_EQ(latest("edge1").stored, was.stored);

  auto cut = put("edge1", {{"a", "x"}});
  EXPECT_EQ(cut->kind, Kind::quarantined);
  EXPECT_EQ(latest("edge1").trouble, cut->why);
  EXPECT_EQ(latest("edge1").revision, was.revision);
  store->failed("edge2", "nobody logs in");

  store.reset();  // and all is written
  store = open();
  EXPECT_EQ(latest("edge1").revision, was.revision);
  EXPECT_EQ(latest("edge1").checked, was.checked);
  EXPECT_EQ(latest("edge1").trouble, cut->why);
  EXPECT_EQ(latest("edge2").trouble, "nobody logs in");
  EXPECT_EQ(latest("edge2").revision, "");
}

TEST_F(Shop, LearnsFromGitWhatWasNotNotedInTime) {
  auto first = put("edge1", {{"a", "1\n"}});
  ASSERT_TRUE(first);
  History::Latest was = latest("edge1");
  store.reset();
  std::filesystem::remove(dir / "snapshots.json");
  store = open();
  ASSERT_TRUE(run_until(loop, [&] { return store->latest().count("edge1") == 1; }));
  EXPECT_EQ(latest("edge1").revision, first->revision);
  EXPECT_EQ(latest("edge1").size, was.size);
  EXPECT_EQ(latest("edge1").grade, was.grade);
  store.reset();
  std::filesystem::remove_all(dir / "snapshots.git");
  store = open();
  EXPECT_TRUE(run_until(loop, [&] { return latest("edge1").revision.empty(); })) << "it was taken away";
}

TEST_F(Shop, TellsWhatTheDiskDoesNotTake) {
  test::write_file(dir / "snapshots.git", "no repository");
  auto stored = put("edge1", {{"a", "1\n"}});
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().fault, Fault::failed);
  EXPECT_NE(latest("edge1").trouble.find("not a history of snapshots"), std::string::npos);
  EXPECT_EQ(latest("edge1").revision, "");
}

TEST_F(Shop, DoesWhatItWasGivenAndCallsNobodyBackOnceItHasGone) {
  int called = 0;
  store->store(pulled("edge1", {{"a", "1\n"}}), [&](auto) { ++called; });
  store->files("edge1", "", [&](auto) { ++called; });
  store.reset();  // waits for its thread
  bool turned = false;
  loop.post([&] { turned = true; });
  ASSERT_TRUE(run_until(loop, [&] { return turned; }));
  EXPECT_EQ(called, 0);
  EXPECT_EQ(test::git(dir / "snapshots.git", "show main:edge1/a"), "1\n");
}

TEST_F(Shop, TurnsReadersAwayAndNeverASnapshot) {
  ASSERT_TRUE(put("edge1", {{"a", "1\n"}}));
  // What the thread does after an answer takes steps, too: nobody may change `at_step` meanwhile.
  bool is_idle = false;
  store->files("edge1", "", [&](auto) { is_idle = true; });
  ASSERT_TRUE(run_until(loop, [&] { return is_idle; }));
  std::promise<void> let_go;
  std::shared_future<void> held = let_go.get_future().share();
  at_step = [held](std::string_view step) {
    if (step == "ref") held.wait();
  };
  int stored = 0, answered = 0, busy = 0;
  store->store(pulled("edge1", {{"a", "2\n"}}), [&](auto done) { stored += done ? 1 : 0; });
  for (int i = 0; i < Store::kMostAtOnce + 3; ++i)
    store->files("edge1", "", [&](auto files) {
      ++answered;
      busy += !files && files.error().fault == Fault::busy ? 1 : 0;
    });
  store->store(pulled("edge2", {{"a", "3\n"}}), [&](auto done) { stored += done ? 1 : 0; });
  let_go.set_value();
  ASSERT_TRUE(run_until(loop, [&] { return stored == 2 && answered == Store::kMostAtOnce + 3; }));
  EXPECT_EQ(busy, 3);
  EXPECT_EQ(test::git(dir / "snapshots.git", "show main:edge2/a"), "3\n");
}

}  // namespace
}  // namespace oob::snapshot

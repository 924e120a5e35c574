#include "recipe/talk.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/task.h"

namespace oob::recipe {
namespace {

using base::Fault;
using base::milliseconds;
using base::Result;
using base::Task;

Talk::Time at(int time) { return Talk::Time{} + std::chrono::hours(1) + milliseconds(time); }

Task<Result<bool>> until_said(Talk& talk, std::string text, milliseconds limit) {
  std::function<bool()> said = [&talk, &text] { return talk.heard().find(text) != std::string_view::npos; };
  Result<bool> came = co_await talk.until(said, limit);
  co_return came;
}

Task<Result<bool>> until_silent(Talk& talk, milliseconds quiet, milliseconds limit) {
  Result<bool> silent = co_await talk.silence(quiet, limit);
  co_return silent;
}

struct Waiting {
  explicit Waiting(Task<Result<bool>> task) : task(std::move(task)) {
    this->task.start([this](Result<bool> result) { answer.emplace(std::move(result)); });
  }
  Task<Result<bool>> task;
  std::optional<Result<bool>> answer;
};

TEST(Talk, WaitsForWhatIsSaidInPieces) {
  Talk talk(at(0));
  Waiting waiting(until_said(talk, "login: ", milliseconds(1000)));
  EXPECT_EQ(talk.due(), at(1000));
  for (char c : std::string("login:")) talk.hear(std::string(1, c));
  EXPECT_FALSE(waiting.answer);
  talk.hear(" ");
  ASSERT_TRUE(waiting.answer && *waiting.answer);
  EXPECT_TRUE(**waiting.answer);
  EXPECT_FALSE(talk.due());
  EXPECT_EQ(talk.bytes_heard(), 7u);
}

TEST(Talk, AnswersNoWhenTheLimitIsOver) {
  Talk talk(at(0));
  Waiting waiting(until_said(talk, "login: ", milliseconds(1000)));
  talk.pass(at(999));
  EXPECT_FALSE(waiting.answer);
  talk.pass(at(1000));
  ASSERT_TRUE(waiting.answer && *waiting.answer);
  EXPECT_FALSE(**waiting.answer);
}

TEST(Talk, TellsSilenceFromALineThatTalks) {
  Talk talk(at(0));
  talk.hear("before");
  Waiting silent(until_silent(talk, milliseconds(300), milliseconds(2000)));
  EXPECT_EQ(talk.due(), at(300));  // from now on, not from what was heard before
  talk.pass(at(200));
  talk.hear("x");
  talk.pass(at(499));
  EXPECT_FALSE(silent.answer);
  EXPECT_EQ(talk.due(), at(500));
  talk.pass(at(500));
  ASSERT_TRUE(silent.answer);
  EXPECT_TRUE(**silent.answer);

  Waiting never(until_silent(talk, milliseconds(300), milliseconds(1000)));
  for (int time = 600; time < 1500; time += 100) {
    talk.pass(at(time));
    talk.hear("x");
  }
  talk.pass(at(1500));
  ASSERT_TRUE(never.answer);
  EXPECT_FALSE(**never.answer);
}

TEST(Talk, EndsWaitsByAnInterruptionUntilItLeaves) {
  Talk talk(at(0));
  Waiting waiting(until_said(talk, "x", milliseconds(1000)));
  talk.interrupt(base::fail(Fault::failed, "nobody wants it any more"));
  ASSERT_TRUE(waiting.answer);
  EXPECT_EQ(waiting.answer->error().what, "nobody wants it any more");
  Waiting again(until_said(talk, "x", milliseconds(1000)));
  ASSERT_TRUE(again.answer);
  EXPECT_FALSE(*again.answer);

  talk.leaving();
  Waiting last(until_said(talk, "x", milliseconds(1000)));
  talk.interrupt(base::fail(Fault::failed, "once more"));
  EXPECT_FALSE(last.answer);
  talk.hear("x");
  ASSERT_TRUE(last.answer && *last.answer);
}

TEST(Talk, IsOverForGoodOnceItIsCut) {
  Talk talk(at(0));
  talk.leaving();
  Waiting waiting(until_said(talk, "x", milliseconds(1000)));
  talk.cut(base::fail(Fault::unavailable, "the line was lost"));
  ASSERT_TRUE(waiting.answer);
  EXPECT_EQ(waiting.answer->error().what, "the line was lost");
  talk.hear("x");
  talk.type("y");
  EXPECT_EQ(talk.heard(), "");
  EXPECT_FALSE(talk.wants_to_type());
  Waiting again(until_said(talk, "", milliseconds(1000)));
  ASSERT_TRUE(again.answer);
  EXPECT_FALSE(*again.answer);
}

TEST(Talk, IsCutByMoreThanAnybodyWants) {
  Talk talk(at(0));
  Waiting waiting(until_said(talk, "x", milliseconds(1000)));
  talk.hear(std::string(Talk::kMostHeard, 'a'));
  EXPECT_FALSE(waiting.answer);
  talk.hear("b");
  ASSERT_TRUE(waiting.answer);
  EXPECT_EQ(waiting.answer->error().fault, Fault::unavailable);
}

TEST(Talk, KeepsWhatIsToBeTypedInOrderAndSecretsApart) {
  Talk talk(at(0));
  unsigned told = 0;
  talk.on_typing([&] { ++told; });
  talk.type("root\r");
  talk.type_secret(base::Secret("hush"));
  talk.type("");
  EXPECT_EQ(told, 2u);
  talk.typed_so_far(2);
  EXPECT_EQ(talk.typed().bytes, "ot\r");
  EXPECT_FALSE(talk.typed().secret);
  talk.typed_so_far(3);
  EXPECT_EQ(talk.typed().bytes, "hush");
  EXPECT_TRUE(talk.typed().secret);
  talk.typed_so_far(4);
  EXPECT_FALSE(talk.wants_to_type());
  EXPECT_EQ(talk.bytes_typed(), 9u);
}

TEST(Talk, ShowsItsListenerWhatAWaitIsAskedAboutAfterwards) {
  Talk talk(at(0));
  std::string order;
  talk.listen([&](base::Bytes bytes) { order += base::str("<", bytes, ">"); });
  Waiting waiting(until_said(talk, "b", milliseconds(1000)));
  talk.hear("a");
  talk.hear("b");
  EXPECT_EQ(order, "<a><b>");
  EXPECT_TRUE(waiting.answer);
}

TEST(Talk, ForgetsAConversationThatHasEnded) {
  Talk talk(at(0));
  { Waiting waiting(until_said(talk, "x", milliseconds(1000))); }
  EXPECT_FALSE(talk.due());
  talk.hear("x");
  talk.pass(at(2000));
}

}  // namespace
}  // namespace oob::recipe

#include "base/task.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace oob::base {
namespace {

// What a conversation waits on, as recipe::Talk is.
struct Bell {
  std::coroutine_handle<> waits;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waits = handle; }
  void await_resume() noexcept {}
  void ring() { std::exchange(waits, nullptr).resume(); }
};

// Tells when what it stands in has ended.
struct Mark {
  std::vector<std::string>& ended;
  std::string name;
  ~Mark() { ended.push_back(name); }
};

Task<int> wait_for(Bell& bell, std::vector<std::string>& ended, int value) {
  Mark mark{ended, "inner"};
  co_await bell;
  co_return value;
}

Task<int> twice(Bell& bell, std::vector<std::string>& ended) {
  Mark mark{ended, "outer"};
  int first = co_await wait_for(bell, ended, 20);
  int second = co_await wait_for(bell, ended, 1);
  co_return first + first + second;
}

Task<int> at_once(int value) { co_return value; }

Task<int> add_all(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    int one = co_await at_once(i);
    sum += one;
  }
  co_return sum;
}

TEST(Task, DoesNothingUntilItIsStarted) {
  Bell bell;
  std::vector<std::string> ended;
  Task<int> task = twice(bell, ended);
  EXPECT_FALSE(bell.waits);
}

TEST(Task, AnswersOnceWhenItsLastWaitIsOver) {
  Bell bell;
  std::vector<std::string> ended;
  std::vector<int> answers;
  Task<int> task = twice(bell, ended);
  task.start([&](int answer) { answers.push_back(answer); });
  EXPECT_TRUE(answers.empty());
  bell.ring();
  EXPECT_EQ(ended, std::vector<std::string>{"inner"});
  bell.ring();
  EXPECT_EQ(answers, std::vector<int>{41});
  EXPECT_EQ(ended, (std::vector<std::string>{"inner", "inner", "outer"}));
}

TEST(Task, MayAnswerFromInsideItsStart) {
  std::vector<int> answers;
  Task<int> task = add_all(100);
  task.start([&](int answer) { answers.push_back(answer); });
  EXPECT_EQ(answers, std::vector<int>{4950});
}

TEST(Task, EndsAllThatItAwaitsWhenItIsDestroyed) {
  Bell bell;
  std::vector<std::string> ended;
  bool answered = false;
  {
    Task<int> task = twice(bell, ended);
    task.start([&](int) { answered = true; });
    ASSERT_TRUE(bell.waits);
  }
  EXPECT_EQ(ended, (std::vector<std::string>{"inner", "outer"}));
  EXPECT_FALSE(answered);
}

TEST(Task, KeepsItsAnswerWhereItIsMovedTo) {
  Bell bell;
  std::vector<std::string> ended;
  int answer = 0;
  Task<int> first = twice(bell, ended);
  first.start([&](int value) { answer = value; });
  Task<int> second = std::move(first);
  bell.ring();
  Task<int> third = at_once(1);
  third = std::move(second);
  bell.ring();
  EXPECT_EQ(answer, 41);
}

Task<Result<bool>> fail_by_name() {
  Result<bool> failed = fail(Fault::busy, "somebody else is typing");
  co_return failed;
}

TEST(Task, KeepsAnErrorOfAQuestion) {
  std::optional<Error> error;
  Task<Result<bool>> task = fail_by_name();
  task.start([&](Result<bool> answer) {
    if (!answer) error = answer.error();
  });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->what, "somebody else is typing");
}

}  // namespace
}  // namespace oob::base

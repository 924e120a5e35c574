#include "ipmi/requests.h"

#include <gmock/gmock.h>

#include <optional>
#include <vector>

#include "tests/support/support.h"

namespace oob::ipmi {
namespace {

using base::milliseconds;
using Send = Link::Send;
using testing::ElementsAre;
using testing::IsEmpty;

// What went out, taken apart: "COMMAND/SEQUENCE".
struct Wire : Requests::Owner {
  void send_message(Bytes message) override {
    sequence = get8(message, 4) >> 2;
    command = get8(message, 5);
    netfn = get8(message, 1) >> 2;
    sent.push_back(base::str(int{command}, "/", int{sequence}));
  }
  void silent() override { ++silences; }
  void unanswered() override { ++unanswered_; }
  std::uint8_t sequence = 0, command = 0, netfn = 0;
  std::vector<std::string> sent;
  unsigned silences = 0, unanswered_ = 0;
};

struct RequestsTest : testing::Test {
  void ask(std::uint8_t command, Send how = Send::again) {
    requests->ask({NetFn::app, command, ""}, how, [this, command](const Result<Response>& answer) {
      told.push_back(answer ? base::str(int{command}, ":", answer->data)
                            : base::str(int{command}, ": ", answer.error().what));
    });
  }
  Response response(const std::string& data, std::uint8_t completion = 0) {
    return {static_cast<std::uint8_t>(wire.netfn + 1), wire.command, wire.sequence, completion, data};
  }
  void answer(const std::string& data, std::uint8_t completion = 0) {
    requests->answered(response(data, completion));
  }
  // Lets the loop deliver what was posted.
  void settle() {
    bool passed = false;
    loop.post([&] { passed = true; });
    test::run_until(loop, [&] { return passed; });
  }

  base::Loop loop;
  Wire wire;
  std::optional<Requests> requests{std::in_place, loop, wire};
  std::vector<std::string> told;
};

TEST_F(RequestsTest, SendsOneAfterAnotherInOrder) {
  ask(1);
  ask(2);
  EXPECT_THAT(wire.sent, IsEmpty()) << "there is no session yet";
  requests->start();
  EXPECT_THAT(wire.sent, ElementsAre("1/1"));
  answer("a");
  EXPECT_THAT(told, IsEmpty()) << "nobody is told from inside a call";
  EXPECT_THAT(wire.sent, ElementsAre("1/1", "2/2"));
  answer("b");
  settle();
  EXPECT_THAT(told, ElementsAre("1:a", "2:b"));
  EXPECT_TRUE(requests->idle());
}

TEST_F(RequestsTest, GivesEachRequestANumberOfItsOwnUpTo63) {
  requests->start();
  for (unsigned i = 1; i <= 200; ++i) {
    ask(1);
    EXPECT_EQ(wire.sequence, i % 64);
    answer("");
  }
  settle();
  EXPECT_EQ(told.size(), 200u);
}

TEST_F(RequestsTest, PassesOverAnswersToSomethingElse) {
  requests->start();
  requests->answered({7, 1, 0, 0, "before any request"});
  ask(1);
  Response right = response("right");
  for (int what = 0; what < 4; ++what) {
    Response wrong = right;
    wrong.data = "wrong";
    if (what == 0) wrong.sequence = static_cast<std::uint8_t>(wrong.sequence - 1);
    if (what == 1) wrong.command ^= 0x40;
    if (what == 2) wrong.netfn = 0x0b;
    if (what == 3) wrong.netfn = 0x06;  // a request
    requests->answered(wrong);
  }
  EXPECT_FALSE(requests->idle());
  requests->answered(right);
  ask(2);
  right.data = "once more";
  requests->answered(right);  // twice
  answer("b");
  settle();
  EXPECT_THAT(told, ElementsAre("1:right", "2:b"));
}

TEST_F(RequestsTest, RepeatsUnderTheSameNumber) {
  requests->start();
  ask(1);
  ASSERT_TRUE(test::run_until(loop, [&] { return wire.sent.size() == 2; }));
  EXPECT_THAT(wire.sent, ElementsAre("1/1", "1/1"));
  answer("late or not");
  answer("the second one");
  settle();
  EXPECT_THAT(told, ElementsAre("1:late or not"));
}

TEST_F(RequestsTest, AsksABusyBmcAgainUnderANewNumberAlsoWhatGoesOutOnce) {
  requests->start();
  ask(1, Send::once);
  answer("", 0xc0);  // it was not done
  EXPECT_THAT(wire.sent, ElementsAre("1/1"));
  ASSERT_TRUE(test::run_until(loop, [&] { return wire.sent.size() == 2; }));
  EXPECT_THAT(wire.sent, ElementsAre("1/1", "1/2"));
  answer("done");
  settle();
  EXPECT_THAT(told, ElementsAre("1:done"));
}

// A wire that doubles packets: the second "busy" must not count as another one.
TEST_F(RequestsTest, CountsADoubledBusyOnce) {
  requests->start();
  ask(1);
  for (int i = 0; i < 15; ++i) answer("", 0xc0);
  settle();
  EXPECT_THAT(told, IsEmpty());
  ASSERT_TRUE(test::run_until(loop, [&] { return wire.sent.size() == 2; }));
  answer("done");
  settle();
  EXPECT_THAT(told, ElementsAre("1:done"));
}

TEST_F(RequestsTest, HoldsSixtyFourAndTellsTheNextThatItIsBusy) {
  for (unsigned i = 0; i < Requests::kMostWaiting + 1; ++i) ask(static_cast<std::uint8_t>(i));
  settle();
  EXPECT_THAT(told, ElementsAre("64: too many requests wait for this BMC"));
}

TEST_F(RequestsTest, KeepsWhatWasNotSentWhenTheSessionGoes) {
  requests->start();
  ask(1);
  ask(2);
  requests->stop(base::fail(base::Fault::unavailable, "gone"));
  settle();
  EXPECT_THAT(told, ElementsAre("1: gone"));
  requests->start();
  EXPECT_THAT(wire.sent, ElementsAre("1/1", "2/2"));
  answer("b");
  settle();
  EXPECT_THAT(told, ElementsAre("1: gone", "2:b"));
}

TEST_F(RequestsTest, TellsAllWhenNoSessionWillCome) {
  ask(1);
  ask(2);
  requests->fail_all(base::fail(base::Fault::unavailable, "no way"));
  settle();
  EXPECT_THAT(told, ElementsAre("1: no way", "2: no way"));
  EXPECT_TRUE(requests->idle());
}

TEST_F(RequestsTest, LetsWhatOpensASessionGoFirst) {
  ask(1);
  requests->ask_first({NetFn::app, 0x3b, ""}, [this](const Result<Response>&) { told.push_back("first"); });
  EXPECT_THAT(wire.sent, ElementsAre("59/1"));
  answer("");
  EXPECT_THAT(wire.sent, ElementsAre("59/1")) << "the others wait for start()";
  settle();
  EXPECT_THAT(told, ElementsAre("first"));
  requests->start();
  EXPECT_THAT(wire.sent, ElementsAre("59/1", "1/2"));
}

TEST_F(RequestsTest, HasTheLastWordsOfThoseThatWaitForNoAnswer) {
  requests->start();
  ask(1);
  ask(2);
  requests->ask({NetFn::app, 0x49, "x"}, Send::parting, [](const auto&) {});
  std::deque<std::string> words = requests->last_words();
  ASSERT_EQ(words.size(), 1u);
  EXPECT_EQ(get8(words[0], 5), 0x49);
}

TEST_F(RequestsTest, MayBeAskedAndDestroyedByThoseItTells) {
  requests->start();
  requests->ask({NetFn::app, 1, ""}, Send::again, [this](const Result<Response>&) {
    ask(2);
    answer("b");
    told.push_back("first");
    requests.reset();
  });
  answer("a");
  settle();
  settle();
  EXPECT_THAT(told, ElementsAre("first")) << "nobody is told any more";
}

TEST_F(RequestsTest, SaysWhatDidNotEvenGoOut) {
  base::Fault fault{};
  auto told_fault = [&](const Result<Response>& answer) { fault = answer.error().fault; };
  requests->ask({NetFn::chassis, 2, "x"}, Send::once, told_fault);
  requests->fail_all(base::fail(base::Fault::unavailable, "no session"));
  settle();
  EXPECT_EQ(fault, base::Fault::again) << "it was certainly not done";
  requests->ask({NetFn::chassis, 1, ""}, Send::again, told_fault);
  requests->fail_all(base::fail(base::Fault::unavailable, "no session"));
  settle();
  EXPECT_EQ(fault, base::Fault::unavailable);
  requests->ask({NetFn::chassis, 2, "x"}, Send::once, told_fault);
  requests->start();
  requests->fail_all(base::fail(base::Fault::unavailable, "no session"));
  settle();
  EXPECT_EQ(fault, base::Fault::unavailable) << "it went out: it may have been done";
}

}  // namespace
}  // namespace oob::ipmi

#include "auth/second_factor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "tests/support/support.h"

namespace oob::auth {
namespace {

using base::Fault;
using base::Micros;
using base::Result;
using base::str;
using test::read_file;
using test::run_until;
using test::write_file;
using testing::HasSubstr;

constexpr const char* kSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
constexpr Micros kSecond = 1'000'000;
constexpr Micros kNow = 1'795'000'005 * kSecond;  // 15 s into a time step
constexpr std::int64_t kStep = 1'795'000'005 / 30;

class SecondFactorTest : public testing::Test {
 protected:
  void SetUp() override {
    write_file(secret_, kSecret);
    restart();
  }

  // As a new process would begin.
  void restart(WithoutClock policy = WithoutClock::check, Micros newest = 0) {
    factor_.reset();
    factor_.emplace(
        loop_, *blocking_, state_, [this] { return clock_; }, [this] { return moment_; });
    adopt(policy, newest);
  }
  void adopt(WithoutClock policy = WithoutClock::check, Micros newest = 0) {
    factor_->adopt({{"alice", secret_}, {"bob", secret_}}, policy, newest);
  }

  static std::string code(std::int64_t step) { return Totp::parse(kSecret)->code(step); }
  static std::string wrong(std::int64_t i) { return code(1'000'000 + i); }

  // "" when the code is right.
  std::string check(const std::string& code, Micros now = kNow, const std::string& user = "alice",
                    const SecondFactor::From& from = {"192.0.2.9", false}) {
    std::optional<Result<>> got;
    factor_->check(user, code, from, now, [&](Result<> result) { got = std::move(result); });
    EXPECT_TRUE(run_until(loop_, [&] { return got.has_value(); }));
    if (!got) return "no answer";
    return *got ? "" : got->error().what;
  }

  test::TempDir folder_;
  std::string secret_ = folder_ / "alice.totp", state_ = folder_ / "totp";
  base::ClockState clock_{true, ""};
  base::Clock::time_point moment_ = base::Clock::now();
  base::Loop loop_;
  std::optional<base::Blocking> blocking_{loop_};
  std::optional<SecondFactor> factor_;
};

const std::string kUsed = "the code, or a later one, was used before";

TEST_F(SecondFactorTest, TakesTheCodesOfThreeSteps) {
  EXPECT_EQ(check(code(kStep - 1)), "");
  EXPECT_EQ(check(code(kStep)), "");
  EXPECT_EQ(check(code(kStep + 1)), "");
  EXPECT_EQ(check(code(kStep), kNow, "bob"), "");  // each has their own
  EXPECT_EQ(check("  " + code(kStep + 2).substr(0, 3) + " " + code(kStep + 2).substr(3), kNow + 30 * kSecond),
            "");
}

TEST_F(SecondFactorTest, TakesNoOtherAndSaysHowFarAwayItIs) {
  EXPECT_EQ(check(wrong(0)), "wrong code");
  EXPECT_EQ(check(code(kStep - 2)), "wrong code: the board's clock is about 60 s ahead of that of the code");
  EXPECT_EQ(check(code(kStep + 4)), "wrong code: the board's clock is about 120 s behind that of the code");
  EXPECT_EQ(check(code(kStep)), "");
}

TEST_F(SecondFactorTest, KnowsWhatIsNoCode) {
  for (const char* text : {"", " ", "12345", "1234567", "12345a", "-12345", "１２"})
    for (int i = 0; i < 3; ++i)  // no guesses: they don't count
      EXPECT_EQ(check(text), "what was typed is not a code of 6 digits") << text;
  EXPECT_EQ(check(code(kStep)), "");
}

TEST_F(SecondFactorTest, TakesAStepOnceAndNoneBeforeIt) {
  EXPECT_EQ(check(code(kStep)), "");
  EXPECT_EQ(check(code(kStep)), kUsed);
  EXPECT_EQ(check(code(kStep - 1)), kUsed);
  restart();
  EXPECT_EQ(check(code(kStep)), kUsed);
  EXPECT_EQ(check(code(kStep - 1)), kUsed);
  EXPECT_EQ(check(code(kStep + 1)), "");
  adopt();
  EXPECT_EQ(check(code(kStep + 1)), kUsed);
}

TEST_F(SecondFactorTest, OneOfTwoAtTheSameMomentWins) {
  std::vector<std::string> got;
  auto note = [&](Result<> result) { got.push_back(result ? "in" : result.error().what); };
  factor_->check("alice", code(kStep), {}, kNow, note);
  factor_->check("alice", code(kStep), {}, kNow, note);
  EXPECT_TRUE(run_until(loop_, [&] { return got.size() == 2; }));
  EXPECT_THAT(got, testing::UnorderedElementsAre("in", kUsed));
}

TEST_F(SecondFactorTest, WritesDownBeforeItSaysYes) {
  std::string there;
  bool answered = false;
  std::vector<int> order;
  factor_->check("alice", code(kStep), {}, kNow, [&](Result<>) {
    there = read_file(state_ + "/alice");
    order.push_back(1);
  });
  // This one comes while the first is being written, and waits for a write of its own.
  factor_->check("alice", code(kStep + 1), {}, kNow, [&](Result<>) {
    answered = true;
    order.push_back(2);
  });
  EXPECT_TRUE(run_until(loop_, [&] { return answered; }));
  EXPECT_EQ(there, str(kStep, "\n"));
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_EQ(read_file(state_ + "/alice"), str(kStep, "\n", kStep + 1, "\n"));
  struct stat file {
  }, folder{};
  ASSERT_EQ(::stat((state_ + "/alice").c_str(), &file), 0);
  ASSERT_EQ(::stat(state_.c_str(), &folder), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600u);
  EXPECT_EQ(folder.st_mode & 07777, 0700u);
}

TEST_F(SecondFactorTest, LetsInWhenItCannotWriteAndRemembersAllTheSame) {
  write_file(state_, "a file where the folder should be");
  testing::internal::CaptureStderr();
  EXPECT_EQ(check(code(kStep)), "");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("which codes alice used is not written down: "));
  EXPECT_EQ(check(code(kStep)), kUsed);
  std::filesystem::remove(state_);
  EXPECT_EQ(check(code(kStep + 1)), "");
  EXPECT_EQ(read_file(state_ + "/alice"), str(kStep, "\n", kStep + 1, "\n"));
}

TEST_F(SecondFactorTest, LetsInWhenTheDiskHangs) {
  base::Loop other;  // what runs on this one's calls is never heard of
  std::optional<base::Blocking> stuck(other);
  SecondFactor factor(loop_, *stuck, state_, [this] { return clock_; });
  factor.adopt({{"alice", secret_}}, WithoutClock::check, 0);
  std::optional<Result<>> got;
  testing::internal::CaptureStderr();
  factor.check("alice", code(kStep), {}, kNow, [&](Result<> result) { got = std::move(result); });
  EXPECT_TRUE(run_until(loop_, [&] { return got.has_value(); }));
  EXPECT_TRUE(got && *got);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("the disk is too slow"));
}

TEST_F(SecondFactorTest, SaysNothingWhenItHasGone) {
  bool answered = false;
  factor_->check("alice", code(kStep), {}, kNow, [&](Result<>) { answered = true; });
  factor_.reset();
  EXPECT_TRUE(run_until(loop_, [&] { return !read_file(state_ + "/alice").empty(); }));
  for (int i = 0; i < 2; ++i) {  // what the write had to say is heard by then
    bool heard = false;
    blocking_->run([] {}, [&] { heard = true; });
    EXPECT_TRUE(run_until(loop_, [&] { return heard; }));
  }
  EXPECT_FALSE(answered);
}

TEST_F(SecondFactorTest, StartsAfreshWhereItCannotReadWhatWasTaken) {
  for (const char* text : {"", "x\n", "-5\n", "59833333\nhalf"}) {
    std::filesystem::create_directory(state_);
    write_file(state_ + "/alice", text);
    testing::internal::CaptureStderr();
    restart();
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("codes of alice count from ")) << text;
    std::int64_t present = Totp::step_at(base::wall_now());
    EXPECT_EQ(check(code(present), base::wall_now()), kUsed) << text;
    EXPECT_EQ(check(code(present + 3), (present + 3) * 30 * kSecond), "") << text;
  }
}

TEST_F(SecondFactorTest, ReadsTheSecretAtEachLogin) {
  EXPECT_TRUE(factor_->need("alice", kNow));
  ::chmod(secret_.c_str(), 0644);
  Result<SecondFactor::Need> need = factor_->need("alice", kNow);
  ASSERT_FALSE(need);
  EXPECT_EQ(need.error().what, str("totp_file: ", secret_, ": mode 0644 lets others read it; chmod 0600 it"));
  EXPECT_EQ(check(code(kStep)), need.error().what);
  write_file(secret_, "!");
  ::chmod(secret_.c_str(), 0600);
  EXPECT_EQ(factor_->need("alice", kNow).error().what,
            str("totp_file: ", secret_, ": character 1 of the secret is not base32 (A-Z and 2-7)"));
  ::unlink(secret_.c_str());
  EXPECT_THAT(factor_->need("alice", kNow).error().what, HasSubstr("No such file"));
  write_file(secret_, "ABCDEFGHIJKLMNOP");
  EXPECT_TRUE(factor_->need("alice", kNow));
  EXPECT_EQ(check(code(kStep)), "wrong code");
  EXPECT_EQ(check(Totp::parse("ABCDEFGHIJKLMNOP")->code(kStep)), "");
}

TEST_F(SecondFactorTest, KnowsNobodyWithoutAFile) {
  EXPECT_EQ(factor_->need("carol", kNow).error().what, "a code is needed, and there is no totp_file");
  EXPECT_EQ(check(code(kStep), kNow, "carol"), "a code is needed, and there is no totp_file");
  EXPECT_EQ(check(code(kStep)), "");
  factor_->adopt({{"bob", secret_}}, WithoutClock::check, 0);
  EXPECT_EQ(check(code(kStep + 1)), "a code is needed, and there is no totp_file");
  adopt();  // back again: what was used stays used
  EXPECT_EQ(check(code(kStep)), kUsed);
}

TEST_F(SecondFactorTest, LooksAtFiveWrongCodesAMinute) {
  const std::string over = "not looked at: 5 wrong codes within a minute";
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(check(wrong(i)), "wrong code");
    moment_ += std::chrono::seconds(10);
  }
  EXPECT_EQ(check(code(kStep)), over);
  EXPECT_EQ(check(code(kStep), kNow, "bob"), "");  // nobody else has to wait
  moment_ += std::chrono::seconds(10);             // the first is a minute ago
  EXPECT_EQ(check(wrong(5)), "wrong code");
  EXPECT_EQ(check(code(kStep)), over);
  moment_ += std::chrono::seconds(10);
  EXPECT_EQ(check(code(kStep)), "");
  for (int i = 0; i < 9; ++i) EXPECT_EQ(check(code(kStep)), kUsed);  // an old one is no guess
}

TEST_F(SecondFactorTest, StrangersDoNotUseUpTheBudgetOfAKnownSource) {
  const SecondFactor::From thief{"198.51.100.1", false}, other{"198.51.100.2", false},
      home{"192.0.2.9", true};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(check(wrong(i), kNow, "alice", thief), "wrong code");
  EXPECT_THAT(check(code(kStep), kNow, "alice", other), HasSubstr("not looked at"));  // one budget for all
  EXPECT_EQ(check(code(kStep), kNow, "alice", home), "");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(check(wrong(i), kNow, "alice", home), "wrong code");
  EXPECT_THAT(check(code(kStep + 1), kNow, "alice", home), HasSubstr("not looked at"));
  EXPECT_EQ(check(code(kStep + 1), kNow, "alice", {"192.0.2.10", true}), "");
}

TEST_F(SecondFactorTest, LooksAtTwentyWrongCodesAnHourAndFiftyADay) {
  int hour = 0, day = 0;
  std::string why;
  for (int minute = 0; minute < 24 * 60; ++minute) {
    for (int i = 0; i < 6; ++i) {
      if (check(wrong(i)) != "wrong code") continue;
      ++day;
      if (minute < 60) ++hour;
    }
    if (minute == 30) why = check(wrong(0));
    moment_ += std::chrono::minutes(1);
    if (minute == 30 || minute == 600) adopt();  // a reload forgives nothing
  }
  EXPECT_EQ(hour, 20);
  EXPECT_EQ(day, 50);
  EXPECT_EQ(why, "not looked at: 20 wrong codes within an hour");
}

TEST_F(SecondFactorTest, TellsOnceHowManyWrongCodesThereWere) {
  for (int i = 0; i < 7; ++i) check(wrong(i), kNow, "alice", {"198.51.100.1", false});
  check(wrong(0), kNow, "alice", {"198.51.100.2", false});
  EXPECT_EQ(factor_->take_wrong("bob").codes, 0u);
  SecondFactor::Wrong wrong = factor_->take_wrong("alice");
  EXPECT_EQ(wrong.codes, 8u);
  EXPECT_EQ(wrong.last_source, "198.51.100.2");
  EXPECT_EQ(factor_->take_wrong("alice").codes, 0u);
  EXPECT_EQ(factor_->take_wrong("carol").codes, 0u);
}

TEST_F(SecondFactorTest, AsksByTheClockThatIsThere) {
  Result<SecondFactor::Need> need = factor_->need("alice", kNow);
  EXPECT_TRUE(need->code);
  EXPECT_EQ(need->prompt, "");
  clock_ = {false, "the kernel's clock is not synchronised"};
  need = factor_->need("alice", kNow);
  EXPECT_TRUE(need->code);
  EXPECT_EQ(need->prompt, "the board's clock is not synchronised; it believes it is 2026-11-18 11:06:45 UTC");
  EXPECT_EQ(check(code(kStep)), "");
}

TEST_F(SecondFactorTest, LetsTheKeyAloneInWhereItIsToldTo) {
  restart(WithoutClock::skip);
  EXPECT_TRUE(factor_->need("alice", kNow)->code);
  clock_ = {false, "the kernel's clock is not synchronised"};
  Result<SecondFactor::Need> need = factor_->need("alice", kNow);
  EXPECT_FALSE(need->code);
  EXPECT_EQ(need->remark, "no code was asked for: the kernel's clock is not synchronised");
  ::unlink(secret_.c_str());
  EXPECT_FALSE(factor_->need("alice", kNow));  // what is broken lets nobody in
}

TEST_F(SecondFactorTest, RefusesWithoutAClockWhereItIsToldTo) {
  restart(WithoutClock::refuse);
  EXPECT_TRUE(factor_->need("alice", kNow)->code);
  clock_ = {false, "the kernel's clock is not synchronised"};
  EXPECT_EQ(factor_->need("alice", kNow).error().what,
            "a code is needed, and can't be judged: the kernel's clock is not synchronised");
  EXPECT_EQ(check(code(kStep)), "a code can't be judged: the kernel's clock is not synchronised");
}

TEST_F(SecondFactorTest, BelievesNoClockBehindWhatWasSeen) {
  restart(WithoutClock::refuse, kNow + 3600 * kSecond);
  EXPECT_EQ(factor_->need("alice", kNow).error().what,
            "a code is needed, and can't be judged: the clock is behind what was seen already, "
            "2026-11-18 12:06:45 UTC");
  adopt(WithoutClock::refuse, kNow + 20 * kSecond);  // that much a clock may be set back in service
  EXPECT_TRUE(factor_->need("alice", kNow)->code);
}

TEST_F(SecondFactorTest, ASetBackClockLocksNobodyOut) {
  EXPECT_EQ(check(code(kStep)), "");
  clock_ = {false, "the kernel's clock is not synchronised"};
  const Micros before = kNow - 3'000'000 * kSecond;
  const std::int64_t step = Totp::step_at(before);
  testing::internal::CaptureStderr();
  EXPECT_EQ(check(code(step), before), "");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("it was set back"));
  EXPECT_EQ(check(code(step), before), kUsed);
  EXPECT_EQ(check(code(step - 1), before), kUsed);
  EXPECT_EQ(check(code(step + 1), before), "");
  // And right again: neither what was used then nor what was used before is taken once more.
  clock_ = {true, ""};
  restart();
  EXPECT_EQ(check(code(kStep)), kUsed);
  EXPECT_EQ(check(code(kStep + 1)), "");
  restart();
  EXPECT_EQ(check(code(step), before), kUsed);
  EXPECT_EQ(check(code(step + 1), before), kUsed);
}

TEST_F(SecondFactorTest, AClockThatWasAheadLocksNobodyOut) {
  const Micros ahead = kNow + 300'000'000 * kSecond;
  clock_ = {false, "the kernel's clock is not synchronised"};
  EXPECT_EQ(check(code(Totp::step_at(ahead)), ahead), "");
  clock_ = {true, ""};
  EXPECT_EQ(check(code(kStep)), "");
  EXPECT_EQ(check(code(kStep)), kUsed);
  EXPECT_EQ(check(code(Totp::step_at(ahead)), ahead), kUsed);
}

TEST_F(SecondFactorTest, RemembersTheLastStepsAlone) {
  for (std::int64_t i = 0; i < 40; ++i) EXPECT_EQ(check(code(kStep + i), kNow + i * 30 * kSecond), "");
  std::string kept = read_file(state_ + "/alice");
  EXPECT_EQ(std::count(kept.begin(), kept.end(), '\n'), 32);
  EXPECT_THAT(kept, testing::StartsWith(str(kStep + 8, "\n")));
  EXPECT_THAT(kept, testing::EndsWith(str(kStep + 39, "\n")));
}

TEST_F(SecondFactorTest, ABoardIn1970IsServedToo) {
  EXPECT_EQ(check(code(0), 5 * kSecond), "");
  EXPECT_EQ(check(code(0), 5 * kSecond), kUsed);
  EXPECT_EQ(check(code(1), -5 * kSecond), "the clock stands before 1970");
}

}  // namespace
}  // namespace oob::auth

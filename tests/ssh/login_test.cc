#include "ssh/login.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/ssh/fake_core.h"

namespace oob::test {
namespace {

using base::str;
using base::wire::Ask;
using base::wire::Verdict;
using testing::HasSubstr;

constexpr const char* kNoCode = "key accepted, but no right code came for user alice";

// A core that wants a code after every verified key but mallory's.
struct WithCodes : FakeCore {
  explicit WithCodes(base::wire::Setup setup = {}, std::vector<std::string> patience = {})
      : FakeCore(std::move(setup), std::move(patience)) {
    judge = [](const Ask& ask) {
      Verdict verdict;
      verdict.connection = ask.connection;
      verdict.number = ask.number;
      verdict.accept = ask.user != "mallory" && !ask.verified;
      verdict.further = ask.user != "mallory" && ask.verified;
      verdict.prompt = "what time is it";
      return verdict;
    };
  }

  // ssh that asks a program for each code; it answers `answers` one after another, and notes what it was
  // asked.
  Finished ssh_with(const std::vector<std::string>& answers, std::vector<std::string> options = {}) {
    std::string text;
    for (const std::string& answer : answers) text += answer + "\n";
    write_file(dir / "answers", text);
    write_file(dir / "ask",
               str("#!/bin/sh\necho \"$1\" >> ", dir / "asked", "\nhead -n 1 ", dir / "answers",
                   "\nsed -i 1d ", dir / "answers", "\n"),
               0700);
    for (const char* option : {"BatchMode=no", "NumberOfPasswordPrompts=3", "LogLevel=INFO"})
      options.insert(options.end(), {"-o", option});
    std::vector<std::string> words = ssh(options, {"exit 7"});
    words.insert(words.begin(), {"env", "SSH_ASKPASS_REQUIRE=force", str("SSH_ASKPASS=", dir / "ask")});
    return run(words);
  }
  std::string asked() { return read_file(dir / "asked"); }

  // A case of codes.py, which exits with 0; nobody but who gave key and code got a session.
  void meets(const std::string& what, std::size_t codes_sent, std::size_t sessions) {
    Finished done = python("codes.py", {what});
    EXPECT_EQ(done.status, 0) << done.out << done.err;
    EXPECT_EQ(codes.size(), codes_sent);
    EXPECT_EQ(opened.size(), sessions);
  }

  TempDir dir;
};

TEST(Login, TakesACodeAfterTheKey) {
  WithCodes core;
  Finished in = core.ssh_with({"123456"});
  EXPECT_EQ(in.status, 7) << in.err;
  EXPECT_THAT(in.err, HasSubstr("what time is it"));
  EXPECT_EQ(core.asked(), "(alice@127.0.0.1) Code: \n");
  ASSERT_EQ(core.codes.size(), 1u);
  EXPECT_EQ(core.codes[0].code, "123456");
  EXPECT_EQ(core.codes[0].connection, core.asks.back().connection);
  EXPECT_EQ(core.codes[0].number, core.asks.back().number + 1);
  EXPECT_TRUE(core.wait([&] { return core.closed.size() == 1; }));
  EXPECT_TRUE(core.remarks.empty());
}

TEST(Login, AWrongCodeMayBeFollowedByARightOne) {
  WithCodes core;
  EXPECT_EQ(core.ssh_with({"000000", "123456"}).status, 7);
  ASSERT_EQ(core.codes.size(), 2u);
  EXPECT_EQ(core.codes[1].number, core.codes[0].number + 1);
}

TEST(Login, WrongCodesLetNobodyIn) {
  WithCodes core;
  Finished out = core.ssh_with({"000000", "", "1"});
  EXPECT_EQ(out.status, 255);
  EXPECT_THAT(out.err, HasSubstr("Permission denied (keyboard-interactive)"));
  EXPECT_EQ(core.codes.size(), 3u);
  EXPECT_TRUE(core.opened.empty());
  EXPECT_TRUE(core.wait([&] { return core.remarks.size() == 1 && core.closed.size() == 1; }));
  EXPECT_EQ(core.remarks.at(0).text, kNoCode);
}

TEST(Login, SaysNoAtOnceToWhoCanGiveNoCode) {
  WithCodes core;
  Finished out = core.ssh_run("exit 7");  // BatchMode
  EXPECT_EQ(out.status, 255);
  EXPECT_THAT(out.err, HasSubstr("Permission denied (keyboard-interactive)"));
  EXPECT_TRUE(core.codes.empty() && core.opened.empty());
  EXPECT_TRUE(core.wait([&] { return core.remarks.size() == 1; }));
  EXPECT_EQ(core.remarks.at(0).text, kNoCode);
}

TEST(Login, AsksNobodyForACodeWhoseKeyIsRefused) {
  WithCodes core;
  Finished out = core.ssh_with({"123456"}, {"-o", "User=mallory"});
  EXPECT_EQ(out.status, 255);
  EXPECT_EQ(core.asked(), "");
  EXPECT_TRUE(core.codes.empty());
  EXPECT_TRUE(core.wait([&] { return core.remarks.size() == 1; }));
  EXPECT_EQ(core.remarks.at(0).text, "1 key refused for user mallory");
}

TEST(Login, ACodeHasABound) {
  WithCodes core;
  std::string longest(64, '7');
  EXPECT_EQ(core.ssh_with({longest + "7", longest, "123456"}).status, 7);
  ASSERT_EQ(core.codes.size(), 2u);
  EXPECT_EQ(core.codes[0].code, longest);
}

TEST(Login, WaitsForTheVerdictOnACodeNoLongerThanOnAKey) {
  WithCodes core({}, {"50", "300", "30000", "90000", "60000"});
  core.judge_code = [&](const base::wire::Code&) { return core.silent = true; };
  Finished out = core.ssh_with({"123456"});
  EXPECT_EQ(out.status, 255);
  EXPECT_THAT(out.err, HasSubstr("the daemon does not answer"));
  EXPECT_TRUE(core.opened.empty());
}

TEST(Login, TheGraceTimeHoldsWhileACodeIsTyped) {
  WithCodes core({}, {"50"});
  Finished out = core.python("codes.py", {"wrong_for_ever"});  // quick
  EXPECT_EQ(out.status, 0) << out.err;
  ASSERT_TRUE(core.wait([&] { return core.closed.size() == 1; }));
  base::wire::Setup setup;
  setup.grace_seconds = 8;  // enough for a key on a busy machine
  core.send(base::wire::Control::setup, setup.encode());
  // The askpass program reads what never comes: a terminal nobody types on.
  std::string typed = core.dir / "typed";
  ASSERT_EQ(::mkfifo(typed.c_str(), 0600), 0);
  base::Fd nobody(::open(typed.c_str(), O_RDWR | O_CLOEXEC));
  write_file(core.dir / "wait", str("#!/bin/sh\necho > ", core.dir / "asked", "\nread line < ", typed, "\n"),
             0700);
  std::vector<std::string> words = core.ssh({"-o", "BatchMode=no", "-o", "LogLevel=INFO"}, {"exit 7"});
  words.insert(words.begin(), {"env", "SSH_ASKPASS_REQUIRE=force", str("SSH_ASKPASS=", core.dir / "wait")});
  pid_t pid = core.start(words);
  EXPECT_TRUE(core.wait([&] { return core.closed.size() == 2; }));
  EXPECT_NE(core.asked(), "");
  EXPECT_TRUE(core.wait([&] { return core.figures.timed_out == 1; }));
  nobody.reset();  // ends the program, and with it ssh
  EXPECT_EQ(core.end(pid), 255);
  EXPECT_TRUE(core.opened.empty());
}

TEST(Login, AVerdictOnACodeThatAsksForMoreIsARefusal) {
  WithCodes core;
  core.judge_code = [&](const base::wire::Code& code) {
    Verdict odd;
    odd.connection = code.connection;
    odd.number = code.number;
    odd.accept = odd.further = true;
    core.send(base::wire::Control::verdict, odd.encode());
    return true;  // too late: that one was judged
  };
  EXPECT_EQ(core.ssh_with({"123456"}).status, 255);
  EXPECT_TRUE(core.opened.empty());
}

TEST(Login, ServesOtherClientsToo) { WithCodes().meets("clients", 2, 2); }

TEST(Login, ACodeBeforeTheKeyIsNotAskedFor) { WithCodes().meets("code_before_key", 1, 1); }

TEST(Login, AnAnswerBeforeTheKeyEndsTheConnection) { WithCodes().meets("answer_before_key", 0, 0); }

TEST(Login, AnAnswerWithoutAQuestionEndsTheConnection) { WithCodes().meets("answer_without_question", 0, 0); }

TEST(Login, AKeyAloneOpensNoChannel) { WithCodes().meets("key_alone", 0, 0); }

TEST(Login, AfterTheKeyNothingButACodeIsTaken) { WithCodes().meets("other_methods", 1, 1); }

TEST(Login, AQuestionHasOneAnswer) { WithCodes().meets("answer_counts", 1, 1); }

// libssh drops those without a word.
TEST(Login, HundredsOfAnswersComeToNothing) {
  base::wire::Setup setup;
  setup.grace_seconds = 5;
  WithCodes(setup, {"50"}).meets("too_many_answers", 0, 0);
}

TEST(Login, ASecondAnswerIsNotLookedAt) { WithCodes().meets("second_answer", 1, 0); }

TEST(Login, OfTwoAnswersAtOnceOneIsLookedAt) { WithCodes().meets("two_at_once", 1, 0); }

TEST(Login, ASecondRequestEndsTheQuestionOfTheFirst) { WithCodes().meets("asked_twice", 0, 0); }

TEST(Login, TheUserMayNotChangeAfterTheKey) { WithCodes().meets("user_change", 0, 0); }

TEST(Login, WrongCodesAreTriesLikeKeys) { WithCodes().meets("wrong_for_ever", 6, 0); }

}  // namespace
}  // namespace oob::test

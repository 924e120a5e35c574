#include "console/redact_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.h"
#include "tests/console/recordings.h"

namespace oob::console {

using test::Board;
using test::read_file;
using test::Recorded;
using test::Visit;
using testing::HasSubstr;
using testing::Not;

namespace {

const std::string kSecret = "20261122-160311-7", kBeside = "20261122-160312-8", kLive = "20261123-090000-9",
                  kSealed = "20261123-100000-10", kTimes = " --from 1.5 --to 2.5 --why echoed";

// alice audits r* and administers it, bob audits r1 alone; what was recorded on r1 shows a password at 2 s.
class Redacted : public Board {
 public:
  Redacted() {
    allow({auth::Action::watch, auth::Action::audit, auth::Action::admin},
          {auth::Action::watch, auth::Action::audit});
    Recorded secret(kSecret, "alice", "r1");
    secret.device(1, "login: bob\r\n").device(2, "hunter2\r\n").device(3, "$ \r\n").closed(4);
    path = secret.write(dir.path());
    mark(kSecret, secret.text);
    Recorded(kBeside, "bob", "r1").device(1, "hunter2\r\n").closed(2).write(dir.path());
    Recorded(kLive, "bob", "r1").device(2, "hunter2\r\n").write(dir.path(), true);
    Recorded(kSealed, "root", "x1").device(2, "hunter2\r\n").closed(3).write(dir.path());
  }
  void mark(const std::string& id, const std::string& text) {
    core.journal.note(auth::Entry("recording.mark")
                          .with("recording", id)
                          .with("from", std::int64_t{0})
                          .with("to", static_cast<std::int64_t>(text.size()))
                          .with("sha256", base::hex(base::sha256(text))));
    EXPECT_TRUE(journalled("recording.mark"));
  }
  int run(const std::string& user, const std::string& command) {
    Visit visit(*this, user, command);
    int status = visit.wait();
    out = visit.out;
    err = visit.err;
    return status;
  }
  std::string path, out, err;
};

}  // namespace

TEST(RedactJob, HidesTheTextWhereverItIsRead) {
  Redacted board;
  ASSERT_EQ(board.run("alice", "redact " + kSecret + kTimes), 0) << board.err;
  EXPECT_EQ(board.out, kSecret + ": the text of 1 events is hidden\n");
  EXPECT_THAT(read_file(board.path), Not(HasSubstr("hunter2")));
  for (const char* command : {"replay ", "text ", "export ", "export --raw "}) {
    EXPECT_EQ(board.run("alice", command + kSecret), 0) << command;
    EXPECT_THAT(board.out, Not(HasSubstr("hunter2"))) << command;
    EXPECT_THAT(board.out, HasSubstr("login: bob")) << command;
  }
  EXPECT_EQ(board.run("alice", "audit grep hunter2"), 0);
  EXPECT_THAT(board.out, Not(HasSubstr(kSecret)));
  EXPECT_THAT(board.out, HasSubstr(kBeside));  // it is another's to hide, or not
}

TEST(RedactJob, NamesWhatElseHoldsTheSame) {
  Redacted board;
  board.run("alice", "redact " + kSecret + kTimes);
  EXPECT_EQ(board.err, "oobd: the transcript of r1, " + kBeside + " may hold the same\n");
}

TEST(RedactJob, IsInTheJournalWithWhoAndWhyAndTheHashesOfBeforeAndAfter) {
  Redacted board;
  std::string before = base::hex(base::sha256(read_file(board.path)));
  ASSERT_EQ(board.run("alice", "redact " + kSecret + kTimes), 0) << board.err;
  std::string after = base::hex(base::sha256(read_file(board.path)));
  ASSERT_TRUE(board.journalled(R"("ev":"redaction")"));
  std::string journal = board.journal_text();
  std::size_t at = journal.find(R"("ev":"redaction")");
  std::size_t begin = journal.rfind('\n', at) + 1;
  std::string record = journal.substr(begin, journal.find('\n', at) - begin);
  EXPECT_THAT(record, HasSubstr(R"("user":"alice")"));
  EXPECT_THAT(record, HasSubstr(R"("why":"echoed")"));
  EXPECT_THAT(record, HasSubstr(base::str(R"("recording":")", kSecret, '"')));
  EXPECT_THAT(record, HasSubstr(base::str(R"("before":")", before, '"')));
  EXPECT_THAT(record, HasSubstr(base::str(R"("after":")", after, '"')));
}

TEST(RedactJob, TakesTheRightToAdministerAsWellAsTheRightToAudit) {
  Redacted board;
  std::string before = read_file(board.path);
  EXPECT_EQ(board.run("bob", "redact " + kSecret + kTimes), 77);
  EXPECT_TRUE(board.journalled(R"("action":"admin","boot":)"));
  board.allow({auth::Action::watch, auth::Action::admin});
  EXPECT_EQ(board.run("alice", "redact " + kSecret + kTimes), 77);
  EXPECT_EQ(read_file(board.path), before);
  EXPECT_THAT(board.whole_journal(), Not(HasSubstr(R"("ev":"redaction")")));
}

TEST(RedactJob, SaysTheSameOfARecordingThatIsHiddenAndOneThatIsNot) {
  Redacted board;
  for (const std::string& id : {kSealed, std::string("20261123-100000-11")}) {
    EXPECT_EQ(board.run("alice", "redact " + id + kTimes), 66);
    EXPECT_EQ(board.err, "oobd: no such recording: " + id + "\n");
  }
  EXPECT_EQ(board.run("alice", "redact " + kSecret + " --from 100 --to 200 --why echoed"), 66);
  EXPECT_THAT(board.err, HasSubstr("shows nothing at that time"));
}

TEST(RedactJob, RefusesWhatIsStillBeingRecorded) {
  Redacted board;
  EXPECT_EQ(board.run("alice", "redact " + kLive + kTimes), 75);
  EXPECT_THAT(board.err, HasSubstr("still being recorded"));
  EXPECT_THAT(board.whole_journal(), Not(HasSubstr(R"("ev":"redaction")")));
}

TEST(RedactJob, IsNotToMakeGoodWhatSomebodyHasAltered) {
  Redacted board;
  std::string altered = read_file(board.path);
  altered.replace(altered.find("login: bob"), 10, "login: eve");
  test::write_file(board.path, altered);
  EXPECT_EQ(board.run("alice", "redact " + kSecret + kTimes), 1);
  EXPECT_EQ(read_file(board.path), altered);
}

TEST(RedactJob, WantsBothTimesInOrderAndAReason) {
  Redacted board;
  for (const char* rest : {"--to 2 --why x", "--from 1 --why x", "--from 1 --to 2",
                           "--from 1 --to 2 --why ''", "--from x --to 2 --why x", "--from 2 --to 1 --why x"})
    EXPECT_EQ(board.run("alice", base::str("redact ", kSecret, ' ', rest)), 64) << rest;
}

}  // namespace oob::console

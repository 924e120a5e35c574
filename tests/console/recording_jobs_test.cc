#include "console/recording_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "console/search_job.h"
#include "tests/console/recordings.h"

namespace oob::console {

using test::Board;
using test::count;
using test::read_file;
using test::Recorded;
using test::Visit;
using testing::HasSubstr;
using testing::Not;

namespace {

constexpr const char *kFirst = "20261122-160311-7", *kSecondId = "20261123-090000-8",
                     *kHidden = "20261123-100000-9";

// alice audits r*; r1 and r2 have recordings that she may read, x1 one that she may not.
class Audited : public Board {
 public:
  Audited() {
    allow({auth::Action::watch, auth::Action::audit});
    first.own(0, "[oobd: r1]\r\n")
        .device(1, "login: \xff")
        .device(2, "bob\r\n\x1b[31mPassword\x1b[0m:\r\n")
        .closed(3.5);
    first_path = first.write(dir.path());
    Recorded(kSecondId, "bob", "r2").device(0.5, "reboot\r\n").write(dir.path(), true);
    Recorded(kHidden, "root", "x1").device(0.5, "reboot secretly\r\n").closed(1).write(dir.path());
  }
  Recorded first{kFirst, "alice", "r1"};
  std::string first_path;
};

struct Said {
  int status;
  std::string out, err;
};
Said say(Board& board, const std::string& user, const std::string& command) {
  Visit visit(board, user, command);
  int status = visit.wait();
  return {status, visit.out, visit.err};
}

}  // namespace

TEST(Sessions, ListsWhatOneMayAuditTheNewestLast) {
  Audited board;
  Said all = say(board, "alice", "sessions");
  EXPECT_EQ(all.status, 0);
  EXPECT_LT(all.out.find(kFirst), all.out.find(kSecondId));
  EXPECT_THAT(all.out, HasSubstr("live"));
  EXPECT_THAT(all.out, HasSubstr("0:03"));
  EXPECT_THAT(all.out, Not(HasSubstr(kHidden)));
  EXPECT_THAT(say(board, "root", "sessions").out, HasSubstr(kHidden));
  EXPECT_TRUE(board.journalled(R"("ev":"audit.read")"));
}

TEST(Sessions, AreChosenByUserDeviceAndTime) {
  Audited board;
  EXPECT_THAT(say(board, "alice", "sessions --user bob").out, Not(HasSubstr(kFirst)));
  EXPECT_THAT(say(board, "alice", "sessions --device r1").out, Not(HasSubstr(kSecondId)));
  EXPECT_THAT(say(board, "alice", "sessions --since 2026-11-23").out, Not(HasSubstr(kFirst)));
  EXPECT_EQ(say(board, "alice", "sessions --user nobody").err, "oobd: no recordings\n");
  EXPECT_EQ(say(board, "alice", "sessions --since never").status, 64);
}

TEST(Sessions, AreObjectsOneALineAsJson) {
  Audited board;
  Said all = say(board, "alice", "sessions --json");
  EXPECT_EQ(count(all.out, "\n"), 2u);
  EXPECT_THAT(all.out,
              HasSubstr(R"("id":"20261122-160311-7","started":"2026-11-22T16:03:11.000000Z","seconds":3.5)"));
  EXPECT_THAT(all.out, HasSubstr(R"("live":true,"held":false)"));
}

TEST(Sessions, AreNotForThoseWithoutAudit) {
  Audited board;
  for (const char* command :
       {"sessions", "replay 20261122-160311-7", "export 20261122-160311-7", "journal", "checkpoint",
        "audit grep x", "text 20261122-160311-7", "hold 20261122-160311-7 why"}) {
    Said refused = say(board, "bob", command);
    EXPECT_EQ(refused.status, 77) << command;
    EXPECT_EQ(refused.out, "") << command;
  }
  EXPECT_TRUE(board.journalled(R"("action":"audit")"));
}

TEST(Export, GivesTheFileAsItIs) {
  Audited board;
  Said said = say(board, "alice", std::string("export ") + kFirst);
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.out, read_file(board.first_path));
}

TEST(Export, GivesTheDevicesBytesExactly) {
  Audited board;
  EXPECT_EQ(say(board, "alice", std::string("export --raw ") + kFirst).out,
            "login: \xff"
            "bob\r\n\x1b[31mPassword\x1b[0m:\r\n");
}

TEST(Export, GivesTheTextThatWasRead) {
  Audited board;
  EXPECT_EQ(say(board, "alice", std::string("text ") + kFirst).out,
            "[oobd: r1]\nlogin: \xef\xbf\xbd"
            "bob\nPassword:\n");
  EXPECT_EQ(say(board, "alice", std::string("export --text ") + kFirst).out,
            say(board, "alice", std::string("text ") + kFirst).out);
  EXPECT_EQ(say(board, "alice", std::string("text --at 1.5 ") + kFirst).out,
            "[oobd: r1]\nlogin: \xef\xbf\xbd\n");
}

TEST(Export, SaysTheSameOfARecordingThatIsHiddenAndOneThatIsNot) {
  Audited board;
  for (const char* command : {"export ", "text ", "replay ", "unhold "}) {
    Said hidden = say(board, "alice", std::string(command) + kHidden);
    Said missing = say(board, "alice", std::string(command) + "20261123-100000-10");
    EXPECT_EQ(hidden.status, 66) << command;
    EXPECT_EQ(missing.status, 66) << command;
    EXPECT_EQ(hidden.err, std::string("oobd: no such recording: ") + kHidden + "\n");
    EXPECT_EQ(missing.err, "oobd: no such recording: 20261123-100000-10\n");
    EXPECT_EQ(hidden.out + missing.out, "");
  }
  EXPECT_EQ(say(board, "alice", "export ../../host_ed25519").status, 66);
}

TEST(Export, FindsARecordingByTheBeginningOfItsId) {
  Audited board;
  EXPECT_EQ(say(board, "alice", "export 20261122").status, 0);
  EXPECT_EQ(say(board, "alice", "export 2026").status, 64);
  EXPECT_EQ(say(board, "alice", "export 20261123").status, 0);  // the hidden one does not count
}

TEST(Hold, IsWrittenDownAndKept) {
  Audited board;
  std::string mark = board.dir / "recordings/holds/20261122-160311-7";
  EXPECT_EQ(say(board, "alice", std::string("hold ") + kFirst + " case 17").status, 0);
  EXPECT_TRUE(std::filesystem::exists(mark));
  EXPECT_TRUE(board.journalled(R"("ev":"hold")"));
  EXPECT_TRUE(board.journalled(R"("why":"case 17")"));
  EXPECT_THAT(say(board, "alice", "sessions --json").out, HasSubstr(R"("held":true)"));
  EXPECT_THAT(say(board, "alice", std::string("hold ") + kFirst + " again").out, HasSubstr("held already"));
}

TEST(Hold, IsEndedByThoseAloneWhoAdministerTheDevice) {
  Audited board;
  std::string mark = board.dir / "recordings/holds/20261122-160311-7";
  ASSERT_EQ(say(board, "alice", std::string("hold ") + kFirst + " case 17").status, 0);
  EXPECT_EQ(say(board, "alice", std::string("unhold ") + kFirst).status, 77);
  EXPECT_TRUE(std::filesystem::exists(mark));
  EXPECT_TRUE(board.journalled(R"("action":"admin","boot":)"));
  board.allow({auth::Action::audit, auth::Action::admin});
  EXPECT_EQ(say(board, "alice", std::string("unhold ") + kFirst).status, 0);
  EXPECT_FALSE(std::filesystem::exists(mark));
  EXPECT_TRUE(board.journalled(R"("ev":"unhold")"));
}

TEST(Search, FindsLinesThatPeopleRead) {
  Audited board;
  Said found = say(board, "alice", "audit grep 'Pass.*:|reboot'");
  EXPECT_EQ(found.status, 0);
  EXPECT_EQ(found.out, "20261122-160311-7@2.000  r1  Password:\n20261123-090000-8@0.500  r2  reboot\n");
  EXPECT_EQ(say(board, "alice", "audit grep --user bob reboot").out, "20261123-090000-8@0.500  r2  reboot\n");
  EXPECT_EQ(say(board, "alice", "audit grep (").status, 64);
  EXPECT_EQ(say(board, "alice", "audit find x").status, 64);
  EXPECT_EQ(say(board, "alice", "audit grep ''").status, 64);
}

TEST(Search, FindsLinesOfTranscripts) {
  Audited board;
  board.lines["r1"]->say("one\r\n\x1b[1mpanic\x1b[0m: two\r\n");
  board.lines["x1"]->say("panic: hidden\r\n");
  ASSERT_TRUE(board.in_the_files("r1", "panic\x1b[0m: two"));
  ASSERT_TRUE(board.in_the_files("x1", "panic: hidden"));
  Said found = say(board, "alice", "audit grep panic: --transcripts");
  EXPECT_THAT(found.out, testing::MatchesRegex("r1@5  20[^ ]+Z  panic: two\n"));
  EXPECT_EQ(say(board, "alice", "audit grep panic: --recordings").out, "");
  EXPECT_EQ(say(board, "alice", "audit grep panic: --device r2").out, "");
}

TEST(Search, FindsLinesOfDevicesThatAreNoLongerConfiguredForThoseWhoAuditAll) {
  Audited board;
  board.lines["r1"]->say("panic: here\r\n");
  ASSERT_TRUE(board.in_the_files("r1", "panic: here"));
  ASSERT_EQ(say(board, "root", "audit grep panic: --transcripts").out.substr(0, 6), "r1@0  ");
  for (const char* folder : {"r9", "rack 1%2Fr%25", "%2Eprofile"})
    std::filesystem::copy(board.dir / "transcripts/r1", board.dir / (std::string("transcripts/") + folder));
  std::filesystem::create_directories(board.dir / "transcripts/no%2fdevice");
  std::string out = say(board, "root", "audit grep panic: --transcripts").out;
  for (const char* place : {"r1@0  ", "r9@0  ", "rack 1/r%@0  ", ".profile@0  "})
    EXPECT_THAT(out, HasSubstr(place));
  EXPECT_EQ(count(out, "\n"), 4u);
  EXPECT_EQ(count(say(board, "root", "audit grep panic: --device 'r?'").out, "\n"), 2u);
  EXPECT_EQ(count(say(board, "alice", "audit grep panic:").out, "\n"), 1u);
}

TEST(Search, IsInTheJournalByTheHashOfWhatIsSought) {
  Audited board;
  ASSERT_EQ(say(board, "alice", "audit grep hunter2 --device r1").status, 0);
  ASSERT_EQ(say(board, "alice", "journal --grep hunter2 --user bob").status, 0);
  ASSERT_TRUE(board.journalled(R"("what":"journal")"));
  std::string text = board.journal_text();
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, HasSubstr(R"("query":"grep --device r1")"));
  EXPECT_THAT(text, HasSubstr(R"("query":"--user bob")"));
  constexpr std::string_view kSum = "f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7";
  EXPECT_EQ(count(text, base::str(R"("expression_bytes":7,"expression_sha256":")", kSum, '"')), 2u);
}

TEST(Checkpoint, IsInTheJournalAsSomethingRead) {
  Audited board;
  ASSERT_EQ(say(board, "alice", "checkpoint --json").status, 0);
  EXPECT_TRUE(board.journalled(R"("what":"checkpoint")"));
  EXPECT_THAT(board.journal_text(), HasSubstr(R"("query":"--json")"));
}

}  // namespace oob::console

#include "console/verify_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/console/visit.h"

namespace oob::console {

using test::Board;
using test::Visit;
using testing::HasSubstr;
using testing::Not;

namespace {

// alice may audit; bob may not.
class Verified : public Board {
 public:
  Verified() {
    allow({auth::Action::watch, auth::Action::audit});
    core.journal.note(auth::Entry("note").with("device", "r1").with("text", "before"));
    bool sealed = false;
    core.journal.seal([&](const base::Result<auth::Checkpoint>& done) { sealed = done.has_value(); });
    EXPECT_TRUE(test::run_until(loop, [&] { return sealed; }));
  }
  void alter() {
    disk.drain();  // nothing is appended between the reading and the writing
    std::string file = dir / "journal/000000000000.jsonl", text = test::read_file(file);
    text.replace(text.find("before"), 6, "behind");
    test::write_file(file, text);
  }
};

}  // namespace

TEST(VerifyJob, FindsTheRunningJournalWhole) {
  Verified board;
  Visit visit(board, "alice", "verify");
  EXPECT_EQ(visit.wait(), 0) << visit.out << visit.err;
  EXPECT_THAT(visit.out, HasSubstr("whole: "));
  EXPECT_THAT(visit.out, HasSubstr("remember: "));
}

TEST(VerifyJob, EndsWithOneWhereARecordWasAltered) {
  Verified board;
  board.alter();
  Visit visit(board, "root", "verify");
  EXPECT_EQ(visit.wait(), 1) << visit.out << visit.err;
  EXPECT_THAT(visit.out, HasSubstr("ALTERED: journal/000000000000.jsonl:"));
  EXPECT_THAT(visit.out, HasSubstr("NOT WHOLE: "));
  // alice does not audit all devices: what is wrong may be about one that she may not see.
  Visit some(board, "alice", "verify");
  EXPECT_EQ(some.wait(), 1) << some.out << some.err;
  EXPECT_THAT(some.out, HasSubstr("NOT WHOLE: "));
  EXPECT_THAT(some.out, Not(HasSubstr("ALTERED")));
  EXPECT_THAT(some.err, HasSubstr("told to those who audit all devices"));
}

TEST(VerifyJob, SaysTheSameAsOneObjectOfJson) {
  Verified board;
  Visit whole(board, "alice", "verify --json");
  EXPECT_EQ(whole.wait(), 0) << whole.err;
  boost::json::object report = boost::json::parse(whole.out).as_object();
  EXPECT_TRUE(report.at("whole").as_bool());
  EXPECT_EQ(report.at("lives").to_number<int>(), 1);
  EXPECT_GE(report.at("records").to_number<int>(), 2);
  EXPECT_EQ(report.at("key").as_string(), board.core.journal.vkey());
  board.alter();
  Visit altered(board, "root", "verify --json");
  EXPECT_EQ(altered.wait(), 1) << altered.err;
  report = boost::json::parse(altered.out).as_object();
  EXPECT_FALSE(report.at("whole").as_bool());
  EXPECT_EQ(report.at("findings").as_array().at(0).as_object().at("kind").as_string(), "altered");
}

TEST(VerifyJob, IsForThoseWhoMayAudit) {
  Verified board;
  Visit visit(board, "bob", "verify");
  EXPECT_EQ(visit.wait(), 77) << visit.err;
  EXPECT_EQ(visit.out, "");
  EXPECT_TRUE(board.journalled(R"("ev":"denied")"));
}

TEST(VerifyJob, EndsWithTwoWhereNothingCanBeRead) {
  Verified board;
  std::filesystem::rename(board.dir / "journal", board.dir / "elsewhere");
  Visit visit(board, "alice", "verify");
  EXPECT_EQ(visit.wait(), 2) << visit.out;
  EXPECT_THAT(visit.err, HasSubstr("journal: No such file or directory"));
}

}  // namespace oob::console
